package oidctoken

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

const validHash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// validConfig is the least config that is accepted. Each row changes one thing.
func validConfig() *Handler {
	return &Handler{
		Issuer: "https://id.example.com",
		Clients: []*Client{{
			ClientID:     "web",
			ClientSecret: []string{validHash},
			RedirectURIs: []string{"https://app.example.com/callback"},
		}},
	}
}

// resolveWith resolves like Provision: placeholders of Caddy's, and env ones
// from a map.
func resolveWith(env map[string]string) func(string) (string, error) {
	return func(s string) (string, error) {
		r := caddy.NewEmptyReplacer()
		r.Map(func(key string) (any, bool) {
			name, ok := strings.CutPrefix(key, "env.")
			return env[name], ok
		})
		return r.ReplaceOrErr(s, true, true)
	}
}

func TestSettingsDefaults(t *testing.T) {
	s, err := validConfig().settings(resolveWith(nil))
	if err != nil {
		t.Fatal(err)
	}
	web := s.clients.Get("web")
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"REQ-126 the issuer is taken verbatim", s.issuer, "https://id.example.com"},
		{"the token endpoint is below the issuer", s.tokenPath, "/token"},
		{"the JWKS is below the issuer", s.jwksPath, "/.well-known/jwks.json"},
		{"the algorithm is RS256", s.signingAlg, token.RS256},
		{"keys rotate after 90 days", s.keyRotation, 90 * 24 * time.Hour},
		{"a code lives a minute", s.codeLifetime, time.Minute},
		{"an access token lives ten minutes", s.accessTokenLifetime, 10 * time.Minute},
		{"an ID token lives an hour", s.idTokenLifetime, time.Hour},
		{"REQ-037 the method is client_secret_basic", web.AuthMethod, oauth.ClientSecretBasic},
		{"the grant is authorization_code", web.GrantTypes, []string{"authorization_code"}},
		{"the scopes are those of Core §5.4", web.Scope, []string{"openid", "profile", "email", "address", "phone"}},
		{"REQ-100 PKCE is a switch for a confidential client", web.RequirePKCE, false},
		{"REQ-124 the ID token's algorithm is the issuer's", web.IDTokenAlgorithm, token.RS256},
		{"REQ-142 the audience is the issuer, never the client", web.AccessTokenAudience, []string{"https://id.example.com"}},
		{"there is nothing to warn of", s.warnings, []string(nil)},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !reflect.DeepEqual(row.got, row.want) {
				t.Errorf("got %v, want %v", row.got, row.want)
			}
		})
	}
}

func TestSettingsAccepted(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Handler)
		ok     func(*settings) bool
	}{
		{"REQ-126 an issuer keeps its trailing slash, its endpoints have one slash",
			func(h *Handler) { h.Issuer = "https://id.example.com/tenant/" },
			func(s *settings) bool {
				return s.issuer == "https://id.example.com/tenant/" && s.tokenPath == "/tenant/token"
			}},
		{"an issuer keeps a port and capitals", func(h *Handler) { h.Issuer = "https://ID.example.com:8443" },
			func(s *settings) bool { return s.issuer == "https://ID.example.com:8443" }},
		{"REQ-001 http on localhost", func(h *Handler) { h.Issuer = "http://localhost:8480" },
			func(s *settings) bool { return s.issuer == "http://localhost:8480" }},
		{"REQ-001 http on 127.0.0.1", func(h *Handler) { h.Issuer = "http://127.0.0.1:8480" },
			func(s *settings) bool { return s.issuerURL.Port() == "8480" }},
		{"REQ-001 http on [::1]", func(h *Handler) { h.Issuer = "http://[::1]:8480" },
			func(s *settings) bool { return s.issuerURL.Hostname() == "::1" }},
		{"REQ-087 a code lifetime of ten minutes", func(h *Handler) { h.CodeLifetime = caddy.Duration(10 * time.Minute) },
			func(s *settings) bool { return s.codeLifetime == 10*time.Minute }},
		{"rotation is off", func(h *Handler) { h.KeyRotation = -1 },
			func(s *settings) bool { return s.keyRotation == 0 }},
		{"an encryption key in base64url without padding",
			func(h *Handler) { h.EncryptionKey = []string{"{env.KEY}"} },
			func(s *settings) bool { return len(s.encryptionKeys) == 1 && s.encryptionKeys[0][0] == 0xfb }},
		{"an encryption key in base64", func(h *Handler) { h.EncryptionKey = []string{"{env.STDKEY}"} },
			func(s *settings) bool { return len(s.encryptionKeys) == 1 && s.encryptionKeys[0][0] == 0xfb }},
		{"an authorization endpoint with a query",
			func(h *Handler) { h.AuthorizationEndpoint = "https://login.example.com/authorize?tenant=1" },
			func(s *settings) bool {
				return s.authorizationEndpoint == "https://login.example.com/authorize?tenant=1"
			}},
		{"REQ-100 PKCE is always on for a public client",
			func(h *Handler) { h.Clients[0].TokenEndpointAuthMethod, h.Clients[0].ClientSecret = "none", nil },
			func(s *settings) bool { return s.clients.Get("web").RequirePKCE }},
		{"REQ-050 two secrets are valid at once",
			func(h *Handler) { h.Clients[0].ClientSecret = []string{validHash, "{env.SECRET}"} },
			func(s *settings) bool { return len(s.clients.Get("web").Secrets) == 2 }},
		{"an ID token algorithm of the client's own",
			func(h *Handler) { h.SigningAlg, h.Clients[0].IDTokenSignedResponseAlg = "ES256", "RS256" },
			func(s *settings) bool {
				return s.signingAlg == token.ES256 && s.clients.Get("web").IDTokenAlgorithm == token.RS256
			}},
		{"REQ-081 a client with an empty list of grants has none",
			func(h *Handler) { h.Clients[0].GrantTypes = []string{} },
			func(s *settings) bool { return len(s.clients.Get("web").GrantTypes) == 0 }},
		{"REQ-210 a secret comes from a placeholder",
			func(h *Handler) { h.Clients[0].ClientSecret = []string{"{env.SECRET}"} },
			func(s *settings) bool { return len(s.clients.Get("web").Secrets) == 1 && s.warnings == nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := validConfig()
			row.change(h)
			s, err := h.settings(resolveWith(map[string]string{
				"SECRET": "a-secret-of-enough-characters",
				"KEY":    "-_8DBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA",
				"STDKEY": "+/8DBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
			}))
			if err != nil {
				t.Fatal(err)
			}
			if !row.ok(s) {
				t.Errorf("settings are not as the row says: %+v", s)
			}
		})
	}
}

func TestSettingsRefused(t *testing.T) {
	client := func(change func(*Client)) func(*Handler) {
		return func(h *Handler) { change(h.Clients[0]) }
	}
	issuer := func(issuer string) func(*Handler) {
		return func(h *Handler) { h.Issuer = issuer }
	}
	for _, row := range []struct {
		name   string
		change func(*Handler)
		want   string // how the error begins
	}{
		{"no issuer", issuer(""), "issuer: is missing"},
		{"REQ-183 an issuer without a host", issuer("https:///path"), "issuer: has no host"},
		{"REQ-183 an issuer that is not a URL", issuer("https://id.example.com:port"), "issuer: is not a URL"},
		{"an issuer with an impossible port", issuer("https://id.example.com:70000"), "issuer: has an impossible port"},
		{"an issuer with an empty port", issuer("https://id.example.com:"), "issuer: has an impossible port"},
		{"an issuer with a scheme in capitals", issuer("HTTPS://id.example.com"), "issuer: is not an absolute URL"},
		{"REQ-183 an issuer with a query", issuer("https://id.example.com?a=b"), "issuer: an issuer has no query"},
		{"REQ-183 an issuer with an empty query", issuer("https://id.example.com?"), "issuer: an issuer has no query"},
		{"REQ-183 an issuer with a fragment", issuer("https://id.example.com#a"), "issuer: an issuer has no query"},
		{"REQ-183 an issuer with an empty fragment", issuer("https://id.example.com#"), "issuer: an issuer has no query"},
		{"an issuer with a password", issuer("https://user:pass@id.example.com"), "issuer: has a user name or password in it"},
		{"an issuer whose path clients would shorten", issuer("https://id.example.com/a/../b"), "issuer: its path is not in its shortest form"},
		{"an issuer with an escaped path", issuer("https://id.example.com/a%20b"), "issuer: its path holds a character"},
		{"REQ-001 plain HTTP", issuer("http://id.example.com"), "issuer: is plain HTTP"},
		{"REQ-001 plain HTTP on a name that only looks like loopback", issuer("http://localhost.example.com"), "issuer: is plain HTTP"},
		{"REQ-001 plain HTTP on another loopback address", issuer("http://127.0.0.2"), "issuer: is plain HTTP"},
		{"REQ-032 a placeholder of a request", issuer("https://{http.request.host}"), "issuer: a placeholder in it is empty"},

		{"a token endpoint on the OpenID discovery path", func(h *Handler) {
			h.Issuer, h.TokenEndpoint = "https://id.example.com/t", "/t/.well-known/openid-configuration"
		},
			"issuer https://id.example.com/t: token_endpoint: "},
		{"a JWKS on the RFC 8414 path", func(h *Handler) {
			h.Issuer, h.JWKSEndpoint = "https://id.example.com/t", "/.well-known/oauth-authorization-server/t"
		},
			"issuer https://id.example.com/t: jwks_endpoint: "},
		{"a token endpoint on the JWKS's default path", func(h *Handler) { h.TokenEndpoint = "/.well-known/jwks.json" },
			"issuer https://id.example.com: token_endpoint: /.well-known/jwks.json is jwks_endpoint's path"},
		{"a path with a trailing slash", func(h *Handler) { h.TokenEndpoint = "/token/" }, "issuer https://id.example.com: token_endpoint: is not in its shortest form"},
		{"a path with an empty segment", func(h *Handler) { h.TokenEndpoint = "//token" }, "issuer https://id.example.com: token_endpoint: is not in its shortest form"},
		{"the root as a path", func(h *Handler) { h.TokenEndpoint = "/" }, "issuer https://id.example.com: token_endpoint: is not in its shortest form"},
		{"a path with a query", func(h *Handler) { h.JWKSEndpoint = "/keys?format=jwks" }, "issuer https://id.example.com: jwks_endpoint: holds a character"},
		{"a path with an escape", func(h *Handler) { h.JWKSEndpoint = "/k%65ys" }, "issuer https://id.example.com: jwks_endpoint: holds a character"},
		{"an authorization endpoint with a fragment", func(h *Handler) { h.AuthorizationEndpoint = "https://login.example.com/#a" },
			"issuer https://id.example.com: authorization_endpoint: an endpoint has no fragment"},
		{"an authorization endpoint on plain HTTP", func(h *Handler) { h.AuthorizationEndpoint = "http://login.example.com/" },
			"issuer https://id.example.com: authorization_endpoint: is plain HTTP"},

		{"a short encryption key", func(h *Handler) { h.EncryptionKey = []string{"AAECAwQFBgcICQoLDA0ODw=="} },
			"issuer https://id.example.com: encryption_key: key 1 has 16 bytes"},
		{"an encryption key of one byte", func(h *Handler) { h.EncryptionKey = []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="} },
			"issuer https://id.example.com: encryption_key: key 1 is one byte repeated"},
		{"an empty encryption key", func(h *Handler) { h.EncryptionKey = []string{""} }, "encryption_key: a value is empty"},
		{"REQ-209 no algorithm", func(h *Handler) { h.SigningAlg = "none" }, "issuer https://id.example.com: signing_alg: none"},
		{"key files beside rotation", func(h *Handler) { h.SigningKey, h.KeyRotation = []string{"a.pem"}, -1 },
			"issuer https://id.example.com: key_rotation: is for automatic keys"},
		{"a rotation that leaves no time to publish", func(h *Handler) { h.KeyRotation = caddy.Duration(47 * time.Hour) },
			"issuer https://id.example.com: key_rotation: is shorter than 48h"},
		{"a negative rotation that is not off", func(h *Handler) { h.KeyRotation = caddy.Duration(-time.Hour) },
			"issuer https://id.example.com: key_rotation: is shorter than 48h"},

		{"REQ-087 a code lifetime above ten minutes", func(h *Handler) { h.CodeLifetime = caddy.Duration(10*time.Minute + time.Second) },
			"issuer https://id.example.com: code_lifetime: is longer than 10m"},
		{"a code lifetime of 60 nanoseconds, as a bare number means in JSON", func(h *Handler) { h.CodeLifetime = 60 },
			"issuer https://id.example.com: code_lifetime: is shorter than a second"},
		{"a negative access token lifetime", func(h *Handler) { h.AccessTokenLifetime = caddy.Duration(-time.Second) },
			"issuer https://id.example.com: access_token_lifetime: is negative"},
		{"an access token lifetime above a day", func(h *Handler) { h.AccessTokenLifetime = caddy.Duration(25 * time.Hour) },
			"issuer https://id.example.com: access_token_lifetime: is longer than 24h"},
		{"REQ-117 an ID token lifetime with a fraction", func(h *Handler) { h.IDTokenLifetime = caddy.Duration(1500 * time.Millisecond) },
			"issuer https://id.example.com: id_token_lifetime: is not a whole number of seconds"},

		{"no client", func(h *Handler) { h.Clients = nil }, "issuer https://id.example.com: no client is registered"},
		{"a client that is null", func(h *Handler) { h.Clients = append(h.Clients, nil) }, "clients: entry 2 is null"},
		{"a client without an id", client(func(c *Client) { c.ClientID = "" }), `issuer https://id.example.com: client "": client_id: `},
		{"two clients with one id", func(h *Handler) { h.Clients = append(h.Clients, h.Clients[0]) },
			"issuer https://id.example.com: client web: two clients have this client_id"},
		{"two clients with one id once resolved", func(h *Handler) {
			other := *h.Clients[0]
			other.ClientID = "{env.WEB}"
			h.Clients = append(h.Clients, &other)
		}, "issuer https://id.example.com: client web: two clients have this client_id"},
		{"REQ-035 a confidential client without a secret", client(func(c *Client) { c.ClientSecret = nil }),
			"issuer https://id.example.com: client web: client_secret: is missing"},
		{"REQ-035 an empty secret", client(func(c *Client) { c.ClientSecret = []string{validHash, ""} }),
			"client web: client_secret: a value is empty"},
		{"REQ-035 a secret of spaces", client(func(c *Client) { c.ClientSecret = []string{"   "} }),
			"client web: client_secret: a value is empty"},
		{"REQ-035 a secret whose variable is empty", client(func(c *Client) { c.ClientSecret = []string{"{env.EMPTY}"} }),
			"client web: client_secret: the placeholder {env.EMPTY} is empty or not there"},
		{"REQ-035 a public client with a secret", client(func(c *Client) { c.TokenEndpointAuthMethod = "none" }),
			"issuer https://id.example.com: client web: client_secret: "},
		{"REQ-051 a secret that is short once resolved", client(func(c *Client) { c.ClientSecret = []string{"{env.WEB}"} }),
			"issuer https://id.example.com: client web: client_secret: secret 1 has 3 characters"},
		{"one secret twice once resolved", client(func(c *Client) { c.ClientSecret = []string{validHash, "{env.HASH}"} }),
			"issuer https://id.example.com: client web: client_secret: a secret is there twice"},
		{"REQ-209 an unsigned ID token", client(func(c *Client) { c.IDTokenSignedResponseAlg = "none" }),
			"issuer https://id.example.com: client web: id_token_signed_response_alg: none"},
		{"a scope of spaces", client(func(c *Client) { c.Scope = " " }), "client web: scope: a value is empty"},
		{"no redirect URI", client(func(c *Client) { c.RedirectURIs = nil }),
			"issuer https://id.example.com: client web: redirect_uris: "},
		{"the audience of access tokens is another client", func(h *Handler) {
			h.Clients[0].AccessTokenAudience = []string{"https://rp.example.com"}
			h.Clients = append(h.Clients, &Client{ClientID: "https://rp.example.com", ClientSecret: []string{validHash}, RedirectURIs: h.Clients[0].RedirectURIs})
		}, "issuer https://id.example.com: client web: access_token_audience: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := validConfig()
			row.change(h)
			s, err := h.settings(resolveWith(map[string]string{"EMPTY": "", "WEB": "web", "HASH": validHash}))
			if err == nil {
				t.Fatalf("it was accepted: %+v", s)
			}
			if !strings.HasPrefix(err.Error(), row.want) {
				t.Errorf("error %q does not begin with %q", err, row.want)
			}
			if _, ok := errors.AsType[*configError](err); !ok {
				t.Errorf("error %T is not a *configError", err)
			}
		})
	}
}

// A placeholder's name may be shown where the value is only that. Anything
// else may be a secret with a brace in it.
func TestSettingsErrorsHideValues(t *testing.T) {
	for _, secret := range []string{"hunter2{hunter2}", "{hunter2}", "{env.A}hunter2{hunter2}", "{env.{hunter2}"} {
		h := validConfig()
		h.Clients[0].ClientSecret = []string{secret}
		_, err := h.settings(resolveWith(map[string]string{"A": "a"}))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the value, or there is none: %v", err)
		}
	}
	h := validConfig()
	h.Issuer = "https://user:hunter2@id.example.com"
	if _, err := h.settings(resolveWith(nil)); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password, or there is none: %v", err)
	}
}

func TestSettingsWarnings(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Handler)
		want   string
	}{
		{"REQ-210 a secret in the config itself", func(h *Handler) { h.Clients[0].ClientSecret = []string{"a-secret-of-enough-characters"} },
			"client web: client_secret is in the config itself"},
		{"REQ-210 an encryption key in the config itself", func(h *Handler) { h.EncryptionKey = []string{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="} },
			"encryption_key is in the config itself"},
		{"REQ-056 a secret that reads differently once encoded", func(h *Handler) { h.Clients[0].ClientSecret = []string{"{env.SECRET}"} },
			"client web: client_secret: it contains % or +"},
		{"REQ-001 a development issuer", func(h *Handler) { h.Issuer = "http://localhost" }, "plain HTTP on a loopback host"},
		{"a long access token lifetime", func(h *Handler) { h.AccessTokenLifetime = caddy.Duration(2 * time.Hour) }, "access_token_lifetime is 2h"},
		{"a long ID token lifetime", func(h *Handler) { h.IDTokenLifetime = caddy.Duration(48 * time.Hour) }, "id_token_lifetime is 48h"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := validConfig()
			row.change(h)
			s, err := h.settings(resolveWith(map[string]string{"SECRET": "a+secret+of+enough+characters"}))
			if err != nil {
				t.Fatal(err)
			}
			if len(s.warnings) != 1 || !strings.Contains(s.warnings[0], row.want) {
				t.Errorf("warnings are %q, want one with %q", s.warnings, row.want)
			}
			if all := strings.Join(s.warnings, " "); strings.Contains(all, "of-enough") || strings.Contains(all, "of+enough") || strings.Contains(all, "AAEC") {
				t.Errorf("a warning shows a secret: %q", all)
			}
		})
	}
}

// What a Caddyfile's secret is warned of before its hash takes its place.
func TestSecretWarnings(t *testing.T) {
	for _, row := range []struct {
		name    string
		method  string
		secrets []string
		want    []string // of which each is in the warning at its place
	}{
		{"REQ-056 secrets that read differently once encoded", "", []string{"a+secret+of+enough+characters", "another%secret%of%enough%characters"},
			[]string{"client web: client_secret: it contains % or +", "client web: client_secret: it contains % or +"}},
		{"a secret that reads the same both ways", "", []string{"a-secret-of-enough-characters"}, nil},
		{"a hash", "", []string{validHash}, nil},
		{"a placeholder, of which it is said at load", "", []string{"{env.SECRET}"}, nil},
		{"a form encodes by itself", "client_secret_post", []string{"a+secret+of+enough+characters"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := validConfig()
			h.Issuer = "http://localhost" // worth a warning, which is for the load
			h.Clients[0].ClientSecret, h.Clients[0].TokenEndpointAuthMethod = row.secrets, row.method
			s, err := h.check(standIns(h))
			if err != nil {
				t.Fatal(err)
			}
			got := secretWarnings(s.clients)
			if len(got) != len(row.want) {
				t.Fatalf("got %q, want %d", got, len(row.want))
			}
			for i, want := range row.want {
				if !strings.HasPrefix(got[i], want) || strings.Contains(got[i], "enough") {
					t.Errorf("got %q, want %q and not the secret", got[i], want)
				}
			}
		})
	}
}

// TestEveryValueIsResolved fills every text of the config with a placeholder:
// an option that resolved forgets would reach a token or a client unresolved.
func TestEveryValueIsResolved(t *testing.T) {
	h := &Handler{Clients: []*Client{{}}}
	fill(reflect.ValueOf(h).Elem())
	fill(reflect.ValueOf(h.Clients[0]).Elem())
	before, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.resolved(func(_ *Client, option, value string) (string, error) {
		if value != "{env.X}" {
			t.Errorf("%s: %q was asked for", option, value)
		}
		return "resolved " + option, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(texts(reflect.ValueOf(*got)), texts(reflect.ValueOf(*got.Clients[0])))
	if len(all) != 19 {
		t.Errorf("%d options hold text, want 19: %q", len(all), all)
	}
	for _, option := range all {
		if want := option.name + "=resolved " + option.name; option.name+"="+option.value != want {
			t.Errorf("got %s=%q", option.name, option.value)
		}
	}
	// REQ-210: what the admin API can show keeps its placeholders.
	if after, _ := json.Marshal(h); string(after) != string(before) {
		t.Errorf("the exported config was changed to %s", after)
	}
}

func fill(v reflect.Value) {
	for _, field := range v.Fields() {
		if !field.CanSet() {
			continue
		}
		switch field.Interface().(type) {
		case string:
			field.SetString("{env.X}")
		case []string:
			field.Set(reflect.ValueOf([]string{"{env.X}"}))
		}
	}
}

type namedText struct{ name, value string }

// texts returns the text options of a config struct under their JSON names.
func texts(v reflect.Value) []namedText {
	var all []namedText
	for field, value := range v.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		switch value := value.Interface().(type) {
		case string:
			all = append(all, namedText{name, value})
		case []string:
			all = append(all, namedText{name, strings.Join(value, ",")})
		}
	}
	return all
}

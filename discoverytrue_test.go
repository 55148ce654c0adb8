package oidctoken_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// discovered is what the documents say of an issuer, as a client reads them.
type discovered struct {
	ResponseTypes  []string `json:"response_types_supported"`
	ResponseModes  []string `json:"response_modes_supported"`
	GrantTypes     []string `json:"grant_types_supported"`
	AuthMethods    []string `json:"token_endpoint_auth_methods_supported"`
	Challenges     []string `json:"code_challenge_methods_supported"`
	Prompts        []string `json:"prompt_values_supported"`
	Scopes         []string `json:"scopes_supported"`
	Claims         []string `json:"claims_supported"`
	Algorithms     []string `json:"id_token_signing_alg_values_supported"`
	Authorization  string   `json:"authorization_endpoint"`
	Token          string   `json:"token_endpoint"`
	UserInfo       string   `json:"userinfo_endpoint"`
	JWKS           string   `json:"jwks_uri"`
	ClaimsParam    bool     `json:"claims_parameter_supported"`
	RequestParam   bool     `json:"request_parameter_supported"`
	RequestURI     bool     `json:"request_uri_parameter_supported"`
	ISS            bool     `json:"authorization_response_iss_parameter_supported"`
	everyMember    map[string]json.RawMessage
	documentAsRead string
}

func (s *site) discover(t *testing.T, path string) (d discovered) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.issuer+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := s.send(r)
	if err := json.Unmarshal(a.body, &d); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d %s: %v", path, a.StatusCode, a.body, err)
	}
	d.documentAsRead = string(a.body)
	if err := json.Unmarshal(a.body, &d.everyMember); err != nil {
		t.Fatal(err)
	}
	return d
}

// Every value that is advertised works, and what is like it and not advertised
// does not.
func TestDiscoveryIsTrue(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, "identity {\n\tclaim email alice@id.example\n\tclaim groups one,two list\n\tacr silver\n\tamr pwd\n}"))
	d := s.discover(t, "/.well-known/openid-configuration")
	if other := s.discover(t, "/.well-known/oauth-authorization-server"); other.documentAsRead != d.documentAsRead {
		t.Errorf("REQ-182 the documents differ: %s and %s", d.documentAsRead, other.documentAsRead)
	}
	signIn := func(t *testing.T, changes ...change) string {
		return s.send(s.authorization(changes...)).wantCode(t, s.issuer)
	}
	walk := func(name string, advertised, others []string, works, fails func(t *testing.T, value string)) {
		if len(advertised) == 0 {
			t.Errorf("%s: nothing is advertised", name)
		}
		for _, value := range advertised {
			t.Run("REQ-189 "+name+" "+value+" is advertised and works", func(t *testing.T) { works(t, value) })
		}
		for _, value := range others {
			if slices.Contains(advertised, value) {
				t.Errorf("%s %s is advertised", name, value)
			}
			t.Run("REQ-189 "+name+" "+value+" is neither", func(t *testing.T) { fails(t, value) })
		}
	}
	refused := func(code string, change func(value string) change) func(*testing.T, string) {
		return func(t *testing.T, value string) {
			s.send(s.authorization(change(value))).wantRefusal(t, s.issuer, code)
		}
	}
	set := func(name string) func(string) change {
		return func(value string) change { return with(name, value) }
	}
	walk("response_type", d.ResponseTypes, []string{"token", "id_token", "code id_token", "code token", "none"},
		func(t *testing.T, value string) { signIn(t, with("response_type", value)) },
		refused("unsupported_response_type", set("response_type")))
	walk("response_mode", d.ResponseModes, []string{"query.jwt", "form_post.jwt", "web_message"},
		func(t *testing.T, value string) {
			a := s.send(s.authorization(with("response_mode", value)))
			if value == "form_post" {
				sent := formOf(t, a.wantPage(t, http.StatusOK), redirect)
				if secret("code", sent.Get("code")); !sent.Has("code") {
					t.Errorf("the form has %v", namesOf(sent))
				}
				return
			}
			a.wantCode(t, s.issuer)
		},
		refused("invalid_request", set("response_mode")))
	walk("prompt", d.Prompts, []string{"consent", "select_account", "create"},
		func(t *testing.T, value string) { signIn(t, with("prompt", value)) },
		func(t *testing.T, value string) {
			if sent := s.send(s.authorization(with("prompt", value))).wantBack(t, redirect); sent.Get("error") == "" || sent.Has("code") {
				t.Errorf("it answers %v", namesOf(sent))
			}
		})
	walk("code_challenge_method", d.Challenges, []string{"plain"},
		func(t *testing.T, value string) {
			verifier, challenge := pkce()
			code := signIn(t, with("code_challenge_method", value, "code_challenge", challenge))
			r := s.tokenRequest(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
			r.SetBasicAuth("web", secret("client secret", webSecret))
			s.send(r).wantTokens(t)
		},
		refused("invalid_request", func(value string) change {
			_, challenge := pkce()
			return with("code_challenge_method", value, "code_challenge", challenge)
		}))
	s.walkTokenEndpoint(t, d, walk, signIn)
	s.walkTokens(t, d, signIn)
}

func (s *site) walkTokenEndpoint(t *testing.T, d discovered, walk func(string, []string, []string, func(*testing.T, string), func(*testing.T, string)), signIn func(*testing.T, ...change) string) {
	walk("grant_type", d.GrantTypes, []string{"refresh_token", "client_credentials", "implicit", "password"},
		func(t *testing.T, value string) {
			s.send(s.redemption(signIn(t))).wantTokens(t)
		},
		func(t *testing.T, value string) {
			r := s.tokenRequest(url.Values{"grant_type": {value}})
			r.SetBasicAuth("web", secret("client secret", webSecret))
			s.send(r).wantError(t, 400, "unsupported_grant_type")
		})
	redeem := func(t *testing.T, method string) *answer {
		form := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {redirect}}
		changes := []change{}
		id := map[string]string{"client_secret_basic": "web", "client_secret_post": "post"}[method]
		if id == "" {
			id = "spa"
			verifier, challenge := pkce()
			changes = append(changes, with("code_challenge_method", "S256", "code_challenge", challenge))
			form.Set("code_verifier", verifier)
		}
		form.Set("code", signIn(t, append(changes, with("client_id", id))...))
		switch method {
		case "client_secret_basic":
		case "client_secret_post":
			form.Set("client_id", id)
			form.Set("client_secret", secret("client secret", postSecret))
		case "none":
			form.Set("client_id", id)
		default: // an assertion
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			form.Set("client_assertion", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA")
		}
		r := s.tokenRequest(form)
		if method == "client_secret_basic" {
			r.SetBasicAuth(id, secret("client secret", webSecret))
		}
		return s.send(r)
	}
	walk("token_endpoint_auth_method", d.AuthMethods, []string{"client_secret_jwt", "private_key_jwt"},
		func(t *testing.T, value string) { redeem(t, value).wantTokens(t) },
		func(t *testing.T, value string) {
			if a := redeem(t, value); a.StatusCode < 400 || a.StatusCode >= 500 {
				t.Errorf("REQ-185 got %d %s", a.StatusCode, a.body)
			}
		})
}

// What is not advertised because no client is registered for it is refused.
func TestAuthMethodsThatNoClientMayUse(t *testing.T) {
	s := newSite(t).start(strings.Replace(authorizeSite(basicAuth, ""), "CLIENTS", `
		client web {
			client_secret `+webSecret+`
			redirect_uris https://app.example/callback
		}`, 1))
	if methods := s.discover(t, "/.well-known/openid-configuration").AuthMethods; !slices.Equal(methods, []string{"client_secret_basic"}) {
		t.Errorf("REQ-185 advertised are %v", methods)
	}
	for method, credentials := range map[string]url.Values{
		"client_secret_post": {"client_id": {"web"}, "client_secret": {secret("client secret", webSecret)}},
		"none":               {"client_id": {"web"}},
	} {
		t.Run("REQ-185 "+method, func(t *testing.T) {
			code := s.send(s.authorization()).wantCode(t, s.issuer)
			form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}
			maps.Copy(form, credentials)
			s.send(s.tokenRequest(form)).wantError(t, 401, "invalid_client")
		})
	}
}

func TestClaimsThatNoClientMayHave(t *testing.T) {
	s := newSite(t).start(strings.Replace(authorizeSite(basicAuth, "identity {\n\tclaim email alice@id.example\n\tclaim groups one list\n}"), "CLIENTS", `
		client web {
			client_secret `+webSecret+`
			redirect_uris https://app.example/callback
			scope openid profile
		}`, 1))
	claims := s.discover(t, "/.well-known/openid-configuration").Claims
	if slices.Contains(claims, "email") || !slices.Contains(claims, "groups") {
		t.Errorf("REQ-189 advertised are %v, of email and groups want groups alone", claims)
	}
}

func (s *site) walkTokens(t *testing.T, d discovered, signIn func(*testing.T, ...change) string) {
	a := s.send(s.redemption(signIn(t, with("scope", strings.Join(d.Scopes, " ")+" offline_access"))))
	a.wantTokens(t)
	t.Run("every scope that is advertised is granted, and no other", func(t *testing.T) {
		granted := strings.Fields(a.json["scope"].(string))
		slices.Sort(granted)
		if !slices.Equal(granted, d.Scopes) {
			t.Errorf("granted are %v, advertised %v", granted, d.Scopes)
		}
	})
	t.Run("every claim that is advertised is in an ID token, and no other", func(t *testing.T) {
		claims := payload(t, a.json["id_token"])
		got := slices.DeleteFunc(slices.Collect(maps.Keys(claims)), func(name string) bool { return slices.Contains(d.Claims, name) })
		if len(got) > 0 {
			t.Errorf("not advertised are %v", got)
		}
		for _, name := range d.Claims {
			if claims[name] == nil {
				t.Errorf("%s is not in the ID token", name)
			}
		}
	})
	t.Run("the ID token is signed by an algorithm that is advertised", func(t *testing.T) {
		if alg, _ := part(t, a.json["id_token"], 0)["alg"].(string); !slices.Contains(d.Algorithms, alg) {
			t.Errorf("it is %s, advertised are %v", alg, d.Algorithms)
		}
	})
	t.Run("every endpoint that is advertised answers", func(t *testing.T) {
		for _, endpoint := range []string{d.Authorization, d.Token, d.UserInfo, d.JWKS} {
			r, err := http.NewRequest(http.MethodOptions, endpoint, nil)
			if err != nil {
				t.Fatal(err)
			}
			if a := s.send(r); !strings.HasPrefix(endpoint, s.issuer) || string(a.body) == "the site" {
				t.Errorf("%s is the site's", endpoint)
			}
		}
	})
	t.Run("what is said not to be supported is not", func(t *testing.T) {
		if d.ClaimsParam || d.RequestParam || d.RequestURI || !d.ISS {
			t.Errorf("the document is %s", d.documentAsRead)
		}
		s.send(s.authorization(with("request", "eyJ"))).wantRefusal(t, s.issuer, "request_not_supported")
		s.send(s.authorization(with("request_uri", "https://app.example/r"))).wantRefusal(t, s.issuer, "request_uri_not_supported")
	})
	for _, name := range []string{"registration_endpoint", "end_session_endpoint", "revocation_endpoint", "introspection_endpoint", "check_session_iframe", "dpop_signing_alg_values_supported"} {
		if _, there := d.everyMember[name]; there {
			t.Errorf("REQ-191 %s is advertised and not built", name)
		}
	}
}

package oidctoken_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// A site whose issuer is https and which is reached over plain HTTP.
const plainSite = `
http://127.0.0.1:PORT {
	oidc_token {
		issuer https://id.example
		CLIENTS
	}
}`

func TestPlainHTTP(t *testing.T) {
	for _, row := range []struct {
		name, servers string
		headers       map[string][]string
		status        int
	}{
		{"REQ-001 a plain request is refused and not redirected", "", nil, 400},
		{"REQ-001 a stranger cannot say that it was TLS", "", map[string][]string{"X-Forwarded-Proto": {"https"}}, 400},
		{"REQ-001 a trusted proxy says it was plain", "trusted_proxies static 127.0.0.1/32", map[string][]string{"X-Forwarded-Proto": {"http"}}, 400},
		{"REQ-001 a trusted proxy says nothing", "trusted_proxies static 127.0.0.1/32", nil, 400},
		{"REQ-001 a trusted proxy says both", "trusted_proxies static 127.0.0.1/32", map[string][]string{"X-Forwarded-Proto": {"https", "http"}}, 400},
		{"a trusted proxy terminated TLS", "trusted_proxies static 127.0.0.1/32", map[string][]string{"X-Forwarded-Proto": {"https"}}, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t)
			s.servers = row.servers
			s.start(plainSite)
			issued := *s
			issued.issuer = "https://id.example"
			code := issued.mint(oidctoken.MintRequest{ClientID: "web"})
			r := s.redemption(code)
			maps.Copy(r.Header, row.headers)
			a := s.send(r)
			if row.status == 200 {
				a.wantTokens(t)
				if iss := payload(t, a.json["id_token"])["iss"]; iss != "https://id.example" {
					t.Errorf("REQ-032 iss is %v", iss)
				}
				return
			}
			a.wantError(t, row.status, "invalid_request")
			wantHeaders(t, a)
		})
	}
}

// inProcess has the running Caddy answer a request without a connection.
func inProcess(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	for _, server := range app.(*caddyhttp.App).Servers {
		server.ServeHTTP(w, r)
		break
	}
	return w
}

func TestEarlyData(t *testing.T) {
	s := newSite(t).start(oneSite)
	code := s.mint(oidctoken.MintRequest{ClientID: "web"})
	for _, row := range []struct {
		name     string
		complete bool
		status   int
	}{
		{"REQ-003 a request in early data is not processed", false, http.StatusTooEarly},
		{"REQ-003 it is once the handshake is complete", true, http.StatusOK},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := s.redemption(code)
			r.RemoteAddr, r.RequestURI = "127.0.0.1:1", "/token"
			r.TLS = &tls.ConnectionState{HandshakeComplete: row.complete}
			w := inProcess(t, r)
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != row.status {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if token, ok := body["access_token"].(string); ok {
				secret("access_token", token)
				secret("id_token", body["id_token"].(string))
			}
		})
	}
}

func TestSuccessResponse(t *testing.T) {
	s := newSite(t).start(strings.Replace(oneSite, "CLIENTS", "signing_alg EdDSA\nCLIENTS", 1))
	a := s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web", Scope: "openid profile"})))
	a.wantTokens(t)
	t.Run("REQ-114 REQ-120 REQ-121 it has these members, once, and no refresh_token", func(t *testing.T) {
		if got := fmt.Sprint(slices.Sorted(maps.Keys(a.json))); got != "[access_token expires_in id_token scope token_type]" {
			t.Errorf("members %s", got)
		}
		for name := range a.json {
			if n := bytes.Count(a.body, []byte(`"`+name+`":`)); n != 1 {
				t.Errorf("%s is there %d times", name, n)
			}
		}
	})
	t.Run("REQ-117 REQ-146 expires_in is an integer and true", func(t *testing.T) {
		if !regexp.MustCompile(`"expires_in":600[,}]`).Match(a.body) {
			t.Errorf("got %s", regexp.MustCompile(`"expires_in":[^,}]*`).Find(a.body))
		}
		claims := payload(t, a.json["access_token"])
		if lifetime := claims["exp"].(float64) - claims["iat"].(float64); lifetime != 600 {
			t.Errorf("the access token lives %v s", lifetime)
		}
	})
	t.Run("REQ-207 Ed25519 signs as EdDSA, as the metadata says", func(t *testing.T) {
		r, _ := http.NewRequest(http.MethodGet, s.issuer+"/.well-known/openid-configuration", nil)
		advertised := fmt.Sprint(s.send(r).json["id_token_signing_alg_values_supported"])
		if alg := header64(t, a.json["id_token"])["alg"]; alg != "EdDSA" || !strings.Contains(advertised, "EdDSA") {
			t.Errorf("signed with %v, advertised %s", alg, advertised)
		}
	})
	t.Run("REQ-115 access tokens are printable and all different", func(t *testing.T) {
		seen := map[string]bool{}
		for range 100 {
			a := s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"})))
			a.wantTokens(t)
			token := a.json["access_token"].(string)
			jti := payload(t, token)["jti"].(string)
			if !regexp.MustCompile(`^[\x20-\x7e]+$`).MatchString(token) || len(jti) < 22 || seen[jti] {
				t.Fatalf("jti %q", jti)
			}
			seen[jti] = true
		}
	})
}

func TestErrorShape(t *testing.T) {
	s := newSite(t).start(oneSite)
	code := s.mint(oidctoken.MintRequest{ClientID: "web"})
	const marker = "marker\"\\\r\n\x1b[31m-é-☺"
	for _, row := range []struct {
		name   string
		status int
		code   string
		edits  []edit
	}{
		{"400", 400, "invalid_request", []edit{set("grant_type", "")}},
		{"401", 401, "invalid_client", []edit{header("Authorization", "Bearer "+url.QueryEscape(marker))}},
		{"405", 405, "invalid_request", []edit{method("PUT")}},
		{"413", 413, "invalid_request", []edit{set("x", strings.Repeat("x", 1<<17))}},
		{"415", 415, "invalid_request", []edit{header("Content-Encoding", "zstd")}},
		{"a foreign grant", 400, "unsupported_grant_type", []edit{set("grant_type", "markers")}},
	} {
		t.Run("REQ-161 REQ-162 REQ-163 REQ-166 H11 "+row.name+" has the one shape and reflects nothing", func(t *testing.T) {
			everywhere := func(r *http.Request, form url.Values) {
				for _, name := range []string{"code_verifier", "redirect_uri", "client_assertion_type", "foo"} {
					form[name] = []string{marker}
				}
				r.URL.RawQuery = "x=" + url.QueryEscape(marker)
				r.Header.Set("User-Agent", "marker")
			}
			a := s.send(s.request(code, append([]edit{everywhere}, row.edits...)...))
			// The control characters are refused before the rest is looked at,
			// but not before what HTTP itself decides.
			if a.StatusCode != row.status && a.StatusCode != 400 {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			a = s.send(s.request(code, row.edits...))
			a.wantError(t, row.status, row.code)
			if challenge := a.Header.Get("WWW-Authenticate"); row.status == 401 && challenge != `Basic realm="oidc_token", charset="UTF-8"` {
				t.Errorf("challenge %q", challenge)
			}
			for _, member := range []string{"error", "error_description"} {
				if v := a.json[member].(string); !regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`).MatchString(v) {
					t.Errorf("%s is %q", member, v)
				}
			}
			if bytes.Contains(a.body, []byte("marker")) || strings.Contains(fmt.Sprint(a.Header), "marker") {
				t.Errorf("the request is reflected: %v %s", a.Header, a.body)
			}
		})
	}
	t.Run("REQ-164 A28 unknown, used and foreign codes are answered alike", func(t *testing.T) {
		used := s.mint(oidctoken.MintRequest{ClientID: "web"})
		s.send(s.redemption(used)).wantTokens(t)
		foreign := s.mint(oidctoken.MintRequest{ClientID: "web2"})
		var bodies []string
		for _, c := range []string{"nope", strings.Repeat("A", 48), used, foreign} {
			a := s.send(s.redemption(c))
			a.wantError(t, 400, "invalid_grant")
			bodies = append(bodies, string(a.body))
		}
		if len(slices.Compact(bodies)) != 1 {
			t.Errorf("got %q", bodies)
		}
	})
	t.Run("A20 another client replays a used code: refused, and nothing else happens", func(t *testing.T) {
		used := s.mint(oidctoken.MintRequest{ClientID: "web"})
		s.send(s.redemption(used)).wantTokens(t)
		s.send(s.request(used, func(r *http.Request, _ url.Values) { r.SetBasicAuth("web2", webSecret+"2") })).wantError(t, 400, "invalid_grant")
	})
}

func TestThrottle(t *testing.T) {
	s := newSite(t)
	s.servers = ""
	s.start(oneSite)
	wrong := func(r *http.Request, _ url.Values) { r.SetBasicAuth("web", "wrong-wrong-wrong-wrong") }
	t.Run("REQ-047 C11 C13 forged addresses do not help a guesser, and the owner is not locked out", func(t *testing.T) {
		throttled := 0
		for n := range 15 {
			r := s.request("x", wrong)
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", n))
			a := s.send(r)
			switch a.StatusCode {
			case http.StatusTooManyRequests:
				throttled++
				a.wantError(t, 429, "temporarily_unavailable")
				if a.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			default:
				a.wantError(t, 401, "invalid_client")
			}
		}
		if throttled != 5 {
			t.Errorf("%d of 15 were answered 429", throttled)
		}
		s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	})
}

func TestTheLogNamesTheParameter(t *testing.T) {
	s := newSite(t).start(oneSite)
	for _, row := range []struct {
		event string
		edit  edit
	}{
		{"parameter_missing", set("code")},
		{"parameter_repeated", set("code", "a", "b")},
		{"parameter_malformed", set("code", "\x01")},
	} {
		t.Run(row.event, func(t *testing.T) {
			mark := logSize(t)
			s.send(s.request(unknownCode(), row.edit)).wantError(t, 400, "invalid_request")
			if line := lastEvent(t, mark); line["event"] != row.event || line["parameter"] != "code" {
				t.Errorf("the line is %v", line)
			}
		})
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	s := newSite(t).start(oneSite)
	mark := logSize(t)
	verifier, challenge := pkce()
	code := s.mint(oidctoken.MintRequest{ClientID: "web", CodeChallenge: challenge, CodeChallengeMethod: "S256"})
	withVerifier := set("code_verifier", verifier)
	for _, e := range [][]edit{
		{withVerifier, set("code", code, code)},
		{withVerifier, set("redirect_uri", redirect+"?code="+code)},
		{withVerifier, header("Authorization", "Basic !"+webSecret)},
		{withVerifier, header("Authorization", "Bearer "+webSecret)},
		{withVerifier, func(r *http.Request, _ url.Values) { r.SetBasicAuth(webSecret, code) }},
		{withVerifier, set("client_id", webSecret)},
		{set("code_verifier", verifier+"x")},
		{set("grant_type", code)},
		{withVerifier, set("client_assertion", webSecret), header("Authorization")},
		{withVerifier},
		{withVerifier},
	} {
		s.send(s.request(code, e...))
	}
	logs, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	secrets.Lock()
	defer secrets.Unlock()
	for value, what := range secrets.values {
		t.Run("REQ-239 H17 H18 no "+what+" is in the access log or the log at DEBUG", func(t *testing.T) {
			if bytes.Contains(logs[mark:], []byte(value)) {
				t.Errorf("a %s is", what)
			}
		})
	}
	if len(logs[mark:]) < 1000 {
		t.Error("hardly anything was logged")
	}
}

package oidctoken_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/coreos/go-oidc/v3/oidc"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// alice is what is known of the person in these tests.
var alice = map[string]json.RawMessage{
	"name": json.RawMessage(`"Alice <A>"`), "email": json.RawMessage(`"alice@example.com"`),
	"email_verified": json.RawMessage(`true`), "updated_at": json.RawMessage(`1700000000`), "groups": json.RawMessage(`["staff"]`),
}

// signIn redeems a fresh code of client web and returns the tokens.
func (s *site) signIn(scope string) (accessToken, idToken string) {
	s.t.Helper()
	a := s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web", Scope: scope, Claims: alice})))
	a.wantTokens(s.t)
	idToken, _ = a.json["id_token"].(string)
	return a.json["access_token"].(string), idToken
}

// userInfoRequest is a valid UserInfo request.
func (s *site) userInfoRequest(accessToken string) *http.Request {
	r, err := http.NewRequest(http.MethodGet, s.issuer+"/userinfo", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+accessToken)
	return r
}

// wantClaims asserts a UserInfo response with exactly that.
func (a *answer) wantClaims(t testing.TB, want string) {
	t.Helper()
	if a.StatusCode != http.StatusOK || string(a.body) != want || a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %s as %s, want %s", a.StatusCode, a.body, a.Header.Get("Content-Type"), want)
	}
	wantHeaders(t, a)
}

// wantBearerError asserts an error of RFC 6750 §3.1, in the challenge and in the
// body alike.
func (a *answer) wantBearerError(t testing.TB, status int, code string) {
	t.Helper()
	challenge := a.Header.Get("WWW-Authenticate")
	if a.StatusCode != status || a.json["error"] != code || !strings.HasPrefix(challenge, `Bearer realm="oidc_token", error="`+code+`", error_description="`) {
		t.Fatalf("got %d %s, challenge %q, want %d %s", a.StatusCode, a.body, challenge, status, code)
	}
	wantHeaders(t, a)
}

func TestUserInfoClaims(t *testing.T) {
	s := newSite(t).start(oneSite)
	for _, row := range []struct{ name, scope, want string }{
		{"REQ-148 openid alone has sub, and what no scope covers", "openid", `{"sub":"alice","groups":["staff"]}`},
		{"REQ-135 email releases email", "openid email", `{"sub":"alice","email":"alice@example.com","email_verified":true,"groups":["staff"]}`},
		{"REQ-135 claims have their JSON types", "openid profile", `{"sub":"alice","groups":["staff"],"name":"Alice <A>","updated_at":1700000000}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			accessToken, idToken := s.signIn(row.scope)
			a := s.send(s.userInfoRequest(accessToken))
			a.wantClaims(t, row.want)
			for name, value := range payload(t, idToken) {
				if claim, ok := a.json[name]; ok && !sameJSON(claim, value) {
					t.Errorf("%s is %v, and %v in the ID token", name, claim, value)
				}
			}
		})
	}
	accessToken, _ := s.signIn("openid")
	const want = `{"sub":"alice","groups":["staff"]}`
	for _, row := range []struct {
		name string
		send func(r *http.Request)
	}{
		{"GET", func(*http.Request) {}},
		{"POST without a body", func(r *http.Request) { r.Method = http.MethodPost }},
		{"POST with the token in the form", func(r *http.Request) { inForm(r, url.Values{"access_token": {accessToken}, "x": {"y"}}) }},
		{"POST with an empty token in the form", func(r *http.Request) {
			field := r.Header.Get("Authorization")
			inForm(r, url.Values{"access_token": {""}})
			r.Header.Set("Authorization", field)
		}},
		{"a scheme in another case", func(r *http.Request) { r.Header.Set("Authorization", "bEARER  "+accessToken) }},
		{"a GET whose body is no form", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{")) }},
		{"a cookie and a query that is harmless", func(r *http.Request) { r.Header.Set("Cookie", "session=1"); r.URL.RawQuery = "tenant=a" }},
		{"the issuer's own origin", func(r *http.Request) { r.Header.Set("Origin", s.issuer) }},
	} {
		t.Run("REQ-148 "+row.name+" is answered", func(t *testing.T) {
			r := s.userInfoRequest(accessToken)
			row.send(r)
			s.send(r).wantClaims(t, want)
		})
	}
	t.Run("HEAD has the headers alone", func(t *testing.T) {
		r := s.userInfoRequest(accessToken)
		r.Method = http.MethodHead
		if a := s.send(r); a.StatusCode != 200 || len(a.body) != 0 || a.ContentLength != int64(len(want)) {
			t.Errorf("got %d with %q, length %d", a.StatusCode, a.body, a.ContentLength)
		}
	})
}

func sameJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// inForm makes a request a POST of that form, without an Authorization field.
func inForm(r *http.Request, form url.Values) {
	body := form.Encode()
	r.Method, r.ContentLength, r.Body = http.MethodPost, int64(len(body)), io.NopCloser(strings.NewReader(body))
	r.Header.Del("Authorization")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
}

// Each row changes one thing about a valid request.
func TestUserInfoRefusals(t *testing.T) {
	s := newSite(t).start(strings.Replace(oneSite, "CLIENTS", `CLIENTS
		client api {
			client_secret `+webSecret+`-api
			redirect_uris `+redirect+`
			access_token_audience https://api.example
		}`, 1))
	accessToken, idToken := s.signIn("openid profile")
	plain, _ := s.signIn("profile")
	r := s.redemption(s.mint(oidctoken.MintRequest{ClientID: "api"}))
	r.SetBasicAuth("api", secret("client secret", webSecret+"-api"))
	foreign := s.send(r)
	foreign.wantTokens(t)
	parts := strings.Split(accessToken, ".")
	authorization := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	for _, row := range []struct {
		name   string
		change func(r *http.Request)
		status int
		code   string
	}{
		{"REQ-148 a token in the query", func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "access_token=x" }, 400, "invalid_request"},
		{"REQ-148 a token in the query beside the right one", func(r *http.Request) { r.URL.RawQuery = "access_token=x" }, 400, "invalid_request"},
		{"REQ-148 a token in field and form", func(r *http.Request) {
			inForm(r, url.Values{"access_token": {accessToken}})
			r.Header.Set("Authorization", "Bearer "+accessToken)
		}, 400, "invalid_request"},
		{"two Authorization fields", authorization("Bearer "+accessToken, "Bearer "+accessToken), 400, "invalid_request"},
		{"two tokens in the form", func(r *http.Request) { inForm(r, url.Values{"access_token": {accessToken, accessToken}}) }, 400, "invalid_request"},
		{"no token after Bearer", authorization("Bearer"), 400, "invalid_request"},
		{"two tokens after Bearer", authorization("Bearer " + accessToken + " " + accessToken), 400, "invalid_request"},
		{"a token of other characters", authorization(`Bearer "` + accessToken + `"`), 400, "invalid_request"},
		{"a body that is JSON", func(r *http.Request) {
			inForm(r, url.Values{"access_token": {accessToken}})
			r.Header.Set("Content-Type", "application/json")
		}, 400, "invalid_request"},
		{"a body without a type", func(r *http.Request) {
			inForm(r, url.Values{"access_token": {accessToken}})
			r.Header.Del("Content-Type")
		}, 400, "invalid_request"},
		{"a form that is malformed", func(r *http.Request) {
			inForm(r, nil)
			r.ContentLength, r.Body = 3, io.NopCloser(strings.NewReader("%zz"))
		}, 400, "invalid_request"},
		{"REQ-203 H13 a foreign origin", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 400, "invalid_request"},
		{"REQ-203 H13 a foreign origin, before the token is looked for,", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Origin", "https://evil.example")
		}, 400, "invalid_request"},
		{"REQ-200 H13 the origin of another client", func(r *http.Request) { r.Header.Set("Origin", "https://app.example") }, 400, "invalid_request"},
		{"REQ-148 a token that is none", authorization("Bearer nonsense"), 401, "invalid_token"},
		{"REQ-145 an ID token", authorization("Bearer " + idToken), 401, "invalid_token"},
		{"D08 an unsigned token", authorization("Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "."), 401, "invalid_token"},
		{"a token whose claims were altered", authorization("Bearer " + parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"bob"}`)) + "." + parts[2]), 401, "invalid_token"},
		{"REQ-142 a token for another audience", authorization("Bearer " + foreign.json["access_token"].(string)), 401, "invalid_token"},
		{"REQ-148 a token without openid", authorization("Bearer " + plain), 403, "insufficient_scope"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			r := s.userInfoRequest(accessToken)
			row.change(r)
			a := s.send(r)
			a.wantBearerError(t, row.status, row.code)
			if scope := strings.Contains(a.Header.Get("WWW-Authenticate"), `, scope="openid"`); scope != (row.status == 403) {
				t.Errorf("challenge is %q", a.Header.Get("WWW-Authenticate"))
			}
			if allowed := a.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("Access-Control-Allow-Origin is %q", allowed)
			}
		})
	}
	for name, field := range map[string][]string{"no token": nil, "another scheme": {"Basic d2ViOng="}} {
		t.Run("REQ-148 "+name+" is asked for one, and told nothing else", func(t *testing.T) {
			r := s.userInfoRequest(accessToken)
			r.Header["Authorization"] = field
			a := s.send(r)
			if a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") != `Bearer realm="oidc_token"` || len(a.body) != 0 {
				t.Errorf("got %d, challenge %q, %s", a.StatusCode, a.Header.Get("WWW-Authenticate"), a.body)
			}
			wantHeaders(t, a)
		})
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "BREW"} {
		t.Run("REQ-004 "+method+" is not processed", func(t *testing.T) {
			r := s.userInfoRequest(accessToken)
			r.Method = method
			a := s.send(r)
			if a.wantError(t, 405, "invalid_request"); a.Header.Get("Allow") != "GET, HEAD, POST, OPTIONS" {
				t.Errorf("Allow is %q", a.Header.Get("Allow"))
			}
		})
	}
	t.Run("REQ-012 H05 a body over the cap is refused", func(t *testing.T) {
		r := s.userInfoRequest(accessToken)
		inForm(r, url.Values{"access_token": {strings.Repeat("x", 1<<17)}})
		s.send(r).wantError(t, 413, "invalid_request")
	})
	t.Run("REQ-015 a compressed body is refused", func(t *testing.T) {
		r := s.userInfoRequest(accessToken)
		inForm(r, url.Values{"access_token": {accessToken}})
		r.Header.Set("Content-Encoding", "gzip")
		s.send(r).wantError(t, 415, "invalid_request")
	})
}

func TestUserInfoForBrowsers(t *testing.T) {
	s := newSite(t).start(oneSite)
	verifier, challenge := pkce()
	code := s.mint(oidctoken.MintRequest{ClientID: "spa", CodeChallenge: challenge, CodeChallengeMethod: "S256"})
	r := s.tokenRequest(url.Values{"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
	tokens := s.send(r)
	tokens.wantTokens(t)
	t.Run("REQ-197 a preflight of an allowed origin", func(t *testing.T) {
		r, _ := http.NewRequest(http.MethodOptions, s.issuer+"/userinfo", nil)
		r.Header.Set("Origin", "https://app.example")
		r.Header.Set("Access-Control-Request-Method", "GET")
		a := s.send(r)
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "https://app.example", "Access-Control-Allow-Methods": "GET, HEAD, POST",
			"Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP", "Allow": "GET, HEAD, POST, OPTIONS",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if a.StatusCode != 204 || len(a.body) != 0 {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		wantHeaders(t, a)
	})
	t.Run("REQ-200 H13 a preflight of another", func(t *testing.T) {
		r, _ := http.NewRequest(http.MethodOptions, s.issuer+"/userinfo", nil)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Access-Control-Request-Method", "GET")
		if a := s.send(r); a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("allowed %v", a.Header)
		}
	})
	readable := func(t *testing.T, a *answer) {
		t.Helper()
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "https://app.example" {
			t.Errorf("Access-Control-Allow-Origin is %q", got)
		}
		if got := a.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(got, "WWW-Authenticate") {
			t.Errorf("REQ-202 Access-Control-Expose-Headers is %q", got)
		}
	}
	t.Run("REQ-198 the client's page reads its claims", func(t *testing.T) {
		r := s.userInfoRequest(tokens.json["access_token"].(string))
		r.Header.Set("Origin", "https://app.example")
		a := s.send(r)
		a.wantClaims(t, `{"sub":"alice"}`)
		readable(t, a)
	})
	t.Run("REQ-198 it reads errors, too", func(t *testing.T) {
		r := s.userInfoRequest("nonsense")
		r.Header.Set("Origin", "https://app.example")
		a := s.send(r)
		a.wantBearerError(t, 401, "invalid_token")
		readable(t, a)
	})
}

func TestUserInfoOverPlainHTTP(t *testing.T) {
	s := newSite(t)
	s.servers = ""
	s.start(plainSite)
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
		t.Run("REQ-001 a plain "+method+" is refused and not redirected", func(t *testing.T) {
			r := s.userInfoRequest("a-token")
			r.Method = method
			s.send(r).wantBearerError(t, 400, "invalid_request")
		})
	}
}

// A reload may take the client away, whose tokens live on.
func TestUserInfoAfterTheClientWasRemoved(t *testing.T) {
	s := newSite(t).start(oneSite)
	accessToken, _ := s.signIn("openid")
	without := strings.Replace(clients, "client web {", "client web3 {", 1)
	if err := s.load(strings.Replace(oneSite, "CLIENTS", without, 1)); err != nil {
		t.Fatal(err)
	}
	t.Run("its access tokens are not valid any more", func(t *testing.T) {
		s.send(s.userInfoRequest(accessToken)).wantBearerError(t, 401, "invalid_token")
	})
	if err := s.load(again(2)); err != nil {
		t.Fatal(err)
	}
	t.Run("and are again when it is back", func(t *testing.T) {
		s.send(s.userInfoRequest(accessToken)).wantClaims(t, `{"sub":"alice","groups":["staff"]}`)
	})
}

func TestUserInfoWhileTheStorageFails(t *testing.T) {
	s, memory := memorySite(t)
	accessToken, _ := s.signIn("openid")
	t.Run("F01 it says so, and that it passes", func(t *testing.T) {
		memory.Before(func(context.Context, storagetest.Call) error { return errors.New("injected fault") })
		a := s.send(s.userInfoRequest(accessToken))
		memory.Before(nil)
		a.wantError(t, 503, "temporarily_unavailable")
		if a.Header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
		}
		s.send(s.userInfoRequest(accessToken)).wantClaims(t, `{"sub":"alice","groups":["staff"]}`)
	})
	t.Run("it is one call of the storage, which reads", func(t *testing.T) {
		memory.Reset()
		s.send(s.userInfoRequest(accessToken)).wantClaims(t, `{"sub":"alice","groups":["staff"]}`)
		for _, call := range memory.Calls() {
			if call.Op != storagetest.OpLoad || !strings.Contains(call.Key, "/used/") {
				t.Errorf("%s of %s", call.Op, call.Key)
			}
		}
		if n := memory.Count(storagetest.OpLoad); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
	t.Run("F03 a marker that was altered gives nobody's claims", func(t *testing.T) {
		mark := logSize(t)
		kept := memory.Snapshot()
		for key, value := range memory.Snapshot() {
			if strings.Contains(key, "/used/") {
				value[len(value)-1] ^= 1
				if err := memory.Store(t.Context(), key, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.send(s.userInfoRequest(accessToken)).wantBearerError(t, 401, "invalid_token")
		memory.Restore(kept)
		if lines := logLines(t, mark); len(lines) != 1 || lines[0]["event"] != "record_corrupt" || lines[0]["level"] != "warn" {
			t.Errorf("logged %v", lines)
		}
	})
}

// TestUserInfoCopyOfTheStorage: REQ-139 asks that a dump of the storage holds
// nothing usable. Here it does not even show who signed in.
func TestUserInfoCopyOfTheStorage(t *testing.T) {
	s := newSite(t).start(oneSite)
	accessToken, _ := s.signIn("openid email")
	secrets := []string{"alice@example.com", "alice", payload(t, accessToken)["grant_ref"].(string)}
	files := 0
	err := filepath.WalkDir(filepath.Join(s.dir, "oidc_token"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		value, err := os.ReadFile(name)
		for _, secret := range secrets {
			if strings.Contains(string(value), secret) || strings.Contains(name, secret) {
				t.Errorf("a file below %s holds %d characters of a person or of a grant", filepath.Base(filepath.Dir(name)), len(secret))
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("read %d files, %v", files, err)
	}
	s.send(s.userInfoRequest(accessToken)).wantClaims(t, `{"sub":"alice","email":"alice@example.com","email_verified":true,"groups":["staff"]}`)
}

func TestUserInfoLogLines(t *testing.T) {
	s := newSite(t).start(oneSite)
	accessToken, _ := s.signIn("openid")
	for _, row := range []struct {
		name, event, level, outcome, client string
		change                              func(r *http.Request)
	}{
		{"REQ-240 claims that were given", "userinfo_answered", "info", "success", "web", func(*http.Request) {}},
		{"no token", "access_token_missing", "info", "no_token", "unknown", func(r *http.Request) { r.Header.Del("Authorization") }},
		{"a token that is not valid", "access_token_invalid", "info", "invalid_token", "unknown", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+accessToken+"x") }},
		{"a token in the URI is a security event", "secret_in_uri", "warn", "invalid_request", "unknown", func(r *http.Request) { r.URL.RawQuery = "access_token=x" }},
	} {
		t.Run(row.name+" is one line", func(t *testing.T) {
			mark := logSize(t)
			before := s.metrics()
			r := s.userInfoRequest(accessToken)
			row.change(r)
			a := s.send(r)
			lines := logLines(t, mark)
			if len(lines) != 1 {
				t.Fatalf("%d lines: %v", len(lines), lines)
			}
			line := lines[0]
			if line["event"] != row.event || line["level"] != row.level || line["outcome"] != row.outcome || line["client_id"] != row.client ||
				line["request_id"] != a.Header.Get("X-Request-Id") || line["issuer"] != s.issuer || line["client_ip"] != s.clientIP {
				t.Errorf("logged %v", line)
			}
			if row.client == "web" && (line["jti"] != payload(t, accessToken)["jti"] || line["scope"] != "openid") {
				t.Errorf("logged %v", line)
			}
			reason := row.event
			if row.outcome == "success" {
				reason = ""
			}
			counted := regexp.MustCompile(`(?m)^caddy_oidc_token_userinfo_requests_total\{outcome="` + row.outcome + `",reason="` + reason + `"\} .*$`)
			if after := s.metrics(); counted.FindString(before) == counted.FindString(after) {
				t.Errorf("it was not counted: %s", counted.FindString(after))
			}
		})
	}
}

func TestUserInfoForARelyingParty(t *testing.T) {
	s := newSite(t).start(oneSite)
	accessToken, idToken := s.signIn("openid email")
	ctx := oidc.ClientContext(t.Context(), s.client)
	provider, err := oidc.NewProvider(ctx, s.issuer)
	if err != nil {
		t.Fatal(err)
	}
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: accessToken, Expiry: time.Now().Add(time.Minute)})
	t.Run("REQ-148 go-oidc finds the endpoint and reads the claims", func(t *testing.T) {
		info, err := provider.UserInfo(ctx, source)
		if err != nil {
			t.Fatal(err)
		}
		if info.Subject != payload(t, idToken)["sub"] || info.Email != "alice@example.com" || !info.EmailVerified {
			t.Errorf("got %+v", info)
		}
	})
}

// Two issuers on one storage are two providers.
func TestUserInfoOfAnotherIssuer(t *testing.T) {
	s := newSite(t).start(`
http://127.0.0.1:PORT {
	oidc_token {
		issuer ISSUER
		CLIENTS
	}
	oidc_token {
		issuer ISSUER/other
		CLIENTS
	}
}`)
	accessToken, _ := s.signIn("openid")
	s.send(s.userInfoRequest(accessToken)).wantClaims(t, `{"sub":"alice","groups":["staff"]}`)
	t.Run("REQ-085 L11 refuses the token", func(t *testing.T) {
		r := s.userInfoRequest(accessToken)
		r.URL.Path = "/other/userinfo"
		s.send(r).wantBearerError(t, 401, "invalid_token")
	})
}

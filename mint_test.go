package oidctoken_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// adminRequest sends a request to the admin API.
func (s *site) adminRequest(method, path, body string, headers ...string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, "http://"+s.admin+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var minted oidctoken.MintResponse
	if json.Unmarshal(b, &minted) == nil {
		secret("code", minted.Code)
	}
	return response.StatusCode, string(b)
}

// Every mint request is validated like an authorization request: the row
// changes one member of a valid one.
func TestMintingOverTheAdminAPI(t *testing.T) {
	s := newSite(t).start(oneSite)
	_, challenge := pkce()
	valid := map[string]any{"issuer": s.issuer, "client_id": "web", "redirect_uri": redirect, "subject": "alice", "scope": "openid email"}
	for _, row := range []struct {
		name   string
		change map[string]any // nil: removed
		status int
		says   string
	}{
		{"a valid request", nil, 201, `"expires_in":60`},
		{"the only issuer may be left out", map[string]any{"issuer": nil}, 201, ""},
		{"another issuer", map[string]any{"issuer": "https://other.example"}, 404, "not running here"},
		{"an unknown client", map[string]any{"client_id": "nobody"}, 400, "nobody"},
		{"L13 a redirect URI that is not registered", map[string]any{"redirect_uri": "https://evil.example/"}, 400, "redirect_uri"},
		{"A15 a redirect URI that differs in case", map[string]any{"redirect_uri": "HTTPS://app.example/callback"}, 400, "redirect_uri"},
		{"no redirect URI where there are two", map[string]any{"redirect_uri": nil}, 400, "redirect_uri"},
		{"no redirect URI where there is one", map[string]any{"redirect_uri": nil, "client_id": "post"}, 201, ""},
		{"no subject", map[string]any{"subject": nil}, 400, "subject"},
		{"REQ-127 a subject that is too long", map[string]any{"subject": strings.Repeat("a", 256)}, 400, "subject"},
		{"REQ-127 a subject that is not ASCII", map[string]any{"subject": "älice"}, 400, "subject"},
		{"a scope the client may not have", map[string]any{"scope": "openid admin"}, 400, "admin"},
		{"B08 REQ-061 a public client without PKCE", map[string]any{"client_id": "spa"}, 400, "code_challenge"},
		{"a public client with PKCE", map[string]any{"client_id": "spa", "code_challenge": challenge, "code_challenge_method": "S256"}, 201, ""},
		{"B03 REQ-099 plain PKCE", map[string]any{"code_challenge": challenge, "code_challenge_method": "plain"}, 400, "S256"},
		{"B03 REQ-099 PKCE without a method", map[string]any{"code_challenge": challenge}, 400, "S256"},
		{"a challenge that is none", map[string]any{"code_challenge": "short", "code_challenge_method": "S256"}, 400, "code_challenge"},
		{"a claim that only the issuer sets", map[string]any{"claims": map[string]any{"iss": "https://evil.example"}}, 400, "iss"},
		{"an access token claim that only the issuer sets", map[string]any{"access_token_claims": map[string]any{"client_id": "web2"}}, 400, "client_id"},
		{"an authentication in the future", map[string]any{"auth_time": time.Now().Add(time.Hour).Unix()}, 400, "auth_time"},
		{"a member nobody knows", map[string]any{"sub": "alice"}, 400, "sub"},
		{"a number for a string", map[string]any{"subject": 1}, 400, "subject holds a JSON number where a string is to be"},
		{"a string for a time", map[string]any{"auth_time": "x"}, 400, "auth_time holds a JSON string where a whole number is to be"},
		{"a number in a list of strings", map[string]any{"amr": []int{1}}, 400, "amr holds a JSON number where a string is to be"},
		{"a list for claims", map[string]any{"claims": []string{"a"}}, 400, "claims holds a JSON array where an object is to be"},
	} {
		t.Run(row.name, func(t *testing.T) {
			q := map[string]any{}
			for _, m := range []map[string]any{valid, row.change} {
				for name, v := range m {
					if q[name] = v; v == nil {
						delete(q, name)
					}
				}
			}
			b, _ := json.Marshal(q)
			status, answer := s.adminRequest(http.MethodPost, "/oidc_token/codes", string(b), "Content-Type", "application/json")
			if status != row.status || !strings.Contains(answer, row.says) {
				t.Errorf("got %d %s, want %d with %q", status, answer, row.status, row.says)
			}
			if status != 201 && (!strings.Contains(answer, `"error":"`) || strings.Contains(answer, `: "`)) {
				t.Errorf("the error is not the admin API's: %s", answer)
			}
		})
	}
	valid["nonce"] = strings.Repeat("x", 1<<17)
	large, _ := json.Marshal(valid)
	delete(valid, "nonce")
	body, _ := json.Marshal(valid)
	for _, row := range []struct {
		name, method, body string
		headers            []string
		status             int
	}{
		{"H15 a browser page", "POST", string(body), []string{"Content-Type", "application/json", "Origin", "http://" + s.admin}, 403},
		{"H15 a form, which a browser page may send unasked", "POST", string(body), []string{"Content-Type", "text/plain"}, 415},
		{"no type", "POST", string(body), nil, 415},
		{"GET", "GET", "", nil, 405},
		{"two values", "POST", string(body) + "{}", []string{"Content-Type", "application/json"}, 400},
		{"no JSON", "POST", "{", []string{"Content-Type", "application/json"}, 400},
		{"a body over the bound", "POST", string(large), []string{"Content-Type", "application/json"}, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, answer := s.adminRequest(row.method, "/oidc_token/codes", row.body, row.headers...)
			if status != row.status || row.body == string(large) && !strings.Contains(answer, "too large") {
				t.Errorf("got %d %s, want %d", status, answer, row.status)
			}
		})
	}
}

func TestListingIssuersOverTheAdminAPI(t *testing.T) {
	s := newSite(t).start(oneSite)
	t.Run("GET lists them", func(t *testing.T) {
		if status, answer := s.adminRequest(http.MethodGet, "/oidc_token/issuers", ""); status != 200 || !strings.Contains(answer, `"issuer":"`+s.issuer+`"`) {
			t.Errorf("got %d %s", status, answer)
		}
	})
	t.Run("POST is not processed", func(t *testing.T) {
		if status, answer := s.adminRequest(http.MethodPost, "/oidc_token/issuers", "{}", "Content-Type", "application/json"); status != 405 {
			t.Errorf("got %d %s", status, answer)
		}
	})
}

func TestClaimsOfAMintedCode(t *testing.T) {
	s := newSite(t).start(oneSite)
	code, status, answer := s.mintAt(t, map[string]any{
		"client_id": "web", "subject": "alice", "redirect_uri": redirect, "scope": "openid email",
		"claims":              map[string]any{"email": "a@example.com", "email_verified": true, "name": "Alice", "groups": []string{"x"}, "level": 7},
		"access_token_claims": map[string]any{"tenant": "acme"},
	})
	if status != 201 {
		t.Fatal(answer)
	}
	a := s.send(s.redemption(code))
	a.wantTokens(t)
	id, access := payload(t, a.json["id_token"]), payload(t, a.json["access_token"])
	t.Run("REQ-135 claims are released by scope and keep their types", func(t *testing.T) {
		for name, want := range map[string]string{"email": "a@example.com", "email_verified": "true", "groups": "[x]", "level": "7", "name": "<nil>"} {
			if got := fmt.Sprint(id[name]); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	})
	t.Run("access_token_claims are in the access token only", func(t *testing.T) {
		if access["tenant"] != "acme" || id["tenant"] != nil || access["email"] != nil {
			t.Errorf("access token %v, ID token %v", access, id)
		}
	})
}

func TestRotatingOverTheAdminAPI(t *testing.T) {
	s := newSite(t).start(oneSite)
	before := s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"})))
	before.wantTokens(t)
	rotate := func(body string) (int, string) {
		return s.adminRequest(http.MethodPost, "/oidc_token/keys/rotate", body, "Content-Type", "application/json")
	}
	kids := func() string {
		r, _ := http.NewRequest(http.MethodGet, s.issuer+"/.well-known/jwks.json", nil)
		return string(s.send(r).body)
	}
	old := header64(t, before.json["id_token"])["kid"].(string)
	t.Run("T03 REQ-208 the old key stays published", func(t *testing.T) {
		status, answer := rotate(`{}`)
		if status != 200 || strings.Count(answer, `"kid"`) < 1 {
			t.Fatalf("got %d %s", status, answer)
		}
		if published := kids(); !strings.Contains(published, old) || strings.Count(published, `"kid"`) != 2 {
			t.Errorf("published: %s", published)
		}
	})
	t.Run("drop_old withdraws it at once", func(t *testing.T) {
		mark := logSize(t)
		if status, answer := rotate(`{"drop_old":true}`); status != 200 {
			t.Fatalf("got %d %s", status, answer)
		}
		if !slices.ContainsFunc(logLines(t, mark), func(line map[string]any) bool {
			return line["msg"] == "signing key dropped" && line["kid"] == old && line["alg"] == "RS256"
		}) {
			t.Error("the log does not say which key was dropped")
		}
		if published := kids(); strings.Contains(published, old) {
			t.Errorf("published: %s", published)
		}
		after := s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"})))
		after.wantTokens(t)
		if kid := header64(t, after.json["id_token"])["kid"].(string); kid == old || !strings.Contains(kids(), kid) {
			t.Errorf("signed with %s, published: %s", kid, kids())
		}
	})
	t.Run("an issuer that is not running", func(t *testing.T) {
		if status, _ := rotate(`{"issuer":"https://other.example"}`); status != 404 {
			t.Errorf("got %d", status)
		}
	})
	for _, row := range []struct{ name, body, want string }{
		{"nothing", "", "the body is empty: send a JSON object, {} at least"},
		{"no object", `[]`, "the body holds a JSON array where an object is to be"},
		{"a member of another type", `{"drop_old":"yes"}`, "drop_old holds a JSON string where true or false is to be"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if status, answer := rotate(row.body); status != 400 || !strings.Contains(answer, row.want) {
				t.Errorf("got %d %s", status, answer)
			}
		})
	}
}

func TestMintErrors(t *testing.T) {
	s := newSite(t).start(oneSite)
	for _, row := range []struct {
		name, issuer string
		request      *oidctoken.MintRequest
		want         error
	}{
		{"an issuer that is not running", "https://other.example", &oidctoken.MintRequest{}, oidctoken.ErrNoIssuer},
		{"an unknown client", s.issuer, &oidctoken.MintRequest{ClientID: "nobody", Subject: "alice"}, oidctoken.ErrRequest},
		{"no request", s.issuer, nil, oidctoken.ErrRequest},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := oidctoken.Mint(t.Context(), row.issuer, row.request); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
	t.Run("F01 a storage that is away", func(t *testing.T) {
		s, memory := memorySite(t)
		memory.Before(func(context.Context, storagetest.Call) error { return errors.New("injected fault") })
		defer memory.Reset()
		_, err := oidctoken.Mint(t.Context(), s.issuer, &oidctoken.MintRequest{ClientID: "web", Subject: "alice", RedirectURI: redirect})
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		status, _ := s.adminRequest(http.MethodPost, "/oidc_token/codes", `{"client_id":"web","subject":"alice","redirect_uri":"`+redirect+`"}`, "Content-Type", "application/json")
		if status != 503 {
			t.Errorf("the admin API answers %d", status)
		}
	})
}

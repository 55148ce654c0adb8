package oauth

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzRespond: never a panic, a response or an error but not both, public
// texts of RFC 6749 §5.2's characters, and no tokens without credentials and
// the code.
func FuzzRespond(f *testing.F) {
	const form = "grant_type=authorization_code&code=CODE&redirect_uri=https%3A%2F%2Frp.example%2Fcallback&code_verifier=" + testVerifier
	const formType = "application/x-www-form-urlencoded"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("web:"+secretOf("web")))
	f.Add(form, basic, formType, "", "")
	f.Add(form+"&client_id=spa", "", formType, "a=b", "https://spa.example")
	f.Add(form+"&client_id=post&client_secret="+secretOf("post"), "", formType, "", "null")
	f.Add("", "", "", "", "")
	f.Add("grant_type=x&code=%00;", "Bearer \x00", "text/plain; =", "code=%&client%5fsecret", "https://evil")
	f.Add(form+"&code=", basic, formType+"; charset=x", "%zz", "")
	endpoint := newFixture(f)
	f.Fuzz(func(t *testing.T, body, authorization, contentType, query, origin string) {
		endpoint.t = t
		endpoint.time = endpoint.time.Add(2 * time.Minute) // what failed before is forgotten
		code := ""
		if strings.Contains(body, "CODE") {
			code = endpoint.mint("web")
			body = strings.ReplaceAll(body, "CODE", code)
		}
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(body))
		r.URL.RawQuery = query
		for name, value := range map[string]string{"Authorization": authorization, "Content-Type": contentType, "Origin": origin} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		response, attempt, err := respond(endpoint.endpoint, r, testAddr)
		if (response == nil) == (err == nil) {
			t.Fatalf("response %t and error %v", response != nil, err)
		}
		if response != nil {
			endpoint.checkEarned(r, body, code, attempt)
		}
		if e := AsError(err); e != nil {
			endpoint.checkPublic(e)
			if e.Kind == ServerError || e.Kind == TemporarilyUnavailable {
				t.Errorf("a request can cause %v", e)
			}
			if code != "" && strings.Contains(e.Error(), code) {
				t.Error("the error shows the code")
			}
		}
		endpoint.memory.Restore(nil)
		endpoint.memory.Reset()
	})
}

// checkEarned looks at a request that got tokens with other eyes: net/url's and
// net/http's.
func (f *fixture) checkEarned(r *http.Request, body, code string, attempt Attempt) {
	f.t.Helper()
	form, err := url.ParseQuery(body)
	id, secret, ok := r.BasicAuth()
	switch {
	case err != nil || code == "" || !reflect.DeepEqual(form["code"], []string{code}):
		f.t.Errorf("tokens for another code: %v", err)
	case !reflect.DeepEqual(form["code_verifier"], []string{testVerifier}) || !reflect.DeepEqual(form["redirect_uri"], []string{redirectOf("web")}):
		f.t.Error("tokens without the verifier or the redirect URI")
	case !ok || url.QueryEscape(id) == "" || !attempt.Authenticated || attempt.ClientID != "web" || attempt.Redemption != "won":
		f.t.Errorf("tokens for %+v", attempt)
	}
	if decoded, err := url.QueryUnescape(secret); err != nil || decoded != secretOf("web") {
		f.t.Error("tokens for another secret")
	}
}

// FuzzAuthorizationRequest: what Record makes of a request keeps what the
// token endpoint relies on.
func FuzzAuthorizationRequest(f *testing.F) {
	f.Add("web", "https://rp.example/callback", "alice", "openid profile", "n", testChallenge, "S256", "acr", `{"email":"a@b"}`, int64(0))
	f.Add("spa", "", "alice", "", "", "", "", "", "", int64(1))
	f.Add("spa", "https://spa.example/callback", "alice", "openid  openid", "", testVerifier, "plain", "", `{"iss":1}`, int64(-1))
	f.Add("nobody", "x", "\x7f", "\"", "\xff", "x", "S256", "\xff", `{"":0}`, int64(1)<<62)
	fx := newFixture(f)
	f.Fuzz(func(t *testing.T, client, redirect, subject, scope, nonce, challenge, method, acr, claims string, authTime int64) {
		q := &AuthorizationRequest{ClientID: client, RedirectURI: redirect, Subject: subject, Scope: scope, Nonce: nonce,
			CodeChallenge: challenge, CodeChallengeMethod: method, ACR: acr}
		if authTime != 0 {
			q.AuthTime = time.Unix(authTime, 0)
		}
		_ = json.Unmarshal([]byte(claims), &q.Claims)
		q.AccessTokenClaims = q.Claims
		record, err := fx.endpoint.Clients.Record(testIssuer, q, fx.time, time.Minute)
		if err != nil {
			fx.t = t
			e := AsError(err)
			fx.checkPublic(e)
			if record != nil || e.Kind == ServerError || (e.Param != "" && !nameable(e.Param)) {
				t.Errorf("refused with %v", e)
			}
			return
		}
		registered := fx.endpoint.Clients.Get(client)
		switch {
		case registered == nil, !slices.Contains(registered.RedirectURIs, record.RedirectURI), record.RedirectURISent != (redirect != ""):
			t.Errorf("%q of %q", record.RedirectURI, client)
		case len(record.Scope) == 0 || slices.ContainsFunc(record.Scope, func(s string) bool { return !slices.Contains(registered.Scope, s) }):
			t.Errorf("scope %q", record.Scope)
		case registered.needsPKCE() && record.CodeChallenge == "", record.CodeChallenge != "" && (record.CodeChallengeMethod != s256 || len(record.CodeChallenge) != 43):
			t.Errorf("challenge %q by %q", record.CodeChallenge, record.CodeChallengeMethod)
		case record.Subject == "" || len(record.Subject) > 255 || !utf8.ValidString(record.Nonce+record.ACR):
			t.Errorf("subject %q", record.Subject)
		}
		if _, err := json.Marshal(record); err != nil {
			t.Errorf("it cannot be stored: %v", err)
		}
	})
}

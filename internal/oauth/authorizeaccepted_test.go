package oauth

import (
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// authorize expects a right request.
func (f *fixture) authorize(t *testing.T, sent url.Values) *Pending {
	t.Helper()
	p, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints)
	if err != nil || p == nil {
		t.Fatalf("a right request was refused: %v", err)
	}
	return p
}

func TestAuthorizationRequestsThatAreRight(t *testing.T) {
	f := newFixture(t)
	request := func(change func(*AuthorizationRequest)) AuthorizationRequest {
		q := AuthorizationRequest{ClientID: "web", RedirectURI: redirectOf("web"), Scope: "openid profile", Nonce: "n",
			CodeChallenge: testChallenge, CodeChallengeMethod: "S256"}
		if change != nil {
			change(&q)
		}
		return q
	}
	for _, row := range []struct {
		name   string
		change func(url.Values)
		want   AuthorizationRequest
		silent bool
		maxAge int64
		hinted string
	}{
		{"as it is", setting(), request(nil), false, math.MaxInt64, ""},
		{"REQ-024 unknown parameters, also repeated", adding("resource", "a", "resource", "b", "x", "1"), request(nil), false, math.MaxInt64, ""},
		{"what is not acted upon", setting("claims", "{\n}", "claims_locales", "de", "display", "popup", "ui_locales", "de", "login_hint", "bob\n", "acr_values", "x"), request(nil), false, math.MaxInt64, ""},
		{"claims above 4 KiB", setting("claims", strings.Repeat(" ", 16<<10)), request(nil), false, math.MaxInt64, ""},
		{"REQ-023 parameters without a value", setting("request", "", "request_uri", "", "registration", "", "prompt", "", "max_age", "", "id_token_hint", "", "response_mode", ""), request(nil), false, math.MaxInt64, ""},
		{"a scope the client may not have is dropped", setting("scope", "offline_access profile openid admin"), request(func(q *AuthorizationRequest) { q.Scope = "profile openid" }), false, math.MaxInt64, ""},
		{"a scope that is there twice counts once", setting("scope", "openid openid"), request(func(q *AuthorizationRequest) { q.Scope = "openid" }), false, math.MaxInt64, ""},
		{"a scope without openid", setting("scope", "profile"), request(func(q *AuthorizationRequest) { q.Scope = "profile" }), false, math.MaxInt64, ""},
		{"no challenge where the client needs none", leavingOut("code_challenge", "code_challenge_method"), request(func(q *AuthorizationRequest) { q.CodeChallenge, q.CodeChallengeMethod = "", "" }), false, math.MaxInt64, ""},
		{"no nonce", leavingOut("nonce"), request(func(q *AuthorizationRequest) { q.Nonce = "" }), false, math.MaxInt64, ""},
		{"REQ-131 REQ-027 a nonce of any characters", setting("nonce", "a+b &<\"é\n"), request(func(q *AuthorizationRequest) { q.Nonce = "a+b &<\"é\n" }), false, math.MaxInt64, ""},
		{"prompt none", setting("prompt", "none"), request(nil), true, math.MaxInt64, ""},
		{"prompt login", setting("prompt", "login"), request(nil), false, 60, ""},
		{"prompt login twice over", setting("prompt", "login login"), request(nil), false, 60, ""},
		{"max_age", setting("max_age", "3600"), request(nil), false, 3600, ""},
		{"max_age 0 is prompt login", setting("max_age", "0"), request(nil), false, 60, ""},
		{"max_age and prompt login, the stricter of both", setting("max_age", "10", "prompt", "login"), request(nil), false, 10, ""},
		{"prompt login and a max_age that is longer", setting("max_age", "3600", "prompt", "login"), request(nil), false, 60, ""},
		{"a max_age beyond any number", setting("max_age", strings.Repeat("9", 30)), request(nil), false, math.MaxInt64, ""},
		{"an ID token hint", setting("id_token_hint", "alice"), request(nil), false, math.MaxInt64, "alice"},
		{"an ID token hint of 16 KiB", setting("id_token_hint", "alice"+strings.Repeat("=", 16<<10-5)), request(nil), false, math.MaxInt64, "alice"},
	} {
		t.Run(row.name, func(t *testing.T) {
			sent := validParameters("web")
			row.change(sent)
			p := f.authorize(t, sent)
			if p.Client() != f.endpoint.Clients.Get("web") || p.Silent() != row.silent || p.maxAge != row.maxAge || p.hinted != row.hinted {
				t.Errorf("read as client %s, silent %t, max_age %d, hint %q", p.Client().ID, p.Silent(), p.maxAge, p.hinted)
			}
			if !reflect.DeepEqual(p.request, row.want) {
				t.Errorf("asks for %+v\nwant     %+v", p.request, row.want)
			}
		})
	}
}

// A client with one redirect URI may leave it out, in plain OAuth: RFC 6749
// §3.1.2.3.
func TestAuthorizationRequestWithoutARedirectURI(t *testing.T) {
	f := newFixture(t)
	client := testClients(t)[0]
	client.RedirectURIs = client.RedirectURIs[:1]
	f.register(client)
	sent := validParameters("web")
	sent.Del("redirect_uri")
	t.Run("with openid it is required", func(t *testing.T) {
		for _, scope := range []string{"openid", "profile openid"} {
			sent.Set("scope", scope)
			p, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints)
			if p != nil || AsError(err).Description() != "missing parameter: redirect_uri" {
				t.Errorf("scope %s is answered %v", scope, err)
			}
		}
	})
	t.Run("with openid in one of two scopes as well", func(t *testing.T) {
		sent["scope"] = []string{"openid", "profile"}
		if p, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints); p != nil || err == nil {
			t.Errorf("answered %v", err)
		}
	})
	t.Run("REQ-092 without openid it is the registered one, and was not sent", func(t *testing.T) {
		sent["scope"] = []string{"profile"}
		p := f.authorize(t, sent)
		if location := p.Grant(testIssuer, "c").Location(); location != redirectOf("web")+"?code=c&state=s%201&iss=https%3A%2F%2Fid.example" {
			t.Errorf("goes to %s", location)
		}
		q, err := p.Request(Person{Subject: "alice"}, f.time)
		if err != nil {
			t.Fatal(err)
		}
		record, err := f.endpoint.Clients.Record(testIssuer, q, f.time, time.Minute)
		if err != nil || record.RedirectURISent || record.RedirectURI != redirectOf("web") {
			t.Errorf("recorded as %+v: %v", record, err)
		}
	})
}

// Of two faults, the one that comes first in the specifications is answered.
func TestAuthorizationRequestsAreCheckedInOrder(t *testing.T) {
	f := newFixture(t)
	faults := []struct {
		change func(url.Values)
		answer string
	}{
		{setting("client_id", "nobody"), "invalid_request No client has this client_id."},
		{setting("redirect_uri", "https://evil.example"), "invalid_request This redirect_uri is not registered for the client."},
		{adding("ui_locales", "de", "ui_locales", "en"), "invalid_request parameter repeated: ui_locales"},
		{leavingOut("response_type"), "invalid_request missing parameter: response_type"},
		{setting("response_mode", "x"), "invalid_request malformed parameter: response_mode"},
		{setting("request", "x"), "request_not_supported The parameter request is not supported."},
		{setting("request_uri", "x"), "request_uri_not_supported The parameter request_uri is not supported."},
		{setting("registration", "x"), "registration_not_supported The parameter registration is not supported."},
		{func(v url.Values) {
			if v.Get("client_id") == "web" {
				v.Set("client_id", "off")
			}
		}, "unauthorized_client The client may not use this grant type."},
		{setting("scope", "x"), "invalid_scope " + answers[InvalidScope].description},
		{leavingOut("code_challenge"), "invalid_request missing parameter: code_challenge"},
		{setting("prompt", "x"), "invalid_request malformed parameter: prompt"},
		{setting("max_age", "x"), "invalid_request malformed parameter: max_age"},
		{setting("id_token_hint", "x"), "invalid_request malformed parameter: id_token_hint"},
	}
	for i, first := range faults {
		for j, second := range faults[i+1:] {
			t.Run(fmt.Sprint("fault ", i+1, " comes before fault ", i+j+2), func(t *testing.T) {
				sent := validParameters("web")
				second.change(sent)
				first.change(sent)
				_, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints)
				if e := AsError(err); e == nil || e.Code()+" "+e.Description() != first.answer {
					t.Errorf("answered %v, want %s", e, first.answer)
				}
			})
		}
	}
}

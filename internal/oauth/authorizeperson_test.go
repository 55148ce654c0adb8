package oauth

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPersonOfAnAuthorizationRequest(t *testing.T) {
	f := newFixture(t)
	ago := func(seconds int) time.Time { return f.time.Add(-time.Duration(seconds) * time.Second) }
	for _, row := range []struct {
		name   string
		sent   func(url.Values)
		change func(*Person)
		code   string // "": the request is granted
		reason Reason
		hint   string
	}{
		{"somebody", setting(), nil, "", "", ""},
		{"REQ-127 nobody", setting(), func(p *Person) { p.Subject, p.Source = "", "{http.auth.user.id}" }, "access_denied", IdentityMissing, "forward_auth sets no user id; write subject {http.request.header.Remote-User}"},
		{"REQ-127 nobody in a header", setting(), func(p *Person) { p.Subject, p.Source = "", "{http.request.header.X-Me}" }, "access_denied", IdentityMissing, "subject, which is {http.request.header.X-Me}, is empty: nothing inside authorize set that header. A forward_auth there must name it in copy_headers"},
		{"REQ-127 nobody in a certificate", setting(), func(p *Person) { p.Subject, p.Source = "", "{http.request.tls.client.subject}" }, "access_denied", IdentityMissing, "subject, which is {http.request.tls.client.subject}, is empty: nothing set it for this request"},
		{"REQ-127 a subject of 256 characters", setting(), func(p *Person) { p.Subject = strings.Repeat("a", 256) }, "access_denied", IdentityMalformed, "identity subject: it must be at most 255"},
		{"REQ-127 a subject that is not ASCII", setting(), func(p *Person) { p.Subject = "älice" }, "access_denied", IdentityMalformed, "ASCII"},
		{"nobody, and more is wrong", setting("max_age", "1"), func(p *Person) { *p = Person{AuthTime: ago(-3600)} }, "access_denied", IdentityMissing, ""},
		{"an auth_time in the future", setting(), func(p *Person) { p.AuthTime = ago(-61) }, "server_error", IdentityMalformed, "identity auth_time"},
		{"an acr that is not UTF-8", setting(), func(p *Person) { p.ACR = "\xff" }, "server_error", IdentityMalformed, "identity acr"},
		{"REQ-133 an empty amr member", setting(), func(p *Person) { p.AMR = []string{""} }, "server_error", IdentityMalformed, "identity amr"},
		{"a protocol claim", setting(), func(p *Person) { p.Claims = map[string]json.RawMessage{"aud": json.RawMessage(`"x"`)} }, "server_error", IdentityMalformed, "identity claims"},
		{"claims above 32 KiB", setting(), func(p *Person) {
			p.Claims = map[string]json.RawMessage{"a": json.RawMessage(`"` + strings.Repeat("a", maxClaimsSize) + `"`)}
		}, "server_error", IdentityMalformed, "32 KiB"},
		{"the person of the ID token hint", setting("id_token_hint", "alice"), nil, "", "", ""},
		{"another person than that of the ID token hint", setting("id_token_hint", "alice"), func(p *Person) { p.Subject = "bob" }, "login_required", SubjectMismatch, "somebody else"},
		{"the same with prompt none", setting("id_token_hint", "alice", "prompt", "none"), func(p *Person) { p.Subject = "bob" }, "login_required", SubjectMismatch, ""},
		{"an authentication of any age", setting(), func(p *Person) { p.AuthTime = ago(1e6) }, "", "", ""},
		{"an authentication of unknown age", setting(), func(p *Person) { p.AuthTime = time.Time{} }, "", "", ""},
		{"REQ-132 as old as max_age", setting("max_age", "300"), func(p *Person) { p.AuthTime = ago(300) }, "", "", ""},
		{"REQ-132 a second older than max_age", setting("max_age", "300"), func(p *Person) { p.AuthTime = ago(301) }, "login_required", AuthenticationTooOld, "auth_time"},
		{"REQ-132 of unknown age where max_age is sent", setting("max_age", "300"), func(p *Person) { p.AuthTime = time.Time{} }, "login_required", AuthenticationTooOld, ""},
		{"REQ-132 of unknown age where max_age is millennia", setting("max_age", "99999999999"), func(p *Person) { p.AuthTime = time.Time{} }, "login_required", AuthenticationTooOld, ""},
		{"REQ-132 older than max_age with prompt none", setting("max_age", "300", "prompt", "none"), func(p *Person) { p.AuthTime = ago(301) }, "login_required", AuthenticationTooOld, ""},
		{"a clock that is ahead by some seconds", setting("max_age", "300"), func(p *Person) { p.AuthTime = ago(-30) }, "", "", ""},
		{"prompt login 60 s after the authentication", setting("prompt", "login"), func(p *Person) { p.AuthTime = ago(60) }, "", "", ""},
		{"prompt login 61 s after the authentication", setting("prompt", "login"), func(p *Person) { p.AuthTime = ago(61) }, "login_required", AuthenticationTooOld, ""},
		{"max_age 0 60 s after the authentication", setting("max_age", "0"), func(p *Person) { p.AuthTime = ago(60) }, "", "", ""},
		{"max_age 0 61 s after the authentication", setting("max_age", "0"), func(p *Person) { p.AuthTime = ago(61) }, "login_required", AuthenticationTooOld, ""},
		{"a max_age beyond any number", setting("max_age", strings.Repeat("9", 30)), func(p *Person) { p.AuthTime = ago(1e6) }, "", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			sent := validParameters("web")
			row.sent(sent)
			p := f.authorize(t, sent)
			person := Person{Subject: "alice", AuthTime: f.time}
			if row.change != nil {
				row.change(&person)
			}
			q, err := p.Request(person, f.time)
			if row.code == "" {
				if err != nil || q == nil || q.Subject != "alice" || !q.AuthTime.Equal(person.AuthTime) {
					t.Errorf("made %+v: %v", q, err)
				}
				return
			}
			e := AsError(err)
			if q != nil || e == nil || e.Code() != row.code || e.Reason != row.reason || !strings.Contains(e.Hint, row.hint) {
				t.Fatalf("answered %v", err)
			}
			if e.Security != (row.reason == IdentityMissing) {
				t.Errorf("a security event: %t", e.Security)
			}
			f.t = t
			f.checkPublic(e)
		})
	}
}

// What the person's sign-in makes is recorded as it stands, and redeemed.
func TestAuthorizationRequestBecomesACode(t *testing.T) {
	f := newFixture(t)
	for _, client := range []string{"web", "spa", "strict"} {
		t.Run("for client "+client, func(t *testing.T) {
			sent := validParameters(client)
			sent.Set("scope", "openid email offline_access")
			p := f.authorize(t, sent)
			person := Person{Subject: "alice", AuthTime: f.time.Add(-time.Minute), ACR: "a", AMR: []string{"pwd"},
				Claims: map[string]json.RawMessage{"email": json.RawMessage(`"alice@example.com"`)}}
			q, err := p.Request(person, f.time)
			if err != nil {
				t.Fatal(err)
			}
			want := &AuthorizationRequest{ClientID: client, RedirectURI: redirectOf(client), Subject: "alice", Scope: "openid email", Nonce: "n",
				CodeChallenge: testChallenge, CodeChallengeMethod: "S256", AuthTime: person.AuthTime, ACR: "a", AMR: person.AMR, Claims: person.Claims}
			if !reflect.DeepEqual(q, want) {
				t.Errorf("made %+v\nwant %+v", q, want)
			}
			record, err := f.endpoint.Clients.Record(testIssuer, q, f.time, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			code, err := f.codes.Store(t.Context(), record)
			if err != nil {
				t.Fatal(err)
			}
			if response := f.succeeds(f.redeeming(client, code)); response.Scope != "openid email" {
				t.Errorf("granted %q", response.Scope)
			}
			if other, err := p.Request(Person{Subject: "bob"}, f.time); err != nil || other.Subject != "bob" || other.Claims != nil || q.Subject != "alice" {
				t.Errorf("another person of the same request is %+v: %v", other, err)
			}
		})
	}
}

// Whoever wrote a header already is not told to write one.
func TestHintOfAMissingIdentityFitsWhatIsConfigured(t *testing.T) {
	f := newFixture(t)
	for _, source := range []string{"{http.request.header.Remote-User}", "{http.request.tls.client.subject}"} {
		_, err := f.authorize(t, validParameters("web")).Request(Person{Source: source}, f.time)
		if e := AsError(err); e.Reason != IdentityMissing || strings.Contains(e.Hint, "write subject") {
			t.Errorf("REQ-127 %s: the hint is %q", source, e.Hint)
		}
	}
}

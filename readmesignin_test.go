package oidctoken_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// The Caddyfile of README's section about signing people in, with all that
// identity can say.
func TestReadmeSigningPeopleIn(t *testing.T) {
	people := setRecipeSecrets(t)
	service := newLoginService(t, "alice", people.alice)
	s := startRecipe(t, "## Signing people in", "localhost:9091", service.address)
	rp := s.relyingParty(t, s.issuer, "wiki", people.wiki, wikiCallback)
	v := s.visitor(t, "", "")
	v.header.Set("Cookie", "session="+service.session) // has signed in there before

	t.Run("id_token_claims keeps the ID token small, and UserInfo has all", func(t *testing.T) {
		callback, _ := v.open(rp.request(), wikiCallback)
		in := rp.finish(t, callback)
		if in.Subject != "alice" || in.claims["name"] != "Alice Liddell" || in.claims["email"] != "alice@example.com" {
			t.Errorf("the ID token says %v", in.claims)
		}
		for _, name := range []string{"groups", "email_verified"} {
			if _, ok := in.claims[name]; ok {
				t.Errorf("the ID token has %s", name)
			}
		}
		groups, _ := in.userInfo["groups"].([]any)
		if in.userInfo["name"] != "Alice Liddell" || in.userInfo["email_verified"] != true || !slices.Equal(groups, []any{"staff", "admin"}) {
			t.Errorf("UserInfo says %v", in.userInfo)
		}
	})
	t.Run("auth_time and amr are what the service says", func(t *testing.T) {
		callback, _ := v.open(rp.request(), wikiCallback)
		in := rp.finish(t, callback)
		amr, _ := in.claims["amr"].([]any)
		if in.claims["auth_time"] != float64(service.signedInAt.Unix()) || !slices.Equal(amr, []any{"pwd", "otp"}) {
			t.Errorf("the ID token says %v", in.claims)
		}
	})
	for _, row := range []struct{ name, parameter, value, want string }{
		{"a sign-in of an hour ago is not one of the last minute", "max_age", "60", "login_required"},
		{"nor is it new", "prompt", "login", "login_required"},
		{"it is one of the last two hours", "max_age", "7200", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			callback, _ := v.open(rp.request(oauth2.SetAuthURLParam(row.parameter, row.value)), wikiCallback)
			if _, got := rp.outcome(t, callback); got != row.want {
				t.Errorf("the application is told %q, want %q", got, row.want)
			}
		})
	}
}

// README's warning: what a directive in authorize reads of the request is
// nobody's word but the browser's.
func TestReadmeOtherHeaders(t *testing.T) {
	if !strings.Contains(section(t, "## Signing people in"), "Any other header that `map`, `vars` or a matcher in `authorize` reads is the browser's own") {
		t.Fatal("README does not warn")
	}
	s := newSite(t).start(authorizeSite("vars who {http.request.header.X-Who}", "identity {\nsubject {http.vars.who}\n}"))
	r := s.authorizationBy(http.MethodGet)
	r.Header.Set("X-Who", "alice")
	s.send(r).wantCode(t, s.issuer)
}

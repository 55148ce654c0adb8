package oidctoken_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// How old a sign-in may be, and whose: OpenID Connect Core §3.1.2.1.
func TestAuthenticationIsRecentEnough(t *testing.T) {
	s, login := forwardSite(t)
	ago := func(d time.Duration) string { return fmt.Sprint(time.Now().Add(-d).Unix()) }
	for _, row := range []struct {
		name, at string
		change
		refused string
	}{
		{"an hour ago is recent enough for nobody in particular", ago(time.Hour), with(), ""},
		{"an hour ago is recent enough for max_age=4000", ago(time.Hour), with("max_age", "4000"), ""},
		{"an hour ago is too old for max_age=3000", ago(time.Hour), with("max_age", "3000"), "login_required"},
		{"an hour ago is too old for prompt=login", ago(time.Hour), with("prompt", "login"), "login_required"},
		{"an hour ago is too old for max_age=3000, silently", ago(time.Hour), with("max_age", "3000", "prompt", "none"), "login_required"},
		{"just now is recent enough for prompt=login", ago(10 * time.Second), with("prompt", "login"), ""},
		{"a time as RFC 3339", time.Now().Add(-10 * time.Second).Format(time.RFC3339), with("prompt", "login"), ""},
		{"a time that is not said is not recent", "", with("max_age", "4000"), "login_required"},
		{"a time that is no time is not recent", "yesterday", with("prompt", "login"), "login_required"},
		{"a time in the future is a fault", fmt.Sprint(time.Now().Add(time.Hour).Unix()), with(), "server_error"},
	} {
		t.Run(row.name, func(t *testing.T) {
			login.says("Remote-User", "alice", "Remote-Time", row.at)
			a := s.send(s.authorizationBy(http.MethodGet, row.change))
			if row.refused == "" {
				a.wantCode(t, s.issuer)
			} else {
				a.wantRefusal(t, s.issuer, row.refused)
			}
		})
	}
	t.Run("without an auth_time of its own every request is a sign-in", func(t *testing.T) {
		s := newSite(t).start(authorizeSite(basicAuth, ""))
		for _, change := range []change{with("prompt", "login"), with("max_age", "1")} {
			s.send(s.authorization(change)).wantCode(t, s.issuer)
		}
	})
}

func TestIDTokenHint(t *testing.T) {
	s := newSite(t).start(authorizeSite(strings.Replace(basicAuth, "alice "+aliceHash, "alice "+aliceHash+"\nbob "+aliceHash, 1), ""))
	a := s.send(s.redemption(s.send(s.authorization()).wantCode(t, s.issuer)))
	a.wantTokens(t)
	idToken, accessToken := a.json["id_token"].(string), a.json["access_token"].(string)
	// By POST: a URI would be in the access log.
	hinted := func(user, hint string, changes ...change) *answer {
		r := s.authorizationBy(http.MethodPost, append(changes, with("id_token_hint", hint))...)
		r.SetBasicAuth(user, alicePassword)
		return s.send(r)
	}
	for _, changes := range [][]change{nil, {with("prompt", "none")}} {
		t.Run("the person who is meant", func(t *testing.T) {
			hinted("alice", idToken, changes...).wantCode(t, s.issuer)
		})
		t.Run("another person is login_required", func(t *testing.T) {
			hinted("bob", idToken, changes...).wantRefusal(t, s.issuer, "login_required")
		})
	}
	t.Run("what is no ID token of this issuer is invalid_request", func(t *testing.T) {
		parts := strings.Split(idToken, ".")
		for _, hint := range []string{accessToken, parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), "x"} {
			hinted("alice", hint).wantRefusal(t, s.issuer, "invalid_request")
		}
	})
}

// requestEnded says that a request has ended, or its client has left.
var requestEnded = make(chan struct{}, 1)

// unrulyHandler is a handler that goes on as often as it says, or panics.
type unrulyHandler struct {
	Goes   int    `json:"goes"`
	Tells  bool   `json:"tells"` // requestEnded, where login_hint or a header says tell
	Waits  bool   `json:"waits"` // longer than a body may take, where login_hint says wait
	Writes bool   `json:"writes"`
	Panics string `json:"panics"` // "panic" or "abort"
}

func init() {
	caddy.RegisterModule(unrulyHandler{})
	httpcaddyfile.RegisterHandlerDirective("test_unruly", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		u := new(unrulyHandler)
		for _, does := range h.RemainingArgs() {
			switch does {
			case "go":
				u.Goes++
			case "tell":
				u.Tells = true
			case "wait":
				u.Waits = true
			case "write":
				u.Writes = true
			default:
				u.Panics = does
			}
		}
		return u, nil
	})
}

func (unrulyHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_unruly", New: func() caddy.Module { return new(unrulyHandler) }}
}

func (u *unrulyHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if u.Tells && (r.URL.Query().Get("login_hint") == "tell" || r.Header.Get("Test-Tell") != "") {
		context.AfterFunc(r.Context(), func() { requestEnded <- struct{}{} })
	}
	if u.Waits && r.URL.Query().Get("login_hint") == "wait" {
		select {
		case <-time.After(oidctoken.BodyTimeout + time.Second):
		case <-r.Context().Done():
			return caddyhttp.Error(499, r.Context().Err())
		}
	}
	if u.Writes {
		_, _ = io.WriteString(w, "<h1>the login page</h1>")
	}
	switch u.Panics {
	case "panic":
		panic("what is here may be a secret")
	case "abort":
		panic(http.ErrAbortHandler)
	}
	for range u.Goes {
		if err := next.ServeHTTP(w, r); err != nil {
			return err
		}
	}
	return caddyhttp.Error(http.StatusTeapot, nil) // after all
}

func TestUnrulyRoutes(t *testing.T) {
	for _, prompt := range []change{with(), with("prompt", "none")} {
		t.Run("a handler that goes on twice yields one code", func(t *testing.T) {
			s := newSite(t).start(authorizeSite("route {\n"+basicAuth+"\ntest_unruly go go\n}", ""))
			mark := logSize(t)
			a := s.send(s.authorization(prompt))
			s.send(s.redemption(a.wantCode(t, s.issuer))).wantTokens(t)
			n := 0
			for _, line := range logLines(t, mark) {
				if line["event"] == "code_issued" {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d codes were issued", n)
			}
		})
		t.Run("a handler that panics is a server_error", func(t *testing.T) {
			s := newSite(t).start(authorizeSite("route {\n"+basicAuth+"\ntest_unruly panic\n}", ""))
			mark := logSize(t)
			s.send(s.authorization(prompt)).wantRefusal(t, s.issuer, "server_error")
			if line := lastEvent(t, mark); line["event"] != "panic" || strings.Contains(fmt.Sprint(logLines(t, mark)), "may be a secret") {
				t.Errorf("the log says %v", line)
			}
		})
	}
	t.Run("what a handler wrote before it panicked is all there is", func(t *testing.T) {
		s := newSite(t).start(authorizeSite("route {\n"+basicAuth+"\ntest_unruly write panic\n}", ""))
		mark := logSize(t)
		if a := s.send(s.authorization(with("response_mode", "form_post"))); string(a.body) != "<h1>the login page</h1>" {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		if line := lastEvent(t, mark); line["event"] != "panic" {
			t.Errorf("the log says %v", line)
		}
	})
	t.Run("REQ-240 a handler that hangs up has its line in the log", func(t *testing.T) {
		s := newSite(t).start(authorizeSite("route {\n"+basicAuth+"\ntest_unruly abort\n}", ""))
		mark := logSize(t)
		if a, err := s.try(s.authorization()); err == nil {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		eventually(t, "there is no line", func() bool { return lastEvent(t, mark)["event"] == "not_authenticated" })
	})
}

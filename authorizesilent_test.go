package oidctoken_test

import (
	"net/http"
	"strings"
	"testing"
)

// prompt=none shows nothing of the login, and says nothing of it but whether
// somebody is signed in: OpenID Connect Core §3.1.2.1.
func TestPromptNone(t *testing.T) {
	silently := with("prompt", "none")
	wantNothing := func(t *testing.T, a *answer) {
		t.Helper()
		for _, name := range []string{"WWW-Authenticate", "Set-Cookie", "X-Login", "Content-Type", "Retry-After", "Content-Security-Policy"} {
			if got := a.Header.Values(name); len(got) > 0 {
				t.Errorf("the answer has %s: %q", name, got)
			}
		}
		if len(a.body) > 0 {
			t.Errorf("the answer has a body: %s", a.body)
		}
	}
	t.Run("with basic_auth", func(t *testing.T) {
		s := newSite(t).start(authorizeSite(basicAuth, ""))
		t.Run("without a password it is login_required and no challenge", func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				a := s.send(s.authorizationBy(method, silently))
				a.wantRefusal(t, s.issuer, "login_required")
				wantNothing(t, a)
			}
		})
		t.Run("with a wrong password it is login_required and no challenge", func(t *testing.T) {
			r := s.authorizationBy(http.MethodGet, silently)
			r.SetBasicAuth("alice", "wonderland-of-bob")
			a := s.send(r)
			a.wantRefusal(t, s.issuer, "login_required")
			wantNothing(t, a)
		})
		t.Run("with the password it is a code", func(t *testing.T) {
			a := s.send(s.authorization(silently))
			s.send(s.redemption(a.wantCode(t, s.issuer))).wantTokens(t)
			wantNothing(t, a)
		})
		t.Run("a request that is wrong is refused for that", func(t *testing.T) {
			s.send(s.authorization(silently, with("scope", "nothing"))).wantRefusal(t, s.issuer, "invalid_scope")
		})
	})
	t.Run("with forward_auth", func(t *testing.T) {
		s, login := forwardSite(t)
		ask := func() *answer { return s.send(s.authorizationBy(http.MethodGet, silently)) }
		page := func(status int) func(http.ResponseWriter, *http.Request) {
			return func(w http.ResponseWriter, r *http.Request) {
				h := w.Header()
				h.Set("Location", "https://login.example/")
				h.Set("Set-Cookie", "login=1")
				h.Set("X-Login", "1")
				h.Set("Content-Type", "text/event-stream") // which reverse_proxy flushes at once
				w.WriteHeader(status)
				_, _ = w.Write([]byte("the login page"))
				_ = http.NewResponseController(w).Flush()
				_, _ = w.Write([]byte(strings.Repeat("x", 100<<10)))
			}
		}
		for _, status := range []int{302, 401, 403, 404} {
			login.answers(page(status))
			a := ask()
			a.wantRefusal(t, s.issuer, "login_required")
			wantNothing(t, a)
		}
		t.Run("a service that fails does not say that nobody is signed in", func(t *testing.T) {
			for _, status := range []int{500, 503} {
				login.answers(page(status))
				a := ask()
				a.wantRefusal(t, s.issuer, "temporarily_unavailable")
				wantNothing(t, a)
			}
			login.answers(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				page(500)(w, r)
			})
			ask().wantRefusal(t, s.issuer, "temporarily_unavailable")
			login.answers(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			a := ask()
			a.wantRefusal(t, s.issuer, "temporarily_unavailable")
			wantNothing(t, a)
		})
		t.Run("a 101 does not get through", func(t *testing.T) {
			login.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Connection", "Upgrade")
				w.Header().Set("Upgrade", "x")
				w.WriteHeader(http.StatusSwitchingProtocols)
			})
			r := s.authorizationBy(http.MethodGet, silently)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "x")
			a := s.send(r)
			if sent := a.wantBack(t, redirect); sent.Has("code") {
				t.Error("it is a code")
			}
			wantNothing(t, a)
		})
		t.Run("cookies are set where somebody is signed in", func(t *testing.T) {
			login.says("Remote-User", "alice")
			a := ask()
			a.wantCode(t, s.issuer)
			wantNothing(t, a)
		})
	})
	t.Run("cookies of a route that lets somebody through are set", func(t *testing.T) {
		s := newSite(t).start(authorizeSite("header Set-Cookie session=1\nheader X-Login 1\n"+basicAuth, ""))
		a := s.send(s.authorization(silently))
		a.wantCode(t, s.issuer)
		if got := a.Header.Values("Set-Cookie"); len(got) != 1 || got[0] != "session=1" {
			t.Errorf("the cookies are %q", got)
		}
		if a.Header.Get("X-Login") != "" {
			t.Error("other headers are set, too")
		}
		a = s.send(s.authorizationBy(http.MethodGet, silently))
		a.wantRefusal(t, s.issuer, "login_required")
		wantNothing(t, a)
	})
}

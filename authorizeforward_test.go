package oidctoken_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// whoAreYou is a login service that answers as a test says, and keeps what it
// was asked.
type whoAreYou struct {
	address string

	mu     sync.Mutex // guards what follows
	asked  http.Header
	answer func(http.ResponseWriter, *http.Request)
}

func newWhoAreYou(t testing.TB) *whoAreYou {
	t.Helper()
	l := new(whoAreYou)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.asked = r.Header.Clone()
		answer := l.answer
		l.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	l.address = server.Listener.Addr().String()
	return l
}

// answers sets what it answers from now on.
func (l *whoAreYou) answers(answer func(http.ResponseWriter, *http.Request)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

// says has it answer 200 with these headers.
func (l *whoAreYou) says(pairs ...string) {
	l.answers(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
	})
}

func (l *whoAreYou) wasAsked() http.Header {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// directive is the forward_auth that asks it.
func (l *whoAreYou) directive() string {
	return `forward_auth ` + l.address + ` {
				uri /verify
				copy_headers Remote-User Remote-Email Remote-Groups Remote-Time Remote-Extra
			}`
}

const forwardedIdentity = `identity {
			subject {header.Remote-User}
			claim email {header.Remote-Email}
			claim email_verified true
			claim groups {header.Remote-Groups} list
			claim extra {header.Remote-Extra} json
			claim level {header.Remote-Extra} number
			auth_time {header.Remote-Time}
			acr urn:example:{header.Remote-User}
			amr pwd otp,hwk
		}`

func forwardSite(t testing.TB) (*site, *whoAreYou) {
	t.Helper()
	login := newWhoAreYou(t)
	return newSite(t).start(authorizeSite(login.directive(), forwardedIdentity)), login
}

func TestForwardAuth(t *testing.T) {
	s, login := forwardSite(t)
	someone := func(changes ...change) *http.Request { return s.authorizationBy(http.MethodGet, changes...) }
	t.Run("the service's headers say who it is", func(t *testing.T) {
		at := time.Now().Add(-time.Hour).Unix()
		login.says("Remote-User", "alice", "Remote-Email", "alice@example.com", "Remote-Groups", "staff, admin,,", "Remote-Time", fmt.Sprint(at), "Remote-Extra", `{"a":[1]}`)
		a := s.send(s.redemption(s.send(someone()).wantCode(t, s.issuer)))
		a.wantTokens(t)
		claims := payload(t, a.json["id_token"])
		got := fmt.Sprint(claims["sub"], claims["email"], claims["email_verified"], claims["groups"], claims["extra"], claims["level"], claims["acr"], claims["amr"])
		if want := fmt.Sprint("alice", "alice@example.com", true, []any{"staff", "admin"}, map[string]any{"a": []any{1.0}}, nil, "urn:example:alice", []any{"pwd", "otp", "hwk"}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if claims["auth_time"] != float64(at) {
			t.Errorf("auth_time is %v, want %d", claims["auth_time"], at)
		}
	})
	t.Run("what the service leaves out is left out", func(t *testing.T) {
		login.says("Remote-User", "bob")
		a := s.send(s.redemption(s.send(someone()).wantCode(t, s.issuer)))
		a.wantTokens(t)
		claims := payload(t, a.json["id_token"])
		for _, name := range []string{"email", "groups", "extra", "level", "auth_time"} {
			if v, there := claims[name]; there {
				t.Errorf("%s is %v", name, v)
			}
		}
	})
	t.Run("the redirect to the login page goes to the browser, and leads back to the whole request", func(t *testing.T) {
		login.answers(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.example/?rd="+url.QueryEscape(r.Header.Get("X-Forwarded-Uri")), http.StatusFound)
		})
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			a := s.send(s.authorizationBy(method, with("login_hint", "alice", "ui_locales", "de")))
			to, err := a.Location()
			if err != nil || a.StatusCode != 302 || to.Host != "login.example" {
				t.Fatalf("got %d to %v", a.StatusCode, to)
			}
			a.wantAuthorizationHeaders(t)
			back, err := url.Parse(to.Query().Get("rd"))
			if err != nil || back.Path != "/authorize" {
				t.Fatalf("it leads back to %v", back)
			}
			login.says("Remote-User", "alice")
			r := someone()
			r.URL.RawQuery = back.RawQuery
			s.send(r).wantCode(t, s.issuer)
			if q := back.Query(); q.Get("login_hint") != "alice" || q.Get("ui_locales") != "de" {
				t.Error("the login page does not see the hints")
			}
			login.answers(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://login.example/?rd="+url.QueryEscape(r.Header.Get("X-Forwarded-Uri")), http.StatusFound)
			})
		}
	})
	t.Run("a form of the service's cannot break its request line", func(t *testing.T) {
		login.says("Remote-User", "alice")
		raw := "client_id=web&redirect_uri=" + url.QueryEscape(redirect) + "&response_type=code&scope=openid&state=x&login_hint=a b\tc#d"
		r, _ := http.NewRequest(http.MethodPost, s.issuer+"/authorize", strings.NewReader(raw))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if sent := s.send(r).wantBack(t, redirect); sent.Get("code") == "" {
			t.Errorf("it says %s", sent.Get("error"))
		}
		if uri := login.wasAsked().Get("X-Forwarded-Uri"); strings.ContainsAny(uri, " \t#") {
			t.Errorf("the service was told %q", uri)
		}
	})
	t.Run("a subject that no token can carry is refused", func(t *testing.T) {
		for _, subject := range []string{"zoë", strings.Repeat("x", 256)} {
			login.says("Remote-User", subject)
			s.send(someone()).wantRefusal(t, s.issuer, "access_denied")
		}
	})
}

// Whatever a client says of itself, the login service says who it is.
func TestNobodySignsInByHeaders(t *testing.T) {
	s, login := forwardSite(t)
	spoofed := func() *http.Request {
		r := s.authorizationBy(http.MethodGet)
		for _, name := range []string{
			"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Time", "Remote-Extra", "X-Remote-User", "X-Remote-Group",
			"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
			"X-Auth-Request-User", "X-Auth-Request-Email", "X-Authentik-Username", "X-Authentik-Groups", "X-Webauth-User", "X-Token-User-Email",
			"X-Ssl-Client-Cert", "X-Client-Cert", "Tailscale-User-Login",
		} {
			r.Header.Set(name, "admin")
			for _, odd := range []string{strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_")} {
				r.Header[odd] = append(r.Header[odd], "admin")
			}
		}
		r.Header.Set("Connection", "X-Other, close")
		return r
	}
	t.Run("where the service says nothing of who it is nobody is signed in", func(t *testing.T) {
		login.says()
		s.send(spoofed()).wantRefusal(t, s.issuer, "access_denied")
	})
	t.Run("where the service says that it is somebody, it is", func(t *testing.T) {
		login.says("Remote-User", "bob")
		a := s.send(s.redemption(s.send(spoofed()).wantCode(t, s.issuer)))
		a.wantTokens(t)
		claims := payload(t, a.json["id_token"])
		if claims["sub"] != "bob" || claims["email"] != nil || claims["groups"] != nil {
			t.Errorf("the claims are %v", claims)
		}
	})
	t.Run("where the service redirects to its login the browser goes there", func(t *testing.T) {
		login.answers(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.example/", http.StatusFound)
		})
		if a := s.send(spoofed()); a.StatusCode != 302 || a.Header.Get("Location") != "https://login.example/" {
			t.Errorf("got %d", a.StatusCode)
		}
	})
	t.Run("the service is told nothing of what the client says it is", func(t *testing.T) {
		login.says()
		s.send(spoofed())
		asked := login.wasAsked()
		if asked.Get("X-Forwarded-Uri") == "" {
			t.Fatal("it was not asked")
		}
		for name, values := range asked {
			if strings.Contains(strings.Join(values, ","), "admin") {
				t.Errorf("it was told %s: %q", name, values)
			}
		}
	})
	t.Run("so is every other way to spell it with a route that asks nobody", func(t *testing.T) {
		s := newSite(t).start(authorizeSite(`vars asked nobody`, `identity {
			subject {header.X-Company-User}
		}`))
		for _, name := range []string{"X-Company-User", "x-company-user", "X_Company_User", "X-Company_User", "X_COMPANY_USER"} {
			r := s.authorizationBy(http.MethodGet)
			r.Header[name] = []string{"admin"}
			s.send(r).wantRefusal(t, s.issuer, "access_denied")
		}
	})
}

// A service that fails keeps everybody out. Who watches the log is told.
func TestLoginThatFails(t *testing.T) {
	s, login := forwardSite(t)
	for _, row := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		status float64
		event  string
	}{
		{"F01 a service that hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, "authentication_unavailable"},
		{"F01 a service that answers 503", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 503, "authentication_unavailable"},
		{"F01 a service that fails with a long page", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = w.Write([]byte(strings.Repeat("x", 100<<10)))
		}, 500, "authentication_unavailable"},
		{"a service that sends people to its login page", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.example/", http.StatusFound)
		}, 302, "not_authenticated"},
		{"a service that says no", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, 403, "not_authenticated"},
	} {
		t.Run(row.name, func(t *testing.T) {
			login.answers(row.answer)
			mark := logSize(t)
			if a := s.send(s.authorizationBy(http.MethodGet)); float64(a.StatusCode) != row.status {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
			line := lastEvent(t, mark)
			if line["event"] != row.event || line["status"] != row.status || (line["level"] == "error") != (row.status >= 500) {
				t.Errorf("the log says %v", line)
			}
		})
	}
}

// What a route does that lets everybody through.
func TestRouteThatAuthenticatesNobody(t *testing.T) {
	for name, authorize := range map[string]string{
		"a matcher that does not match": "@never path /never\nbasic_auth @never {\n alice " + aliceHash + "\n}",
		"a route that asks nobody":      "vars x y",
	} {
		t.Run(name+" signs nobody in", func(t *testing.T) {
			s := newSite(t).start(authorizeSite(authorize, ""))
			mark := logSize(t)
			s.send(s.authorization()).wantRefusal(t, s.issuer, "access_denied")
			line := lastEvent(t, mark)
			if line["event"] != "identity_missing" || line["level"] != "warn" || !strings.Contains(fmt.Sprint(line["hint"]), "forward_auth sets no user id") {
				t.Errorf("the log says %v", line)
			}
		})
	}
}

// lastEvent is the last line of ours with an event.
func lastEvent(t *testing.T, mark int64) map[string]any {
	t.Helper()
	var last map[string]any
	for _, line := range logLines(t, mark) {
		if line["event"] != nil {
			last = line
		}
	}
	return last
}

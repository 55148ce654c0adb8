package oidctoken_test

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// loginService is what stands behind forward_auth: a page with a password, a
// cookie, and an answer to Caddy's question who somebody is.
type loginService struct {
	address             string
	session             string // the value of the cookie
	signedInAt          time.Time
	letEverybodyThrough atomic.Bool
}

func newLoginService(t testing.TB, user, password string) *loginService {
	t.Helper()
	l := &loginService{session: secret("session", rand.Text()), signedInAt: time.Now().Add(-time.Hour)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/authz/forward-auth", l.whoIsIt)
	mux.HandleFunc("GET /api/verify", l.whoIsIt)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { l.page(w, r.FormValue("rd")) })
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		right := subtle.ConstantTimeCompare([]byte(r.FormValue("password")), []byte(password)) == 1
		if r.FormValue("user") != user || !right {
			l.page(w, r.FormValue("rd"))
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: l.session, Domain: "example.com", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, r.FormValue("rd"), http.StatusSeeOther)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	l.address = server.Listener.Addr().String()
	return l
}

// whoIsIt answers Caddy's question about a request. As services do that stand
// behind a proxy of their own, it believes a header.
func (l *loginService) whoIsIt(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if c, err := r.Cookie("session"); err == nil && c.Value == l.session || r.Header.Get("X-Forwarded-User") == "alice" {
		h.Set("Remote-User", "alice")
		h.Set("Remote-Name", "Alice Liddell")
		h.Set("Remote-Email", "alice@example.com")
		h.Set("Remote-Groups", "staff, admin")
		h.Set("Remote-Signed-In", strconv.FormatInt(l.signedInAt.Unix(), 10))
		return
	}
	if l.letEverybodyThrough.Load() {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "visitor", Value: rand.Text()})
	to := r.Header.Get("X-Forwarded-Proto") + "://" + r.Header.Get("X-Forwarded-Host") + r.Header.Get("X-Forwarded-Uri")
	h.Set("Location", "https://login.example.com/?rd="+url.QueryEscape(to))
	w.WriteHeader(http.StatusFound)
}

func (*loginService) page(w http.ResponseWriter, rd string) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, `<form method=post><input name=user><input name=password type=password><input type=hidden name=rd value="%s"></form>`, html.EscapeString(rd))
}

// logIn fills in the page that a visitor was led to. The service's own host is
// the one that every recipe gives it.
func (v *visitor) logIn(page *answer, password, callback string) (*url.URL, *answer) {
	v.t.Helper()
	m := regexp.MustCompile(`name=rd value="([^"]*)"`).FindSubmatch(page.body)
	if page.StatusCode != http.StatusOK || m == nil {
		v.t.Fatalf("this is no login page: %d %s", page.StatusCode, page.body)
	}
	form := url.Values{"rd": {html.UnescapeString(string(m[1]))}, "user": {"alice"}, "password": {password}}
	return v.submit("https://login.example.com/", form, callback)
}

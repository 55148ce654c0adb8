package main

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// visitor is a browser at the example: Caddy with the Caddyfile as it is, on
// other ports, and the second application beside it.
type visitor struct {
	*http.Client
	t                 *testing.T
	site, application string
	password          string // what is typed where the site asks
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, site: "http://localhost:" + port(t), application: "http://localhost:" + port(t)}
	v.Client = &http.Client{Jar: jar, Timeout: 10 * time.Second, Transport: v}
	dir := t.TempDir()
	s, err := layOut(dir)
	if err != nil {
		t.Fatal(err)
	}
	v.password = s.password
	v.runCaddy(dir)
	v.runApplication(s.client)
	return v
}

// RoundTrip answers the site's question for a name and a password.
func (v *visitor) RoundTrip(r *http.Request) (*http.Response, error) {
	if "http://"+r.URL.Host == v.site {
		r = r.Clone(r.Context())
		r.SetBasicAuth("alice", v.password)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (v *visitor) runCaddy(dir string) {
	v.t.Helper()
	v.t.Setenv("EXAMPLE_DATA", filepath.ToSlash(dir))
	v.t.Setenv("EXAMPLE_ADMIN", "127.0.0.1:"+port(v.t))
	caddyfile, err := os.ReadFile("Caddyfile")
	if err != nil {
		v.t.Fatal(err)
	}
	moved := strings.NewReplacer(siteURL, v.site, applicationURL, v.application).Replace(string(caddyfile))
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(moved), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			v.t.Error(err)
		}
	})
}

func (v *visitor) runApplication(secret string) {
	v.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1"+strings.TrimPrefix(v.application, "http://localhost"))
	if err != nil {
		v.t.Fatal(err)
	}
	server := &http.Server{Handler: newApplication(v.site, v.application, "web", secret), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }() // until it is closed
	v.t.Cleanup(func() { server.Close() })
}

// port is free, and below those that systems take for outgoing connections: one
// of these may be in use when the server listens.
func port(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// get follows redirects and returns the page they end at.
func (v *visitor) get(url string) (int, string) {
	v.t.Helper()
	response, err := v.Get(url)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.read(response)
}

func (v *visitor) read(response *http.Response) (int, string) {
	v.t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (v *visitor) want(url string, status int, texts ...string) {
	v.t.Helper()
	got, page := v.get(url)
	if got != status {
		v.t.Errorf("%d, want %d", got, status)
	}
	for _, text := range texts {
		if !strings.Contains(page, text) {
			v.t.Errorf("%q is not in\n%s", text, page)
		}
	}
}

func (v *visitor) post(path, origin string) int {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.application+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Origin", origin)
	response, err := v.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	status, _ := v.read(response)
	return status
}

// answer signs in up to the redirect back, which it does not follow.
func (v *visitor) answer() *url.URL {
	v.t.Helper()
	back := *v.Client
	back.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	response, err := back.Get(v.application + "/login")
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	location, err := response.Location()
	if err != nil {
		v.t.Fatal(err)
	}
	return location
}

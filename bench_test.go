package oidctoken_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// The benchmarks go through Caddy's HTTP server, but without a network: they
// are there to be profiled. What is fast enough, test/bench decides.

// BenchmarkRedemption is one redemption with everything on (client_secret_basic
// with a sha256: hash, log line, metrics), with an ID token and an access token.
func BenchmarkRedemption(b *testing.B) {
	for _, store := range []string{"memory", "file_system"} {
		for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
			b.Run(store+"/"+alg, func(b *testing.B) {
				s := newBenchmarkSite(b, store, alg)
				s.serve(webSecret, s.mint, http.StatusOK)
			})
		}
	}
}

// BenchmarkRefusal is what ends without tokens: each costs less than a success
// and writes nothing.
func BenchmarkRefusal(b *testing.B) {
	for _, row := range []struct {
		name, secret string
		code         func(s *benchmarkSite) (next func() string)
		statuses     []int
	}{
		{"wrong_secret", "wrong-" + webSecret, (*benchmarkSite).untouched, []int{http.StatusUnauthorized, http.StatusTooManyRequests}},
		{"unknown_code", webSecret, func(*benchmarkSite) func() string { return unknownCode }, []int{http.StatusBadRequest}},
		{"replay", webSecret, (*benchmarkSite).spent, []int{http.StatusBadRequest}},
	} {
		b.Run(row.name, func(b *testing.B) {
			s := newBenchmarkSite(b, "memory", "ES256")
			s.serve(row.secret, row.code(s), row.statuses...)
			if n := s.writes(); n != 0 {
				b.Errorf("%d writes", n)
			}
		})
	}
}

func (s *benchmarkSite) untouched() (next func() string) {
	code := s.mint()
	return func() string { return code }
}

func (s *benchmarkSite) spent() (next func() string) {
	next = s.untouched()
	s.server.ServeHTTP(new(sink), s.request(next(), webSecret))
	return next
}

// benchmarkSite is a running site whose server is called without a listener.
type benchmarkSite struct {
	b      *testing.B
	issuer string
	server *caddyhttp.Server
	memory *storagetest.Memory // empty where the storage is not this one
}

func newBenchmarkSite(b *testing.B, store, alg string) *benchmarkSite {
	s := newSite(b)
	blocks := strings.NewReplacer("\tlog\n", "", "CLIENTS", "signing_alg "+alg+"\ncode_lifetime 10m\nCLIENTS").Replace(oneSite)
	config, err := caddyJSON(strings.Replace(s.caddyfile(blocks), "\tdebug\n", "", 1))
	if err != nil {
		b.Fatal(err)
	}
	memory := storagetest.NewMemory()
	if store == "memory" {
		memories[b.Name()] = memory
		config = []byte(strings.Replace(string(config), `"handler":"oidc_token"`, fmt.Sprintf(`"handler":"oidc_token","storage":{"module":"test_memory","name":%q}`, b.Name()), 1))
	}
	if err := caddy.Load(config, true); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { caddy.Stop() })
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		b.Fatal(err)
	}
	running := &benchmarkSite{b: b, issuer: s.issuer, server: app.(*caddyhttp.App).Servers["srv0"], memory: memory}
	running.spent() // the storage is probed, the keys are there
	return running
}

// writes counts those to codes; keys are maintained in the background.
func (s *benchmarkSite) writes() int {
	return len(slices.DeleteFunc(s.memory.Calls(), func(c storagetest.Call) bool {
		return c.Op == storagetest.OpLoad || !strings.Contains(c.Key, "/codes/") && !strings.Contains(c.Key, "/used/")
	}))
}

// mint is not site.mint: TestMain searches the log for each code of that.
func (s *benchmarkSite) mint() string {
	minted, err := oidctoken.Mint(s.b.Context(), s.issuer, &oidctoken.MintRequest{ClientID: "web", Subject: "alice", RedirectURI: redirect})
	if err != nil {
		s.b.Fatal(err)
	}
	return minted.Code
}

func (s *benchmarkSite) request(code, secret string) *http.Request {
	body := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}.Encode()
	r := httptest.NewRequest(http.MethodPost, s.issuer+"/token", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", secret)
	return r
}

// serve measures requests that were made before.
func (s *benchmarkSite) serve(secret string, code func() string, statuses ...int) {
	requests := make([]*http.Request, s.b.N)
	for i := range requests {
		requests[i] = s.request(code(), secret)
	}
	s.memory.Reset()
	s.b.ReportAllocs()
	s.b.ResetTimer()
	for _, r := range requests {
		w := new(sink)
		s.server.ServeHTTP(w, r)
		if !slices.Contains(statuses, w.status) {
			s.b.Fatalf("got %d %s", w.status, w.body)
		}
	}
}

// sink is a response that nobody reads.
type sink struct {
	header http.Header
	status int
	body   []byte
}

func (s *sink) Header() http.Header {
	if s.header == nil {
		s.header = make(http.Header)
	}
	return s.header
}

func (s *sink) WriteHeader(status int) { s.status = status }

func (s *sink) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	s.body = p
	return len(p), nil
}

func (s *sink) SetReadDeadline(time.Time) error { return nil }

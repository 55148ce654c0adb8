//go:build unix

package oidctoken_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// The benchmarks go through Caddy's HTTP server, but without a network. They
// report processor time beside time: on a machine that does other things, too,
// only the former compares. One run has the floors and what is held against
// them.

var benchmarkAlgorithms = []string{"RS256", "ES256", "EdDSA"}

// BenchmarkFloor is what nobody can go below: the two signatures alone, Caddy
// answering a constant, and a handler that signs two tokens and checks nothing.
func BenchmarkFloor(b *testing.B) {
	for _, alg := range benchmarkAlgorithms {
		b.Run("signatures/"+alg, func(b *testing.B) {
			signer := newLeanSigner(alg)
			measure(b, func(int) { signer.sign("a token"); signer.sign("a token") })
		})
	}
	b.Run("respond", func(b *testing.B) {
		newBenchmarkSite(b, "memory", "ES256").serve(b, "/site", webSecret, aCode, http.StatusOK)
	})
	for _, alg := range benchmarkAlgorithms {
		b.Run("lean/"+alg, func(b *testing.B) {
			newBenchmarkSite(b, "memory", alg).serve(b, "/lean", webSecret, aCode, http.StatusOK)
		})
	}
}

// BenchmarkRedemption is one redemption with everything on (client_secret_basic
// with a sha256: hash, log line, metrics), with an ID token and an access token.
func BenchmarkRedemption(b *testing.B) {
	for _, store := range []string{"memory", "file_system"} {
		for _, alg := range benchmarkAlgorithms {
			b.Run(store+"/"+alg, func(b *testing.B) {
				s := newBenchmarkSite(b, store, alg)
				s.serve(b, "/token", webSecret, s.mint, http.StatusOK)
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
		{"unknown_code", webSecret, (*benchmarkSite).unknown, []int{http.StatusBadRequest}},
		{"replay", webSecret, (*benchmarkSite).spent, []int{http.StatusBadRequest}},
	} {
		for _, store := range []string{"memory", "file_system"} {
			b.Run(row.name+"/"+store, func(b *testing.B) {
				s := newBenchmarkSite(b, store, "ES256")
				code := row.code(s)
				s.memory.Reset()
				s.serve(b, "/token", row.secret, code, row.statuses...)
				if n := s.writes(); n != 0 {
					b.Errorf("%d writes", n)
				}
			})
		}
	}
}

func aCode() string { return "a-code" }

func (s *benchmarkSite) untouched() (next func() string) {
	code := s.mint()
	return func() string { return code }
}

// unknown are codes of the right form that this issuer did not issue.
func (s *benchmarkSite) unknown() (next func() string) {
	elsewhere, err := storage.New(storage.Options{Storage: storagetest.NewMemory(), Issuer: "https://other.example"})
	if err != nil {
		s.b.Fatal(err)
	}
	return func() string {
		code, err := elsewhere.Store(s.b.Context(), &storage.Record{Issuer: "https://other.example", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Minute)})
		if err != nil {
			s.b.Fatal(err)
		}
		return code
	}
}

func (s *benchmarkSite) spent() (next func() string) {
	next = s.untouched()
	s.server.ServeHTTP(new(sink), s.request("/token", next(), webSecret))
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
	blocks := strings.NewReplacer("\tlog\n", "", "CLIENTS", "signing_alg "+alg+"\ncode_lifetime 10m\nCLIENTS",
		"\trespond", "\troute /lean {\n test_lean "+alg+"\n}\n\trespond").Replace(oneSite)
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

func (s *benchmarkSite) request(path, code, secret string) *http.Request {
	body := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}.Encode()
	r := httptest.NewRequest(http.MethodPost, s.issuer+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", secret)
	return r
}

// serve measures requests that were made before.
func (s *benchmarkSite) serve(b *testing.B, path, secret string, code func() string, statuses ...int) {
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = s.request(path, code(), secret)
	}
	s.memory.Reset()
	measure(b, func(i int) {
		w := new(sink)
		s.server.ServeHTTP(w, requests[i])
		if !slices.Contains(statuses, w.status) {
			b.Fatalf("got %d %s", w.status, w.body)
		}
	})
}

// measure reports the processor time of the process, its collector included.
func measure(b *testing.B, f func(i int)) {
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	for i := range b.N {
		f(i)
	}
	used := processorTime(b) - before
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N)/1000, "cpu-µs/op")
}

func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
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

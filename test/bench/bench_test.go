//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sys/unix"
)

func TestTokenRequestIsWhatAServerReads(t *testing.T) {
	text := tokenRequest("127.0.0.1:80", "/token", basic("web", "a secret"), "code")
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(withAddress(text, "192.0.2.1"))))
	if err != nil {
		t.Fatal(err)
	}
	id, secret, _ := r.BasicAuth()
	if id != "web" || secret != "a+secret" || r.Header.Get("X-Forwarded-For") != "192.0.2.1" || r.Host != "127.0.0.1:80" {
		t.Fatalf("got %v", r.Header)
	}
	if r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("code") != "code" || r.PostFormValue("redirect_uri") != redirectURI {
		t.Fatalf("got %v", r.PostForm)
	}
}

func TestVerifiedWantsThePublishedKey(t *testing.T) {
	sign := func(alg jose.SignatureAlgorithm, key any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign([]byte(`{"sub":"alice"}`))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	published := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one"}}}
	claims, err := verified(sign(jose.ES256, key), "ES256", published)
	if err != nil || claims["sub"] != "alice" {
		t.Fatalf("got %v, %v", claims, err)
	}
	for _, row := range []struct{ name, token, alg string }{
		{"another key signed it", sign(jose.ES256, other), "ES256"},
		{"another algorithm signed it", sign(jose.HS256, make([]byte, 32)), "ES256"},
		{"another algorithm is wanted", sign(jose.ES256, key), "RS256"},
		{"it is opaque", "a0b1c2", "ES256"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if claims, err := verified(row.token, row.alg, published); err == nil {
				t.Fatalf("got %v", claims)
			}
		})
	}
}

func TestSelected(t *testing.T) {
	for _, row := range []struct {
		only, name string
		want       bool
	}{
		{"", "respond", true},
		{"memory/ES256", "oidc_token/memory/ES256/sha256", true},
		{"zitadel,file_system/ES256", "oidc_token/file_system/ES256/bcrypt", true},
		{"memory/ES256", "oidc_token/memory/RS256/sha256", false},
		{"none", "oidc-provider/ES256", false},
		{"zitadel,", "respond", false},
	} {
		if got := selected(row.name, row.only); got != row.want {
			t.Errorf("-only %q and %s: %v", row.only, row.name, got)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, row := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(row.values); got != row.want {
			t.Errorf("median of %v is %v", row.values, got)
		}
	}
}

func TestRatiosAreFormedWithinAVisit(t *testing.T) {
	// The core was twice as fast in the second visit, for both sides.
	s := &subject{name: "oidc_token/memory/ES256/sha256", alg: "ES256"}
	s.samples = []sample{
		{Connections: wide, CPU: 200, FloorCPU: 160}, {Connections: wide, CPU: 100, FloorCPU: 80}, {Connections: wide, CPU: 200, FloorCPU: 160},
		{Connections: narrow, CPU: 900, FloorCPU: 1},
	}
	b := &bench{subjects: []*subject{s}}
	targets := b.targets()
	if len(targets) != 1 || targets[0].Got != "1.25" || !targets[0].Met {
		t.Fatalf("got %+v", targets)
	}
	for i := range s.samples {
		s.samples[i].CPU *= 1.1
	}
	if missed := b.targets(); missed[0].Met {
		t.Fatalf("got %+v", missed)
	}
}

func TestCPUTimeCountsThisProcess(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	began := used(t)
	for sum := 0; used(t)-began < 20*time.Millisecond; sum++ {
		_ = strings.Repeat("x", sum%100)
	}
	after, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if spent := after - before; spent < 15*time.Millisecond || spent > 40*time.Millisecond {
		t.Fatalf("20 ms of work took %s", spent)
	}
}

// used is the CPU time of this process by another clock.
func used(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestClaimsOfTheFloorMustBeOurs(t *testing.T) {
	claims := [][]string{{"aud", "sub"}, {"aud", "nonce", "sub"}}
	floor := &subject{name: "lean/ES256", alg: "ES256", rows: rows{claims: claims}}
	ours := &subject{name: "oidc_token", alg: "ES256", mint: "/", rows: rows{claims: claims}}
	b := &bench{subjects: []*subject{ours}, lean: map[string]*subject{"ES256": floor}}
	if err := b.compareClaims(); err != nil {
		t.Fatal(err)
	}
	ours.claims = [][]string{claims[0], slices.Concat(claims[1], []string{"email"})}
	if err := b.compareClaims(); err == nil {
		t.Fatal("a claim that only one has was not noticed")
	}
}

func TestThePageIsOfThisProgram(t *testing.T) {
	page, err := os.ReadFile("../../docs/benchmark.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range regexp.MustCompile("%[sd]").Split(introduction, -1) {
		if piece = strings.ReplaceAll(piece, "%%", "%"); !bytes.Contains(page, []byte(piece)) {
			t.Errorf("docs/benchmark.md has not the text %q: write it anew with -update", piece)
		}
	}
}

func TestMarkdown(t *testing.T) {
	s := section{Columns: []string{"", "CPU µs", "RSS"}, Rows: [][]string{{"lean", "112"}}}
	if got, want := s.markdown(), "|  | CPU µs | RSS |\n|---|---:|---:|\n| lean | 112 |  |\n"; got != want {
		t.Fatalf("got %q", got)
	}
}

package oidctoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// BenchmarkRedemption is one redemption with everything on (client_secret_basic
// with a sha256: hash, log line, metrics), through Caddy's HTTP server but
// without a network, with an ID token and an access token. %signing is the share
// of its time that the two bare signatures take.
func BenchmarkRedemption(b *testing.B) {
	for _, store := range []string{"memory", "file_system"} {
		for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
			b.Run(store+"/"+alg, func(b *testing.B) { benchmarkRedemption(b, store, alg) })
		}
	}
}

func benchmarkRedemption(b *testing.B, store, alg string) {
	s := newSite(b)
	blocks := strings.Replace(oneSite, "CLIENTS", "signing_alg "+alg+"\ncode_lifetime 10m\nCLIENTS", 1)
	config, err := caddyJSON(strings.Replace(s.caddyfile(blocks), "\tdebug\n", "", 1))
	if err != nil {
		b.Fatal(err)
	}
	if store == "memory" {
		memories[b.Name()] = storagetest.NewMemory()
		config = []byte(strings.Replace(string(config), `"handler":"oidc_token"`, fmt.Sprintf(`"handler":"oidc_token","storage":{"module":"test_memory","name":%q}`, b.Name()), 1))
	}
	if err := caddy.Load(config, true); err != nil {
		b.Fatal(err)
	}
	defer caddy.Stop()
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		b.Fatal(err)
	}
	server := app.(*caddyhttp.App).Servers["srv0"]
	redeem := func(code string) {
		body := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}.Encode()
		r := httptest.NewRequest(http.MethodPost, s.issuer+"/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("web", webSecret)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
	mint := func() string { // not s.mint: TestMain searches for each code that hands out
		minted, err := oidctoken.Mint(b.Context(), s.issuer, &oidctoken.MintRequest{ClientID: "web", Subject: "alice", RedirectURI: redirect})
		if err != nil {
			b.Fatal(err)
		}
		return minted.Code
	}
	redeem(mint()) // the storage is probed, the keys are there
	codes := make([]string, b.N)
	for i := range codes {
		codes[i] = mint()
	}
	signing := signaturesCost(b, alg)
	b.ReportAllocs()
	b.ResetTimer()
	for _, code := range codes {
		redeem(code)
	}
	b.ReportMetric(100*float64(signing.Nanoseconds())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "%signing")
}

// signaturesCost is what two bare signatures cost.
func signaturesCost(b *testing.B, alg string) time.Duration {
	var signer crypto.Signer
	var err error
	hash, message := crypto.SHA256, sha256.Sum256([]byte("a token"))
	switch alg {
	case "RS256":
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, signer, err = ed25519.GenerateKey(rand.Reader)
		hash = 0
	}
	if err != nil {
		b.Fatal(err)
	}
	const rounds = 200
	start := time.Now()
	for range 2 * rounds {
		if _, err := signer.Sign(rand.Reader, message[:], hash); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / rounds
}

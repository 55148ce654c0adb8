package oidctoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// keyFile writes a private key as PKCS#8.
func keyFile(t testing.TB, key crypto.Signer, err error, mode os.FileMode) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSigningKeyFiles(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ecFile := keyFile(t, ec, err, 0o600)
	with := func(options string) string { return strings.Replace(oneSite, "CLIENTS", options+"\nCLIENTS", 1) }
	t.Run("REQ-184 REQ-204 only what the files hold is offered and signed with", func(t *testing.T) {
		s := newSite(t).start(with("signing_key " + ecFile + "\nsigning_alg ES256"))
		r, _ := http.NewRequest(http.MethodGet, s.issuer+"/.well-known/openid-configuration", nil)
		if got := fmt.Sprint(s.send(r).json["id_token_signing_alg_values_supported"]); got != "[ES256]" {
			t.Errorf("advertised %s", got)
		}
		a := s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"})))
		a.wantTokens(t)
		if alg := header64(t, a.json["id_token"])["alg"]; alg != "ES256" {
			t.Errorf("signed with %v", alg)
		}
		if status, answer := s.adminRequest("POST", "/oidc_token/keys/rotate", "{}", "Content-Type", "application/json"); status != 409 || !strings.Contains(answer, "signing_key") {
			t.Errorf("rotating answers %d %s", status, answer)
		}
	})
	t.Run("REQ-210 REQ-239 a key in the place of its file's name is not shown", func(t *testing.T) {
		err := newSite(t).load(with("signing_key {file." + ecFile + "}\nsigning_alg ES256"))
		if err == nil || strings.Contains(err.Error(), "BEGIN") || !strings.Contains(err.Error(), "the path itself") {
			t.Errorf("loading says %v", err)
		}
	})
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	weakFile := keyFile(t, weak, err, 0o600)
	for _, row := range []struct{ name, options, says string }{
		{"REQ-209 a missing file", "signing_key /does/not/exist.pem", "/does/not/exist.pem"},
		{"REQ-204 D24 a weak key", "signing_key " + weakFile, "2048"},
		{"REQ-209 signing_alg without a key", "signing_key " + ecFile, "signing_alg RS256"},
		{"REQ-209 a client's algorithm without a key", "signing_key " + ecFile + "\nsigning_alg ES256\nclient x {\nclient_secret " + webSecret + "x\nredirect_uris https://x.example\nid_token_signed_response_alg EdDSA\n}", "client x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := newSite(t).load(with(row.options)); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("loading says %v, want %q in it", err, row.says)
			}
		})
	}
	t.Run("REQ-210 a file that everybody reads is warned of", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("file modes do not say there who reads a file")
		}
		open := keyFile(t, ec, nil, 0o644)
		s := newSite(t).start(with("signing_key " + ecFile + "\nsigning_alg ES256"))
		mark := logSize(t)
		if err := s.load(with("signing_key " + open + "\nsigning_alg ES256")); err != nil {
			t.Fatal(err)
		}
		for _, line := range logLines(t, mark) {
			if msg, _ := line["msg"].(string); line["level"] == "warn" && strings.Contains(msg, open) {
				return
			}
		}
		t.Error("nothing warns")
	})
}

func TestSecretsAreNotInTheRunningConfig(t *testing.T) {
	const dollar, brace = "$ecret-that-begins-with-a-dollar-0123", "secret-with-a-{brace}-in-it-0123456789"
	s := newSite(t).start(strings.Replace(oneSite, "CLIENTS", `CLIENTS
		client odd {
			client_secret `+dollar+` "`+strings.ReplaceAll(brace, "{", `\{`)+`"
			redirect_uris https://app.example/callback
		}`, 1))
	r, err := http.Get("http://" + s.admin + "/config/")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	a, err := s.try(r.Request)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("REQ-210 H16 GET /config/ shows hashes and no secret", func(t *testing.T) {
		config := string(a.body)
		for _, s := range []string{webSecret, postSecret, dollar, "-in-it-0123456789"} {
			if strings.Contains(config, s) {
				t.Errorf("%s is in %s", s, config)
			}
		}
		if !strings.Contains(config, "sha256:") {
			t.Errorf("got %s", config)
		}
	})
	t.Run("and they authenticate", func(t *testing.T) {
		for _, secret := range []string{dollar, brace} {
			s.send(s.request(s.mint(oidctoken.MintRequest{ClientID: "odd"}), func(r *http.Request, _ url.Values) { r.SetBasicAuth("odd", secret) })).wantTokens(t)
		}
	})
}

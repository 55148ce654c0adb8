package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

const testIssuer = "https://id.example.com"

// rsaKey is made once: 2048 bits take a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newTestKey(t testing.TB, alg Algorithm) *Key {
	t.Helper()
	var signer crypto.Signer
	var err error
	switch {
	case alg.RSA():
		signer = rsaKey()
	case alg == EdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		signer, err = ecdsa.GenerateKey(alg.curve(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewKey(alg, signer)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// heldKeys is a Keys with one key per algorithm.
type heldKeys map[Algorithm]*Key

var errNoKey = errors.New("no such key")

func (h heldKeys) SigningKey(_ context.Context, alg Algorithm) (*Key, error) {
	if key := h[alg]; key != nil {
		return key, nil
	}
	return nil, errNoKey
}

func newTestIssuer(t testing.TB, algs ...Algorithm) *Issuer {
	keys := heldKeys{}
	for _, alg := range algs {
		keys[alg] = newTestKey(t, alg)
	}
	return &Issuer{
		Issuer:              testIssuer,
		Algorithm:           algs[0],
		AccessTokenLifetime: 10 * time.Minute,
		IDTokenLifetime:     time.Hour,
		Keys:                keys,
		Now:                 func() time.Time { return time.Unix(1_700_000_000, 999_999_999) },
	}
}

// authorization is complete; a row changes one thing about it.
func authorization(change func(*Authorization)) *Authorization {
	a := &Authorization{
		ClientID: "web",
		Subject:  "alice",
		Scope:    []string{"openid", "profile"},
		Nonce:    "n-0S6_WzA2Mj",
		AuthTime: time.Unix(1_699_999_990, 0),
		ACR:      "urn:example:silver",
		AMR:      []string{"pwd", "otp"},
		Audience: []string{"https://api.example.com"},
		TokenID:  "token-1",

		IDTokenAlgorithm: ES256,
	}
	if change != nil {
		change(a)
	}
	return a
}

func mustIssue(t testing.TB, i *Issuer, a *Authorization) *Response {
	t.Helper()
	keys, err := i.SigningKeys(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	response, err := i.Issue(a, keys)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// part decodes a part of a JWS: 0 the header, 1 the claims.
func part(t testing.TB, jws string, n int) string {
	t.Helper()
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3", len(parts))
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// claimsOf returns the claims of a JWS with their values as written.
func claimsOf(t testing.TB, jws string) map[string]string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(part(t, jws, 1)), &members); err != nil {
		t.Fatal(err)
	}
	claims := map[string]string{}
	for name, value := range members {
		claims[name] = string(value)
	}
	return claims
}

func raw(values map[string]string) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	for name, value := range values {
		m[name] = json.RawMessage(value)
	}
	return m
}

// curves lists each ECDSA algorithm with the length of its signature.
var curves = []struct {
	alg   Algorithm
	curve elliptic.Curve
	size  int
}{{ES256, elliptic.P256(), 64}, {ES384, elliptic.P384(), 96}, {ES512, elliptic.P521(), 132}}

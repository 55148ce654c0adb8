package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func testVault(t *testing.T, keys ...[]byte) vault {
	t.Helper()
	ring, err := seal.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return newVault(testIssuer, ring)
}

func testRecord(t *testing.T, v vault, alg token.Algorithm) *record {
	t.Helper()
	signer, err := pooled(0)(alg)
	if err != nil {
		t.Fatal(err)
	}
	now := newClock().Now()
	r, err := v.newRecord(alg, signer, now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecordRoundTrip(t *testing.T) {
	for _, sealed := range []string{"unsealed", "sealed"} {
		for _, alg := range []token.Algorithm{token.RS256, token.PS512, token.ES256, token.ES384, token.ES512, token.EdDSA} {
			t.Run(string(alg)+" comes back as it was stored, "+sealed, func(t *testing.T) {
				v := testVault(t)
				if sealed == "sealed" {
					v = testVault(t, make([]byte, 32))
				}
				r := testRecord(t, v, alg)
				data, err := v.encode(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := v.open(r.storageKey, data)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.key.JWK(), r.key.JWK()) || !got.createdAt.Equal(r.createdAt) || !got.signsAt.Equal(r.signsAt) || got.stale {
					t.Fatalf("got %+v, want %+v", got, r)
				}
			})
		}
	}
}

func TestStorageKey(t *testing.T) {
	v := testVault(t)
	t.Run("a key's place is the issuer's hash and the thumbprint in lower-case hex", func(t *testing.T) {
		got, err := v.storageKey("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")
		const want = `^oidc_token/[0-9a-f]{32}/keys/d1970e08e459358cbe0d6a6aab7d236722461d33747761e0941577ba282e0382$`
		if err != nil || !regexp.MustCompile(want).MatchString(got) || !v.wellFormed(got) {
			t.Fatalf("got %s, %v", got, err)
		}
	})
	for _, kid := range []string{"", "../../x", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4", "0ZcOCORZNYy+DWpqq30jZyJGHTN0d2HglBV3uiguA4I"} {
		t.Run("a kid that is no thumbprint has no place", func(t *testing.T) {
			if got, err := v.storageKey(kid); err == nil {
				t.Fatalf("got %s", got)
			}
		})
	}
}

func TestAlteredRecord(t *testing.T) {
	v := testVault(t)
	r, other := testRecord(t, v, token.ES256), testRecord(t, v, token.ES256)
	rsa := testRecord(t, v, token.RS256)
	for _, row := range []struct {
		name   string
		change func(*storedRecord)
		want   string
	}{
		{"nothing altered opens", func(*storedRecord) {}, ""},
		{"F56 another version", func(s *storedRecord) { s.Version = 2 }, "version 2"},
		{"no version", func(s *storedRecord) { s.Version = 0 }, "version 0"},
		{"another private key", func(s *storedRecord) { s.PKCS8 = other.pkcs8 }, "another than its name"},
		{"another kid", func(s *storedRecord) { s.KeyID = other.key.ID }, "another than its name"},
		{"another key and its kid", func(s *storedRecord) { s.PKCS8, s.KeyID = other.pkcs8, other.key.ID }, "another than its name"},
		{"an algorithm of another curve", func(s *storedRecord) { s.Algorithm = token.ES384 }, "P-384"},
		{"REQ-124 none", func(s *storedRecord) { s.Algorithm = "none" }, "not known"},
		{"a key of another type", func(s *storedRecord) { s.PKCS8 = rsa.pkcs8 }, "P-256"},
		{"a cut private key", func(s *storedRecord) { s.PKCS8 = s.PKCS8[:40] }, "private key is cut"},
		{"no private key", func(s *storedRecord) { s.PKCS8 = nil }, "private key is cut"},
		{"no creation time", func(s *storedRecord) { s.CreatedAt = time.Time{} }, "times"},
		{"a first signature before its creation", func(s *storedRecord) { s.SignsAt = s.CreatedAt.Add(-1) }, "times"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := storedRecord{recordVersion, r.key.Algorithm, r.key.ID, r.createdAt, r.signsAt, slices.Clone(r.pkcs8)}
			row.change(&s)
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.open(r.storageKey, data)
			if row.want == "" && err != nil || row.want != "" && (!errors.Is(err, errRecord) || !strings.Contains(err.Error(), row.want)) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
		})
	}
	t.Run("a record with something after it does not open, and the error does not quote it", func(t *testing.T) {
		data, err := v.encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.open(r.storageKey, append(data, "hunter2"...)); !errors.Is(err, errRecord) || strings.Contains(err.Error(), "hunter2") {
			t.Fatalf("got %v", err)
		}
	})
}

// FuzzOpen: whatever is in storage opens as what it claims to be or not at all.
func FuzzOpen(f *testing.F) {
	v := newVault(testIssuer, nil)
	signer, err := generate(token.ES256)
	if err != nil {
		f.Fatal(err)
	}
	now := newClock().Now()
	r, err := v.newRecord(token.ES256, signer, now, now)
	if err != nil {
		f.Fatal(err)
	}
	data, err := v.encode(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("{}"))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := v.open(r.storageKey, data)
		if (got == nil) == (err == nil) {
			t.Fatalf("got %v, %v", got, err)
		}
		if got != nil && got.key.ID != r.key.ID {
			t.Fatal("another key opened under this name")
		}
	})
}

package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// FuzzKeyRecord: a stored key opens as what it says it is, under its own
// name, and as it was stored; or not at all, and the error shows nothing of it.
func FuzzKeyRecord(f *testing.F) {
	v := newVault(testIssuer, nil)
	now := newClock().Now()
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA} {
		signer, err := generate(alg)
		if err != nil {
			f.Fatal(err)
		}
		r, err := v.newRecord(alg, signer, now, now.Add(time.Hour))
		if err != nil {
			f.Fatal(err)
		}
		data, err := v.encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(bytes.Replace(data, []byte(`"alg":"`), []byte(`"alg":"none`), 1))
		f.Add(bytes.Replace(data, []byte(`"version":1`), []byte(`"version":2`), 1))
		f.Add(data[:len(data)/2])
	}
	for _, seed := range []string{"", "{", "{}", `{"version":1}`, `{"version":1,"pkcs8":"AAAA"}`, `{"version":1,"alg":"RS256","pkcs8":""}`, "\x01"} {
		f.Add([]byte(seed))
	}
	ring, err := seal.NewRing(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		f.Fatal(err)
	}
	sealing := newVault(testIssuer, ring)
	f.Fuzz(func(t *testing.T, data []byte) {
		storageKey := claimedPlace(v, data)
		if _, err := sealing.open(storageKey, data); !errors.Is(err, errRecord) {
			t.Errorf("with an encryption key configured it opens unsealed: %v", err)
		}
		r, err := v.open(storageKey, data)
		if err != nil {
			if !errors.Is(err, errRecord) || len(data) > 40 && strings.Contains(err.Error(), string(data)) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if !v.wellFormed(r.storageKey) || r.storageKey != storageKey || !r.key.Algorithm.Known() || r.createdAt.IsZero() || r.signsAt.Before(r.createdAt) {
			t.Errorf("opened as %s at %s, made %s, signs %s", r.key.Algorithm, r.storageKey, r.createdAt, r.signsAt)
		}
		if _, err := v.open(v.prefix+"/"+strings.Repeat("0", 64), data); err == nil {
			t.Error("it opens under another name")
		}
		again, err := v.encode(r)
		if err != nil {
			t.Fatalf("it cannot be stored again: %v", err)
		}
		same, err := v.open(storageKey, again)
		if err != nil || !bytes.Equal(same.key.JWK(), r.key.JWK()) || !same.createdAt.Equal(r.createdAt) || !same.signsAt.Equal(r.signsAt) {
			t.Errorf("stored again it is another: %v", err)
		}
	})
}

// claimedPlace is where a record says that it belongs.
func claimedPlace(v vault, data []byte) string {
	var s struct {
		KeyID string `json:"kid"`
	}
	_ = json.Unmarshal(data, &s)
	place, err := v.storageKey(s.KeyID)
	if err != nil {
		return v.prefix + "/" + strings.Repeat("1", 64)
	}
	return place
}

// FuzzKeyPlace: only what storageKey can make is taken for a key's name.
func FuzzKeyPlace(f *testing.F) {
	v := newVault(testIssuer, nil)
	for _, seed := range []string{"", v.prefix, v.prefix + "/", v.prefix + "/" + strings.Repeat("a", 64), v.prefix + "/" + strings.Repeat("A", 64), v.prefix + "/../" + strings.Repeat("a", 61)} {
		f.Add(seed, "")
	}
	f.Add("", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
	f.Fuzz(func(t *testing.T, name, kid string) {
		if v.wellFormed(name) && (!strings.HasPrefix(name, v.prefix+"/") || strings.Contains(name, "..") || len(name) != len(v.prefix)+65) {
			t.Errorf("%q is taken for a key's name", name)
		}
		if place, err := v.storageKey(kid); err == nil && !v.wellFormed(place) {
			t.Errorf("kid %q goes to %q", kid, place)
		}
	})
}

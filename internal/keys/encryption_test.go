package keys

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestEncryption(t *testing.T) {
	keyA, keyB := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	sealed := func(keys ...[]byte) func(*Options) { return func(o *Options) { o.EncryptionKeys = keys } }
	t.Run("with an encryption key a copy of the storage shows neither private key nor algorithm", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), sealed(keyA))
		f.round()
		for key, value := range f.store.values {
			if bytes.Contains(value, []byte("pkcs8")) || bytes.Contains(value, []byte("ES256")) {
				t.Errorf("%s is readable", key)
			}
		}
	})
	for _, row := range []struct {
		name          string
		before, after [][]byte
		remedy        string
	}{
		{"F45 records sealed under another key do not open and no new identity is made", [][]byte{keyA}, [][]byte{keyB}, "if other nodes work, write their encryption_key on this one"},
		{"F45 sealed records do not open without a key and no new identity is made", [][]byte{keyA}, nil, "write the encryption_key that it is sealed with"},
		{"F45 unsealed records are not believed once there is a key", nil, [][]byte{keyA}, "leave encryption_key out"},
	} {
		t.Run(row.name, func(t *testing.T) {
			store, c := newMemory(), newClock()
			newFixture(t, store, c, sealed(row.before...)).round()
			f := newFixture(t, store, c, sealed(row.after...))
			if f.tryRound() == nil || len(store.all()) != 2 {
				t.Fatalf("storage %v", store.all())
			}
			_, err := f.SigningKey(t.Context(), token.ES256)
			f.wantError(err, ErrUnavailable)
			if !strings.Contains(err.Error(), "rotate-key --drop-old") {
				t.Errorf("no remedy in %v", err)
			}
			if n := strings.Count(f.log.String(), row.remedy); strings.Count(err.Error(), row.remedy) != 1 || n < 2 || strings.Contains(err.Error(), "; of others: ") {
				t.Errorf("the remedy is not %q: %v; log: %s", row.remedy, err, f.log)
			}
			if _, err := f.Rotate(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			f.wantStates("ES256 signing", "RS256 signing")
		})
	}
	t.Run("an older key opens, and its records are sealed anew", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, sealed(keyA))
		f.round()
		g := newFixture(t, store, c, sealed(keyB, keyA))
		g.round()
		stores := store.count("store")
		g.round()
		if store.count("store") != stores {
			t.Error("sealed twice")
		}
		h := newFixture(t, store, c, sealed(keyB))
		h.round()
		if !slices.Equal(f.kids(), h.kids()) {
			t.Errorf("got %v, want %v", h.kids(), f.kids())
		}
	})
	t.Run("a record is not sealed anew without the lock, nor where it has been dropped", func(t *testing.T) {
		store, c := newMemory(), newClock()
		newFixture(t, store, c, sealed(keyA)).round()
		g := newFixture(t, store, c, sealed(keyB, keyA))
		if _, err := g.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		stores := store.count("store")
		store.before = faultOn("lock")
		g.round()
		if store.count("store") != stores {
			t.Error("sealed without the lock")
		}
		store.before = func(operation, _ string) error {
			if operation == "lock" {
				store.mu.Lock()
				defer store.mu.Unlock()
				delete(store.values, store.keys("")[0])
			}
			return nil
		}
		g.round()
		if n := len(store.all()); n != 1 {
			t.Errorf("%d keys in storage: a dropped one is back", n)
		}
	})
	t.Run("a sealed record moved to another issuer or name does not open", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, sealed(keyA))
		f.round()
		key := mustStorageKey(t, f, f.signer(token.ES256).ID)
		other := newFixture(t, store, c, func(o *Options) { o.EncryptionKeys, o.Issuer = [][]byte{keyA}, testIssuer+"/b" })
		if _, err := other.vault.open(mustStorageKey(t, other, f.signer(token.ES256).ID), store.values[key]); !errors.Is(err, errRecord) {
			t.Errorf("got %v", err)
		}
		if _, err := f.vault.open(mustStorageKey(t, f, f.signer(token.RS256).ID), store.values[key]); !errors.Is(err, errRecord) {
			t.Errorf("got %v", err)
		}
	})
}

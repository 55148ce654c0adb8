package keys

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestForeignAndDamagedRecords(t *testing.T) {
	t.Run("what is not exactly a key's name is neither read nor deleted", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, nil)
		good := f.vault.prefix + "/" + strings.Repeat("a", 64)
		for _, key := range []string{good + ".tmp", good + "/x", strings.ToUpper(good), good[:len(good)-1], good + "a",
			f.vault.prefix + "/" + strings.Repeat("g", 64), f.vault.prefix + "/"} {
			store.values[key] = []byte("not a key")
		}
		f.round()
		f.wantStates("ES256 signing", "RS256 signing")
		f.storage = garbageList{store, []string{"", "other", strings.TrimPrefix(good, "oidc_token/"), "x/" + good}}
		c.advance(time.Hour)
		if len(f.kids()) != 2 {
			t.Fatal("keys lost")
		}
	})
	for name, damage := range map[string]func([]byte) []byte{
		"cut":   func(b []byte) []byte { return b[:len(b)/2] },
		"empty": func([]byte) []byte { return nil },
		"zero":  func(b []byte) []byte { return make([]byte, len(b)) },
	} {
		t.Run("F45 F03 a record that is "+name+" is reported, never replaced by a new identity, and the others go on", func(t *testing.T) {
			store, c := newMemory(), newClock()
			f := newFixture(t, store, c, nil)
			f.round()
			es256 := mustStorageKey(t, f, f.signer(token.ES256).ID)
			store.values[es256] = damage(store.values[es256])
			g := newFixture(t, store, c, nil)
			if err := g.tryRound(); err == nil || !strings.Contains(err.Error(), "--drop-old") {
				t.Fatalf("got %v", err)
			}
			g.wantStates("RS256 signing")
			if n := len(store.all()); n != 2 {
				t.Fatalf("%d keys in storage, want 2", n)
			}
			if !strings.Contains(g.log.String(), es256) || !strings.Contains(g.log.String(), "remedy=") {
				t.Fatalf("log: %s", g.log)
			}
			if got := strings.Count(g.log.String(), "does not open"); g.tryRound() == nil || strings.Count(g.log.String(), "does not open") != got {
				t.Fatal("said twice")
			}
		})
	}
	t.Run("F45 each cause has a remedy of its own", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.store.values[f.vault.prefix+"/"+strings.Repeat("0", 64)] = []byte("sealed")
		f.store.values[f.vault.prefix+"/"+strings.Repeat("1", 64)] = []byte("{}")
		f.store.values[f.vault.prefix+"/"+strings.Repeat("2", 64)] = nil
		err := f.tryRound()
		if err == nil || strings.Count(err.Error(), "restore it from a backup") != 1 || strings.Count(err.Error(), "write the encryption_key that it is sealed with") != 1 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("F45 a record that is damaged while it is held goes on", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		want := f.kids()
		for _, key := range f.store.all() {
			f.store.values[key] = []byte("x")
		}
		f.clock.advance(time.Hour)
		f.round()
		if !slices.Equal(f.kids(), want) {
			t.Fatal("another set")
		}
	})
	t.Run("F45 successors of keys that open are made beside one that does not", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.store.values[f.vault.prefix+"/"+strings.Repeat("0", 64)] = []byte("x")
		f.clock.advance(89 * 24 * time.Hour)
		f.round()
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
	})
	t.Run("F45 a rotation by hand is refused while a record does not open, dropping the old ones is not", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		bad := f.vault.prefix + "/" + strings.Repeat("0", 64)
		f.store.values[bad] = []byte("x")
		if f.tryRound() == nil {
			t.Fatal("no error")
		}
		if _, err := f.Rotate(t.Context(), false); err == nil || len(f.store.all()) != 1 {
			t.Fatalf("got %v, storage %v", err, f.store.all())
		}
		if _, err := f.Rotate(t.Context(), true); err != nil || slices.Contains(f.store.all(), bad) {
			t.Fatalf("got %v, storage %v", err, f.store.all())
		}
		f.wantStates("ES256 signing", "RS256 signing")
	})
	t.Run("F45 keys that have all disappeared are kept and not replaced", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		want := f.kids()
		clear(f.store.values)
		f.clock.advance(2 * time.Hour)
		if f.tryRound() == nil || !slices.Equal(f.kids(), want) || len(f.store.all()) != 0 {
			t.Fatalf("got %v, storage %v", f.kids(), f.store.all())
		}
	})
	t.Run("a record that disappears between listing and loading is no fault", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		g := newFixture(t, f.store, f.clock, nil)
		gone := mustStorageKey(t, f, f.signer(token.ES256).ID)
		f.store.before = func(operation, key string) error {
			if operation == "load" && key == gone {
				return fs.ErrNotExist
			}
			return nil
		}
		if _, err := g.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("F01 a record that cannot be loaded fails the reading and leads to no new key", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		g := newFixture(t, f.store, f.clock, nil)
		f.store.before = faultOn("load")
		g.wantError(g.tryRound(), errFault)
		if len(f.store.all()) != 2 {
			t.Fatal("a key was made")
		}
	})
}

func mustStorageKey(t *testing.T, f *fixture, kid string) string {
	t.Helper()
	key, err := f.vault.storageKey(kid)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

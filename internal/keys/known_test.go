package keys

import (
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"
)

// named is a storage that says which one it is.
type named struct {
	*memory
	name string
}

func (n named) String() string { return n.name }

func TestEmptiedStorage(t *testing.T) {
	// reloaded returns the next config's keys in the same process.
	reloaded := func(f *fixture, storage certmagic.Storage, store *memory) *fixture {
		g := newFixture(f.t, store, f.clock, func(o *Options) { o.Storage = storage })
		g.known, g.generate = f.known, pooled(2)
		return g
	}
	start := func(t *testing.T, name string) *fixture {
		store := newMemory()
		f := newFixture(t, store, newClock(), func(o *Options) { o.Storage = named{store, name} })
		f.round()
		return f
	}
	t.Run("F45 after a reload an emptied storage leads to no new identity, but to an error that names the way out, which works", func(t *testing.T) {
		f := start(t, "redis://a")
		clear(f.store.values)
		g := reloaded(f, named{f.store, "redis://a"}, f.store)
		for range 2 {
			if err := g.tryRound(); err == nil || !strings.Contains(err.Error(), "restore") || !strings.Contains(err.Error(), "rotate-key --drop-old") {
				t.Fatalf("got %v", err)
			}
		}
		_, err := g.JWKS(t.Context())
		g.wantError(err, ErrUnavailable)
		_, err = g.Rotate(t.Context(), false)
		g.wantError(err, errDisappeared)
		if n := len(f.store.all()); n != 0 {
			t.Fatalf("%d keys in storage", n)
		}
		if _, err := g.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		g.round()
		g.wantStates("ES256 signing", "RS256 signing")
	})
	t.Run("F45 keys that are restored after it go on", func(t *testing.T) {
		f := start(t, "redis://a")
		want, backup := f.signer("ES256").ID, map[string][]byte{}
		for key, value := range f.store.values {
			backup[key] = value
		}
		clear(f.store.values)
		g := reloaded(f, named{f.store, "redis://a"}, f.store)
		g.wantError(g.tryRound(), errDisappeared)
		f.store.values = backup
		g.round()
		if g.signer("ES256").ID != want {
			t.Error("another key signs")
		}
	})
	t.Run("another storage gets a new identity", func(t *testing.T) {
		f := start(t, "redis://a")
		store := newMemory()
		reloaded(f, named{store, "redis://b"}, store).round()
	})
	t.Run("another issuer in the same storage gets its own", func(t *testing.T) {
		f := start(t, "redis://a")
		g := newFixture(t, f.store, f.clock, func(o *Options) { o.Storage, o.Issuer = named{f.store, "redis://a"}, testIssuer+"/b" })
		g.known, g.generate = f.known, pooled(2)
		g.round()
	})
	t.Run("F45 where a storage does not say which it is a new identity is made, and not in silence", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		if strings.Contains(f.log.String(), "level=ERROR") {
			t.Errorf("said %s of first keys", f.log)
		}
		clear(f.store.values)
		g := reloaded(f, f.store, f.store)
		g.round()
		if said := g.log.String(); strings.Count(said, "level=ERROR") != 1 || !strings.Contains(said, "the issuer had signing keys before") {
			t.Errorf("said %s", said)
		}
	})
	t.Run("F45 a file storage is known by its folder, and outside of tests the process is what knows", func(t *testing.T) {
		dir := t.TempDir()
		a, certain := identity(&certmagic.FileStorage{Path: dir})
		b, _ := identity(&certmagic.FileStorage{Path: dir + "/"})
		other, _ := identity(&certmagic.FileStorage{Path: dir + "/x"})
		if !certain || a != b || a == other {
			t.Errorf("got %q, %q and %q", a, b, other)
		}
		made, err := NewAutomatic(Options{Storage: &certmagic.FileStorage{Path: dir}, Issuer: testIssuer})
		if err != nil || made.known != processKnown || made.place.storage != a {
			t.Errorf("got %+v, %v", made, err)
		}
	})
}

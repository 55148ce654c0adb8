package keys

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/internal/place"
)

// named is a storage that says which one it is.
type named struct {
	*memory
	name string
}

func (n named) String() string { return n.name }

// reloaded returns the next config's keys in the same process.
func reloaded(f *fixture, storage certmagic.Storage, store *memory) *fixture {
	g := newFixture(f.t, store, f.clock, func(o *Options) { o.Storage, o.known = storage, f.known })
	g.generate = pooled(2)
	return g
}

func TestEmptiedStorage(t *testing.T) {
	start := func(t *testing.T, name string) *fixture {
		store := newMemory()
		f := newFixture(t, store, newClock(), func(o *Options) { o.Storage = named{store, name} })
		f.round()
		return f
	}
	t.Run("F45 after a reload an emptied storage leads to no new identity, but to an error that names the way out, which works", func(t *testing.T) {
		f := start(t, "redis://a")
		want := f.kids()
		clear(f.store.values)
		g := reloaded(f, named{f.store, "redis://a"}, f.store)
		for range 2 {
			if err := g.tryRound(); err == nil || !strings.Contains(err.Error(), "restore") || !strings.Contains(err.Error(), "rotate-key --drop-old") {
				t.Fatalf("got %v", err)
			}
		}
		if !slices.Equal(g.kids(), want) {
			t.Error("the keys that were held do not go on")
		}
		_, err := g.Rotate(t.Context(), false)
		g.wantError(err, errDisappeared)
		if n := len(f.store.all()); n != 0 {
			t.Fatalf("%d keys in storage", n)
		}
		if _, err := g.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		g.round()
		g.wantStates("ES256 signing", "RS256 signing")
		if slices.ContainsFunc(g.kids(), func(kid string) bool { return slices.Contains(want, kid) }) {
			t.Error("a key that was dropped is back")
		}
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
		g := reloaded(f, named{store, "redis://b"}, store)
		g.round()
		if g.signer("ES256").ID == f.signer("ES256").ID {
			t.Error("the same key signs")
		}
	})
	t.Run("another issuer in the same storage gets its own", func(t *testing.T) {
		f := start(t, "redis://a")
		g := newFixture(t, f.store, f.clock, func(o *Options) {
			o.Storage, o.Issuer, o.known = named{f.store, "redis://a"}, testIssuer+"/b", f.known
		})
		g.generate = pooled(2)
		g.round()
		if kids := f.kids(); slices.ContainsFunc(g.kids(), func(kid string) bool { return slices.Contains(kids, kid) }) {
			t.Error("it publishes keys of the other")
		}
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
	t.Run("F45 outside of tests the process is what knows", func(t *testing.T) {
		storage := &certmagic.FileStorage{Path: t.TempDir()}
		made, err := NewAutomatic(Options{Storage: storage, Issuer: testIssuer})
		want, certain := place.Of(storage, testIssuer)
		if err != nil || made.known != processKnown || made.place != want || made.certain != certain {
			t.Errorf("got %+v, %v", made, err)
		}
	})
}

package keys

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// startHeld returns a process whose config has keys in a storage that says which it is.
// They were made an hour ago.
func startHeld(t *testing.T, encryptionKeys ...[]byte) *fixture {
	t.Helper()
	store := newMemory()
	f := newFixture(t, store, newClock(), func(o *Options) { o.Storage, o.EncryptionKeys = named{store, "redis://a"}, encryptionKeys })
	f.round()
	f.clock.advance(time.Hour)
	f.round()
	return f
}

// reload is the next config of f's process, with these encryption keys.
func (f *fixture) reload(encryptionKeys ...[]byte) *fixture {
	f.t.Helper()
	g := newFixture(f.t, f.store, f.clock, func(o *Options) {
		o.Storage, o.EncryptionKeys, o.known = named{f.store, "redis://a"}, encryptionKeys, f.known
	})
	g.generate = pooled(3)
	return g
}

// away makes every call of the storage fail.
func (f *fixture) away() { f.store.before = func(string, string) error { return errFault } }
func (f *fixture) back() { f.store.before = nil }

func TestReloadWhileTheStorageIsAway(t *testing.T) {
	t.Run("F16 F36 the keys that were held are published and sign, before Run has tried and after", func(t *testing.T) {
		f := startHeld(t)
		kids, signer := f.kids(), f.signer(token.ES256).ID
		f.away()
		g := f.reload()
		if !slices.Equal(g.kids(), kids) || g.signer(token.ES256).ID != signer {
			t.Fatal("another set")
		}
		g.wantError(g.tryRound(), errFault)
		if !slices.Equal(g.kids(), kids) || g.signer(token.ES256).ID != signer {
			t.Fatal("another set")
		}
		h := g.reload() // and once more, though nothing was read meanwhile
		h.wantError(h.tryRound(), errFault)
		if !slices.Equal(h.kids(), kids) || h.signer(token.ES256).ID != signer {
			t.Fatal("another set")
		}
	})
	t.Run("once the storage is back it is read, and nothing is written", func(t *testing.T) {
		f := startHeld(t)
		writes := f.store.count("store") + f.store.count("delete") + f.store.count("lock")
		f.away()
		g := f.reload()
		kids := g.kids()
		f.back()
		g.clock.advance(time.Minute)
		g.round()
		if g.current.Load().takenOver || !slices.Equal(g.kids(), kids) {
			t.Error("the storage was not read")
		}
		if n := f.store.count("store") + f.store.count("delete") + f.store.count("lock"); n != writes {
			t.Errorf("%d writes", n-writes)
		}
	})
	t.Run("a process that did not hold them has none", func(t *testing.T) {
		f := startHeld(t)
		f.away()
		g := newFixture(t, f.store, f.clock, func(o *Options) { o.Storage = named{f.store, "redis://a"} })
		g.wantError(g.tryRound(), errFault)
		_, err := g.JWKS(t.Context())
		g.wantError(err, ErrUnavailable)
	})
	t.Run("where a storage does not say which it is nothing is taken over", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.away()
		g := reloaded(f, f.store, f.store)
		g.wantError(g.tryRound(), errFault)
		_, err := g.JWKS(t.Context())
		g.wantError(err, ErrUnavailable)
	})
}

// With another encryption_key an operator expects that what it does not open is
// refused, whether the storage is there or not.
func TestReloadWithOtherEncryptionKeys(t *testing.T) {
	keyA, keyB := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	for _, row := range []struct {
		name          string
		before, after [][]byte
	}{
		{"F45 another key", [][]byte{keyA}, [][]byte{keyB}},
		{"F45 none any more", [][]byte{keyA}, nil},
		{"F45 one where there was none", nil, [][]byte{keyA}},
		{"F45 one before the former, under which the keys are to be sealed anew", [][]byte{keyA}, [][]byte{keyB, keyA}},
		{"F45 the same in another order", [][]byte{keyA, keyB}, [][]byte{keyB, keyA}},
		{"F45 one that is withdrawn", [][]byte{keyA, keyB}, [][]byte{keyA}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := startHeld(t, row.before...)
			want := f.kids()
			f.away()
			g := f.reload(row.after...)
			g.wantError(g.tryRound(), errFault)
			_, err := g.JWKS(t.Context())
			g.wantError(err, ErrUnavailable)
			if h := g.reload(row.before...); !slices.Equal(h.kids(), want) {
				t.Error("with the former keys the set that they opened does not go on")
			}
		})
	}
	t.Run("keys that were sealed anew are not sealed anew after each reload", func(t *testing.T) {
		f := startHeld(t, keyA)
		f.reload(keyB, keyA).round()
		stores := f.store.count("store")
		f.reload(keyB, keyA).round()
		if n := f.store.count("store"); n != stores {
			t.Errorf("%d more writes", n-stores)
		}
	})
}

func TestTakingOverBringsNothingBack(t *testing.T) {
	wantNone := func(t *testing.T, of *fixture, dropped []string) {
		t.Helper()
		raw, err := of.JWKS(t.Context())
		if err != nil {
			of.wantError(err, ErrUnavailable)
			return
		}
		if slices.ContainsFunc(kidsOf(t, raw), func(kid string) bool { return slices.Contains(dropped, kid) }) {
			t.Error("a key that was dropped is published")
		}
	}
	t.Run("F44 keys that were dropped while the next config was loaded", func(t *testing.T) {
		f := startHeld(t)
		dropped := f.kids()
		g := f.reload()
		f.generate = pooled(2)
		if _, err := f.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		f.away()
		if !slices.Equal(g.kids(), f.kids()) {
			t.Error("not the keys that replaced them")
		}
		wantNone(t, g, dropped)
	})
	t.Run("F44 keys that were dropped, though what replaced them could not be read any more", func(t *testing.T) {
		f := startHeld(t)
		dropped := f.kids()
		f.generate = pooled(2)
		lists := 0
		f.store.before = func(operation, _ string) error {
			if operation == "list" {
				if lists++; lists > 2 {
					return errFault
				}
			}
			return nil
		}
		_, err := f.Rotate(t.Context(), true)
		f.wantError(err, errFault)
		f.away()
		g := f.reload()
		g.wantError(g.tryRound(), errFault)
		wantNone(t, g, dropped)
	})
	t.Run("F44 keys that a reading found that began before they were dropped", func(t *testing.T) {
		f := startHeld(t)
		dropped := f.kids()
		late, err := f.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g := f.reload()
		g.generate = pooled(2)
		if _, err := g.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if err := f.adopt(late); err != nil { // the former config's, at last
			t.Fatal(err)
		}
		f.away()
		wantNone(t, g.reload(), dropped)
	})
	t.Run("F44 keys that such a reading found where what replaced them was not read", func(t *testing.T) {
		f := startHeld(t)
		late, err := f.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.known.drop(f.place)
		if err := f.adopt(late); err != nil {
			t.Fatal(err)
		}
		if f.known.set(f.place, f.opens, f.now) != nil {
			t.Error("they are remembered")
		}
		if before, _ := f.known.has(f.place, f.known.number()); !before {
			t.Error("it is forgotten that there were keys")
		}
	})
	t.Run("F44 keys that another node dropped are gone with the first reading", func(t *testing.T) {
		f := startHeld(t)
		dropped := f.kids()
		other := nodeOn(t, f.store, f.clock, nil, 2)
		if _, err := other.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		g := f.reload()
		g.round()
		wantNone(t, g, dropped)
	})
}

func TestASetThatWasTakenOverAgesOn(t *testing.T) {
	t.Run("F46 a key signs once the process has held it for ten seconds, before the reload and after it", func(t *testing.T) {
		f := startHeld(t)
		old := f.signer(token.ES256).ID
		other := nodeOn(t, f.store, f.clock, nil, 2)
		if _, err := other.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		f.clock.advance(6 * time.Second)
		f.round()
		f.clock.advance(6 * time.Second) // its time has come, but not here
		g, h := f.reload(), f.reload()
		f.away()
		if g.signer(token.ES256).ID != old {
			t.Error("it signs too early while the storage is away")
		}
		f.back()
		g.clock.advance(time.Second)
		g.round()
		h.round() // before any request comes
		if g.signer(token.ES256).ID != old {
			t.Error("it signs too early once the storage was read")
		}
		g.clock.advance(3 * time.Second)
		if g.signer(token.ES256).ID == old || h.signer(token.ES256).ID == old {
			t.Error("it does not sign though the process has held it for ten seconds")
		}
	})
	t.Run("a set that is older than usual signs only when the storage was asked", func(t *testing.T) {
		f := startHeld(t)
		f.clock.advance(longestInterval)
		lists := f.store.count("list")
		if f.reload().signer(token.ES256); f.store.count("list") != lists {
			t.Error("the storage was asked for a set that is not older than usual")
		}
		other := nodeOn(t, f.store, f.clock, nil, 2)
		if _, err := other.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		f.clock.advance(time.Nanosecond)
		want := other.signer(token.ES256).ID
		if g := f.reload(); g.signer(token.ES256).ID != want {
			t.Error("a key signs that was dropped meanwhile")
		}
	})
	t.Run("F02 and where the storage does not answer it goes on after two seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := startHeld(t)
			want := f.signer(token.ES256).ID
			f.away()
			f.clock.advance(time.Hour)
			f.wantError(f.tryRound(), errFault)
			release := make(chan struct{})
			f.store.before = func(string, string) error { <-release; return nil }
			g, began := f.reload(), time.Now()
			if g.signer(token.ES256).ID != want {
				t.Error("another key")
			}
			if took := time.Since(began); took != pathTimeout {
				t.Errorf("it took %s", took)
			}
			close(release)
		})
	})
	t.Run("F45 records are opened again, and where none does the set goes on, no other is made, and it is said", func(t *testing.T) {
		f := startHeld(t)
		want := f.kids()
		for key := range f.store.values {
			f.store.values[key] = []byte("{cut")
		}
		g := f.reload()
		if err := g.tryRound(); err == nil || !strings.Contains(err.Error(), "rotate-key --drop-old") {
			t.Errorf("got %v", err)
		}
		if said := g.log.String(); strings.Count(said, "signing key in storage does not open") != 2 {
			t.Errorf("said %s", said)
		}
		g.clock.advance(time.Minute)
		lists := f.store.count("list")
		for range 5 {
			if !slices.Equal(g.kids(), want) {
				t.Fatal("another set")
			}
		}
		if n := f.store.count("list") - lists; n > 1 {
			t.Errorf("%d readings for 5 requests", n)
		}
		if len(f.store.all()) != 2 {
			t.Error("keys were made")
		}
	})
}

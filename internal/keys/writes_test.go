package keys

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

// A call to store a key that the storage has not answered outlives the config
// that made it.
func TestAKeyThatIsStoredLate(t *testing.T) {
	old, fresh := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	// next is a config of f's process on storage.
	next := func(f *fixture, storage certmagic.Storage, encryptionKeys ...[]byte) *fixture {
		g := newFixture(f.t, f.store, f.clock, func(o *Options) {
			o.Storage, o.EncryptionKeys, o.known = storage, encryptionKeys, f.known
		})
		g.generate = pooled(3)
		return g
	}
	for _, row := range []struct {
		name         string
		first, after func(*memory) certmagic.Storage
	}{
		{"F44 no key is dropped while the config before seals one anew",
			func(m *memory) certmagic.Storage { return named{m, "redis://a"} },
			func(m *memory) certmagic.Storage { return named{m, "redis://a"} }},
		{"F44 nor where the storage does not say which it is",
			func(m *memory) certmagic.Storage { return m },
			func(m *memory) certmagic.Storage { return struct{ certmagic.Storage }{m} }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				f := newFixture(t, store, newClock(), func(o *Options) {
					o.Storage, o.EncryptionKeys = row.first(store), [][]byte{old}
				})
				f.round()
				f.clock.advance(time.Hour)
				f.round()
				dropped := f.kids()
				g := next(f, row.first(store), fresh, old)
				release := store.hang("store")
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- g.maintain(ctx) }()
				synctest.Wait()
				cancel()
				<-ended // given up
				store.mu.Lock()
				store.before = nil
				store.mu.Unlock()
				h := next(f, row.after(store), fresh, old)
				_, err := h.Rotate(t.Context(), true)
				h.wantError(err, errStoring)
				if _, err := h.Rotate(t.Context(), false); err != nil {
					t.Errorf("rotating without dropping says %v", err)
				}
				release()
				h.generate = pooled(1)
				if _, err := h.Rotate(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				h.round()
				if kids := h.kids(); slices.ContainsFunc(dropped, func(kid string) bool { return slices.Contains(kids, kid) }) {
					t.Error("a key that was dropped is published")
				}
				if n := len(f.known.writes); n != 0 {
					t.Errorf("%d writes are under way", n)
				}
			})
		})
	}
	t.Run("F44 another issuer's and another storage's keys are dropped meanwhile", func(t *testing.T) {
		f := startHeld(t)
		f.known.beginStoring(f.writesAt())
		g := newFixture(t, f.store, f.clock, func(o *Options) {
			o.Storage, o.Issuer, o.known = named{f.store, "redis://a"}, testIssuer+"/b", f.known
		})
		h := newFixture(t, newMemory(), f.clock, func(o *Options) { o.Storage, o.known = named{newMemory(), "redis://b"}, f.known })
		for _, other := range []*fixture{g, h} {
			if _, err := other.Rotate(t.Context(), true); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("F30 F44 where the lock is none no key is sealed anew while keys are dropped", func(t *testing.T) {
		f := startHeld(t, old)
		g := f.reload(fresh, old)
		if !g.known.beginDropping(g.writesAt()) {
			t.Fatal("something is written")
		}
		stores := f.store.count("store")
		g.round()
		if n := f.store.count("store") - stores; n != 0 {
			t.Errorf("%d keys are sealed anew", n)
		}
		g.known.endDropping(g.writesAt())
		g.round()
		if n := f.store.count("store") - stores; n != 2 {
			t.Errorf("%d keys are sealed anew then, want 2", n)
		}
	})
	t.Run("F30 F44 nor are keys dropped between their being read and being sealed anew", func(t *testing.T) {
		f := startHeld(t, old)
		g := f.reload(fresh, old)
		var locked, could bool
		f.store.before = func(operation, _ string) error {
			locked = locked || operation == "lock"
			if operation == "list" && locked {
				could = g.known.beginDropping(g.writesAt())
			}
			return nil
		}
		g.round()
		if !locked || could {
			t.Errorf("locked: %v; a drop could begin: %v", locked, could)
		}
		f.store.before = nil
		if !g.known.beginDropping(g.writesAt()) {
			t.Error("it cannot when all are sealed")
		}
	})
}

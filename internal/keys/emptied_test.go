package keys

import (
	"bytes"
	"log/slog"
	"slices"
	"testing"

	"github.com/caddyserver/certmagic"
)

func TestEmptiedStorageUnderAnotherEncryptionKey(t *testing.T) {
	t.Run("F45 after a reload with another encryption key an emptied storage leads to no new identity either", func(t *testing.T) {
		f := startHeld(t, bytes.Repeat([]byte{1}, 32))
		clear(f.store.values)
		g := f.reload(bytes.Repeat([]byte{2}, 32))
		g.wantError(g.tryRound(), errDisappeared)
		if n := len(f.store.all()); n != 0 {
			t.Errorf("%d keys in storage", n)
		}
	})
}

// A node that starts reads nothing; before it acts on that a request has it read
// again, and finds what another node made meanwhile.
func TestOutdatedEmptyReading(t *testing.T) {
	for _, row := range []struct {
		name string
		open func(*memory) certmagic.Storage
	}{
		{"F43 of a storage that says which it is", func(m *memory) certmagic.Storage { return named{m, "redis://a"} }},
		{"F43 of one that does not", func(m *memory) certmagic.Storage { return m }},
	} {
		t.Run(row.name, func(t *testing.T) {
			clock, store, log := newClock(), newMemory(), new(bytes.Buffer)
			other := newFixture(t, store, clock, func(o *Options) { o.Storage = row.open(store) })
			f := newFixture(t, store, clock, func(o *Options) {
				o.Storage, o.Logger = row.open(store), slog.New(slog.NewTextHandler(log, nil))
			})
			outdated, err := f.refresh(t.Context())
			if err != nil || len(outdated.records) != 0 {
				t.Fatalf("found %d keys, %v", len(outdated.records), err)
			}
			other.round()
			f.kids()
			if due, err := f.due(outdated); err != nil || len(due) != 0 {
				t.Errorf("%d keys are due, %v", len(due), err)
			}
			if log.Len() > 0 {
				t.Errorf("logged %s", log)
			}
		})
	}
}

func TestRotationByAnOutdatedEmptyReading(t *testing.T) {
	t.Run("F43 makes keys that wait until every node publishes them", func(t *testing.T) {
		clock, store, known := newClock(), newMemory(), new(known)
		node := func() *fixture {
			return newFixture(t, store, clock, func(o *Options) { o.Storage, o.known = named{store, "redis://a"}, known })
		}
		f, next := node(), node()
		other := newFixture(t, store, clock, func(o *Options) { o.Storage = lockless{store} })
		var theirs []string
		if _, err := f.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		looks, all := 0, store.counts["list"] // in a reading that finds nothing
		store.after = func(operation, _ string) {
			if operation != "list" {
				return
			}
			if looks++; looks == all {
				store.after = nil
				other.round()
				theirs = next.kids()
			}
		}
		states, err := f.Rotate(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		for _, s := range states {
			if slices.Contains(theirs, s.ID) {
				continue
			}
			made++
			if wait := s.SignsAt.Sub(s.CreatedAt); wait != settle {
				t.Errorf("a key signs after %s", wait)
			}
		}
		if made == 0 {
			t.Error("no key was made")
		}
	})
}

package keys

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

type garbageList struct {
	*memory
	more []string
}

func (g garbageList) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	keys, err := g.memory.List(ctx, prefix, recursive)
	return slices.Concat(g.more, keys, keys), err
}

// shallow lists nothing without recursion, as some storages do.
type shallow struct {
	*memory
	recursive bool // which of the two listings works
	err       error
}

func (s shallow) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	if recursive != s.recursive {
		return nil, s.err
	}
	return s.memory.List(ctx, prefix, recursive)
}

// halving lists a part, with fs.ErrNotExist, as often as left says.
type halving struct {
	*memory
	left      int
	part      int  // how many keys a part has
	recursive bool // only where it is asked for recursion; otherwise nothing is there
}

func (h *halving) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	keys, err := h.memory.List(ctx, prefix, recursive)
	if h.recursive && !recursive {
		return nil, fs.ErrNotExist
	}
	if h.left > 0 {
		h.left--
		return keys[:h.part], fs.ErrNotExist
	}
	return keys, err
}

func TestHalfAListing(t *testing.T) {
	start := func(t *testing.T, h halving) (f, restarted *fixture) {
		f = newFixture(t, newMemory(), newClock(), nil)
		f.round()
		h.memory = f.store
		return f, newFixture(t, f.store, f.clock, func(o *Options) { o.Storage = &h })
	}
	for _, part := range []int{0, 1} {
		t.Run(fmt.Sprintf("F43 a listing that ends after %d of 2 keys is asked for again", part), func(t *testing.T) {
			f, restarted := start(t, halving{left: 3, part: part})
			restarted.round()
			if !slices.Equal(restarted.kids(), f.kids()) || len(f.store.all()) != 2 {
				t.Fatalf("got %v and %v", restarted.kids(), f.kids())
			}
		})
	}
	for _, row := range []struct {
		name string
		halving
	}{
		{"F43 a listing that ends in the middle time and again is a reading that failed", halving{left: 4, part: 1}},
		{"F43 a recursive listing that does, too", halving{left: 4, part: 1, recursive: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, restarted := start(t, row.halving)
			f.wantError(restarted.tryRound(), errHalf)
			if restarted.current.Load() != nil || len(f.store.all()) != 2 {
				t.Fatal("half a list was believed")
			}
			restarted.round()
			if !slices.Equal(restarted.kids(), f.kids()) {
				t.Fatalf("got %v and %v", restarted.kids(), f.kids())
			}
		})
	}
	t.Run("a recursive listing that ends in the middle once is asked for again", func(t *testing.T) {
		f, restarted := start(t, halving{left: 3, part: 1, recursive: true})
		restarted.round()
		if !slices.Equal(restarted.kids(), f.kids()) {
			t.Fatalf("got %v and %v", restarted.kids(), f.kids())
		}
	})
	t.Run("F43 half a list does not withdraw a key that is held", func(t *testing.T) {
		f, _ := start(t, halving{})
		want := f.kids()
		f.storage = &halving{memory: f.store, left: 4, part: 1}
		f.clock.advance(time.Hour)
		if !slices.Equal(f.kids(), want) {
			t.Fatalf("got %v, want %v", f.kids(), want)
		}
	})
}

func TestOddListings(t *testing.T) {
	for _, row := range []struct {
		name      string
		recursive bool
		err       error
	}{
		{"a storage that lists nothing without recursion keeps its identity", true, nil},
		{"a storage that cannot list with recursion keeps its identity", false, errFault},
	} {
		t.Run(row.name, func(t *testing.T) {
			store, c := newMemory(), newClock()
			use := func(o *Options) { o.Storage = shallow{store, row.recursive, row.err} }
			f := newFixture(t, store, c, use)
			f.round()
			g := newFixture(t, store, c, use)
			g.round()
			if len(store.all()) != 2 || !slices.Equal(f.kids(), g.kids()) {
				t.Fatalf("storage %v", store.all())
			}
		})
	}
	t.Run("a storage that lists nothing gets one key an hour at most and none signs", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Algorithms, o.DefaultAlgorithm = nil, "" })
		f.storage = shallow{f.store, true, fs.ErrNotExist}
		f.store.before = func(operation, _ string) error {
			if operation == "list" {
				return fs.ErrNotExist
			}
			return nil
		}
		for range 100 {
			if err := f.tryRound(); err == nil || !strings.Contains(err.Error(), "does not list") {
				t.Fatalf("got %v", err)
			}
			f.clock.advance(30 * time.Second)
		}
		if n := len(f.store.all()); n != 1 {
			t.Errorf("%d keys in storage", n)
		}
		_, err := f.SigningKey(t.Context(), token.RS256)
		f.wantError(err, ErrUnavailable)
	})
}

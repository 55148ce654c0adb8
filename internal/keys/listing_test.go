package keys

import (
	"context"
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

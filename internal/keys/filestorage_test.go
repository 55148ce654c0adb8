package keys

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

func TestFileStorage(t *testing.T) {
	dir := t.TempDir()
	c := newClock()
	open := func() *fixture {
		return newFixture(t, newMemory(), c, func(o *Options) { o.Storage = &certmagic.FileStorage{Path: dir} })
	}
	f := open()
	f.round()
	t.Run("on Caddy's file storage a restart finds the same keys", func(t *testing.T) {
		g := open()
		g.round()
		if len(f.kids()) != 2 || !slices.Equal(f.kids(), g.kids()) {
			t.Fatalf("got %v and %v", f.kids(), g.kids())
		}
	})
	t.Run("a temporary file of a writer that died is no key", func(t *testing.T) {
		folder := filepath.Join(dir, filepath.FromSlash(f.vault.prefix))
		if err := os.WriteFile(filepath.Join(folder, strings.Repeat("a", 64)+".tmp123"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		g := open()
		g.round()
		if len(g.kids()) != 2 {
			t.Fatalf("got %v", g.kids())
		}
	})
	t.Run("F43 a listing while others write is whole or fails", func(t *testing.T) {
		files := f.storage.(*certmagic.FileStorage)
		first := f.current.Load().records[0].storageKey
		sealed, err := files.Load(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		defer writers.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := files.Store(ctx, first, sealed); err != nil {
					t.Error(err)
					return
				}
			}
		})
		// What a writer does to the folder, without its sync and so more often.
		temporary := files.Filename(first) + ".tmp"
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := errors.Join(os.WriteFile(temporary, nil, 0o600), os.Remove(temporary)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		whole := 0
		for ctx.Err() == nil {
			keys, err := f.list(context.WithoutCancel(ctx))
			if err == nil && len(keys) != 2 {
				t.Fatalf("a part was listed: %v", keys)
			}
			if err == nil {
				whole++
			}
		}
		if whole == 0 {
			t.Error("no listing was whole")
		}
	})
	t.Run("dropping the old keys leaves only the new ones", func(t *testing.T) {
		old := f.kids()
		f.generate = pooled(1)
		if _, err := f.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		for _, kid := range f.kids() {
			if slices.Contains(old, kid) {
				t.Fatalf("%s is still there", kid)
			}
		}
		if len(f.kids()) != 2 {
			t.Fatalf("got %v", f.kids())
		}
	})
}

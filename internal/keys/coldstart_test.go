package keys

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// TestColdStarts starts two nodes at once, with storages of their own on one
// place that is empty, a hundred times each. Time stands still but for who
// waits for a lock, so that a machine that is busy makes no storage slow.
func TestColdStarts(t *testing.T) {
	const rounds = 100
	memory := func(*testing.T) (a, b certmagic.Storage) {
		m := storagetest.NewMemory()
		return m, m
	}
	files := func(t *testing.T) (a, b certmagic.Storage) {
		dir := t.TempDir()
		return &certmagic.FileStorage{Path: dir}, &certmagic.FileStorage{Path: dir}
	}
	for _, row := range []struct {
		name string
		open func(t *testing.T) (a, b certmagic.Storage)
		keys int // 0: as many as are made
	}{
		{"F43 two nodes make one key set in memory", memory, 2},
		{"F43 two nodes make one key set in files", files, 2},
		{"F43 F30 two nodes make one key set in memory with locks that lock nothing", unlocked(memory), 0},
		{"F43 F30 two nodes make one key set in files with locks that lock nothing", unlocked(files), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for range rounds {
				a, b := row.open(t)
				synctest.Test(t, func(t *testing.T) {
					coldStart(t, a, b, row.keys)
					time.Sleep(time.Minute) // until a file storage has seen that its locks are gone
				})
			}
		})
	}
}

func unlocked(open func(*testing.T) (a, b certmagic.Storage)) func(*testing.T) (a, b certmagic.Storage) {
	return func(t *testing.T) (certmagic.Storage, certmagic.Storage) {
		a, b := open(t)
		return lockless{a}, lockless{b}
	}
}

// lockless says that it locks, as some published storages do.
type lockless struct{ certmagic.Storage }

func (lockless) Lock(context.Context, string) error   { return nil }
func (lockless) Unlock(context.Context, string) error { return nil }

func coldStart(t *testing.T, storageOfA, storageOfB certmagic.Storage, keys int) {
	c := newClock()
	open := func(s certmagic.Storage, rsaKey int) *fixture {
		f := newFixture(t, newMemory(), c, func(o *Options) { o.Storage = s })
		f.generate = pooled(rsaKey)
		return f
	}
	a, b := open(storageOfA, 0), open(storageOfB, 1)
	start := make(chan struct{})
	var starting sync.WaitGroup
	for _, nodes := range [][2]*fixture{{a, b}, {b, a}} {
		starting.Go(func() {
			<-start
			if err := nodes[0].tryRound(); err != nil {
				t.Error(err)
			}
			mustPublishSoon(t, nodes[0], nodes[1]) // also while the other still starts
		})
	}
	close(start)
	starting.Wait()
	if t.Failed() {
		return
	}
	for range 4 {
		mustPublishSoon(t, a, b)
		mustPublishSoon(t, b, a)
		c.advance(settle)
	}
	ofA, ofB := mustKids(t, a), mustKids(t, b)
	if !slices.Equal(ofA, ofB) || len(ofA) == 0 || keys > 0 && len(ofA) != keys {
		t.Errorf("one publishes %v, the other %v", ofA, ofB)
	}
	for _, alg := range a.algorithms {
		x, errOfA := a.SigningKey(t.Context(), alg)
		y, errOfB := b.SigningKey(t.Context(), alg)
		if errOfA != nil || errOfB != nil || x.ID != y.ID {
			t.Errorf("%s: the nodes do not agree: %v, %v", alg, errOfA, errOfB)
		}
	}
}

// The first keys sign at once, so a node must not publish a part of them because
// the storage is slow.
func TestAColdStartOnASlowStorage(t *testing.T) {
	for _, row := range []struct {
		name  string
		takes time.Duration // a listing
		keys  int
	}{
		{"F43 F48 where it takes longer than a request usually waits the whole set is published", firstTimeout - time.Millisecond, 2},
		{"F02 and where it takes longer than one waits for the first keys, what is held", firstTimeout + time.Millisecond, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, slow := newMemory(), func() {}
				a, b := nodes(t, store, nil)
				b.storage = store.node(func(operation, _ string) error {
					if operation == "list" {
						slow()
					}
					return nil
				})
				store.after = func(operation, _ string) {
					if operation == "store" && b.current.Load() == nil {
						b.kids() // of the two keys the first only
					}
				}
				a.round()
				slow = func() { time.Sleep(row.takes) }
				if kids := b.kids(); len(kids) != row.keys {
					t.Errorf("%d keys are published of %d", len(kids), len(a.kids()))
				}
				time.Sleep(readTimeout)
			})
		})
	}
}

// mustKids is kids for a goroutine that may not end the test.
func mustKids(t *testing.T, f *fixture) (kids []string) {
	raw, err := f.JWKS(t.Context())
	if err != nil {
		t.Error(err)
		return nil
	}
	return kidsOf(t, raw)
}

// TestCrashDuringRotation ends a node at each call of the storage that a
// rotation by hand makes, before the call has its effect and after, on a
// storage whose lock the dead node keeps.
func TestCrashDuringRotation(t *testing.T) {
	for _, row := range []struct {
		name string
		when func(*storagetest.Memory, storagetest.Hook)
		drop bool
	}{
		{"F44 a node that ends before a step of a rotation", func(m *storagetest.Memory, h storagetest.Hook) { m.Before(h) }, false},
		{"F44 a node that ends after a step of a rotation", func(m *storagetest.Memory, h storagetest.Hook) { m.After(h) }, false},
		{"F44 a node that ends before a step of replacing all keys", func(m *storagetest.Memory, h storagetest.Hook) { m.Before(h) }, true},
		{"F44 a node that ends after a step of replacing all keys", func(m *storagetest.Memory, h storagetest.Hook) { m.After(h) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := 1
			for ; crashRotation(t, n, row.drop, row.when); n++ {
			}
			if n < 5 { // the keys are listed, two are stored, and listed again
				t.Errorf("a rotation has only %d steps", n-1)
			}
		})
	}
}

// crashRotation reports whether the rotation came as far as call n.
func crashRotation(t *testing.T, n int, drop bool, when func(*storagetest.Memory, storagetest.Hook)) (ended bool) {
	t.Helper()
	memory, c := storagetest.NewMemory(), newClock()
	open := func(rsaKey int) *fixture {
		f := newFixture(t, newMemory(), c, func(o *Options) { o.Storage = lockless{memory} })
		f.generate = pooled(rsaKey)
		return f
	}
	dying, other := open(0), open(4)
	dying.round()
	other.round()
	c.advance(time.Hour)
	dying.round()
	other.round()
	old := other.signer(token.ES256).ID
	memory.Reset()
	when(memory, func(_ context.Context, call storagetest.Call) error {
		if ended = ended || call.N == n; ended {
			return errFault // nothing more comes of a process that has ended
		}
		return nil
	})
	dying.Rotate(t.Context(), drop)
	memory.Reset()

	next := open(2)
	next.round()
	if drop { // no node publishes a reading that is older, and the new keys sign at once
		c.advance(jwksMaxAge + 1)
		other.round()
	}
	for range 14 {
		mustPublish(t, next, other)
		mustPublish(t, other, next)
		if !drop && !slices.Contains(next.kids(), old) {
			t.Fatalf("call %d: the old key is not published", n)
		}
		c.advance(time.Second)
		next.round()
		other.round()
	}
	// The operator tries again, and this time it is finished.
	if _, err := next.Rotate(t.Context(), drop); err != nil {
		t.Fatalf("call %d: %v", n, err)
	}
	c.advance(settle)
	other.round()
	if next.signer(token.ES256).ID == old {
		t.Fatalf("call %d: the old key still signs", n)
	}
	mustPublish(t, next, other)
	mustPublish(t, other, next)
	if gone := !slices.Contains(other.kids(), old); gone != drop {
		t.Fatalf("call %d: that the old key is gone is %t", n, gone)
	}
	return ended
}

package keys

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLock(t *testing.T) {
	due := func(t *testing.T, late time.Duration) *fixture {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.clock.advance(89*24*time.Hour + late)
		f.store.before = faultOn("lock")
		return f
	}
	t.Run("F43 first keys are made where the lock fails", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.store.before = faultOn("lock")
		f.round()
		f.wantStates("ES256 signing", "RS256 signing")
	})
	t.Run("a rotation waits where the lock fails", func(t *testing.T) {
		f := due(t, 24*time.Hour)
		f.round()
		f.wantStates("ES256 signing", "RS256 signing")
		f.store.before = nil
		f.round()
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
	})
	t.Run("a rotation that is a day late does not wait for the lock", func(t *testing.T) {
		f := due(t, 24*time.Hour+time.Nanosecond)
		f.round()
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
	})
	t.Run("F31 a lock that never returns is given up after ten seconds, and let go if it comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			storage := &oddLock{memory: f.store, release: make(chan struct{})}
			f.storage = storage
			began := time.Now()
			f.round()
			if took := time.Since(began); took != lockTimeout {
				t.Errorf("took %s", took)
			}
			if storage.unlocked != 0 {
				t.Error("released a lock that it does not hold")
			}
			close(storage.release)
			synctest.Wait()
			if storage.unlocked != 1 {
				t.Error("still locked")
			}
		})
	})
	t.Run("F31 F48 a lock that never returns is not asked for again, and is once it has returned", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := due(t, 0)
			release := f.store.hang("lock")
			before := f.store.count("lock")
			for range 10 {
				f.round()
			}
			if n := f.store.count("lock") - before; n != 1 {
				t.Errorf("%d calls for the lock", n)
			}
			f.wantStates("ES256 signing", "RS256 signing")
			release()
			f.store.before = nil
			f.round()
			f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
		})
	})
	t.Run("F31 a release that never returns holds nobody for long, and the lock is not asked for meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			release := f.store.hang("unlock")
			began := time.Now()
			f.round()
			if took := time.Since(began); took != unlockTimeout {
				t.Errorf("took %s", took)
			}
			if _, err := f.lock(t.Context()); err == nil || f.store.count("lock") != 1 {
				t.Errorf("got %v", err)
			}
			release()
			unlock, err := f.lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			unlock()
		})
	})
	t.Run("the lock's context lives as long as the lock, and its release does not need the caller's", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			storage := &oddLock{memory: f.store}
			f.storage = storage
			ctx, cancel := context.WithCancel(t.Context())
			unlock, err := f.lock(ctx)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if storage.held.Err() != nil {
				t.Error("the lock's context has ended")
			}
			cancel()
			unlock()
			if storage.unlocked != 1 {
				t.Error("still locked")
			}
			if storage.held.Err() == nil {
				t.Error("the lock's context outlives the lock")
			}
		})
	})
	t.Run("F36 a config that is replaced while it waits for the lock makes no key and warns of nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for _, row := range []struct {
				name string
				lock *oddLock
				do   func(context.Context, *fixture) error
			}{
				{"first keys, lock held by others", &oddLock{release: make(chan struct{})}, makeDue},
				{"first keys, lock had at that moment", &oddLock{}, makeDue},
				{"rotation by hand, lock held by others", &oddLock{release: make(chan struct{})}, dropOld},
				{"rotation by hand, lock had at that moment", &oddLock{}, dropOld},
			} {
				f := newFixture(t, newMemory(), newClock(), nil)
				row.lock.memory = f.store
				f.storage = row.lock
				ctx, cancel := context.WithCancelCause(t.Context())
				if row.lock.release == nil {
					row.lock.got = func() { cancel(errFault) }
				}
				time.AfterFunc(time.Second, func() { cancel(errFault) })
				if err := row.do(ctx, f); !errors.Is(err, errFault) {
					t.Errorf("%s: got %v", row.name, err)
				}
				if row.lock.release != nil {
					close(row.lock.release)
				}
				synctest.Wait()
				if row.lock.unlocked != 1 {
					t.Errorf("%s: still locked", row.name)
				}
				if n := len(f.store.all()); n != 0 || f.log.String() != "" {
					t.Errorf("%s: %d keys in storage, said %q", row.name, n, f.log)
				}
			}
		})
	})
	t.Run("the storage is read again under the lock: a key made meanwhile is not made twice", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		other := newFixture(t, f.store, f.clock, nil)
		var begun atomic.Bool
		f.store.before = func(operation, _ string) error {
			if operation == "lock" && !begun.Swap(true) {
				other.round()
			}
			return nil
		}
		f.round()
		if n := len(f.store.all()); n != 2 {
			t.Fatalf("%d keys in storage, want 2", n)
		}
	})
}

func makeDue(ctx context.Context, f *fixture) error { return f.createDue(ctx) }

func dropOld(ctx context.Context, f *fixture) error {
	_, err := f.Rotate(ctx, true)
	return err
}

// oddLock ignores its context while it waits, and ends the lock with it.
type oddLock struct {
	*memory
	release  chan struct{} // nil: at once
	got      func()        // called when it is had
	held     context.Context
	unlocked int
}

func (o *oddLock) Lock(ctx context.Context, _ string) error {
	if o.release != nil {
		<-o.release
	}
	o.held = ctx
	if o.got != nil {
		o.got()
	}
	return nil
}

func (o *oddLock) Unlock(ctx context.Context, _ string) error {
	if ctx.Err() == nil {
		o.unlocked++
	}
	return ctx.Err()
}

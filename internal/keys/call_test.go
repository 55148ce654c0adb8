package keys

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// hang makes every call of these operations wait until release, whatever its
// context says.
func (m *memory) hang(operations ...string) (release func()) {
	free := make(chan struct{})
	m.mu.Lock() // the clock of a bubble orders no two goroutines
	defer m.mu.Unlock()
	m.before = func(operation, _ string) error {
		if slices.Contains(operations, operation) {
			<-free
		}
		return nil
	}
	return func() { close(free); synctest.Wait() }
}

// live runs f in the time of the test's bubble; skip lets time pass without
// what would have been done in it.
func live(t *testing.T, store *memory) (f *fixture, skip func(time.Duration)) {
	var skipped atomic.Int64
	f = newFixture(t, store, newClock(), func(o *Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(skipped.Load())) }
	})
	f.algorithms = []token.Algorithm{token.ES256}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return f, func(d time.Duration) {
		skipped.Add(int64(d))
		time.Sleep(time.Minute)
		synctest.Wait()
	}
}

func TestCallsThatNeverReturn(t *testing.T) {
	const day = 24 * time.Hour
	for _, row := range []struct {
		operation    string
		before, then time.Duration // passes before it hangs, and then
		says         string
	}{
		{"list", time.Hour, time.Hour, bounded.ErrLate.Error()},
		{"store", time.Hour, 89 * day, bounded.ErrLate.Error()}, // a rotation is due
		{"delete", 89 * day, 3 * day, bounded.ErrLate.Error()},  // retired keys are to go
		{"unlock", time.Hour, 89 * day, "releasing the lock on the signing keys takes long"},
	} {
		t.Run("F02 where "+row.operation+" never returns the log says so, rotate-key answers, and once it does keys are maintained again", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, skip := live(t, newMemory())
				skip(row.before)
				release := f.store.hang(row.operation)
				skip(row.then)
				skip(time.Minute)
				if !strings.Contains(f.log.String(), row.says) {
					t.Errorf("said %s", f.log)
				}
				if f.signer(token.ES256) == nil || len(f.kids()) == 0 {
					t.Error("no keys from memory")
				}
				began := time.Now()
				_, err := f.Rotate(t.Context(), row.operation == "delete" || row.operation == "list")
				if (err == nil) != (row.operation == "unlock") {
					t.Errorf("rotating says %v", err)
				}
				if took := time.Since(began); took > 2*time.Minute {
					t.Errorf("rotating took %s", took)
				}
				release()
				skip(time.Minute)
				old := f.signer(token.ES256).ID
				if _, err := f.Rotate(t.Context(), true); err != nil || f.signer(token.ES256).ID == old {
					t.Errorf("rotating says %v", err)
				}
			})
		})
	}
	t.Run("F02 F48 a storage that never answers holds a few goroutines, and later calls fail at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, skip := live(t, newMemory())
			skip(time.Hour)
			before := f.store.count("list")
			release := f.store.hang("list")
			for range 600 {
				time.Sleep(6 * time.Second)
				f.kids()
			}
			if n := f.store.count("list") - before; n != maxCalls {
				t.Errorf("%d calls, want %d", n, maxCalls)
			}
			began := time.Now()
			_, err := f.Rotate(t.Context(), false)
			f.wantError(err, bounded.ErrBusy)
			if took := time.Since(began); took != 0 {
				t.Errorf("took %s", took)
			}
			release()
		})
	})
	t.Run("F02 at the start each request waits five seconds at most, and they are served once the storage answers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			release := store.hang("list")
			f, skip := live(t, store)
			for range 100 {
				began := time.Now()
				_, err := f.SigningKey(t.Context(), token.ES256)
				f.wantError(err, ErrUnavailable)
				if took := time.Since(began); took > firstTimeout {
					t.Fatalf("took %s", took)
				}
			}
			release()
			skip(refreshInterval)
			f.signer(token.ES256)
		})
	})
	t.Run("F02 a reading that was given up replaces none that came later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			f.round()
			f.clock.advance(time.Hour)
			var began atomic.Bool
			free := make(chan struct{})
			f.store.after = func(operation, _ string) {
				if operation == "list" && !began.Swap(true) {
					<-free
				}
			}
			f.wantError(f.tryRound(), bounded.ErrLate)
			if _, err := f.Rotate(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			current := f.current.Load()
			close(free)
			synctest.Wait()
			if f.current.Load() != current {
				t.Error("it replaced one")
			}
		})
	})
	t.Run("F03 no key is dropped while a call to store one is out, which could bring it back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			f.round()
			f.clock.advance(89 * 24 * time.Hour)
			release := f.store.hang("store")
			f.wantError(f.tryRound(), bounded.ErrLate)
			f.store.before = nil
			if _, err := f.Rotate(t.Context(), true); err == nil || !strings.Contains(err.Error(), "bring back") {
				t.Errorf("got %v", err)
			}
			release()
			if _, err := f.Rotate(t.Context(), true); err != nil || len(f.store.all()) != 2 {
				t.Errorf("got %v, storage %v", err, f.store.all())
			}
		})
	})
}

package storage_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// Who counts codes has to count one that may be stored yet, and no other.
func TestStoredLate(t *testing.T) {
	for _, row := range []struct {
		name  string
		fault func(t *testing.T, codes *storage.Codes, memory *storagetest.Memory) (ctx context.Context, after func())
		late  bool
	}{
		{"F02 a record whose storing does not end in time may be stored yet", func(t *testing.T, codes *storage.Codes, memory *storagetest.Memory) (context.Context, func()) {
			mint(t, codes, time.Now())
			return t.Context(), hang(memory, storagetest.OpStore)
		}, true},
		{"F02 so may one whose request went away meanwhile", func(t *testing.T, codes *storage.Codes, memory *storagetest.Memory) (context.Context, func()) {
			mint(t, codes, time.Now())
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, context.Canceled)
			release := hang(memory, storagetest.OpStore)
			return ctx, func() { cancel(); release() }
		}, true},
		{"F19 one whose storing took so long that a client may have repeated it may come again", func(t *testing.T, codes *storage.Codes, memory *storagetest.Memory) (context.Context, func()) {
			mint(t, codes, time.Now())
			memory.After(func(_ context.Context, call storagetest.Call) error {
				if call.Op == storagetest.OpStore {
					time.Sleep(storage.Promptly)
				}
				return nil
			})
			return t.Context(), memory.Reset
		}, true},
		{"F48 one for which there was no place was never tried", func(t *testing.T, codes *storage.Codes, memory *storagetest.Memory) (context.Context, func()) {
			code := mint(t, codes, time.Now())
			release := hang(memory, storagetest.OpLoad)
			for range storage.MaxInFlight {
				go codes.Load(t.Context(), code)
			}
			synctest.Wait()
			return t.Context(), release
		}, false},
		{"F02 nor was one before which the probe hangs", func(t *testing.T, _ *storage.Codes, memory *storagetest.Memory) (context.Context, func()) {
			return t.Context(), hang(memory, storagetest.OpStore)
		}, false},
		{"F02 nor the next, to which the same is told", func(t *testing.T, codes *storage.Codes, memory *storagetest.Memory) (context.Context, func()) {
			release := hang(memory, storagetest.OpStore)
			if _, err := codes.Store(t.Context(), record(time.Now())); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("the first got %v", err)
			}
			synctest.Wait()
			return t.Context(), release
		}, false},
		{"F01 one that the storage refuses is not stored", func(t *testing.T, codes *storage.Codes, memory *storagetest.Memory) (context.Context, func()) {
			mint(t, codes, time.Now())
			memory.Before(func(context.Context, storagetest.Call) error { return errors.New("injected fault") })
			return t.Context(), memory.Reset
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := storagetest.NewMemory()
				codes := node(t, memory, nil)
				ctx, after := row.fault(t, codes, memory)
				defer after()
				_, err := codes.Store(ctx, record(time.Now()))
				wantError(t, err, storage.ErrUnavailable)
				if late := errors.Is(err, storage.ErrLate); late != row.late {
					t.Errorf("late is %t: %v", late, err)
				}
			})
		})
	}
}

func TestHangingSweepIsTold(t *testing.T) {
	t.Run("F02 of a sweep that does not end the metrics hear", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			var told []storage.Event
			codes := node(t, memory, nil, func(o *storage.Options) { o.Observe = func(e storage.Event) { told = append(told, e) } })
			mint(t, codes, time.Now())
			release := hang(memory, storagetest.OpList)
			defer release()
			if _, err := codes.Sweep(t.Context()); err == nil {
				t.Error("the sweep succeeded")
			}
			if len(told) != 1 || told[0].Operation != "list" || told[0].Err == nil {
				t.Errorf("told of %v", told)
			}
		})
	})
}

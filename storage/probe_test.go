package storage_test

import (
	"bytes"
	"context"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// Storages that answer wrongly.
type (
	forgetful struct{ *storagetest.Memory } // stores nothing
	stale     struct{ *storagetest.Memory } // keeps the first value
	keeping   struct{ *storagetest.Memory } // does not delete
	textual   struct{ *storagetest.Memory } // stores text only
	emptying  struct{ *storagetest.Memory } // returns an empty value for an absent key
)

func (forgetful) Store(context.Context, string, []byte) error { return nil }

func (s stale) Store(ctx context.Context, key string, value []byte) error {
	if _, err := s.Memory.Load(ctx, key); err == nil {
		return nil
	}
	return s.Memory.Store(ctx, key, value)
}

func (keeping) Delete(context.Context, string) error { return nil }

func (s textual) Store(ctx context.Context, key string, value []byte) error {
	return s.Memory.Store(ctx, key, bytes.ToValidUTF8(value, []byte("?")))
}

func (s emptying) Load(ctx context.Context, key string) ([]byte, error) {
	value, _ := s.Memory.Load(ctx, key)
	return value, nil
}

func TestProbeRefusesAStorageForGood(t *testing.T) {
	rows := []struct {
		name    string
		storage func(*storagetest.Memory) certmagic.Storage
		says    []string
	}{
		{"F21 one that does not store", func(m *storagetest.Memory) certmagic.Storage { return forgetful{m} }, []string{"forgetful", "what was stored"}},
		{"F21 one that answers with an older value", func(m *storagetest.Memory) certmagic.Storage { return stale{m} }, []string{"stale", "stored last"}},
		{"one that does not delete", func(m *storagetest.Memory) certmagic.Storage { return keeping{m} }, []string{"keeping", "was deleted"}},
		{"one that changes bytes", func(m *storagetest.Memory) certmagic.Storage { return textual{m} }, []string{"textual", "what was stored"}},
		{"one that has a value for every key", func(m *storagetest.Memory) certmagic.Storage { return emptying{m} }, []string{"emptying", "was deleted"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, memory := noon(), storagetest.NewMemory()
			codes := node(t, row.storage(memory), c)
			_, err := codes.Store(t.Context(), record(c.Now()))
			wantError(t, err, storage.ErrRefused)
			for _, part := range row.says {
				if err != nil && !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
			memory.Reset()
			_, err = codes.Store(t.Context(), record(c.Now()))
			wantError(t, err, storage.ErrRefused)
			_, err = codes.Load(t.Context(), storage.NewCodeAt(c.Now()))
			wantError(t, err, storage.ErrRefused)
			if n := memory.Count(); n != 0 {
				t.Errorf("%d calls of a storage that was refused", n)
			}
		})
	}
}

func TestProbeOfFiles(t *testing.T) {
	for _, op := range []string{"create", "link"} {
		t.Run("a file system where a name can be taken twice is refused: "+op, func(t *testing.T) {
			c := noon()
			codes, _ := fileNode(t, t.TempDir(), c, true, boot)
			codes.SetOverwriting(op)
			_, err := codes.Store(t.Context(), record(c.Now()))
			wantError(t, err, storage.ErrRefused)
			if err != nil && !strings.Contains(err.Error(), "certmagic.FileStorage") {
				t.Errorf("the error does not name the storage: %v", err)
			}
		})
	}
}

func TestProbeAsksAgainWhereThereWasNoAnswer(t *testing.T) {
	for n := 1; n <= 6; n++ {
		for name, set := range map[string]func(*storagetest.Memory, storagetest.Hook){
			"": (*storagetest.Memory).Before, " after its effect": (*storagetest.Memory).After,
		} {
			t.Run("REQ-113 call "+string(rune('0'+n))+" fails"+name, func(t *testing.T) {
				c, memory := noon(), storagetest.NewMemory()
				codes := node(t, memory, c)
				hit := false
				set(memory, func(_ context.Context, call storagetest.Call) error {
					if call.N != n {
						return nil
					}
					hit = true
					return errFault
				})
				code, err := codes.Store(t.Context(), record(c.Now()))
				memory.Reset()
				if !hit {
					wantError(t, err, nil) // the last call answers that the key is absent
					return
				}
				wantError(t, err, storage.ErrUnavailable)
				wantError(t, err, errFault)
				if code != "" {
					t.Error("a code was handed out")
				}
				if keys := memory.Keys(); len(keys) != 0 {
					t.Errorf("left are %v", keys)
				}
				c.Add(time.Second)
				wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
			})
		}
	}
}

func TestProbeRunsOnceAndWhenNeeded(t *testing.T) {
	t.Run("New does not touch the storage", func(t *testing.T) {
		memory := storagetest.NewMemory()
		node(t, memory, nil)
		if memory.Count() != 0 {
			t.Error("the storage was called")
		}
	})
	t.Run("before a code is looked for", func(t *testing.T) {
		memory := storagetest.NewMemory()
		codes := node(t, memory, nil)
		_, err := codes.Load(t.Context(), storage.NewCodeAt(time.Now()))
		wantError(t, err, storage.ErrUnknown)
		if memory.Count(storagetest.OpStore) != 2 {
			t.Error("the storage was not probed")
		}
	})
	t.Run("and leaves nothing behind", func(t *testing.T) {
		memory := storagetest.NewMemory()
		codes := node(t, memory, nil)
		codes.Load(t.Context(), storage.NewCodeAt(time.Now()))
		if keys := memory.Keys(); len(keys) != 0 {
			t.Errorf("left are %v", keys)
		}
	})
	t.Run("first requests share one, which does not end with the first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, nil)
			release := hang(memory, storagetest.OpStore)
			first, cancel := context.WithCancel(t.Context())
			var requests sync.WaitGroup
			requests.Go(func() {
				_, err := codes.Load(first, storage.NewCodeAt(time.Now()))
				wantError(t, err, storage.ErrUnavailable)
			})
			synctest.Wait()
			for range 32 {
				requests.Go(func() {
					_, err := codes.Load(t.Context(), storage.NewCodeAt(time.Now()))
					wantError(t, err, storage.ErrUnknown)
				})
			}
			synctest.Wait()
			cancel()
			synctest.Wait()
			if n := memory.Count(storagetest.OpStore); n != 1 {
				t.Errorf("%d probes", n)
			}
			release()
			requests.Wait()
		})
	})
	t.Run("F02 a probe that hangs is given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, nil)
			release := hang(memory, storagetest.OpStore)
			began := time.Now()
			_, err := codes.Store(t.Context(), record(began))
			wantError(t, err, storage.ErrUnavailable)
			within(t, began, storage.CallLimit)
			synctest.Wait()
			release()
			time.Sleep(time.Second)
			mint(t, codes, time.Now())
		})
	})
}

func TestProbePausesWhereThereWasNoAnswer(t *testing.T) {
	c, memory := noon(), storagetest.NewMemory()
	codes := node(t, memory, c)
	memory.Before(func(context.Context, storagetest.Call) error { return errFault })
	ask := func() int {
		before := memory.Count()
		_, err := codes.Load(t.Context(), storage.NewCodeAt(c.Now()))
		wantError(t, err, storage.ErrUnavailable)
		wantError(t, err, errFault)
		return memory.Count() - before
	}
	for _, row := range []struct {
		name  string
		later time.Duration
		asks  bool
	}{
		{"the first request asks the storage", 0, true},
		{"F48 within a second no request makes a failing storage write, whatever code it made up", time.Second - 1, false},
		{"after a second one asks again", 1, true},
		{"F48 and the next waits again", 0, false},
		{"F40 one asks at once where the clock was set back", -time.Minute, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			c.Add(row.later)
			if n := ask(); n > 0 != row.asks {
				t.Errorf("%d calls of the storage", n)
			}
		})
	}
	t.Run("a storage that works again is used after a second", func(t *testing.T) {
		memory.Reset()
		c.Add(time.Second)
		mint(t, codes, c.Now())
	})
}

// What a storage still does for an examination that was given up falls into the
// next one, and says nothing about it.
func TestProbeAfterOneThatWasGivenUp(t *testing.T) {
	for n := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			memory, random := storagetest.NewMemory(), mathrand.New(mathrand.NewPCG(1, n))
			codes, frozen := node(t, memory, nil), time.Now().Add(7*time.Second)
			var mu sync.Mutex // guards random
			memory.Before(func(context.Context, storagetest.Call) error {
				mu.Lock()
				takes := time.Duration(random.IntN(3000)) * time.Microsecond
				mu.Unlock()
				time.Sleep(max(0, time.Until(frozen)) + takes)
				return nil
			})
			for time.Now().Before(frozen) {
				_, _ = codes.Store(t.Context(), record(time.Now()))
				time.Sleep(storage.ProbePause)
			}
			time.Sleep(storage.ProbePause)
			if _, err := codes.Store(t.Context(), record(time.Now())); err != nil {
				t.Errorf("run %d: a storage that was frozen for a while: %v", n, err)
			}
		})
	}
}

package storagetest_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	storages := map[string]func(t *testing.T) certmagic.Storage{
		"memory, with a claim of its own and without": func(*testing.T) certmagic.Storage {
			return claiming{storagetest.NewMemory(), new(sync.Mutex)}
		},
		"files": func(t *testing.T) certmagic.Storage { return &certmagic.FileStorage{Path: t.TempDir()} },
	}
	for name, newStorage := range storages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, newStorage)
		})
	}
}

// claiming is a storage that can claim by itself.
type claiming struct {
	*storagetest.Memory
	mu *sync.Mutex
}

func (claiming) ClaimKind() string { return "memory-rename/v1" }

func (c claiming) Claim(ctx context.Context, from, to string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return move(ctx, c.Memory, from, to)
}

// move is a claim for one caller at a time.
func move(ctx context.Context, s certmagic.Storage, from, to string) (bool, error) {
	if _, err := s.Load(ctx, to); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	value, err := s.Load(ctx, from)
	if err != nil {
		return false, absent(err)
	}
	return true, errors.Join(s.Store(ctx, to, value), s.Delete(ctx, from))
}

// absent takes away that a key is absent.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func TestMemoryTakesNoKeyTheContractForbids(t *testing.T) {
	m := storagetest.NewMemory()
	for _, key := range []string{"", "/", "/a", "a/", "a//b", "../a", "a/../../b", "..", ".", "a\x00b", `a\b`} {
		if m.Store(t.Context(), key, nil) == nil {
			t.Errorf("Store took %q", key)
		}
		if _, err := m.Load(t.Context(), key); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load took %q", key)
		}
		if m.Delete(t.Context(), key) == nil {
			t.Errorf("Delete took %q", key)
		}
	}
}

func TestMemoryKeepsTheContract(t *testing.T) {
	ctx := t.Context()
	m := storagetest.NewMemory()
	for _, key := range []string{"a/b/1", "a/b/2", "a/c", "ab"} {
		if err := m.Store(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	lists := []struct {
		name, prefix string
		recursive    bool
		want         []string
	}{
		{"direct children", "a", false, []string{"a/b", "a/c"}},
		{"everything below, folders included", "a", true, []string{"a/b", "a/b/1", "a/b/2", "a/c"}},
		{"the root", "", false, []string{"a", "ab"}},
		{"nothing", "x", true, nil},
	}
	for _, row := range lists {
		t.Run("List returns "+row.name, func(t *testing.T) {
			got, err := m.List(ctx, row.prefix, row.recursive)
			if !slices.Equal(got, row.want) || errors.Is(err, fs.ErrNotExist) != (row.want == nil) {
				t.Errorf("List = %v, %v, want %v", got, err, row.want)
			}
		})
	}
	t.Run("Stat and Exists tell a folder from a value", func(t *testing.T) {
		dir, dirErr := m.Stat(ctx, "a/b")
		value, valueErr := m.Stat(ctx, "a/c")
		_, absentErr := m.Stat(ctx, "a/")
		if dirErr != nil || dir.IsTerminal || valueErr != nil || !value.IsTerminal || value.Size != 3 || absentErr == nil {
			t.Errorf("Stat = %+v, %v; %+v, %v; %v", dir, dirErr, value, valueErr, absentErr)
		}
		if !m.Exists(ctx, "a") || m.Exists(ctx, "x") {
			t.Error("Exists is wrong")
		}
	})
	t.Run("a value is a copy", func(t *testing.T) {
		got, _ := m.Load(ctx, "ab")
		got[0] = 'x'
		if again, _ := m.Load(ctx, "ab"); string(again) != "ab" {
			t.Error("the caller changed it")
		}
	})
	t.Run("Delete of a folder removes what is below", func(t *testing.T) {
		if err := m.Delete(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if left := m.Keys(); !slices.Equal(left, []string{"ab"}) {
			t.Errorf("left are %v", left)
		}
	})
}

func TestMemoryLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storagetest.NewMemory()
		if err := m.Lock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := m.Lock(t.Context(), "b"); err != nil {
			t.Errorf("another name: %v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Lock(short, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock of a held name = %v", err)
		}
		got := make(chan error)
		go func() { got <- m.Lock(t.Context(), "a") }()
		synctest.Wait()
		if err := m.Unlock(t.Context(), "a"); err != nil {
			t.Errorf("Unlock: %v", err)
		}
		if err := <-got; err != nil {
			t.Errorf("Lock after it was free: %v", err)
		}
		m.Unlock(t.Context(), "a")
		if m.Unlock(t.Context(), "a") == nil {
			t.Error("Unlock of what is free gave no error")
		}
	})
}

func TestHooks(t *testing.T) {
	fault := errors.New("fault")
	ctx := t.Context()
	m := storagetest.NewMemory()
	fail := func(context.Context, storagetest.Call) error { return fault }
	m.Before(fail)
	if err := m.Store(ctx, "a", nil); !errors.Is(err, fault) || len(m.Keys()) != 0 {
		t.Errorf("Store before = %v, with %v", err, m.Keys())
	}
	m.Before(nil)
	m.After(fail)
	if err := m.Store(ctx, "a", nil); !errors.Is(err, fault) || len(m.Keys()) != 1 {
		t.Errorf("Store after = %v, with %v", err, m.Keys())
	}
	if v, err := m.Load(ctx, "a"); !errors.Is(err, fault) || v != nil {
		t.Errorf("Load after = %v, %v", v, err)
	}
	if m.Count() != 3 || m.Count(storagetest.OpStore) != 2 || m.Calls()[2] != (storagetest.Call{Op: storagetest.OpLoad, Key: "a", N: 3}) {
		t.Errorf("calls are %v", m.Calls())
	}
	m.Reset()
	if _, err := m.Load(ctx, "a"); err != nil || m.Count() != 1 {
		t.Errorf("after Reset: %v, %d calls", err, m.Count())
	}
}

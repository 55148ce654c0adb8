package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// Memory is a certmagic.Storage in memory that keeps every promise of the
// contract and accepts no key the contract does not allow. Its hooks can fail,
// delay or reorder any call. The zero value is empty and ready to use; it is
// safe for concurrent use.
type Memory struct {
	Hooks

	mu     sync.Mutex // guards values and locks
	values map[string]value
	locks  map[string]chan struct{}
}

type value struct {
	bytes    []byte
	modified time.Time
}

// NewMemory returns an empty storage.
func NewMemory() *Memory { return new(Memory) }

// Store puts value at key.
func (m *Memory) Store(ctx context.Context, key string, v []byte) error {
	return m.around(ctx, OpStore, key, func() error {
		if err := checkKey(key); err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.values == nil {
			m.values = make(map[string]value)
		}
		m.values[key] = value{bytes: slices.Clone(v), modified: time.Now()}
		return nil
	})
}

// Load returns a copy of the value at key.
func (m *Memory) Load(ctx context.Context, key string) (loaded []byte, err error) {
	err = m.around(ctx, OpLoad, key, func() error {
		if err := checkKey(key); err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		v, ok := m.values[key]
		if !ok {
			return missing("load", key)
		}
		loaded = append([]byte{}, v.bytes...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return loaded, nil
}

// Delete removes key, and everything below it where it is a directory.
func (m *Memory) Delete(ctx context.Context, key string) error {
	return m.around(ctx, OpDelete, key, func() error {
		if err := checkKey(key); err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, ok := m.values[key]; ok {
			delete(m.values, key)
			return nil
		}
		maps.DeleteFunc(m.values, func(k string, _ value) bool { return strings.HasPrefix(k, key+"/") })
		return nil
	})
}

// Exists reports whether key is a value or a directory.
func (m *Memory) Exists(ctx context.Context, key string) (exists bool) {
	_ = m.around(ctx, OpExists, key, func() error {
		_, err := m.stat(key)
		exists = err == nil
		return nil
	})
	return exists
}

// Stat describes the value or directory at key.
func (m *Memory) Stat(ctx context.Context, key string) (info certmagic.KeyInfo, err error) {
	err = m.around(ctx, OpStat, key, func() error {
		info, err = m.stat(key)
		return err
	})
	return info, err
}

// List returns what is directly below prefix, or everything below it,
// directories included as certmagic.FileStorage does.
func (m *Memory) List(ctx context.Context, prefix string, recursive bool) (keys []string, err error) {
	err = m.around(ctx, OpList, prefix, func() error {
		keys = m.below(prefix, recursive)
		if len(keys) == 0 {
			return missing("list", prefix)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// Lock waits until name is free and takes it.
func (m *Memory) Lock(ctx context.Context, name string) error {
	return m.around(ctx, OpLock, name, func() error {
		for {
			held := m.tryLock(name)
			if held == nil {
				return nil
			}
			select {
			case <-held:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// Unlock frees name.
func (m *Memory) Unlock(ctx context.Context, name string) error {
	return m.around(ctx, OpUnlock, name, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		held, ok := m.locks[name]
		if !ok {
			return errors.New("unlocking what is not locked")
		}
		delete(m.locks, name)
		close(held)
		return nil
	})
}

// Keys returns every key, sorted, without passing a hook or being counted.
func (m *Memory) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.values))
}

// Snapshot returns a copy of everything stored, without passing a hook or
// being counted.
func (m *Memory) Snapshot() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string][]byte, len(m.values))
	for k, v := range m.values {
		all[k] = slices.Clone(v.bytes)
	}
	return all
}

// Restore replaces everything stored by a snapshot, as a restored backup does,
// without passing a hook or being counted.
func (m *Memory) Restore(snapshot map[string][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values = make(map[string]value, len(snapshot))
	for k, v := range snapshot {
		m.values[k] = value{bytes: slices.Clone(v), modified: time.Now()}
	}
}

// tryLock takes name and returns nil, or returns what is closed once the
// holder unlocks.
func (m *Memory) tryLock(name string) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.locks[name]; ok {
		return held
	}
	if m.locks == nil {
		m.locks = make(map[string]chan struct{})
	}
	m.locks[name] = make(chan struct{})
	return nil
}

func (m *Memory) stat(key string) (certmagic.KeyInfo, error) {
	if err := checkKey(key); err != nil {
		return certmagic.KeyInfo{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.values[key]; ok {
		return certmagic.KeyInfo{Key: key, Modified: v.modified, Size: int64(len(v.bytes)), IsTerminal: true}, nil
	}
	for k := range m.values {
		if strings.HasPrefix(k, key+"/") {
			return certmagic.KeyInfo{Key: key}, nil
		}
	}
	return certmagic.KeyInfo{}, missing("stat", key)
}

func (m *Memory) below(prefix string, recursive bool) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := make(map[string]bool)
	for k := range m.values {
		rest, ok := k, true
		if prefix != "" {
			rest, ok = strings.CutPrefix(k, prefix+"/")
		}
		if !ok {
			continue
		}
		parts := strings.Split(rest, "/")
		if !recursive {
			parts = parts[:1]
		}
		for i := range parts {
			found[path.Join(prefix, path.Join(parts[:i+1]...))] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func missing(op, key string) error {
	return &fs.PathError{Op: op, Path: key, Err: fs.ErrNotExist}
}

// checkKey refuses what the contract of certmagic.Storage does not allow for a
// key: such a key would lead a storage of files out of its folder.
func checkKey(key string) error {
	if key == "" || key == "." || path.Clean(key) != key || path.IsAbs(key) || strings.HasPrefix(key, "..") || strings.ContainsAny(key, "\x00\\") {
		return fmt.Errorf("storage key %q is not allowed", key)
	}
	return nil
}

var _ certmagic.Storage = (*Memory)(nil)

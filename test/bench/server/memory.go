package main

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
)

func init() { caddy.RegisterModule(new(memory)) }

// memory is a certmagic.Storage in maps, one for each folder: what a storage
// costs at least. It lives as long as its config and claims no code by itself,
// so that codes are redeemed as on any storage.
type memory struct {
	mu      sync.RWMutex
	folders map[string]map[string][]byte // guarded by mu
}

// CaddyModule returns the module's registration.
func (*memory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.bench_memory", New: func() caddy.Module {
		return &memory{folders: make(map[string]map[string][]byte)}
	}}
}

// CertMagicStorage implements caddy.StorageConverter.
func (m *memory) CertMagicStorage() (certmagic.Storage, error) { return m, nil }

// Store puts value at key.
func (m *memory) Store(_ context.Context, key string, value []byte) error {
	dir, name := path.Split(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	folder := m.folders[dir]
	if folder == nil {
		folder = make(map[string][]byte)
		m.folders[dir] = folder
	}
	folder[name] = slices.Clone(value)
	return nil
}

// Load returns a copy of the value at key.
func (m *memory) Load(_ context.Context, key string) ([]byte, error) {
	dir, name := path.Split(key)
	m.mu.RLock()
	defer m.mu.RUnlock()
	value, ok := m.folders[dir][name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(value), nil
}

// Delete removes key.
func (m *memory) Delete(_ context.Context, key string) error {
	dir, name := path.Split(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.folders[dir], name)
	if len(m.folders[dir]) == 0 {
		delete(m.folders, dir)
	}
	return nil
}

// Exists reports whether key is there.
func (m *memory) Exists(ctx context.Context, key string) bool {
	_, err := m.Load(ctx, key)
	return err == nil
}

// List returns the keys below prefix. Where recursive is false, what lies
// deeper is named by its first component, once.
func (m *memory) List(_ context.Context, prefix string, recursive bool) ([]string, error) {
	below := strings.TrimSuffix(prefix, "/") + "/"
	m.mu.RLock()
	defer m.mu.RUnlock()
	var keys []string
	for dir, folder := range m.folders {
		deeper, ok := strings.CutPrefix(dir, below)
		if !ok {
			continue
		}
		if deeper != "" && !recursive {
			first, _, _ := strings.Cut(deeper, "/")
			keys = append(keys, below+first)
			continue
		}
		for name := range folder {
			keys = append(keys, dir+name)
		}
	}
	if keys == nil {
		return nil, fs.ErrNotExist
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// Stat tells of key.
func (m *memory) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, err := m.Load(ctx, key)
	return certmagic.KeyInfo{Key: key, Modified: time.Time{}, Size: int64(len(value)), IsTerminal: true}, err
}

// Lock locks nothing: one process uses this storage, and codes need no lock.
func (*memory) Lock(context.Context, string) error { return nil }

// Unlock does nothing.
func (*memory) Unlock(context.Context, string) error { return nil }

var (
	_ certmagic.Storage      = (*memory)(nil)
	_ caddy.StorageConverter = (*memory)(nil)
)

package keys

import (
	"bytes"
	"context"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"
)

// memory is a storage in memory. before, when set, runs before each operation
// and may fail, delay or panic; after runs once it is done.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	locks  map[string]chan struct{}
	before func(operation, key string) error
	after  func(operation, key string)
	counts map[string]int
}

func newMemory() *memory {
	return &memory{values: map[string][]byte{}, locks: map[string]chan struct{}{}, counts: map[string]int{}}
}

// node is the same storage with faults of its own.
func (m *memory) node(before func(operation, key string) error) *node { return &node{m, before} }

func (m *memory) begin(operation, key string) (done func(), err error) {
	m.mu.Lock()
	m.counts[operation]++
	before, after := m.before, m.after
	m.mu.Unlock()
	if before != nil {
		if err := before(operation, key); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	return func() {
		m.mu.Unlock()
		if after != nil {
			after(operation, key)
		}
	}, nil
}

func (m *memory) Store(_ context.Context, key string, value []byte) error {
	done, err := m.begin("store", key)
	if err != nil {
		return err
	}
	defer done()
	m.values[key] = bytes.Clone(value)
	return nil
}

func (m *memory) Load(_ context.Context, key string) ([]byte, error) {
	done, err := m.begin("load", key)
	if err != nil {
		return nil, err
	}
	defer done()
	if value, ok := m.values[key]; ok {
		return bytes.Clone(value), nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) Delete(_ context.Context, key string) error {
	done, err := m.begin("delete", key)
	if err != nil {
		return err
	}
	defer done()
	delete(m.values, key)
	return nil
}

func (m *memory) List(_ context.Context, prefix string, _ bool) ([]string, error) {
	done, err := m.begin("list", prefix)
	if err != nil {
		return nil, err
	}
	defer done()
	keys := m.keys(prefix + "/")
	if len(keys) == 0 {
		return nil, fs.ErrNotExist
	}
	return keys, nil
}

// keys needs m.mu.
func (m *memory) keys(prefix string) (keys []string) {
	for key := range m.values {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (m *memory) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys("")
}

func (m *memory) count(operation string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[operation]
}

func (m *memory) Exists(context.Context, string) bool { panic("unused") }
func (m *memory) Stat(context.Context, string) (certmagic.KeyInfo, error) {
	panic("unused")
}

func (m *memory) Lock(ctx context.Context, name string) error {
	done, err := m.begin("lock", name)
	if err != nil {
		return err
	}
	if m.locks[name] == nil {
		m.locks[name] = make(chan struct{}, 1)
	}
	lock := m.locks[name]
	done()
	select {
	case lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *memory) Unlock(_ context.Context, name string) error {
	done, err := m.begin("unlock", name)
	if err != nil {
		return err
	}
	defer done()
	<-m.locks[name]
	return nil
}

// node is one node's way to a shared memory.
type node struct {
	*memory
	fault func(operation, key string) error
}

func (n *node) Store(ctx context.Context, key string, value []byte) error {
	if err := n.fault("store", key); err != nil {
		return err
	}
	return n.memory.Store(ctx, key, value)
}

func (n *node) Load(ctx context.Context, key string) ([]byte, error) {
	if err := n.fault("load", key); err != nil {
		return nil, err
	}
	return n.memory.Load(ctx, key)
}

func (n *node) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	if err := n.fault("list", prefix); err != nil {
		return nil, err
	}
	return n.memory.List(ctx, prefix, recursive)
}

func (n *node) Delete(ctx context.Context, key string) error {
	if err := n.fault("delete", key); err != nil {
		return err
	}
	return n.memory.Delete(ctx, key)
}

func (n *node) Lock(ctx context.Context, name string) error {
	if err := n.fault("lock", name); err != nil {
		return err
	}
	return n.memory.Lock(ctx, name)
}

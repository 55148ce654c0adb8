package storagetest_test

import (
	"context"
	"errors"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// broken is a storage that keeps every promise but one. What a func is nil for
// is as it should be.
type broken struct {
	*storagetest.Memory
	store  func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error
	load   func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error)
	delete func(m *storagetest.Memory, ctx context.Context, key string) error
	list   func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error)
}

func (b *broken) Store(ctx context.Context, key string, value []byte) error {
	if b.store != nil {
		return b.store(b.Memory, ctx, key, value)
	}
	return b.Memory.Store(ctx, key, value)
}

func (b *broken) Load(ctx context.Context, key string) ([]byte, error) {
	if b.load != nil {
		return b.load(b.Memory, ctx, key)
	}
	return b.Memory.Load(ctx, key)
}

func (b *broken) Delete(ctx context.Context, key string) error {
	if b.delete != nil {
		return b.delete(b.Memory, ctx, key)
	}
	return b.Memory.Delete(ctx, key)
}

func (b *broken) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	if b.list != nil {
		return b.list(b.Memory, ctx, prefix, recursive)
	}
	return b.Memory.List(ctx, prefix, recursive)
}

// brokenClaim is a storage whose own claim is not one.
type brokenClaim struct {
	*storagetest.Memory
	kind  func() string
	claim func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error)
}

func (b brokenClaim) ClaimKind() string {
	if b.kind != nil {
		return b.kind()
	}
	return "broken/v1"
}

func (b brokenClaim) Claim(ctx context.Context, from, to string) (bool, error) {
	return b.claim(b.Memory, ctx, from, to)
}

// locked makes the calls of f one after the other.
func locked(f func(*storagetest.Memory, context.Context, string, string) (bool, error)) func(*storagetest.Memory, context.Context, string, string) (bool, error) {
	var mu sync.Mutex
	return func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return f(m, ctx, from, to)
	}
}

func moved(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
	return move(ctx, m, from, to)
}

// cached answers from what this connection has read before.
type cached struct {
	certmagic.Storage
	mu     *sync.Mutex
	values map[string][]byte
}

func newCached(s certmagic.Storage) cached {
	return cached{s, new(sync.Mutex), make(map[string][]byte)}
}

func (c cached) Again() certmagic.Storage { return newCached(c.Storage) }

func (c cached) Load(ctx context.Context, key string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, ok := c.values[key]; ok {
		return slices.Clone(value), nil
	}
	value, err := c.Storage.Load(ctx, key)
	if err == nil {
		c.values[key] = slices.Clone(value)
	}
	return value, err
}

func (c cached) Store(ctx context.Context, key string, value []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[key] = slices.Clone(value)
	return c.Storage.Store(ctx, key, value)
}

func (c cached) Delete(ctx context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.values, key)
	return c.Storage.Delete(ctx, key)
}

// lister lists only what this connection has stored.
type lister struct {
	*broken
	mine *sync.Map
}

func newLister(m *storagetest.Memory) lister {
	l := lister{&broken{Memory: m}, new(sync.Map)}
	l.store = func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
		l.mine.Store(key, true)
		return m.Store(ctx, key, value)
	}
	l.list = func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
		keys, err := m.List(ctx, prefix, recursive)
		return slices.DeleteFunc(keys, func(key string) bool { _, ok := l.mine.Load(key); return !ok && len(path.Base(key)) < 3 }), err
	}
	return l
}

func (l lister) Again() certmagic.Storage { return newLister(l.Memory) }

// aliasing keeps and returns the caller's own bytes.
type aliasing struct {
	*storagetest.Memory
	values *sync.Map
}

func (a aliasing) Store(ctx context.Context, key string, value []byte) error {
	a.values.Store(key, value)
	return a.Memory.Store(ctx, key, value)
}

func (a aliasing) Load(ctx context.Context, key string) ([]byte, error) {
	if _, err := a.Memory.Load(ctx, key); err != nil {
		return nil, err
	}
	value, _ := a.values.Load(key)
	return value.([]byte), nil
}

// torn stores a value in two halves.
func torn(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
	err := m.Store(ctx, key, value[:len(value)/2])
	time.Sleep(time.Microsecond)
	return errors.Join(err, m.Store(ctx, key, value))
}

// shared has the values of all keys pass through one buffer.
func shared() func(*storagetest.Memory, context.Context, string, []byte) error {
	var mu sync.Mutex
	buffer := make([]byte, 1<<20)
	return func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
		mu.Lock()
		copy(buffer, value)
		mu.Unlock()
		time.Sleep(time.Microsecond)
		mu.Lock()
		defer mu.Unlock()
		return m.Store(ctx, key, buffer[:len(value)])
	}
}

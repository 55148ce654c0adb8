package storagetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// brokenFaulty keep all their promises to one at a time, as long as no call
// fails.
var brokenFaulty = []breach{
	{name: "waits for a redemption that has stopped, and tells nobody", new: newQueue,
		fails: []string{failsBefore, failsAfter, panicsBefore, panicsAfter}, others: byGeneric(manyNodes)},

	{name: "falls apart where a write comes too late", slow: true, new: func() certmagic.Storage {
		m, apart := storagetest.NewMemory(), new(atomic.Bool)
		return newOpened(func(int) *broken {
			own := m
			if apart.Load() {
				own = storagetest.NewMemory()
				own.Restore(m.Snapshot())
			}
			return &broken{Memory: own, store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
				if ctx.Err() != nil {
					apart.Store(true)
					return ctx.Err()
				}
				return m.Store(ctx, key, value)
			}}
		})
	}, fails: []string{hangs}},

	{name: "lets no more than six nodes redeem", slow: true, new: func() certmagic.Storage {
		m := storagetest.NewMemory()
		return newOpened(func(n int) *broken {
			return &broken{Memory: m, store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
				if isMark(key) && n > 6 {
					return errors.New("too many clients")
				}
				return m.Store(ctx, key, value)
			}}
		})
	}, fails: []string{hangs}, others: byGeneric(manyNodes)},
}

// queue applies the redemptions of one code one after the other, in the order
// in which they began to write: each connection sees what it wrote itself, and
// others see it once that connection has found its used-mark. One that stops in
// the middle stops all behind it.
type queue struct {
	*storagetest.Memory
	mu    sync.Mutex     // guards first, and what each connection wrote
	first map[string]int // by used-mark, the connection that may go on
}

func newQueue() certmagic.Storage {
	q := &queue{Memory: storagetest.NewMemory(), first: make(map[string]int)}
	return newOpened(q.open)
}

func (q *queue) open(n int) *broken {
	mine := make(map[string][]byte) // nil: deleted
	return &broken{
		Memory: q.Memory,
		store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
			if !isMark(key) {
				return m.Store(ctx, key, value)
			}
			q.mu.Lock()
			defer q.mu.Unlock()
			if _, ok := q.first[key]; !ok {
				q.first[key] = n
			}
			mine[key] = slices.Clone(value)
			return nil
		},
		delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			q.mu.Lock()
			defer q.mu.Unlock()
			if _, ok := mine[markOf(key)]; !ok || !isRecord(key) {
				return m.Delete(ctx, key)
			}
			mine[key] = nil
			return nil
		},
		load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
			q.mu.Lock()
			defer q.mu.Unlock()
			value, ok := mine[key]
			switch {
			case !ok:
				return m.Load(ctx, key)
			case value == nil:
				return nil, gone(key)
			case q.first[key] != n:
				return value, nil
			}
			return value, q.apply(ctx, key, mine)
		},
	}
}

// apply makes what a connection wrote about a code everybody's.
func (q *queue) apply(ctx context.Context, mark string, mine map[string][]byte) error {
	record := strings.Replace(mark, "/used/", "/codes/", 1)
	if err := q.Store(ctx, mark, mine[mark]); err != nil {
		return err
	}
	delete(q.first, mark)
	delete(mine, mark)
	if _, ok := mine[record]; !ok {
		return nil
	}
	delete(mine, record)
	return q.Delete(ctx, record)
}

package storagetest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// brokenClaiming keep the contract, as far as it is tried, and break what is
// promised of the redemption of codes.
var brokenClaiming = []breach{
	{name: "shows a used-mark only to the node that made it", new: func() certmagic.Storage {
		m, makers := storagetest.NewMemory(), new(sync.Map)
		return newClaimed(func(n int) *broken {
			return &broken{
				Memory: m,
				store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
					if isMark(key) {
						makers.Store(key, n)
					}
					return m.Store(ctx, key, value)
				},
				load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
					if maker, ok := makers.Load(key); ok && maker != n {
						return nil, gone(key)
					}
					return m.Load(ctx, key)
				},
			}
		})
	}, fails: append(byAny(once), kinds),
		others: append(byAny(manyNodes, restart, storedAgain, grant, markStays), failsBefore, failsAfter, panicsBefore, panicsAfter)},

	{name: "loses a record that is read often", new: func() certmagic.Storage {
		m, reads := storagetest.NewMemory(), new(sync.Map)
		return newClaimed(func(int) *broken {
			return &broken{Memory: m, load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
				value, err := m.Load(ctx, key)
				if n, _ := reads.LoadOrStore(key, new(atomic.Int64)); isRecord(key) && n.(*atomic.Int64).Add(1) == 32 {
					err = errors.Join(err, m.Delete(ctx, key))
				}
				return value, err
			}}
		})
	}, fails: byAny(oneNode)},

	{name: "answers each node with the used-mark that it made itself", new: func() certmagic.Storage {
		m := storagetest.NewMemory()
		return newOpened(func(int) *broken {
			own := new(sync.Map)
			return &broken{
				Memory: m,
				store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
					if isMark(key) {
						own.Store(key, slices.Clone(value))
					}
					return m.Store(ctx, key, value)
				},
				load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
					if value, ok := own.Load(key); ok {
						return value.([]byte), nil
					}
					value, err := m.Load(ctx, key)
					if _, ok := own.Load(markOf(key)); ok && err == nil {
						time.Sleep(100 * time.Microsecond) // others look for the record meanwhile
					}
					return value, err
				},
			}
		})
	}, fails: byGeneric(manyNodes)},

	{name: "looks for the record of a code and then moves it", new: func() certmagic.Storage {
		atomically := locked(moved)
		return brokenClaim{Memory: storagetest.NewMemory(), claim: func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
			if !isRecord(from) {
				return atomically(m, ctx, from, to)
			}
			value, err := m.Load(ctx, from)
			if err != nil {
				return false, absent(err)
			}
			time.Sleep(100 * time.Microsecond)
			return true, errors.Join(m.Store(ctx, to, value), m.Delete(ctx, from))
		}}
	}, fails: in("own claim", []string{manyNodes}), others: in("own claim", []string{storedAgain})},

	{name: "does not show a record to a node that starts later", new: func() certmagic.Storage {
		m, seenBy, nodes := storagetest.NewMemory(), new(sync.Map), new(atomic.Int64)
		return newClaimed(func(n int) *broken {
			nodes.Store(int64(n))
			return &broken{
				Memory: m,
				store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
					if isRecord(key) {
						seenBy.Store(key, nodes.Load())
					}
					return m.Store(ctx, key, value)
				},
				load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
					if last, ok := seenBy.Load(key); ok && last.(int64) < int64(n) {
						return nil, gone(key)
					}
					return m.Load(ctx, key)
				},
			}
		})
	}, fails: byAny(restart), others: byAny(issuers)},

	{name: "forgets a used-mark when its record is stored again", new: codesIn(broken{
		store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
			if isRecord(key) {
				return errors.Join(m.Delete(ctx, markOf(key)), m.Store(ctx, key, value))
			}
			return m.Store(ctx, key, value)
		},
	}), fails: byAny(storedAgain)},

	{name: "keeps only the beginning of a used-mark", new: codesIn(broken{
		store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
			if isMark(key) {
				value = value[:32]
			}
			return m.Store(ctx, key, value)
		},
	}), fails: byAny(grant)},

	{name: "takes the codes of one issuer for those of another", new: codesIn(broken{
		load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
			value, err := m.Load(ctx, key)
			for _, other := range m.Keys() {
				if err != nil && isRecord(key) && isRecord(other) && minute(other) == minute(key) && other[:43] != key[:43] {
					return m.Load(ctx, other)
				}
			}
			return value, err
		},
	}), fails: byAny(issuers)},

	{name: "fails for keys of long ago", new: codesIn(broken{
		load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
			if (isRecord(key) || isMark(key)) && minute(key) == 0 {
				return nil, errors.New("no such partition")
			}
			return m.Load(ctx, key)
		},
	}), fails: byAny(hostile)},

	{name: "can claim only at its first node", new: func() certmagic.Storage {
		m := storagetest.NewMemory()
		return claimingOnce{newOpened(func(int) *broken { return &broken{Memory: m} })}
	}, fails: in("storage.Claimer", []string{"ClaimKind is allowed and constant"}),
		others: in("storage.Claimer", []string{"F24 of many callers of Claim one wins"})},
}

package storagetest_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// brokenStorages break the contract. The first test named must fail; the others
// may.
var brokenStorages = []struct {
	name  string
	new   func() certmagic.Storage
	tests []string
}{
	{"keeps the first value", func() certmagic.Storage {
		return &broken{store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
			if m.Exists(ctx, key) {
				return nil
			}
			return m.Store(ctx, key, value)
		}}
	}, []string{"Load returns the last Store", "Load returns what another node stored last", "a call that was cancelled does not say that a key is absent", "a value is stored whole"}},
	{"answers from a cache of its own", func() certmagic.Storage { return newCached(storagetest.NewMemory()) },
		[]string{"Load returns what another node stored last", "Delete removes one key, for every node, and no error is no key"}},
	{"keeps the caller's bytes", func() certmagic.Storage { return aliasing{storagetest.NewMemory(), new(sync.Map)} },
		[]string{"a value is a copy"}},
	{"keeps text", func() certmagic.Storage {
		return &broken{store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
			return m.Store(ctx, key, []byte(strings.ToValidUTF8(string(value), "?")))
		}}
	}, []string{"values are bytes, not text", "a call that was cancelled does not say that a key is absent", "Delete removes one key, for every node, and no error is no key"}},
	{"cuts long keys", func() certmagic.Storage {
		cut := func(key string) string { return key[:min(len(key), 100)] }
		return &broken{
			store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
				return m.Store(ctx, cut(key), value)
			},
			load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
				return m.Load(ctx, cut(key))
			},
		}
	}, []string{"keys of 123 characters differ in their last"}},
	{"has no word for absent", func() certmagic.Storage {
		return &broken{load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
			value, err := m.Load(ctx, key)
			return value, absent(err)
		}}
	}, []string{"what is absent is fs.ErrNotExist", "Delete removes one key, for every node, and no error is no key"}},
	{"says absent for whatever goes wrong", func() certmagic.Storage {
		return &broken{load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
			if ctx.Err() != nil {
				return nil, fs.ErrNotExist
			}
			return m.Load(ctx, key)
		}}
	}, []string{"a call that was cancelled does not say that a key is absent"}},
	{"does not delete", func() certmagic.Storage {
		return &broken{delete: func(*storagetest.Memory, context.Context, string) error { return nil }}
	}, []string{"Delete removes one key, for every node, and no error is no key"}},
	{"deletes by the beginning of a key", func() certmagic.Storage {
		return &broken{delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			for _, k := range m.Keys() {
				if strings.HasPrefix(k, key) {
					m.Delete(ctx, k)
				}
			}
			return nil
		}}
	}, []string{"Delete removes one key, for every node, and no error is no key", "many at once do not mix their values"}},
	{"fails to delete what is gone", func() certmagic.Storage {
		return &broken{delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			if !m.Exists(ctx, key) {
				return errors.New("404")
			}
			return m.Delete(ctx, key)
		}}
	}, []string{"Delete removes one key, for every node, and no error is no key"}},
	{"lists by the beginning of a key", func() certmagic.Storage {
		return &broken{list: func(m *storagetest.Memory, _ context.Context, prefix string, _ bool) ([]string, error) {
			return slices.DeleteFunc(m.Keys(), func(key string) bool { return !strings.HasPrefix(key, prefix) }), nil
		}}
	}, []string{"List goes by component and stays below its prefix"}},
	{"lists what it stored itself", func() certmagic.Storage { return newLister(storagetest.NewMemory()) },
		[]string{"List returns what another node stored"}},
	{"lists half while others write", func() certmagic.Storage {
		return &broken{list: func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			before := m.Keys()
			time.Sleep(100 * time.Microsecond)
			keys, err := m.List(ctx, prefix, recursive)
			if !slices.Equal(before, m.Keys()) {
				keys = keys[:len(keys)/2]
			}
			return keys, err
		}}
	}, []string{"F43 List returns all or fails while others write"}},
	{"mixes values", func() certmagic.Storage { return &broken{store: shared()} },
		[]string{"many at once do not mix their values", "a value is stored whole"}},
	{"stores by halves", func() certmagic.Storage { return &broken{store: torn} }, []string{"a value is stored whole"}},
}

// brokenClaims keep the contract, and break what storage.Claimer asks for.
var brokenClaims = []struct {
	name  string
	new   brokenClaim
	tests []string
}{
	{"has no name for its claim", brokenClaim{kind: func() string { return "" }, claim: locked(moved)},
		[]string{"ClaimKind is allowed and constant"}},
	{"calls its claim another each time", brokenClaim{kind: func() string { return time.Now().Format(time.RFC3339Nano) }, claim: locked(moved)},
		[]string{"ClaimKind is allowed and constant"}},
	{"looks and then moves", brokenClaim{claim: func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		value, err := m.Load(ctx, from)
		time.Sleep(10 * time.Microsecond)
		if err != nil || m.Exists(ctx, to) {
			return false, absent(err)
		}
		time.Sleep(10 * time.Microsecond)
		return true, errors.Join(m.Store(ctx, to, value), m.Delete(ctx, from))
	}}, []string{"F24 of many callers of Claim one wins"}},
	{"copies", brokenClaim{claim: locked(func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		value, err := m.Load(ctx, from)
		if err != nil || m.Exists(ctx, to) {
			return false, absent(err)
		}
		return true, m.Store(ctx, to, value)
	})}, []string{"Claim moves the value"}},
	{"claims what is absent", brokenClaim{claim: locked(func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		if m.Exists(ctx, to) {
			return false, nil
		}
		value, _ := m.Load(ctx, from)
		return true, errors.Join(m.Store(ctx, to, append(value, 0)[:len(value)]), m.Delete(ctx, from))
	})}, []string{"Claim of what is absent is not won, and no error"}},
	{"fails where there is nothing to claim", brokenClaim{claim: locked(func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		if !m.Exists(ctx, from) {
			return false, errors.New("no such key")
		}
		return move(ctx, m, from, to)
	})}, []string{"Claim of what is absent is not won, and no error", "F24 of many callers of Claim one wins"}},
	{"overwrites", brokenClaim{claim: locked(func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		value, err := m.Load(ctx, from)
		if err != nil {
			return false, absent(err)
		}
		return true, errors.Join(m.Store(ctx, to, value), m.Delete(ctx, from))
	})}, []string{"Claim of a key that exists is not won, and no error"}},
}

package storagetest_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// opener returns the nth connection to a storage, the first being 0.
type opener func(n int) *broken

// opened is a storage of which each node has a connection of its own.
type opened struct {
	*broken
	open func() *broken
}

func newOpened(open opener) opened {
	var connections atomic.Int64
	next := func() *broken { return open(int(connections.Add(1)) - 1) }
	return opened{next(), next}
}

func (o opened) Again() certmagic.Storage { return opened{o.open(), o.open} }

// claimed is such a storage with a claim of its own, which is as broken as what
// it is made of.
type claimed struct {
	opened
	mu *sync.Mutex
}

func newClaimed(open opener) certmagic.Storage { return claimed{newOpened(open), new(sync.Mutex)} }

func (c claimed) Again() certmagic.Storage { return claimed{opened{c.open(), c.open}, c.mu} }

func (claimed) ClaimKind() string { return "broken/v1" }

func (c claimed) Claim(ctx context.Context, from, to string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return move(ctx, c.opened, from, to)
}

// claimingOnce has a claim of its own that no other connection has.
type claimingOnce struct{ opened }

func (claimingOnce) ClaimKind() string { return "broken/v1" }

func (c claimingOnce) Claim(ctx context.Context, from, to string) (bool, error) {
	return move(ctx, c.opened, from, to)
}

// codesIn returns a storage that breaks its promise only for codes: none of its
// connections differs from another.
func codesIn(b broken) func() certmagic.Storage {
	return func() certmagic.Storage {
		b := b
		b.Memory = storagetest.NewMemory()
		return newClaimed(func(int) *broken { return &b })
	}
}

func gone(key string) error { return &fs.PathError{Op: "load", Path: key, Err: fs.ErrNotExist} }

func isRecord(key string) bool { return isOf("codes", key) }
func isMark(key string) bool   { return isOf("used", key) }

// isOf reports whether a key is one of a code, and in that folder. The contract
// is tried with other keys.
func isOf(folder, key string) bool {
	parts := strings.Split(key, "/")
	return len(parts) == 5 && parts[2] == folder && len(parts[4]) == 64
}

// markOf returns where the used-mark of a record is.
func markOf(record string) string { return strings.Replace(record, "/codes/", "/used/", 1) }

// minute returns the minute whose folder a key is in.
func minute(key string) int {
	raw, err := hex.DecodeString(path.Base(path.Dir(key)))
	if err != nil || len(raw) != 4 {
		return 0
	}
	return int(binary.BigEndian.Uint32(raw))
}

// drop deletes the keys that match.
func drop(ctx context.Context, m *storagetest.Memory, match func(key string) bool) (err error) {
	for _, key := range m.Keys() {
		if match(key) && err == nil {
			err = m.Delete(ctx, key)
		}
	}
	return err
}

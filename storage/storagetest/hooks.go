// Package storagetest helps to test what is built on certmagic.Storage: a
// storage in memory, hooks that make any call of any storage fail, hang or
// panic, and a suite that tells whether a storage can carry single-use codes.
package storagetest

import (
	"context"
	"sync"

	"github.com/caddyserver/certmagic"
)

// Op names an operation of certmagic.Storage.
type Op string

// The operations of certmagic.Storage.
const (
	OpStore  Op = "store"
	OpLoad   Op = "load"
	OpDelete Op = "delete"
	OpExists Op = "exists"
	OpList   Op = "list"
	OpStat   Op = "stat"
	OpLock   Op = "lock"
	OpUnlock Op = "unlock"
)

// Call is one call of a storage.
type Call struct {
	Op  Op
	Key string // key, prefix or lock name
	N   int    // counts all calls from 1, in the order in which they began
}

// Hook is told of a call and can make it fail by an error, take long by
// blocking, or panic. The context is the call's own.
type Hook func(ctx context.Context, call Call) error

// Hooks are called around every operation of a storage. Safe for concurrent
// use; a hook must be, too.
type Hooks struct {
	mu     sync.Mutex // guards everything below
	before Hook
	after  Hook
	end    func(Call)
	calls  []Call
}

// Before sets a hook that runs before each call has an effect: its error fails
// the call and the storage is not touched. nil removes the hook.
func (h *Hooks) Before(hook Hook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before = hook
}

// After sets a hook that runs when a call has had its effect and succeeded:
// its error makes the call fail nevertheless. nil removes the hook.
func (h *Hooks) After(hook Hook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.after = hook
}

// End sets what is told of each call once it is over, however it ended. nil
// removes it.
func (h *Hooks) End(told func(Call)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end = told
}

// Count returns how many calls of these operations there were, of all where
// none is named.
func (h *Hooks) Count(ops ...Op) int {
	n := 0
	for _, call := range h.Calls() {
		if len(ops) == 0 {
			n++
		}
		for _, op := range ops {
			if call.Op == op {
				n++
			}
		}
	}
	return n
}

// Calls returns the calls there were since the last Reset.
func (h *Hooks) Calls() []Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Call(nil), h.calls...)
}

// Reset removes the hooks and starts counting anew.
func (h *Hooks) Reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before, h.after, h.end, h.calls = nil, nil, nil, nil
}

func (h *Hooks) around(ctx context.Context, op Op, key string, effect func() error) error {
	before, after, end, call := h.begin(op, key)
	if end != nil {
		defer end(call)
	}
	if before != nil {
		if err := before(ctx, call); err != nil {
			return err
		}
	}
	if err := effect(); err != nil {
		return err
	}
	if after != nil {
		return after(ctx, call)
	}
	return nil
}

func (h *Hooks) begin(op Op, key string) (before, after Hook, end func(Call), call Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	call = Call{Op: op, Key: key, N: len(h.calls) + 1}
	h.calls = append(h.calls, call)
	return h.before, h.after, h.end, call
}

// Hooked is any storage with hooks around it. What the storage implements
// beyond certmagic.Storage is hidden.
type Hooked struct {
	Hooks
	storage certmagic.Storage
}

// Wrap returns the storage with hooks around it.
func Wrap(storage certmagic.Storage) *Hooked { return &Hooked{storage: storage} }

// Store implements certmagic.Storage.
func (h *Hooked) Store(ctx context.Context, key string, value []byte) error {
	return h.around(ctx, OpStore, key, func() error { return h.storage.Store(ctx, key, value) })
}

// Load implements certmagic.Storage.
func (h *Hooked) Load(ctx context.Context, key string) (value []byte, err error) {
	err = h.around(ctx, OpLoad, key, func() error {
		value, err = h.storage.Load(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Delete implements certmagic.Storage.
func (h *Hooked) Delete(ctx context.Context, key string) error {
	return h.around(ctx, OpDelete, key, func() error { return h.storage.Delete(ctx, key) })
}

// Exists implements certmagic.Storage.
func (h *Hooked) Exists(ctx context.Context, key string) (exists bool) {
	_ = h.around(ctx, OpExists, key, func() error {
		exists = h.storage.Exists(ctx, key)
		return nil
	})
	return exists
}

// List implements certmagic.Storage.
func (h *Hooked) List(ctx context.Context, prefix string, recursive bool) (keys []string, err error) {
	err = h.around(ctx, OpList, prefix, func() error {
		keys, err = h.storage.List(ctx, prefix, recursive)
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// Stat implements certmagic.Storage.
func (h *Hooked) Stat(ctx context.Context, key string) (info certmagic.KeyInfo, err error) {
	err = h.around(ctx, OpStat, key, func() error {
		info, err = h.storage.Stat(ctx, key)
		return err
	})
	return info, err
}

// Lock implements certmagic.Locker.
func (h *Hooked) Lock(ctx context.Context, name string) error {
	return h.around(ctx, OpLock, name, func() error { return h.storage.Lock(ctx, name) })
}

// Unlock implements certmagic.Locker.
func (h *Hooked) Unlock(ctx context.Context, name string) error {
	return h.around(ctx, OpUnlock, name, func() error { return h.storage.Unlock(ctx, name) })
}

var _ certmagic.Storage = (*Hooked)(nil)

package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
)

const (
	readTimeout = 10 * time.Second // of one reading of the storage
	pathTimeout = 2 * time.Second  // that a request waits for one
	listTries   = 3                // after a listing that something went away from
)

// errHalf: a listing ended in the middle. Joined with the cause.
var errHalf = errors.New("the storage listed a part only")

// errDisappeared: keys were there, and nothing is now.
var errDisappeared = errors.New("every signing key has disappeared from storage: restore them from a backup, " +
	"or begin with new ones by: caddy oidc-token rotate-key --drop-old")

// errNoneOpens: there are keys, and this config opens none of them.
var errNoneOpens = errors.New("no signing key in storage opens")

// errClosed: the keys are another config's now.
var errClosed = errors.New("the config was replaced")

// reading is one reading of the storage and those who wait for it.
type reading struct {
	done  chan struct{}
	found *snapshot
	err   error
}

// refresh returns what a reading found that began after the call did. There is
// one reading at a time and at most one more to come, which all callers in the
// meantime share: a storage that hangs holds the goroutine that reads and those
// of at most maxCalls calls, not one a request.
func (a *Automatic) refresh(ctx context.Context) (*snapshot, error) {
	a.mu.Lock()
	r := a.next
	if r == nil {
		r = &reading{done: make(chan struct{})}
		if a.busy {
			a.next = r
		} else {
			a.busy = true
			go a.readings(r)
		}
	}
	a.mu.Unlock()
	select {
	case <-r.done:
		return r.found, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("reading signing keys: %w", context.Cause(ctx))
	}
}

// readings does r and what came to be asked for meanwhile.
func (a *Automatic) readings(r *reading) {
	for r != nil {
		r.found, r.err = bounded.Do(context.Background(), a.calls, readTimeout, a.read)
		if r.err == nil {
			r.err = a.adopt(r.found)
		}
		if r.err != nil {
			a.failed(r.err)
		}
		close(r.done)
		a.mu.Lock()
		r, a.next = a.next, nil
		a.busy = r != nil
		a.mu.Unlock()
	}
}

func (a *Automatic) failed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failedAt, a.lastErr = a.now(), err
}

// explain keeps err as the reason why there are no keys.
func (a *Automatic) explain(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastErr = err
}

// failure returns the last failed reading and whether it was just now.
func (a *Automatic) failure(now time.Time) (err error, recent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	since := now.Sub(a.failedAt)
	return a.lastErr, !a.failedAt.IsZero() && since >= 0 && since < time.Second
}

// read reads the storage once. What this Automatic read before is not read
// again: records never change. Only what was read back is ever used, also of
// what this process stored itself.
func (a *Automatic) read(ctx context.Context) (*snapshot, error) {
	if a.closed.Load() { // since the reading was asked for
		return nil, errClosed
	}
	before := a.current.Load()
	found := &snapshot{began: a.now(), number: a.known.number(), unopened: map[string]error{}}
	keys, err := a.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing signing keys: %w", err)
	}
	for _, key := range keys {
		r := before.find(key)
		if r == nil || before.takenOver {
			r, err = a.load(ctx, key, before)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted since it was listed
		case errors.Is(err, errRecord):
			found.unopened[key] = err
		case err != nil:
			return nil, fmt.Errorf("loading a signing key: %w", err)
		default:
			found.records = append(found.records, r)
		}
		err = nil
	}
	return found, nil
}

// adopt makes found the current set. Apart from read, since a reading that was
// given up may still end, and would replace a later one.
func (a *Automatic) adopt(found *snapshot) error {
	switch {
	case len(found.records) > 0:
		a.current.Store(found)
		a.remember(found)
	case a.current.Load() != nil && len(found.unopened) > 0:
		// What was held goes on, Run says what does not open, and requests do not
		// ask the storage for it over and over.
		a.failed(errNoneOpens)
	case a.current.Load() != nil:
		// Keys are deleted only when others are there. A new identity because a
		// storage was emptied or answers nonsense would be worse than the old one.
		return errDisappeared
	}
	return nil
}

// remember lets the next config of this process begin with what was found.
func (a *Automatic) remember(found *snapshot) {
	if a.certain {
		a.known.keep(a.place, found, a.opens)
	} else {
		a.known.add(a.place, found.number)
	}
}

// list returns the places of keys. Some storages list nothing without, others
// fail with recursion, so a second look decides only where the first is empty.
func (a *Automatic) list(ctx context.Context) ([]string, error) {
	keys, err := a.look(ctx, false)
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	keys, err = a.look(ctx, true)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && !errors.Is(err, errHalf) {
		return nil, nil
	}
	return keys, err
}

// look lists again where something is said not to exist: FileStorage walks its
// folder, and ends in the middle, with fs.ErrNotExist and half a list, when a
// file goes that it has just read the name of. Temporary files do. Were half a
// list believed, this process would not publish what another signs with, or
// would make a second set of first keys.
func (a *Automatic) look(ctx context.Context, recursive bool) ([]string, error) {
	listed, err := a.storage.List(ctx, a.vault.prefix, recursive)
	for tries := 0; tries < listTries && errors.Is(err, fs.ErrNotExist); tries++ {
		listed, err = a.storage.List(ctx, a.vault.prefix, recursive)
	}
	switch {
	case err == nil:
		return a.places(listed), nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case len(listed) > 0:
		return nil, fmt.Errorf("%w: %w", errHalf, err)
	}
	return nil, nil // the folder does not exist
}

func (a *Automatic) places(listed []string) []string {
	keys := slices.DeleteFunc(slices.Clone(listed), func(key string) bool { return !a.vault.wellFormed(key) })
	slices.Sort(keys)
	return slices.Compact(keys)
}

// load: a key that was held before a reload has been held since then.
func (a *Automatic) load(ctx context.Context, storageKey string, before *snapshot) (*record, error) {
	data, err := a.storage.Load(ctx, storageKey)
	if err != nil {
		return nil, err
	}
	r, err := a.vault.open(storageKey, data)
	if err != nil {
		return nil, err
	}
	r.seenAt = a.now()
	held := before.find(storageKey)
	switch {
	case held != nil:
		r.seenAt = held.seenAt
	case before == nil && !r.young(r.seenAt):
		r.seenAt = r.createdAt // settled long before this process began
	}
	return r, nil
}

// recovered turns a panic, most likely the storage's, into an error: in a
// goroutine of our own it would end the server.
func (a *Automatic) recovered(err *error) {
	if r := recover(); r != nil {
		a.logger.Error("panic while looking after the signing keys", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		*err = fmt.Errorf("panicked: %v", r)
	}
}

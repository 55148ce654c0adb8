package keys

import (
	"context"
	"errors"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/place"
)

const (
	lockTimeout   = 10 * time.Second
	unlockTimeout = 5 * time.Second
)

// lock keeps nodes from making the same key twice, where the storage's lock
// works. Nothing else rests on it: some storages' locks are none. The wait is
// bounded here because some ignore their context, and the context lives until
// unlock because some end the lock with it. One that never comes is not asked
// for again: each round would leave one more call behind.
func (a *Automatic) lock(ctx context.Context) (unlock func(), err error) {
	if !a.locking.CompareAndSwap(false, true) {
		return nil, errors.New("the storage has not answered an earlier call for its lock")
	}
	lockCtx, cancel := context.WithCancel(ctx)
	locked := make(chan error, 1)
	go func() { locked <- a.tryLock(lockCtx) }()
	timer := time.NewTimer(lockTimeout)
	defer timer.Stop()
	select {
	case err = <-locked:
		if err != nil {
			cancel()
			a.locking.Store(false)
			return nil, err
		}
		return func() { a.unlock(ctx); cancel() }, nil
	case <-timer.C:
		err = errors.New("the storage's lock was not to be had in time")
	case <-ctx.Done():
		err = ctx.Err()
	}
	cancel()
	go func() {
		if <-locked == nil {
			a.tryUnlock(ctx)
		}
		a.locking.Store(false)
	}()
	return nil, err
}

func (a *Automatic) tryLock(ctx context.Context) (err error) {
	defer a.recovered(&err)
	return a.storage.Lock(ctx, a.lockName())
}

// unlock waits for the lock's release for a while: a storage may never answer.
func (a *Automatic) unlock(ctx context.Context) {
	released := make(chan struct{})
	go func() {
		defer close(released)
		a.tryUnlock(ctx)
		a.locking.Store(false)
	}()
	timer := time.NewTimer(unlockTimeout)
	defer timer.Stop()
	select {
	case <-released:
	case <-timer.C:
		a.logger.Warn("releasing the lock on the signing keys takes long")
	}
}

// tryUnlock works also when ctx has ended: otherwise other nodes would wait for
// the lock to go stale.
func (a *Automatic) tryUnlock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	err := func() (err error) {
		defer a.recovered(&err)
		return a.storage.Unlock(ctx, a.lockName())
	}()
	if err != nil {
		a.logger.Warn("releasing the lock on the signing keys failed", "error", err)
	}
}

// lockName has only characters that no storage folds into others.
func (a *Automatic) lockName() string { return "oidc_token_keys_" + place.Hash(a.vault.issuer) }

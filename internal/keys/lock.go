package keys

import (
	"context"
	"errors"
	"time"
)

const (
	lockTimeout   = 10 * time.Second
	unlockTimeout = 5 * time.Second
)

// lock keeps nodes from making the same key twice, where the storage's lock
// works. Nothing else rests on it: some storages' locks are none. The wait is
// bounded here because some ignore their context, and the context lives until
// unlock because some end the lock with it.
func (a *Automatic) lock(ctx context.Context) (unlock func(), err error) {
	lockCtx, cancel := context.WithCancel(ctx)
	locked := make(chan error, 1)
	go func() { locked <- a.tryLock(lockCtx) }()
	timer := time.NewTimer(lockTimeout)
	defer timer.Stop()
	select {
	case err = <-locked:
		if err != nil {
			cancel()
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
			a.unlock(ctx)
		}
	}()
	return nil, err
}

func (a *Automatic) tryLock(ctx context.Context) (err error) {
	defer recovered(&err)
	return a.storage.Lock(ctx, a.lockName())
}

// unlock works also when ctx has ended: otherwise other nodes would wait for
// the lock to go stale.
func (a *Automatic) unlock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	err := func() (err error) {
		defer recovered(&err)
		return a.storage.Unlock(ctx, a.lockName())
	}()
	if err != nil {
		a.logger.Warn("releasing the lock on the signing keys failed", "error", err)
	}
}

// lockName has only characters that no storage folds into others.
func (a *Automatic) lockName() string { return "oidc_token_keys_" + a.vault.issuerHash }

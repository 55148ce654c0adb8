package keys

import (
	"context"
	"errors"
	"io/fs"
	"slices"
)

// reseal seals records anew that an older encryption key sealed, so that it can
// be taken out of the config. A key that is being dropped must not be written
// back, which the lock sees to among nodes, and known within the process.
func (a *Automatic) reseal(ctx context.Context, current *snapshot) {
	pending := func(r *record) bool { return r.stale && !a.resealed[r.storageKey] }
	if !slices.ContainsFunc(current.records, pending) {
		return
	}
	unlock, err := a.lock(ctx)
	if err != nil {
		a.logger.Warn("sealing signing keys under the new encryption key has to wait", "error", err)
		return
	}
	defer unlock()
	if !a.known.beginResealing(a.writesAt()) {
		return
	}
	defer a.known.endStoring(a.writesAt())
	found, err := a.refresh(ctx)
	if err != nil {
		return
	}
	for _, r := range found.records {
		if !pending(r) {
			continue
		}
		if err := a.store(ctx, r); err != nil {
			a.logger.Warn("sealing a signing key under the new encryption key failed", "kid", r.key.ID, "error", err)
			return
		}
		a.resealed[r.storageKey] = true
		a.logger.Info("signing key sealed under the new encryption key", "kid", r.key.ID)
	}
}

// purge deletes keys that have long been out of use.
func (a *Automatic) purge(ctx context.Context, current *snapshot) {
	for _, r := range a.view(current, a.now()).purgeable {
		if err := a.delete(ctx, r.storageKey); err != nil {
			a.logger.Warn("deleting a retired signing key failed", "kid", r.key.ID, "error", err)
			continue
		}
		a.logger.Info("retired signing key deleted", "kid", r.key.ID, "alg", string(r.key.Algorithm))
	}
}

// delete: some storages answer that there was nothing to delete.
func (a *Automatic) delete(ctx context.Context, storageKey string) error {
	err := a.do(ctx, writeTimeout, func(ctx context.Context) error { return a.storage.Delete(ctx, storageKey) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

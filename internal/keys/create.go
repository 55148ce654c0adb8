package keys

import (
	"context"
	"fmt"
	"time"
)

// createDue makes the keys that are still due under the lock. Without it, first
// keys are made all the same (two sets of them become one) and a rotation
// waits, unless it has waited for a day.
func (a *Automatic) createDue(ctx context.Context) error {
	unlock, lockErr := a.lock(ctx)
	if lockErr == nil {
		defer unlock()
	}
	if ctx.Err() != nil { // that the lock was not to be had is no news then
		return context.Cause(ctx)
	}
	if lockErr != nil {
		a.logger.Warn("making signing keys without the storage's lock", "error", lockErr)
	}
	found, err := a.refresh(ctx)
	if err != nil {
		return err
	}
	due, _ := a.due(found)
	var made []*record
	for _, c := range due {
		if lockErr != nil && c.rotation && !c.overdue {
			continue
		}
		r, err := a.create(ctx, c)
		if err != nil {
			return err
		}
		made = append(made, r)
	}
	return a.confirm(ctx, made)
}

// create makes a key and stores it. It is in use only once it has been read
// back.
func (a *Automatic) create(ctx context.Context, c creation) (*record, error) {
	signer, err := a.generate(c.alg)
	if err != nil {
		return nil, fmt.Errorf("generating a %s key: %w", c.alg, err)
	}
	createdAt := a.now().UTC().Round(0)
	r, err := a.vault.newRecord(c.alg, signer, createdAt, c.signsAt(createdAt))
	if err != nil {
		return nil, err
	}
	if err := a.store(ctx, r); err != nil {
		return nil, fmt.Errorf("storing a %s key: %w", c.alg, err)
	}
	a.storedAt = createdAt
	attrs := []any{"kid", r.key.ID, "alg", string(c.alg), "signs_at", r.signsAt}
	if c.alg == a.schedule.defaultAlgorithm && c.delay == settle {
		attrs = append(attrs, "default_from", createdAt.Add(a.schedule.lead))
	}
	a.logger.Info("signing key made", attrs...)
	return r, nil
}

// confirm reads the storage and looks for what was made.
func (a *Automatic) confirm(ctx context.Context, made []*record) error {
	if len(made) == 0 {
		return nil
	}
	found, err := a.refresh(ctx)
	if err != nil {
		return err
	}
	for _, r := range made {
		if found.find(r.storageKey) == nil {
			return fmt.Errorf("the storage does not list the signing key %s that it stored", r.key.ID)
		}
	}
	a.storedAt = time.Time{}
	return nil
}

func (a *Automatic) store(ctx context.Context, r *record) error {
	data, err := a.vault.encode(r)
	if err != nil {
		return err
	}
	return a.do(ctx, writeTimeout, func(ctx context.Context) error {
		a.known.beginStoring(a.writesAt())
		defer a.known.endStoring(a.writesAt())
		return a.storage.Store(ctx, r.storageKey, data)
	})
}

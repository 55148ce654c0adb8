package keys

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
)

// Rotate makes a new key for every algorithm now; it signs 10 s later, when
// every node publishes it. dropOld withdraws the old ones, and the new sign, at
// once: on this node now and on others when they next read the storage (after
// 35 s at most). It is the way out where the old no longer open: tokens they
// signed no longer verify.
func (a *Automatic) Rotate(ctx context.Context, dropOld bool) (states []State, err error) {
	defer a.recovered(&err)
	if err := a.beginWriting(ctx); err != nil {
		return nil, err
	}
	defer a.endWriting()
	unlock, lockErr := a.lock(ctx)
	if lockErr == nil {
		defer unlock()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if lockErr != nil {
		a.logger.Warn("rotating the signing keys without the storage's lock", "error", lockErr)
	}
	if dropOld {
		if !a.known.beginDropping(a.writesAt()) {
			return nil, errStoring
		}
		defer a.known.endDropping(a.writesAt())
	}
	made, err := a.replace(ctx, dropOld)
	if err != nil {
		return nil, err
	}
	if dropOld {
		err := a.dropOthers(ctx, made)
		a.known.drop(a.place) // also of readings that began before a key was gone
		if err != nil {
			return nil, err
		}
	}
	if err := a.confirm(ctx, made); err != nil {
		return nil, err
	}
	return a.States(), nil
}

// replace makes a key for every algorithm.
func (a *Automatic) replace(ctx context.Context, dropOld bool) (made []*record, err error) {
	delay := time.Duration(0)
	if !dropOld {
		found, err := a.refresh(ctx)
		if err != nil {
			return nil, err
		}
		if len(found.unopened) > 0 {
			return nil, fmt.Errorf("%d signing keys in storage do not open: %s", len(found.unopened), found.remedies())
		}
		exist := len(found.records) > 0
		if !exist {
			if exist, err = a.disappeared(found); err != nil {
				return nil, err
			}
		}
		if exist {
			delay = settle
		}
	}
	for _, alg := range a.algorithms {
		r, err := a.create(ctx, creation{alg: alg, delay: delay})
		if err != nil {
			return nil, err
		}
		made = append(made, r)
	}
	return made, nil
}

// dropOthers deletes every key that is not among kept and looks whether it is
// gone. It lists the storage itself: a record that cannot even be loaded must
// go, too.
func (a *Automatic) dropOthers(ctx context.Context, kept []*record) error {
	old, err := bounded.Do(ctx, a.calls, readTimeout, a.list)
	if err != nil {
		return fmt.Errorf("listing signing keys: %w", err)
	}
	old = slices.DeleteFunc(old, func(key string) bool {
		return slices.ContainsFunc(kept, func(r *record) bool { return r.storageKey == key })
	})
	for _, key := range old {
		if err := a.delete(ctx, key); err != nil {
			return fmt.Errorf("deleting an old signing key, which stays published until it is gone: %w", err)
		}
		attrs := []any{"key", key}
		if r := a.current.Load().find(key); r != nil {
			attrs = append(attrs, "kid", r.key.ID, "alg", string(r.key.Algorithm))
		}
		a.logger.Warn("signing key dropped", attrs...)
	}
	left, err := bounded.Do(ctx, a.calls, readTimeout, a.list)
	if err != nil {
		return fmt.Errorf("listing signing keys: %w", err)
	}
	for _, key := range old {
		if slices.Contains(left, key) {
			return fmt.Errorf("the storage did not delete %s, which stays published until it is gone", key)
		}
	}
	return nil
}

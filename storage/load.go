package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
)

// Load finds and opens a code that is neither expired nor used. It changes
// nothing about the code; Redeem does. Errors: ErrUnknown (also for a code that is not
// WellFormed), ErrUsed, ErrExpired, ErrNotYetValid, ErrBoot, ErrClaimKind,
// ErrCorrupt, ErrUnavailable, ErrRefused.
func (c *Codes) Load(ctx context.Context, code string) (*Code, error) {
	return c.loadAmong(ctx, c.calls, code)
}

// LoadForStranger is Load where nobody has shown who they are, for a client
// without a secret: anybody can ask for codes that there are not, as fast as the
// storage looks for them. At most maxStrangers are under way and as many as
// maxWaiting wait; one more fails with ErrUnavailable. None takes a place from
// Load.
func (c *Codes) LoadForStranger(ctx context.Context, code string) (*Code, error) {
	return c.loadAmong(ctx, c.strangers, code)
}

func (c *Codes) loadAmong(ctx context.Context, calls *bounded.Calls, code string) (*Code, error) {
	id, ok := c.identify(code)
	if !ok {
		return nil, ErrUnknown
	}
	if c.used.has(id) {
		return nil, ErrUsed
	}
	if !c.probe.passed.Load() { // once
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.callLimit)
		defer cancel()
		if err := c.ready(ctx); err != nil {
			return nil, err
		}
	}
	sealed, err := callAmong(ctx, c, calls, "load", func(ctx context.Context) ([]byte, error) {
		return c.find(ctx, id)
	})
	if errors.Is(err, ErrUnknown) || errors.Is(err, ErrUsed) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("loading authorization code: %w: %w", ErrUnavailable, err)
	}
	return c.open(code, id, sealed)
}

// find loads the record of a code that was not used. It goes by Load alone:
// Exists cannot tell an absent key from a storage that fails.
//
// Where a claim is refused by a marker that stands, the marker is looked for
// only where there is no record: it then says whether the code was used.
func (c *Codes) find(ctx context.Context, id identity) ([]byte, error) {
	markerFirst := !c.backend.exclusive()
	if markerFirst {
		if err := c.unmarked(ctx, id); err != nil {
			return nil, err
		}
	}
	sealed, err := c.backend.load(ctx, id.record)
	if !errors.Is(err, fs.ErrNotExist) {
		return sealed, err
	}
	if !markerFirst {
		if err := c.unmarked(ctx, id); err != nil {
			return nil, err
		}
	}
	if c.used.has(id) { // claimed since we looked
		return nil, ErrUsed
	}
	return nil, ErrUnknown
}

// unmarked makes sure that there is no used-marker. Whatever the marker
// contains: that it is there says that the code was used. A claim makes it
// before it removes the record.
func (c *Codes) unmarked(ctx context.Context, id identity) error {
	_, err := c.backend.load(ctx, id.marker)
	switch {
	case err == nil:
		return ErrUsed
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

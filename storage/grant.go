package storage

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
)

// grantSecret is what is left of a code once it was redeemed: a one-way
// derivation of it. The storage keys of a code and the key its record is sealed
// under come from it and not from the code, so that the used-marker, which
// holds the record, can be found and opened by whoever was given tokens for the
// code, without keeping the code and without another write. Nobody redeems
// anything with it: a code cannot be had from it.
type grantSecret [32]byte

func deriveGrantSecret(code string) grantSecret {
	return grantSecret(derive(code, "oidc_token/grant-secret/v1", len(grantSecret{})))
}

// grantRef is written as a code is, base64url(expiry bucket ‖ grant secret). As
// a code it is unknown: its record would be where another derivation says.
func (id identity) grantRef() string {
	raw := binary.BigEndian.AppendUint32(make([]byte, 0, bucketSize+len(id.grant)), id.bucket)
	return base64.RawURLEncoding.EncodeToString(append(raw, id.grant[:]...))
}

func (c *Codes) identifyGrant(ref string) (identity, bool) {
	raw, ok := decodeCode(ref)
	if !ok {
		return identity{}, false
	}
	return c.locate(binary.BigEndian.Uint32(raw), grantSecret(raw[bucketSize:])), true
}

// Grant returns the record of a code that was redeemed, by its GrantRef. It
// writes nothing and does not ask whether the code has expired: that of the
// tokens it yielded says how long it counts. The record is there for Retention
// after the code's expiry, at least. Errors: ErrUnknown (also for a code that
// was not redeemed, and for a ref of another shape), ErrCorrupt, ErrUnavailable.
//
// Unlike Load it takes a record of another kind of claim and of an earlier
// start of the operating system. Either could let a code be claimed twice;
// nothing is claimed here, and what opens under the grant's secret was sealed
// for it, whatever came between.
func (c *Codes) Grant(ctx context.Context, ref string) (*Record, error) {
	id, ok := c.identifyGrant(ref)
	if !ok {
		return nil, ErrUnknown
	}
	marker, err := callAmong(ctx, c, c.grants, "load", func(ctx context.Context) ([]byte, error) {
		return c.backend.load(ctx, id.marker)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("loading grant: %w: %w", ErrUnavailable, err)
	}
	r, err := c.unseal(id, withoutMark(marker))
	if err != nil {
		return nil, fmt.Errorf("opening grant: %w", err)
	}
	return &r.Record, nil
}

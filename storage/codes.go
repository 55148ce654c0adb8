// Package storage keeps authorization codes in any certmagic.Storage and
// redeems each at most once, whatever fails.
package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
	"github.com/authentiq/caddy-oidc-token/internal/place"
	"github.com/authentiq/caddy-oidc-token/internal/seal"
)

// Errors of Codes. Compare with errors.Is.
var (
	ErrUnknown     = errors.New("authorization code is not known")
	ErrUsed        = errors.New("authorization code was used before")             // a replay
	ErrLost        = errors.New("authorization code is being redeemed elsewhere") // a race lost
	ErrExpired     = errors.New("authorization code has expired")
	ErrNotYetValid = errors.New("authorization code was issued more than 60 seconds in the future")
	ErrBoot        = errors.New("authorization code was issued before the operating system's last start")
	ErrClaimKind   = errors.New("authorization code was issued for another kind of claim")
	ErrCorrupt     = errors.New("authorization code record does not open")   // joined with the cause
	ErrUnavailable = errors.New("storage did not answer")                    // nothing was changed: 503
	ErrUncertain   = errors.New("storage failed while the code was claimed") // the code counts as spent: 500
	ErrRefused     = errors.New("storage cannot carry single-use codes")     // the probe found a wrong answer
	ErrLate        = errors.New("the record may be stored yet")              // joined with ErrUnavailable
)

const (
	// skew is how far the clocks of several nodes may differ.
	skew = 60 * time.Second
	// callLimit is how long one phase of work may wait for the storage: it may
	// ignore its context or never answer.
	callLimit = 5 * time.Second
	// claimLimit is how long a claim may have taken, all told, for its winner
	// to answer with tokens: a process that was paused in the middle gives up.
	claimLimit = 10 * time.Second
	// maxInFlight is how many calls may be under way at once; one that hangs
	// counts until it returns. Past it requests are refused at once, so that a
	// storage that hangs cannot take the memory of the other sites.
	maxInFlight = 256
	// maxStrangers is how many of LoadForStranger's may be, beside those, and
	// maxGrants how many of Grant's: fewer, so that whoever has no secret, or no
	// more than a token, does not make a storage slow for all the others.
	maxStrangers = 32
	maxGrants    = 32
	// As many again as there are places elsewhere wait for one of these, for a
	// moment: when many sign in at once, it is not a flood.
	maxWaiting = 256
	waitLimit  = time.Second
)

// Options of New.
type Options struct {
	Storage certmagic.Storage // Required.
	Issuer  string            // Required: the issuer identifier.
	// EncryptionKeys seal records beside what comes of the code; 32 bytes each,
	// the first seals. None: records are sealed under that alone.
	EncryptionKeys [][]byte
	// Retention is how long a used code is remembered beyond its expiry, and its
	// Grant found, at least: the access token lifetime. 0: it is forgotten once it
	// has expired.
	Retention time.Duration
	Now       func() time.Time // nil: time.Now
	Logger    *slog.Logger     // nil: discard. Only for background work (sweeping).
	// Used is the set of codes that this process has claimed, one for all its
	// Codes. nil: that of this package, which outlives a config reload.
	Used *UsedSet
	// Observe, when set, is told of every storage operation that failed and of
	// swept records; for metrics. May be called concurrently.
	Observe func(Event)
}

// Event is something Options.Observe is told.
type Event struct {
	Operation string // "load", "store", "claim", "delete", "list", "probe"; "swept" with Count
	Err       error
	Count     int
}

// Codes stores and redeems one issuer's authorization codes. Safe for
// concurrent use.
type Codes struct {
	issuer    string
	prefix    string // storage prefix of the issuer
	ring      *seal.Ring
	retention time.Duration
	now       func() time.Time
	logger    *slog.Logger
	used      *UsedSet
	observe   func(Event)
	backend   backend
	probe     probe
	proven    *proven // what this process has examined
	name      string  // of the storage there; empty: not there
	calls     *bounded.Calls
	strangers *bounded.Calls
	grants    *bounded.Calls
	sweeps    *bounded.Calls
	callLimit time.Duration
}

// New returns the codes of one issuer. It does no storage I/O.
func New(o Options) (*Codes, error) {
	if o.Storage == nil {
		return nil, errors.New("authorization codes need a storage")
	}
	if o.Issuer == "" {
		return nil, errors.New("authorization codes need an issuer")
	}
	if o.Retention < 0 {
		return nil, errors.New("retention of used authorization codes is negative")
	}
	ring, err := seal.NewRing(o.EncryptionKeys...)
	if err != nil {
		return nil, err
	}
	c := &Codes{
		issuer:    o.Issuer,
		prefix:    place.Prefix(o.Issuer),
		ring:      ring,
		retention: o.Retention,
		now:       o.Now,
		logger:    o.Logger,
		used:      o.Used,
		observe:   o.Observe,
		calls:     bounded.NewCalls(maxInFlight, bounded.UntilAbandoned),
		strangers: bounded.NewCalls(maxStrangers, bounded.UntilAbandoned).Queueing(maxWaiting, waitLimit),
		grants:    bounded.NewCalls(maxGrants, bounded.UntilAbandoned).Queueing(maxWaiting, waitLimit),
		sweeps:    bounded.NewCalls(maxSweeps, bounded.UntilAbandoned),
		callLimit: callLimit,
		proven:    processProven,
	}
	c.setDefaults()
	c.backend, err = newBackend(o.Storage, c.failed)
	if err != nil {
		return nil, err
	}
	c.name = provenName(o.Storage, c.backend)
	return c, nil
}

func (c *Codes) setDefaults() {
	if c.now == nil {
		c.now = time.Now
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if c.used == nil {
		c.used = processUsed
	}
	if c.observe == nil {
		c.observe = func(Event) {}
	}
}

// Store seals r under a new random code and stores it. Errors: ErrUnavailable,
// with ErrLate where the record may be stored yet; ErrRefused; any other is a
// record that cannot be stored.
func (c *Codes) Store(ctx context.Context, r *Record) (code string, err error) {
	if err := c.storable(r); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, c.callLimit)
	defer cancel()
	if err := c.ready(ctx); err != nil {
		return "", err
	}
	code = newCode(bucketOf(r.ExpiresAt))
	id, _ := c.identify(code)
	sealed, err := c.seal(id, r)
	if err != nil {
		return "", err
	}
	c.used.note(c.prefix, id.bucket)
	began := time.Now()
	_, err = call(ctx, c, "store", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.backend.store(ctx, id.record, sealed)
	})
	if _, silent := errors.AsType[*bounded.NoAnswer](err); silent && !errors.Is(err, bounded.ErrBusy) {
		err = fmt.Errorf("%w: %w", ErrLate, err)
	}
	if err == nil && !c.backend.exclusive() {
		if slow := inTime("storing the record", began); slow != nil {
			err = fmt.Errorf("%w: %w", ErrLate, slow)
		}
	}
	if err != nil {
		return "", fmt.Errorf("storing authorization code: %w: %w", ErrUnavailable, err)
	}
	return code, nil
}

func (c *Codes) storable(r *Record) error {
	if r == nil {
		return errors.New("storing authorization code: no record")
	}
	if r.Issuer != c.issuer {
		return errors.New("storing authorization code: the record is another issuer's")
	}
	if r.IssuedAt.IsZero() || !r.ExpiresAt.After(r.IssuedAt) {
		return errors.New("storing authorization code: it expires before it was issued")
	}
	if !c.now().Before(r.ExpiresAt) {
		return errors.New("storing authorization code: it has expired already")
	}
	return nil
}

// failed tells of a storage operation that failed.
func (c *Codes) failed(operation string, err error) {
	c.observe(Event{Operation: operation, Err: err})
}

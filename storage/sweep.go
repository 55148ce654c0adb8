package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
)

const (
	// sweepDelay is how long after a bucket's end it is swept: clocks may
	// differ, and a claim that began in time may still be under way.
	sweepDelay = skew + 6*claimLimit
	// sweepInterval is the width of a bucket: each tick finds one more closed.
	sweepInterval = bucketWidth
	// sweepLimit is how long one sweep may take; a storage may never answer.
	sweepLimit = 10 * time.Minute
	// maxSweeps bounds how many sweeps that hang are left behind.
	maxSweeps = 2
	// maxSweepErrors is how many buckets may fail before a sweep gives up.
	maxSweepErrors = 10
	// After sliceSize removals a sweep pauses, to leave the storage to others.
	sliceSize  = 1000
	slicePause = 20 * time.Millisecond
)

// Run sweeps expired records until ctx is done. The first time comes late: a
// config may be loaded only to be validated.
func (c *Codes) Run(ctx context.Context) {
	wait := sweepInterval/2 + rand.N(sweepInterval/2)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = sweepInterval
		c.tick(ctx)
	}
}

func (c *Codes) tick(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			c.logger.ErrorContext(ctx, "sweeping authorization codes panicked", "issuer", c.issuer, "panic", fmt.Sprint(p))
		}
	}()
	c.used.purge(c.now())
	n, err := c.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		c.logger.WarnContext(ctx, "sweeping authorization codes", "issuer", c.issuer, "swept", n, "error", err)
		return
	}
	c.logger.DebugContext(ctx, "swept authorization codes", "issuer", c.issuer, "swept", n)
}

// Sweep removes what expired long enough ago and returns how many records. It
// touches nothing that has not the exact shape of a key of ours.
func (c *Codes) Sweep(ctx context.Context) (int, error) {
	b := &broom{
		prefix:  c.prefix,
		records: c.now().Add(-sweepDelay),
		markers: c.now().Add(-sweepDelay - c.retention),
		used:    c.used,
	}
	_, err := bounded.Do(ctx, c.sweeps, sweepLimit, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.backend.sweep(ctx, b)
	})
	n := int(b.swept.Load())
	if n > 0 {
		c.observe(Event{Operation: "swept", Count: n})
	}
	if _, silent := errors.AsType[*bounded.NoAnswer](err); silent && ctx.Err() == nil {
		c.failed("list", err) // or what comes after it: nobody below has told
	}
	if err != nil {
		return n, fmt.Errorf("sweeping authorization codes: %w", err)
	}
	return n, nil
}

// broom is one sweep.
type broom struct {
	prefix  string
	records time.Time // buckets that ended by then lose their records
	markers time.Time // and their used-markers
	used    *UsedSet
	swept   atomic.Int64
}

func (b *broom) recordsDue(bucket uint32) bool { return !bucketEnd(bucket).After(b.records) }
func (b *broom) markersDue(bucket uint32) bool { return !bucketEnd(bucket).After(b.markers) }

// removed counts a removal, and pauses after a slice of them.
func (b *broom) removed(ctx context.Context) error {
	if b.swept.Add(1)%sliceSize != 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(slicePause):
		return nil
	}
}

// sweepBuckets sweeps the records of closed buckets and then the used-markers
// of those that have no record left: a marker outlives its record always. An
// error in one bucket leaves the others to be swept.
func (b *broom) sweepBuckets(ctx context.Context, records, markers []uint32, sweep func(dir string) error) error {
	kept := make(map[uint32]bool) // what could not be swept
	var errs []error
	each := func(dir string, buckets []uint32, due func(uint32) bool) {
		for _, bucket := range buckets {
			if !due(bucket) || kept[bucket] || len(errs) >= maxSweepErrors || ctx.Err() != nil {
				continue
			}
			if err := sweep(b.prefix + "/" + dir + "/" + bucketName(bucket)); err != nil {
				kept[bucket] = true
				errs = append(errs, err)
			}
		}
	}
	each(recordsDir, records, b.recordsDue)
	each(markersDir, markers, b.markersDue)
	if ctx.Err() != nil || len(errs) >= maxSweepErrors {
		return errors.Join(append(errs, ctx.Err())...)
	}
	for _, bucket := range b.used.noted(b.prefix) {
		if b.markersDue(bucket) && !kept[bucket] {
			b.used.forget(b.prefix, bucket)
		}
	}
	return errors.Join(errs...)
}

package storage

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Redeem claims a loaded code: of any number of callers anywhere, at most one
// gets nil. Errors: ErrUsed, ErrLost, ErrExpired (if it expired during the
// claim it is spent), ErrUnavailable (nothing changed), ErrUncertain (spent).
//
// A request that goes away does not end a claim that has begun: what became of
// it would not be known.
func (c *Codes) Redeem(ctx context.Context, code *Code) error {
	if code == nil || code.codes != c {
		return errors.New("redeeming an authorization code that was not loaded here")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("redeeming authorization code: %w: %w", ErrUnavailable, err)
	}
	if !c.now().Before(code.expiresAt) {
		return ErrExpired
	}
	if !c.used.add(code.id, c.now()) {
		return ErrUsed
	}
	began := time.Now()
	result, err := c.claim(ctx, code)
	switch result {
	case won:
	case lost:
		return ErrLost
	case unchanged:
		c.used.remove(code.id)
		return fmt.Errorf("claiming authorization code: %w: %w", ErrUnavailable, err)
	default:
		return fmt.Errorf("claiming authorization code: %w: %w", ErrUncertain, err)
	}
	return c.stillGood(code, time.Since(began))
}

// stillGood looks again at what may have changed while the claim was under way:
// a process may be stopped for any time at any step.
func (c *Codes) stillGood(code *Code, took time.Duration) error {
	if took >= claimLimit {
		return fmt.Errorf("claiming authorization code: %w: it took %s", ErrUncertain, took.Round(time.Second))
	}
	if !c.now().Before(code.expiresAt) {
		return ErrExpired
	}
	return nil
}

// outcome is what became of a claim.
type outcome int

const (
	uncertain outcome = iota // something may have been written: the code counts as spent
	unchanged                // certainly nothing was written
	lost                     // the code is, or will be, somebody else's or nobody's
	won
)

// claim runs the backend's claim under a deadline of its own, detached from the
// request's end.
func (c *Codes) claim(ctx context.Context, code *Code) (outcome, error) {
	var writing attempt
	c.used.note(c.prefix, code.id.bucket)
	result, err := call(context.WithoutCancel(ctx), c, "claim", func(ctx context.Context) (outcome, error) {
		return c.backend.claim(ctx, transfer{from: code.id.record, to: code.id.marker, sealed: code.sealed}, writing.begin)
	})
	if writing.abandon() {
		if err == nil {
			err = errors.New("the claim did not begin")
		}
		return unchanged, err
	}
	return result, err
}

// attempt says whether a claim has begun to write. Begin and abandon exclude
// each other: a claim that was given up before its first write, because
// something before it hangs, never writes.
type attempt struct{ state atomic.Int32 }

const (
	attemptPending = iota
	attemptBegun
	attemptAbandoned
)

func (a *attempt) begin() bool   { return a.state.CompareAndSwap(attemptPending, attemptBegun) }
func (a *attempt) abandon() bool { return a.state.CompareAndSwap(attemptPending, attemptAbandoned) }

// Package bounded calls what may be slow, ignore its context, never return or
// panic: a storage that somebody else wrote.
package bounded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Causes of a NoAnswer, beside the end of the context. Compare with errors.Is.
var (
	ErrBusy  = errors.New("the storage has not answered too many earlier calls")
	ErrLate  = errors.New("the storage did not answer in time")
	ErrPanic = errors.New("the storage panicked")
)

// NoAnswer is the error of a call that ended without an answer: no place was
// free, it was given up, or it panicked. What the call itself returned is never
// one.
type NoAnswer struct{ Cause error }

func (e *NoAnswer) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *NoAnswer) Unwrap() error { return e.Cause }

// Patience says what gives a call up beside its limit.
type Patience bool

const (
	// UntilAbandoned gives a call up when the caller's context ends.
	UntilAbandoned Patience = false
	// UntilAnswered tells the call of that end and waits on: a write that is
	// still under way would land in what comes after.
	UntilAnswered Patience = true
)

// Calls bounds how many calls may be under way. One that is given up counts
// until it returns, so that a storage that never answers costs that many
// goroutines and no more. Safe for concurrent use.
type Calls struct {
	places   chan struct{}
	patience Patience
	queue    chan struct{} // a place for each call that waits for one; nil: none waits
	wait     time.Duration // of each
}

// NewCalls returns the bound of limit calls.
func NewCalls(limit int, patience Patience) *Calls {
	return &Calls{places: make(chan struct{}, limit), patience: patience}
}

// Queueing lets as many calls wait for a place, each for as long at most.
func (c *Calls) Queueing(waiting int, wait time.Duration) *Calls {
	c.queue, c.wait = make(chan struct{}, waiting), wait
	return c
}

// enter takes a place, or fails with a NoAnswer.
func (c *Calls) enter(ctx context.Context) error {
	select {
	case c.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.queue <- struct{}{}:
	default: // also where there is no queue
		return &NoAnswer{ErrBusy}
	}
	defer func() { <-c.queue }()
	over := time.NewTimer(c.wait)
	defer over.Stop()
	select {
	case c.places <- struct{}{}:
		return nil
	case <-over.C:
		return &NoAnswer{ErrBusy}
	case <-ctx.Done():
		return &NoAnswer{givenUp(ctx)}
	}
}

// Do runs f in a goroutine of its own and waits for it for at most limit. When it
// gives f up, the context of f has ended. Where no place is free it fails at
// once, or once it has waited in the queue.
func Do[T any](ctx context.Context, calls *Calls, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	var none T
	if err := calls.enter(ctx); err != nil {
		return none, err
	}
	inner := newLimited(ctx, limit)
	defer inner.end()
	late := time.NewTimer(limit)
	defer late.Stop()
	answers := make(chan answer[T], 1)
	go func() {
		a := protected(inner, f)
		<-calls.places // before the answer is seen: whoever has it may call again
		answers <- a
	}()
	abandoned := ctx.Done()
	if calls.patience == UntilAnswered {
		abandoned = nil
	}
	select {
	case a := <-answers:
		return a.value, a.err
	case <-late.C:
		return none, &NoAnswer{ErrLate}
	case <-abandoned:
		return none, &NoAnswer{givenUp(ctx)}
	}
}

func givenUp(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return ErrLate
}

type answer[T any] struct {
	value T
	err   error
}

// protected turns a panic into an error: one in a goroutine of our own would
// end Caddy with all its sites.
func protected[T any](ctx context.Context, f func(context.Context) (T, error)) (a answer[T]) {
	defer func() {
		if p := recover(); p != nil {
			// Of the value only what cannot hold a key of the storage.
			what := fmt.Sprintf("%T", p)
			if fault, ok := p.(runtime.Error); ok {
				what = fault.Error()
			}
			a.err = &NoAnswer{fmt.Errorf("%w: %s", ErrPanic, what)}
		}
	}()
	a.value, a.err = f(ctx)
	return a
}

package storage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var errBusy = errors.New("too many storage calls are under way")

// gate bounds how many calls are under way.
type gate chan struct{}

func newGate(n int) gate { return make(gate, n) }

// noAnswer is why a call was given up: its own deadline, a panic, or a full
// gate. Nobody below has told of it.
type noAnswer struct{ cause error }

func (e *noAnswer) Error() string { return e.cause.Error() }
func (e *noAnswer) Unwrap() error { return e.cause }

// call runs one phase of work within the bounds of c and tells of it where it
// ends without an answer.
func call[T any](ctx context.Context, c *Codes, operation string, f func(context.Context) (T, error)) (T, error) {
	value, err := within(ctx, c.calls, c.callLimit, f)
	_, silent := errors.AsType[*noAnswer](err)
	// A client that went away is no failure of the storage; a deadline that has
	// passed is one, also where it is ctx's own: Load and Store set it.
	if silent && !errors.Is(ctx.Err(), context.Canceled) {
		c.failed(operation, err)
	}
	return value, err
}

// within runs f in a goroutine of its own and waits for it for at most limit:
// storages may ignore their context, hang or panic. A call that is given up
// keeps its place in the gate until it returns, and past the gate's bound
// nothing waits: within fails at once.
func within[T any](ctx context.Context, g gate, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	var none T
	select {
	case g <- struct{}{}:
	default:
		return none, &noAnswer{errBusy}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answers := make(chan answer[T], 1)
	go func() {
		defer func() { <-g }()
		answers <- protected(ctx, f)
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return none, &noAnswer{ctx.Err()}
	}
}

type answer[T any] struct {
	value T
	err   error
}

// protected turns a panic into an error: one in a goroutine would end Caddy
// with all its sites.
func protected[T any](ctx context.Context, f func(context.Context) (T, error)) (a answer[T]) {
	defer func() {
		if p := recover(); p != nil {
			a.err = &noAnswer{fmt.Errorf("storage panicked: %v", p)}
		}
	}()
	a.value, a.err = f(ctx)
	return a
}

package keys

import (
	"context"
	"errors"
	"time"
)

// maxCalls is how many calls of the storage may be under way. One that is given
// up counts until it returns, so that a storage that never answers costs that
// many goroutines and no more.
const maxCalls = 8

var (
	errNoAnswer = errors.New("the storage did not answer in time")
	errBusy     = errors.New("the storage has not answered several earlier calls")
)

// within runs f in a goroutine of its own and waits for limit at most: a
// storage may ignore its context or never return. The end of ctx is told to f,
// but not taken for f's: a write that is still under way would not be waited
// for, and land in what the next config does.
func within[T any](ctx context.Context, calls chan struct{}, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	var none T
	select {
	case calls <- struct{}{}:
	default:
		return none, errBusy
	}
	type answer struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-calls }()
		var a answer
		func() {
			defer recovered(&a.err)
			a.value, a.err = f(ctx)
		}()
		answers <- a
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-timer.C:
		return none, errNoAnswer
	}
}

// do is within for a call that answers nothing.
func (a *Automatic) do(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	_, err := within(ctx, a.calls, limit, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	return err
}

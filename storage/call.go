package storage

import (
	"context"
	"errors"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
)

// call runs one phase of work within the bounds of c and tells of it where it
// ends without an answer: nobody below has.
func call[T any](ctx context.Context, c *Codes, operation string, f func(context.Context) (T, error)) (T, error) {
	return callAmong(ctx, c, c.calls, operation, f)
}

// callAmong is call with a bound of its own. That others have taken all places
// there is no failure of the storage: anybody can do that.
func callAmong[T any](ctx context.Context, c *Codes, calls *bounded.Calls, operation string, f func(context.Context) (T, error)) (T, error) {
	value, err := bounded.Do(ctx, calls, c.callLimit, f)
	_, silent := errors.AsType[*bounded.NoAnswer](err)
	// A client that went away is no failure of the storage; a deadline that has
	// passed is one, also where it is ctx's own: Load and Store set it.
	crowded := calls != c.calls && errors.Is(err, bounded.ErrBusy)
	if silent && !crowded && !errors.Is(ctx.Err(), context.Canceled) {
		c.failed(operation, err)
	}
	return value, err
}

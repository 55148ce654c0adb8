package keys

import (
	"context"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
)

// maxCalls is how many calls of the storage may be under way.
const maxCalls = 8

// newCalls: a write that is still under way when the config ends is waited for,
// or it would land in what the next config does.
func newCalls() *bounded.Calls { return bounded.NewCalls(maxCalls, bounded.UntilAnswered) }

// do is bounded.Do for a call that answers nothing.
func (a *Automatic) do(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	_, err := bounded.Do(ctx, a.calls, limit, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	return err
}

package bounded_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
)

const limit = 5 * time.Second

var errFault = errors.New("a fault")

// hang waits for free whatever its context says, and tells when that ended.
func hang(free chan struct{}, ended *time.Time) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		context.AfterFunc(ctx, func() { *ended = time.Now() })
		<-free
		return 1, nil
	}
}

func both(t *testing.T, f func(t *testing.T, calls *bounded.Calls)) {
	t.Helper()
	for _, p := range []struct {
		name     string
		patience bounded.Patience
	}{{"until abandoned", bounded.UntilAbandoned}, {"until answered", bounded.UntilAnswered}} {
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, bounded.NewCalls(2, p.patience)) })
		})
	}
}

func wantNoAnswer(t *testing.T, err, cause error) {
	t.Helper()
	if _, silent := errors.AsType[*bounded.NoAnswer](err); !silent || !errors.Is(err, cause) {
		t.Errorf("got %v, want no answer: %v", err, cause)
	}
}

func TestDo(t *testing.T) {
	t.Run("it returns what the call returns", func(t *testing.T) {
		both(t, func(t *testing.T, calls *bounded.Calls) {
			value, err := bounded.Do(t.Context(), calls, limit, func(context.Context) (int, error) { return 7, errFault })
			if _, silent := errors.AsType[*bounded.NoAnswer](err); value != 7 || err != errFault || silent {
				t.Errorf("got %d, %v", value, err)
			}
		})
	})
	t.Run("F02 a call that ignores its context is given up after the limit, and told so", func(t *testing.T) {
		both(t, func(t *testing.T, calls *bounded.Calls) {
			free, began := make(chan struct{}), time.Now()
			defer close(free)
			var ended time.Time
			_, err := bounded.Do(t.Context(), calls, limit, hang(free, &ended))
			wantNoAnswer(t, err, bounded.ErrLate)
			synctest.Wait()
			if took, told := time.Since(began), ended.Sub(began); took != limit || told != limit {
				t.Errorf("given up after %s, told after %s", took, told)
			}
		})
	})
	t.Run("F02 a deadline of the caller's that comes earlier counts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			free, began := make(chan struct{}), time.Now()
			defer close(free)
			var ended time.Time
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := bounded.Do(ctx, bounded.NewCalls(1, bounded.UntilAbandoned), limit, hang(free, &ended))
			wantNoAnswer(t, err, bounded.ErrLate)
			if took := time.Since(began); took != time.Second {
				t.Errorf("given up after %s", took)
			}
		})
	})
	t.Run("F02 one that comes later does not", func(t *testing.T) {
		both(t, func(t *testing.T, calls *bounded.Calls) {
			free, began := make(chan struct{}), time.Now()
			defer close(free)
			var ended time.Time
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			_, err := bounded.Do(ctx, calls, limit, hang(free, &ended))
			wantNoAnswer(t, err, bounded.ErrLate)
			if took := time.Since(began); took != limit {
				t.Errorf("given up after %s", took)
			}
		})
	})
	t.Run("F53 a panic is no answer and ends nothing else", func(t *testing.T) {
		both(t, func(t *testing.T, calls *bounded.Calls) {
			for range 3 { // its place is free again
				_, err := bounded.Do(t.Context(), calls, limit, func(context.Context) (int, error) { panic("a nil map") })
				wantNoAnswer(t, err, bounded.ErrPanic)
			}
		})
	})
	t.Run("REQ-239 F53 what was panicked with is not shown, but for the runtime's own faults", func(t *testing.T) {
		calls := bounded.NewCalls(1, bounded.UntilAbandoned)
		_, err := bounded.Do(t.Context(), calls, limit, func(context.Context) (int, error) { panic("oidc_token/a-key") })
		if got := err.Error(); got != "the storage panicked: string" {
			t.Errorf("got %q", got)
		}
		_, err = bounded.Do(t.Context(), calls, limit, func(context.Context) (int, error) { var none *int; return *none, nil })
		if got := err.Error(); !strings.Contains(got, "nil pointer dereference") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("F48 past the bound it fails at once, also where the earlier calls were given up, until they return", func(t *testing.T) {
		both(t, func(t *testing.T, calls *bounded.Calls) {
			free := make(chan struct{})
			var ended [2]time.Time
			for i := range 2 {
				_, err := bounded.Do(t.Context(), calls, limit, hang(free, &ended[i]))
				wantNoAnswer(t, err, bounded.ErrLate)
			}
			began, called := time.Now(), false
			again := func(context.Context) (int, error) { called = true; return 1, nil }
			_, err := bounded.Do(t.Context(), calls, limit, again)
			wantNoAnswer(t, err, bounded.ErrBusy)
			if time.Since(began) != 0 || called {
				t.Errorf("took %s, called %t", time.Since(began), called)
			}
			close(free)
			synctest.Wait()
			if _, err := bounded.Do(t.Context(), calls, limit, again); err != nil || !called {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestQueue(t *testing.T) {
	const waiting, wait = 2, time.Second
	full := func(t *testing.T) (calls *bounded.Calls, free chan struct{}) {
		calls, free = bounded.NewCalls(1, bounded.UntilAbandoned).Queueing(waiting, wait), make(chan struct{})
		go bounded.Do(t.Context(), calls, limit, func(context.Context) (int, error) { <-free; return 1, nil })
		synctest.Wait()
		return calls, free
	}
	do := func(ctx context.Context, calls *bounded.Calls) error {
		_, err := bounded.Do(ctx, calls, limit, func(context.Context) (int, error) { return 1, nil })
		return err
	}
	t.Run("a call waits for a place", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			calls, free := full(t)
			time.AfterFunc(wait/2, func() { close(free) })
			began := time.Now()
			if err := do(t.Context(), calls); err != nil || time.Since(began) != wait/2 {
				t.Errorf("got %v after %s", err, time.Since(began))
			}
		})
	})
	t.Run("F48 not for long, and not too many", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			calls, free := full(t)
			defer close(free)
			began := time.Now()
			var work sync.WaitGroup
			for range waiting {
				work.Go(func() {
					wantNoAnswer(t, do(t.Context(), calls), bounded.ErrBusy)
					if took := time.Since(began); took != wait {
						t.Errorf("it waited for %s", took)
					}
				})
			}
			synctest.Wait()
			wantNoAnswer(t, do(t.Context(), calls), bounded.ErrBusy)
			if took := time.Since(began); took != 0 {
				t.Errorf("one more waited for %s", took)
			}
			work.Wait()
		})
	})
	t.Run("a caller that leaves waits no more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			calls, free := full(t)
			defer close(free)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			began := time.Now()
			wantNoAnswer(t, do(ctx, calls), context.Canceled)
			if took := time.Since(began); took != 0 {
				t.Errorf("it waited for %s", took)
			}
		})
	})
}

func TestCallerThatLeaves(t *testing.T) {
	leave := func(t *testing.T, patience bounded.Patience) (took, told time.Duration, err error) {
		free, began := make(chan struct{}), time.Now()
		defer close(free)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var ended time.Time
		_, err = bounded.Do(ctx, bounded.NewCalls(1, patience), limit, hang(free, &ended))
		synctest.Wait()
		return time.Since(began), ended.Sub(began), err
	}
	t.Run("until abandoned: the call is told and not waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			took, told, err := leave(t, bounded.UntilAbandoned)
			wantNoAnswer(t, err, context.Canceled)
			if took != time.Second || told != time.Second {
				t.Errorf("given up after %s, told after %s", took, told)
			}
		})
	})
	t.Run("until answered: the call is told and waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			took, told, err := leave(t, bounded.UntilAnswered)
			wantNoAnswer(t, err, bounded.ErrLate)
			if took != limit || told != time.Second {
				t.Errorf("given up after %s, told after %s", took, told)
			}
		})
	})
}

func TestAPlaceIsFreeOnceTheCallHasAnswered(t *testing.T) {
	const callers = 8
	calls := bounded.NewCalls(callers, bounded.UntilAbandoned)
	var work sync.WaitGroup
	for range callers {
		work.Go(func() {
			for range 20_000 {
				if _, err := bounded.Do(t.Context(), calls, limit, func(context.Context) (int, error) { return 1, nil }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

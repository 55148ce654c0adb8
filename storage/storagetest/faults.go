package storagetest

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// runFaults has calls of a redemption by the generic claim fail.
func runFaults(t *testing.T, newStorage func(t *testing.T) certmagic.Storage) {
	try(t, newStorage, []trial{
		{"Exists, Stat and locks are not relied on, and no folder is deleted", testUnused},
		{"REQ-105 F01 F05 F07 F08 a call that fails without effect makes no second success", testFaults(fails, (*Hooked).Before)},
		{"REQ-105 F18 a call that fails after its effect makes no second success", testFaults(fails, (*Hooked).After)},
		{"REQ-105 F53 a call that panics makes no second success", testFaults(panics, (*Hooked).Before)},
		{"REQ-105 F53 a call that panics after its effect makes no second success", testFaults(panics, (*Hooked).After)},
	})
	t.Run("REQ-105 F02 F19 a call that hangs and then has its effect makes no second success", func(t *testing.T) {
		if testing.Short() {
			t.Skip("it waits for the five seconds that a storage is given")
		}
		t.Parallel()
		testHangs(t, newStorage(t))
	})
}

// testUnused redeems and sweeps in a storage without what others have been
// found to lack: a lock that locks, Stat, Exists that can tell failure from
// absence, and Delete that deletes a folder with what is in it and nothing
// beside.
func testUnused(t *testing.T, s certmagic.Storage) {
	hooked := Wrap(s)
	hooked.Before(func(_ context.Context, call Call) error {
		switch call.Op {
		case OpExists, OpStat, OpLock, OpUnlock:
			panic("not relied on")
		case OpDelete:
			if name := path.Base(call.Key); len(name) != 64 && !strings.HasPrefix(call.Key, "oidc_token/probe/") {
				t.Errorf("Delete of %q", call.Key)
			}
		}
		return nil
	})
	now := time.Now()
	codes := nodeOn(t, hooked, func(o *storage.Options) { o.Now = func() time.Time { return now } })
	mint(t, codes, now)
	wantError(t, redeem(t.Context(), codes, mint(t, codes, now)), nil)
	now = now.Add(time.Hour)
	wantSwept(t, codes, 2)
}

var errFault = errors.New("a fault of the test")

func fails() error  { return errFault }
func panics() error { panic("a fault of the test") }

// redemption returns the calls of one redemption, and the number of the first
// that writes, counted from 1.
func redemption(t *testing.T, s certmagic.Storage) (calls []Call, write int) {
	t.Helper()
	hooked := Wrap(s)
	codes := nodeOn(t, hooked)
	code := mint(t, codes, time.Now())
	hooked.Reset()
	wantError(t, redeem(t.Context(), codes, code), nil)
	calls = hooked.Calls()
	for i, call := range calls {
		if call.Op == OpStore {
			return calls, i + 1
		}
	}
	t.Fatalf("a redemption writes nothing: %v", calls)
	return nil, 0
}

// testFaults has each call of a redemption fail in turn. Before the first write
// nothing has happened and the code stays good; from then on it counts as
// spent, and whoever else may win, at most one does.
func testFaults(fault func() error, when func(*Hooked, Hook)) func(*testing.T, certmagic.Storage) {
	return func(t *testing.T, s certmagic.Storage) {
		calls, write := redemption(t, s)
		here, there := Wrap(again(s)), node(t, s)
		codes := nodeOn(t, here)
		mint(t, codes, time.Now()) // both have probed the storage
		mint(t, there, time.Now())
		for n := 1; n <= len(calls); n++ {
			code := mint(t, codes, time.Now())
			here.Reset()
			faulty := false
			when(here, func(_ context.Context, call Call) error {
				if faulty = call.N == n; faulty {
					when(here, nil)
					return fault()
				}
				return nil
			})
			err := redeem(t.Context(), codes, code)
			here.Reset()
			if !faulty {
				continue // that there is nothing to load is an answer, and fails as one
			}
			t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) { testAftermath(t, err, n < write, code, codes, there, node(t, s)) })
		}
	}
}

// testAftermath looks what a fault has left: what it was for the request that
// met it, which is err, and what another at the same node and at others get.
func testAftermath(t *testing.T, err error, unclaimed bool, code string, here, there, third *storage.Codes) {
	if unclaimed {
		wantError(t, err, storage.ErrUnavailable)
		wantError(t, redeem(t.Context(), here, code), nil)
		wantError(t, redeem(t.Context(), there, code), storage.ErrUsed)
		return
	}
	wantError(t, err, storage.ErrUncertain)
	wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
	if first, second := redeem(t.Context(), there, code), redeem(t.Context(), third, code); first == nil && second == nil {
		t.Error("two successes")
	}
}

// testHangs has each call of a redemption hang in turn, all at once to save
// time, until the request has been answered; then they go on.
func testHangs(t *testing.T, s certmagic.Storage) {
	calls, write := redemption(t, s)
	var answered, landed sync.WaitGroup
	released := make(chan struct{})
	type attempt struct {
		code string
		err  error
		hung bool
	}
	attempts := make([]attempt, len(calls))
	for i := range calls {
		hooked := Wrap(again(s))
		codes := nodeOn(t, hooked)
		code := mint(t, codes, time.Now())
		hooked.Reset()
		landed.Add(1)
		over := sync.OnceFunc(landed.Done)
		hooked.Before(func(_ context.Context, call Call) error {
			if call.N == i+1 {
				<-released
			}
			return nil
		})
		// Not before its effect: who looks too early sees none, and not what it
		// does to others.
		hooked.End(func(call Call) {
			if call.N == i+1 {
				over()
			}
		})
		answered.Go(func() {
			err := redeem(t.Context(), codes, code)
			hung := hooked.Count() > i
			if attempts[i] = (attempt{code, err, hung}); !hung {
				over() // it ended before: there is nothing to land
			}
		})
	}
	answered.Wait()
	close(released)
	landed.Wait()
	for i, attempt := range attempts {
		t.Run(fmt.Sprintf("call %d", i+1), func(t *testing.T) {
			if !attempt.hung {
				t.Fatalf("the redemption ended before this call, with %v", attempt.err)
			}
			want, wins := storage.ErrUnavailable, 0
			if i+1 >= write {
				want = storage.ErrUncertain
			}
			wantError(t, attempt.err, want)
			for _, codes := range nodes(t, s, 3) {
				if redeem(t.Context(), codes, attempt.code) == nil {
					wins++
				}
			}
			if wins > 1 {
				t.Errorf("%d successes", wins)
			}
		})
	}
}

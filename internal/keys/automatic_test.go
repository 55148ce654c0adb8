package keys

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestFirstKeys(t *testing.T) {
	t.Run("REQ-124 an issuer without keys gets one for each algorithm, RS256 always, and they sign at once", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), func(o *Options) {
			o.Algorithms, o.DefaultAlgorithm = []token.Algorithm{token.EdDSA, token.EdDSA, ""}, token.ES256
		})
		f.round()
		f.wantStates("ES256 signing", "EdDSA signing", "RS256 signing")
		for _, alg := range []token.Algorithm{token.RS256, token.ES256, token.EdDSA} {
			if key := f.signer(alg); key.Algorithm != alg || !slices.Contains(f.kids(), key.ID) {
				t.Errorf("%s: got %s, JWKS %v", alg, key.ID, f.kids())
			}
		}
		if got := fmt.Sprint(f.Algorithms()); got != "[RS256 ES256 EdDSA]" {
			t.Errorf("Algorithms() is %s", got)
		}
	})
	t.Run("the default algorithm's key is first in the JWKS", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		if kids := f.kids(); kids[0] != f.signer(token.ES256).ID {
			t.Fatalf("got %v", kids)
		}
	})
	t.Run("making an Automatic touches no storage", func(t *testing.T) {
		store := newMemory()
		store.before = func(string, string) error { panic("touched") }
		newFixture(t, store, newClock(), nil)
	})
	t.Run("an algorithm without a key is not signed with", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		_, err := f.SigningKey(t.Context(), token.PS256)
		f.wantError(err, ErrUnavailable)
	})
	t.Run("F44 the default algorithm's key is made first", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		stores := 0
		f.store.before = func(operation, _ string) error {
			if operation == "store" {
				if stores++; stores > 1 {
					return errFault
				}
			}
			return nil
		}
		f.wantError(f.tryRound(), errFault)
		f.store.before = nil
		if _, err := f.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantStates("ES256 signing")
	})
	t.Run("a restart finds the same keys", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, nil)
		f.round()
		g := newFixture(t, store, c, nil)
		g.round()
		if f.signer(token.ES256).ID != g.signer(token.ES256).ID || !slices.Equal(f.kids(), g.kids()) {
			t.Fatalf("got %v and %v", f.kids(), g.kids())
		}
	})
	t.Run("T09 two issuers on one storage share no key", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, nil)
		f.round()
		g := newFixture(t, store, c, func(o *Options) { o.Issuer += "/b" })
		g.generate = pooled(1)
		g.round()
		for _, kid := range g.kids() {
			if slices.Contains(f.kids(), kid) {
				t.Errorf("both publish %s", kid)
			}
		}
	})
	t.Run("F39 a node whose clock is two minutes behind the maker's signs with the first keys", func(t *testing.T) {
		store, ahead, behind := newMemory(), newClock(), newClock()
		ahead.advance(2 * time.Minute)
		f := newFixture(t, store, ahead, nil)
		f.round()
		g := newFixture(t, store, behind, nil)
		g.round()
		if f.signer(token.ES256).ID != g.signer(token.ES256).ID || len(g.kids()) != 2 {
			t.Fatalf("got %v", g.kids())
		}
	})
}

func TestReadiness(t *testing.T) {
	t.Run("F36 keys that are there are read also when the config was replaced before Run came to it", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, nil)
		f.round()
		replaced := newFixture(t, store, c, nil)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		replaced.Run(ended)
		if key, err := replaced.SigningKey(t.Context(), token.ES256); err != nil || key.ID != f.signer(token.ES256).ID {
			t.Fatalf("got %v, %v", key, err)
		}
	})
	t.Run("F36 keys that the next config makes are found where the config was replaced before Run came to it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, c := newMemory(), newClock()
			f := newFixture(t, store, c, nil)
			replaced := newFixture(t, store, c, nil)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			replaced.Run(ended)
			time.AfterFunc(300*time.Millisecond, f.round)
			began := time.Now()
			key, err := replaced.SigningKey(t.Context(), token.ES256)
			if err != nil || key.ID != f.signer(token.ES256).ID {
				t.Fatalf("got %v, %v", key, err)
			}
			if took := time.Since(began); took > 400*time.Millisecond {
				t.Errorf("took %s", took)
			}
		})
	})
	t.Run("F36 and where it was replaced in the middle of Run's first try", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, c := newMemory(), newClock()
			f := newFixture(t, store, c, nil)
			slow := func(operation, _ string) error {
				if operation == "list" {
					time.Sleep(25 * time.Millisecond)
				}
				return nil
			}
			replaced := newFixture(t, store, c, func(o *Options) { o.Storage = store.node(slow) })
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			replaced.Run(ctx)
			time.AfterFunc(time.Second, f.round)
			if _, err := replaced.SigningKey(t.Context(), token.ES256); err != nil {
				t.Fatal(err)
			}
			if log := replaced.log.String(); log != "" {
				t.Errorf("said %s", log)
			}
		})
	})
	t.Run("a request waits for the first keys and gets one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			time.AfterFunc(3*time.Second, f.round)
			began := time.Now()
			if _, err := f.SigningKey(t.Context(), token.ES256); err != nil || time.Since(began) != 3*time.Second {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
		})
	})
	t.Run("a request waits five seconds at most", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			began := time.Now()
			_, err := f.JWKS(t.Context())
			f.wantError(err, ErrUnavailable)
			if time.Since(began) != 5*time.Second {
				t.Fatalf("after %s", time.Since(began))
			}
		})
	})
	t.Run("a request waits no longer than its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			_, err := f.SigningKey(ctx, token.ES256)
			f.wantError(err, ErrUnavailable)
			if time.Since(began) != time.Second {
				t.Fatalf("after %s", time.Since(began))
			}
		})
	})
	t.Run("once a try has failed a request learns why and does not wait", func(t *testing.T) {
		store := newMemory()
		store.before = func(string, string) error { return errFault }
		f := newFixture(t, store, newClock(), nil)
		f.wantError(f.tryRound(), errFault)
		_, err := f.SigningKey(t.Context(), token.ES256)
		f.wantError(err, ErrUnavailable)
		f.wantError(err, errFault)
	})
}

func TestRunRetriesQuicklyAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		var tries []int
		began := time.Now()
		store.before = func(operation, _ string) error {
			if time.Since(began) > time.Minute {
				return nil
			}
			tries = append(tries, int(time.Since(began).Seconds()))
			return errFault
		}
		f := newFixture(t, store, newClock(), func(o *Options) { o.Now = time.Now })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if got := fmt.Sprint(tries); got != "[0 1 3 7 15 31]" {
			t.Errorf("tried at %s", got)
		}
		time.Sleep(50 * time.Second)
		if f.signer(token.ES256) == nil {
			t.Error("no key once the storage works")
		}
		if got := strings.Count(f.log.String(), "maintaining the signing keys failed"); got != 1 {
			t.Errorf("said %d times what is wrong", got)
		}
		cancel()
		<-done
	})
}

func faultOn(operations ...string) func(string, string) error {
	return func(operation, _ string) error {
		if slices.Contains(operations, operation) {
			return errFault
		}
		return nil
	}
}

package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

func TestRotationTimeline(t *testing.T) {
	f := newFixture(t, newMemory(), newClock(), nil)
	f.round()
	first := f.signer(token.ES256).ID
	step := func(d time.Duration) { f.clock.advance(d); f.round() }
	t.Run("T04 REQ-208 a successor is published a day before it signs, and not sooner", func(t *testing.T) {
		step(89*24*time.Hour - time.Minute)
		f.wantStates("ES256 signing", "RS256 signing")
		step(time.Minute)
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
		step(24*time.Hour - time.Nanosecond)
		if f.signer(token.ES256).ID != first {
			t.Fatal("the successor signs early")
		}
	})
	t.Run("the successor signs when its time has come", func(t *testing.T) {
		step(time.Nanosecond)
		f.wantStates("ES256 retired", "ES256 signing", "RS256 retired", "RS256 signing")
		if f.signer(token.ES256).ID == first {
			t.Fatal("the first key still signs")
		}
	})
	t.Run("T03 REQ-196 the retired key is published for the token's lifetime, the cache's and two minutes", func(t *testing.T) {
		step(time.Hour + 15*time.Minute + 2*time.Minute - time.Nanosecond)
		if !slices.Contains(f.kids(), first) {
			t.Fatal("withdrawn early")
		}
		step(time.Nanosecond)
		if slices.Contains(f.kids(), first) || len(f.kids()) != 2 {
			t.Fatal("still published")
		}
	})
	t.Run("F52 a withdrawn key is deleted a day later, also where another node was faster", func(t *testing.T) {
		f.storage = missing{f.store}
		step(24*time.Hour - time.Nanosecond)
		if n := len(f.store.all()); n != 4 {
			t.Fatalf("%d keys in storage, want 4", n)
		}
		step(time.Nanosecond)
		if n := len(f.store.all()); n != 2 {
			t.Fatalf("%d keys in storage, want 2", n)
		}
		step(time.Minute)
		f.wantStates("ES256 signing", "RS256 signing")
		if strings.Contains(f.log.String(), "failed") {
			t.Fatalf("log: %s", f.log)
		}
	})
}

// missing deletes like a storage that answers that there was nothing.
type missing struct{ *memory }

func (m missing) Delete(ctx context.Context, key string) error {
	return errors.Join(m.memory.Delete(ctx, key), fs.ErrNotExist)
}

func TestRotationLead(t *testing.T) {
	t.Run("REQ-208 where the JWKS is cached for longer than a day the successor is published that long ahead", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.CacheLifetime = 72 * time.Hour })
		f.round()
		f.clock.advance(87 * 24 * time.Hour)
		f.round()
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
	})
	t.Run("REQ-208 a node that slept through a rotation publishes a successor a day ahead all the same", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		old := f.signer(token.ES256).ID
		f.clock.advance(200 * 24 * time.Hour)
		f.round()
		f.clock.advance(24*time.Hour - time.Second)
		f.round()
		if f.signer(token.ES256).ID != old {
			t.Fatal("the successor signs early")
		}
		f.clock.advance(time.Second)
		if f.signer(token.ES256).ID == old {
			t.Fatal("the successor does not sign")
		}
	})
	t.Run("without rotation no key is replaced", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Rotation = 0 })
		f.round()
		f.clock.advance(10 * 365 * 24 * time.Hour)
		f.round()
		f.wantStates("ES256 signing", "RS256 signing")
	})
}

func TestNewAlgorithm(t *testing.T) {
	const day = 24 * time.Hour
	begin := func(t *testing.T) (*memory, *clock) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, func(o *Options) { o.Algorithms, o.DefaultAlgorithm = nil, "" })
		f.round()
		c.advance(day)
		return store, c
	}
	t.Run("a new default algorithm waits for a day, and RS256 goes on", func(t *testing.T) {
		store, c := begin(t)
		f := newFixture(t, store, c, nil)
		f.round()
		f.wantStates("ES256 pending", "RS256 signing")
		if at := f.States()[1].SignsAt; !at.Equal(c.Now().Add(day)) {
			t.Errorf("signs at %s", at)
		}
		c.advance(day - time.Nanosecond)
		if alg := f.signer(token.ES256).Algorithm; alg != token.RS256 {
			t.Errorf("signed with %s", alg)
		}
		c.advance(time.Nanosecond)
		if alg := f.signer(token.ES256).Algorithm; alg != token.ES256 {
			t.Errorf("signed with %s", alg)
		}
		f.wantStates("ES256 signing", "RS256 signing")
		if !strings.Contains(f.log.String(), "default_from=2030-01-03T") {
			t.Errorf("log does not say until when: %s", f.log)
		}
	})
	t.Run("an algorithm that a client asks for signs after ten seconds", func(t *testing.T) {
		store, c := begin(t)
		f := newFixture(t, store, c, func(o *Options) { o.DefaultAlgorithm = token.RS256 })
		f.round()
		c.advance(settle - time.Nanosecond)
		_, err := f.SigningKey(t.Context(), token.ES256)
		f.wantError(err, ErrNotYet)
		c.advance(time.Nanosecond)
		if alg := f.signer(token.ES256).Algorithm; alg != token.ES256 {
			t.Errorf("signed with %s", alg)
		}
	})
	t.Run("T04 an algorithm that one client had for an hour and that becomes the default waits out the day", func(t *testing.T) {
		store, c := begin(t)
		f := newFixture(t, store, c, func(o *Options) { o.DefaultAlgorithm = token.RS256 })
		f.round()
		c.advance(time.Hour)
		f = newFixture(t, store, c, nil)
		f.round()
		f.wantStates("ES256 pending", "RS256 signing")
		if alg := f.signer(token.ES256).Algorithm; alg != token.RS256 {
			t.Errorf("signed with %s", alg)
		}
		c.advance(23 * time.Hour)
		if alg := f.signer(token.ES256).Algorithm; alg != token.ES256 {
			t.Errorf("signed with %s", alg)
		}
	})
	t.Run("before its key is made a new default is signed for with RS256", func(t *testing.T) {
		store, c := begin(t)
		f := newFixture(t, store, c, nil)
		if _, err := f.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if alg := f.signer(token.ES256).Algorithm; alg != token.RS256 {
			t.Errorf("signed with %s", alg)
		}
	})
	t.Run("without RS256 the former key is any other", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, nil)
		f.algorithms = []token.Algorithm{token.EdDSA}
		f.round()
		c.advance(day)
		f.algorithms = []token.Algorithm{token.ES256}
		f.round()
		if alg := f.signer(token.ES256).Algorithm; alg != token.EdDSA {
			t.Errorf("signed with %s", alg)
		}
	})
}

func TestRotate(t *testing.T) {
	t.Run("a rotation by hand signs after ten seconds and keeps the old keys published", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.clock.advance(time.Hour)
		old := f.signer(token.ES256).ID
		states, err := f.Rotate(t.Context(), false)
		if err != nil || len(states) != 4 {
			t.Fatalf("got %v, %v", states, err)
		}
		f.clock.advance(settle - time.Nanosecond)
		if f.signer(token.ES256).ID != old {
			t.Error("signs before every node publishes it")
		}
		f.clock.advance(time.Nanosecond)
		if f.signer(token.ES256).ID == old || !slices.Contains(f.kids(), old) {
			t.Errorf("does not sign, or the old key is gone: %v", f.states())
		}
		f.wantStates("ES256 retired", "ES256 signing", "RS256 retired", "RS256 signing")
	})
	t.Run("a rotation by hand is a rotation: the default algorithm does not wait", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.clock.advance(time.Hour)
		if _, err := f.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		f.clock.advance(settle)
		if alg := f.signer(token.ES256).Algorithm; alg != token.ES256 {
			t.Fatalf("signed with %s", alg)
		}
	})
	t.Run("dropping the old keys withdraws them and the new ones sign at once", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.clock.advance(time.Hour)
		old := f.kids()
		if _, err := f.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		f.wantStates("ES256 signing", "RS256 signing")
		for _, kid := range old {
			if slices.Contains(f.kids(), kid) || f.signer(token.ES256).ID == kid {
				t.Errorf("%s is still in use", kid)
			}
		}
		if n := len(f.store.all()); n != 2 {
			t.Errorf("%d keys in storage", n)
		}
	})
	t.Run("dropping the old keys leaves everything else in the storage alone", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		others := []string{f.vault.prefix + "/x", f.vault.prefix + "x/" + strings.Repeat("a", 64), "certificates/a"}
		for _, key := range others {
			f.store.values[key] = []byte("x")
		}
		if _, err := f.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		for _, key := range others {
			if !slices.Contains(f.store.all(), key) {
				t.Errorf("%s is deleted", key)
			}
		}
	})
	t.Run("the storage that does not delete an old key is an error", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.storage = noDelete{f.store}
		if _, err := f.Rotate(t.Context(), true); err == nil || !strings.Contains(err.Error(), "did not delete") {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("an old key that cannot be deleted is an error with its cause", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.store.before = faultOn("delete")
		_, err := f.Rotate(t.Context(), true)
		f.wantError(err, errFault)
	})
	t.Run("nothing is deleted before every new key is stored", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		old := f.store.all()
		stores := 0
		f.store.before = func(operation, _ string) error {
			if operation == "store" {
				if stores++; stores == 2 {
					return errFault
				}
			}
			return nil
		}
		_, err := f.Rotate(t.Context(), true)
		f.wantError(err, errFault)
		for _, key := range old {
			if !slices.Contains(f.store.all(), key) {
				t.Errorf("%s is deleted", key)
			}
		}
	})
	t.Run("a storage without a lock can be rotated in", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.store.before = faultOn("lock")
		if _, err := f.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("on an empty storage the first keys are made", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		if _, err := f.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		f.wantStates("ES256 signing", "RS256 signing")
	})
	t.Run("F53 a storage that panics is an error", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.store.before = func(operation, _ string) error {
			if operation == "store" {
				panic("nil map")
			}
			return nil
		}
		if _, err := f.Rotate(t.Context(), false); err == nil {
			t.Fatal("no error")
		}
		f.store.before = nil
		f.round() // nothing is held by the one that panicked
	})
}

type noDelete struct{ *memory }

func (noDelete) Delete(context.Context, string) error { return nil }

func faultOn(operations ...string) func(string, string) error {
	return func(operation, _ string) error {
		if slices.Contains(operations, operation) {
			return errFault
		}
		return nil
	}
}

func TestFreshness(t *testing.T) {
	settled := func(t *testing.T) *fixture {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.clock.advance(time.Hour)
		f.round()
		return f
	}
	t.Run("a reading of at most five seconds is published without another", func(t *testing.T) {
		f := settled(t)
		before := f.store.count("list")
		f.clock.advance(jwksMaxAge)
		f.kids()
		if f.store.count("list") != before {
			t.Fatal("read again")
		}
		f.clock.advance(time.Nanosecond)
		f.kids()
		if f.store.count("list") != before+1 {
			t.Fatal("not read again")
		}
	})
	t.Run("F46 while a key is young each JWKS is read from storage", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		before := f.store.count("list")
		f.kids()
		f.kids()
		if f.store.count("list") != before+2 {
			t.Fatal("not read again")
		}
	})
	t.Run("keys that are held are not loaded again", func(t *testing.T) {
		f := settled(t)
		before := f.store.count("load")
		f.clock.advance(time.Hour)
		f.kids()
		if f.store.count("load") != before {
			t.Fatal("loaded again")
		}
	})
	t.Run("signing with settled keys does no I/O", func(t *testing.T) {
		f := settled(t)
		f.clock.advance(time.Minute)
		f.store.before = func(string, string) error { panic("touched") }
		f.signer(token.ES256)
	})
	t.Run("signing with young keys reads once a second at most", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		before := f.store.count("list")
		f.clock.advance(time.Second)
		f.signer(token.ES256)
		if f.store.count("list") != before {
			t.Fatal("read again")
		}
		f.clock.advance(time.Nanosecond)
		f.signer(token.ES256)
		f.signer(token.ES256)
		if f.store.count("list") != before+1 {
			t.Fatal("not read once")
		}
	})
	t.Run("F16 where the storage fails keys are signed with and published from memory", func(t *testing.T) {
		f := settled(t)
		want := f.kids()
		f.clock.advance(time.Hour)
		f.store.before = func(string, string) error { return errFault }
		if !slices.Equal(f.kids(), want) || f.signer(token.ES256) == nil {
			t.Fatal("another set")
		}
		f.wantError(f.tryRound(), errFault)
		if !slices.Equal(f.kids(), want) {
			t.Fatal("another set")
		}
	})
	t.Run("F02 a storage that hangs holds a request for two seconds and the next not at all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Now = time.Now })
			f.round()
			time.Sleep(time.Hour)
			release := make(chan struct{})
			f.store.before = func(string, string) error { <-release; return nil }
			began := time.Now()
			f.kids()
			if took := time.Since(began); took != pathTimeout {
				t.Errorf("took %s", took)
			}
			f.kids()
			if took := time.Since(began); took != pathTimeout {
				t.Errorf("took %s", took)
			}
			close(release)
		})
	})
	t.Run("a client that hangs up does not keep the set from being read for others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Now = time.Now })
			f.round()
			time.Sleep(time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			f.store.before = func(string, string) error { time.Sleep(time.Millisecond); return nil }
			f.JWKS(ctx)
			time.Sleep(10 * time.Millisecond)
			before := f.store.count("list")
			time.Sleep(jwksMaxAge)
			f.JWKS(ctx)
			f.kids()
			if f.store.count("list") == before {
				t.Error("not read again")
			}
		})
	})
	t.Run("concurrent requests share a reading that begins after they came", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			f.round()
			f.store.before = func(string, string) error { time.Sleep(time.Second); return nil }
			before := f.store.count("list")
			var group sync.WaitGroup
			group.Go(func() { f.kids() })
			synctest.Wait()
			for range 50 {
				group.Go(func() { f.kids() })
			}
			group.Wait()
			if n := f.store.count("list") - before; n != 2 {
				t.Errorf("%d readings, want the one under way and one more", n)
			}
		})
	})
	t.Run("F53 a storage that panics while it is read does not end the server", func(t *testing.T) {
		f := settled(t)
		f.clock.advance(time.Hour)
		f.store.before = func(string, string) error { panic("nil map") }
		if len(f.kids()) != 2 {
			t.Fatal("no keys")
		}
	})
	t.Run("F40 after the clock is set back the storage is read again", func(t *testing.T) {
		f := settled(t)
		before := f.store.count("list")
		f.clock.advance(-time.Minute)
		f.kids()
		if f.store.count("list") == before {
			t.Fatal("not read again")
		}
	})
}

func TestForeignAndDamagedRecords(t *testing.T) {
	t.Run("what is not exactly a key's name is neither read nor deleted", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, nil)
		good := f.vault.prefix + "/" + strings.Repeat("a", 64)
		for _, key := range []string{good + ".tmp", good + "/x", strings.ToUpper(good), good[:len(good)-1], good + "a",
			f.vault.prefix + "/" + strings.Repeat("g", 64), f.vault.prefix + "/"} {
			store.values[key] = []byte("not a key")
		}
		f.round()
		f.wantStates("ES256 signing", "RS256 signing")
		f.storage = garbageList{store, []string{"", "other", strings.TrimPrefix(good, "oidc_token/"), "x/" + good}}
		c.advance(time.Hour)
		if len(f.kids()) != 2 {
			t.Fatal("keys lost")
		}
	})
	for name, damage := range map[string]func([]byte) []byte{
		"cut":   func(b []byte) []byte { return b[:len(b)/2] },
		"empty": func([]byte) []byte { return nil },
		"zero":  func(b []byte) []byte { return make([]byte, len(b)) },
	} {
		t.Run("F45 F03 a record that is "+name+" is reported, never replaced by a new identity, and the others go on", func(t *testing.T) {
			store, c := newMemory(), newClock()
			f := newFixture(t, store, c, nil)
			f.round()
			es256 := mustStorageKey(t, f, f.signer(token.ES256).ID)
			store.values[es256] = damage(store.values[es256])
			g := newFixture(t, store, c, nil)
			if err := g.tryRound(); err == nil || !strings.Contains(err.Error(), "--drop-old") {
				t.Fatalf("got %v", err)
			}
			g.wantStates("RS256 signing")
			if n := len(store.all()); n != 2 {
				t.Fatalf("%d keys in storage, want 2", n)
			}
			if !strings.Contains(g.log.String(), es256) || !strings.Contains(g.log.String(), "remedy=") {
				t.Fatalf("log: %s", g.log)
			}
			if got := strings.Count(g.log.String(), "does not open"); g.tryRound() == nil || strings.Count(g.log.String(), "does not open") != got {
				t.Fatal("said twice")
			}
		})
	}
	t.Run("F45 a record that is damaged while it is held goes on", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		want := f.kids()
		for _, key := range f.store.all() {
			f.store.values[key] = []byte("x")
		}
		f.clock.advance(time.Hour)
		f.round()
		if !slices.Equal(f.kids(), want) {
			t.Fatal("another set")
		}
	})
	t.Run("F45 successors of keys that open are made beside one that does not", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.store.values[f.vault.prefix+"/"+strings.Repeat("0", 64)] = []byte("x")
		f.clock.advance(89 * 24 * time.Hour)
		f.round()
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
	})
	t.Run("F45 a rotation by hand is refused while a record does not open, dropping the old ones is not", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		bad := f.vault.prefix + "/" + strings.Repeat("0", 64)
		f.store.values[bad] = []byte("x")
		if f.tryRound() == nil {
			t.Fatal("no error")
		}
		if _, err := f.Rotate(t.Context(), false); err == nil || len(f.store.all()) != 1 {
			t.Fatalf("got %v, storage %v", err, f.store.all())
		}
		if _, err := f.Rotate(t.Context(), true); err != nil || slices.Contains(f.store.all(), bad) {
			t.Fatalf("got %v, storage %v", err, f.store.all())
		}
		f.wantStates("ES256 signing", "RS256 signing")
	})
	t.Run("F45 keys that have all disappeared are kept and not replaced", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		want := f.kids()
		clear(f.store.values)
		f.clock.advance(2 * time.Hour)
		if f.tryRound() == nil || !slices.Equal(f.kids(), want) || len(f.store.all()) != 0 {
			t.Fatalf("got %v, storage %v", f.kids(), f.store.all())
		}
	})
	t.Run("a record that disappears between listing and loading is no fault", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		g := newFixture(t, f.store, f.clock, nil)
		gone := mustStorageKey(t, f, f.signer(token.ES256).ID)
		f.store.before = func(operation, key string) error {
			if operation == "load" && key == gone {
				return fs.ErrNotExist
			}
			return nil
		}
		if _, err := g.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("F01 a record that cannot be loaded fails the reading and leads to no new key", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		g := newFixture(t, f.store, f.clock, nil)
		f.store.before = faultOn("load")
		g.wantError(g.tryRound(), errFault)
		if len(f.store.all()) != 2 {
			t.Fatal("a key was made")
		}
	})
}

func mustStorageKey(t *testing.T, f *fixture, kid string) string {
	t.Helper()
	key, err := f.vault.storageKey(kid)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

type garbageList struct {
	*memory
	more []string
}

func (g garbageList) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	keys, err := g.memory.List(ctx, prefix, recursive)
	return slices.Concat(g.more, keys, keys), err
}

// shallow lists nothing without recursion, as some storages do.
type shallow struct {
	*memory
	recursive bool // which of the two listings works
	err       error
}

func (s shallow) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	if recursive != s.recursive {
		return nil, s.err
	}
	return s.memory.List(ctx, prefix, recursive)
}

func TestOddListings(t *testing.T) {
	for _, row := range []struct {
		name      string
		recursive bool
		err       error
	}{
		{"a storage that lists nothing without recursion keeps its identity", true, nil},
		{"a storage that cannot list with recursion keeps its identity", false, errFault},
	} {
		t.Run(row.name, func(t *testing.T) {
			store, c := newMemory(), newClock()
			use := func(o *Options) { o.Storage = shallow{store, row.recursive, row.err} }
			f := newFixture(t, store, c, use)
			f.round()
			g := newFixture(t, store, c, use)
			g.round()
			if len(store.all()) != 2 || !slices.Equal(f.kids(), g.kids()) {
				t.Fatalf("storage %v", store.all())
			}
		})
	}
	t.Run("a storage that lists nothing gets one key an hour at most and none signs", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Algorithms, o.DefaultAlgorithm = nil, "" })
		f.storage = shallow{f.store, true, fs.ErrNotExist}
		f.store.before = func(operation, _ string) error {
			if operation == "list" {
				return fs.ErrNotExist
			}
			return nil
		}
		for range 100 {
			if err := f.tryRound(); err == nil || !strings.Contains(err.Error(), "does not list") {
				t.Fatalf("got %v", err)
			}
			f.clock.advance(30 * time.Second)
		}
		if n := len(f.store.all()); n != 1 {
			t.Errorf("%d keys in storage", n)
		}
		_, err := f.SigningKey(t.Context(), token.RS256)
		f.wantError(err, ErrUnavailable)
	})
}

func TestLock(t *testing.T) {
	due := func(t *testing.T, late time.Duration) *fixture {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.clock.advance(89*24*time.Hour + late)
		f.store.before = faultOn("lock")
		return f
	}
	t.Run("F43 first keys are made where the lock fails", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.store.before = faultOn("lock")
		f.round()
		f.wantStates("ES256 signing", "RS256 signing")
	})
	t.Run("a rotation waits where the lock fails", func(t *testing.T) {
		f := due(t, 24*time.Hour)
		f.round()
		f.wantStates("ES256 signing", "RS256 signing")
		f.store.before = nil
		f.round()
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
	})
	t.Run("a rotation that is a day late does not wait for the lock", func(t *testing.T) {
		f := due(t, 24*time.Hour+time.Nanosecond)
		f.round()
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
	})
	t.Run("F31 a lock that never returns is given up after ten seconds, and let go if it comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			storage := &oddLock{memory: f.store, release: make(chan struct{})}
			f.storage = storage
			began := time.Now()
			f.round()
			if took := time.Since(began); took != lockTimeout {
				t.Errorf("took %s", took)
			}
			if storage.unlocked != 0 {
				t.Error("released a lock that it does not hold")
			}
			close(storage.release)
			synctest.Wait()
			if storage.unlocked != 1 {
				t.Error("still locked")
			}
		})
	})
	t.Run("the lock's context lives as long as the lock, and its release does not need the caller's", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			storage := &oddLock{memory: f.store}
			f.storage = storage
			ctx, cancel := context.WithCancel(t.Context())
			unlock, err := f.lock(ctx)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if storage.held.Err() != nil {
				t.Error("the lock's context has ended")
			}
			cancel()
			unlock()
			if storage.unlocked != 1 {
				t.Error("still locked")
			}
			if storage.held.Err() == nil {
				t.Error("the lock's context outlives the lock")
			}
		})
	})
	t.Run("the storage is read again under the lock: a key made meanwhile is not made twice", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		other := newFixture(t, f.store, f.clock, nil)
		var begun atomic.Bool
		f.store.before = func(operation, _ string) error {
			if operation == "lock" && !begun.Swap(true) {
				other.round()
			}
			return nil
		}
		f.round()
		if n := len(f.store.all()); n != 2 {
			t.Fatalf("%d keys in storage, want 2", n)
		}
	})
}

// oddLock ignores its context while it waits, and ends the lock with it.
type oddLock struct {
	*memory
	release  chan struct{} // nil: at once
	held     context.Context
	unlocked int
}

func (o *oddLock) Lock(ctx context.Context, _ string) error {
	if o.release != nil {
		<-o.release
	}
	o.held = ctx
	return nil
}

func (o *oddLock) Unlock(ctx context.Context, _ string) error {
	if ctx.Err() == nil {
		o.unlocked++
	}
	return ctx.Err()
}

func TestEncryption(t *testing.T) {
	keyA, keyB := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	sealed := func(keys ...[]byte) func(*Options) { return func(o *Options) { o.EncryptionKeys = keys } }
	t.Run("with an encryption key a copy of the storage shows neither private key nor algorithm", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), sealed(keyA))
		f.round()
		for key, value := range f.store.values {
			if bytes.Contains(value, []byte("pkcs8")) || bytes.Contains(value, []byte("ES256")) {
				t.Errorf("%s is readable", key)
			}
		}
	})
	for _, row := range []struct {
		name          string
		before, after [][]byte
	}{
		{"F45 records sealed under another key do not open and no new identity is made", [][]byte{keyA}, [][]byte{keyB}},
		{"F45 sealed records do not open without a key and no new identity is made", [][]byte{keyA}, nil},
		{"F45 unsealed records are not believed once there is a key", nil, [][]byte{keyA}},
	} {
		t.Run(row.name, func(t *testing.T) {
			store, c := newMemory(), newClock()
			newFixture(t, store, c, sealed(row.before...)).round()
			f := newFixture(t, store, c, sealed(row.after...))
			if f.tryRound() == nil || len(store.all()) != 2 {
				t.Fatalf("storage %v", store.all())
			}
			_, err := f.SigningKey(t.Context(), token.ES256)
			f.wantError(err, ErrUnavailable)
			if !strings.Contains(err.Error(), "rotate-key --drop-old") {
				t.Errorf("no remedy in %v", err)
			}
			if _, err := f.Rotate(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			f.wantStates("ES256 signing", "RS256 signing")
		})
	}
	t.Run("an older key opens, and its records are sealed anew", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, sealed(keyA))
		f.round()
		g := newFixture(t, store, c, sealed(keyB, keyA))
		g.round()
		stores := store.count("store")
		g.round()
		if store.count("store") != stores {
			t.Error("sealed twice")
		}
		h := newFixture(t, store, c, sealed(keyB))
		h.round()
		if !slices.Equal(f.kids(), h.kids()) {
			t.Errorf("got %v, want %v", h.kids(), f.kids())
		}
	})
	t.Run("a record is not sealed anew without the lock, nor where it has been dropped", func(t *testing.T) {
		store, c := newMemory(), newClock()
		newFixture(t, store, c, sealed(keyA)).round()
		g := newFixture(t, store, c, sealed(keyB, keyA))
		if _, err := g.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		stores := store.count("store")
		store.before = faultOn("lock")
		g.round()
		if store.count("store") != stores {
			t.Error("sealed without the lock")
		}
		store.before = func(operation, _ string) error {
			if operation == "lock" {
				store.mu.Lock()
				defer store.mu.Unlock()
				delete(store.values, store.keys("")[0])
			}
			return nil
		}
		g.round()
		if n := len(store.all()); n != 1 {
			t.Errorf("%d keys in storage: a dropped one is back", n)
		}
	})
	t.Run("a sealed record moved to another issuer or name does not open", func(t *testing.T) {
		store, c := newMemory(), newClock()
		f := newFixture(t, store, c, sealed(keyA))
		f.round()
		key := mustStorageKey(t, f, f.signer(token.ES256).ID)
		other := newFixture(t, store, c, func(o *Options) { o.EncryptionKeys, o.Issuer = [][]byte{keyA}, testIssuer+"/b" })
		if _, err := other.vault.open(mustStorageKey(t, other, f.signer(token.ES256).ID), store.values[key]); !errors.Is(err, errRecord) {
			t.Errorf("got %v", err)
		}
		if _, err := f.vault.open(mustStorageKey(t, f, f.signer(token.RS256).ID), store.values[key]); !errors.Is(err, errRecord) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOptions(t *testing.T) {
	good := Options{Storage: newMemory(), Issuer: testIssuer}
	for _, row := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"all defaults are valid", func(*Options) {}, ""},
		{"no storage is refused", func(o *Options) { o.Storage = nil }, "storage"},
		{"no issuer is refused", func(o *Options) { o.Issuer = "" }, "issuer"},
		{"REQ-204 an encryption key of 31 bytes is refused", func(o *Options) { o.EncryptionKeys = [][]byte{make([]byte, 31)} }, "31 bytes"},
		{"REQ-124 none is refused", func(o *Options) { o.Algorithms = []token.Algorithm{"none"} }, "none"},
		{"an unknown default algorithm is refused", func(o *Options) { o.DefaultAlgorithm = "HS256" }, "HS256"},
		{"a rotation of less than a day is refused", func(o *Options) { o.Rotation = 24*time.Hour - 1 }, "key_rotation"},
		{"a rotation of a day is valid", func(o *Options) { o.Rotation = 24 * time.Hour }, ""},
		{"a rotation of less than the cache lifetime is refused", func(o *Options) { o.Rotation, o.CacheLifetime = 24*time.Hour, 25*time.Hour }, "25h"},
		{"a negative rotation is refused", func(o *Options) { o.Rotation = -1 }, "key_rotation"},
		{"a negative lifetime is refused", func(o *Options) { o.TokenLifetime = -1 }, "negative"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := good
			row.change(&o)
			_, err := NewAutomatic(o)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
		})
	}
}

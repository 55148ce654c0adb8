package keys

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

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

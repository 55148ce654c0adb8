package keys

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// dropElsewhere drops all keys on another node.
func (f *fixture) dropElsewhere() {
	f.t.Helper()
	if _, err := nodeOn(f.t, f.store, f.clock, nil, 2).Rotate(f.t.Context(), true); err != nil {
		f.t.Fatal(err)
	}
}

// wantNone wants f to sign and publish nothing, asked in either order.
func (f *fixture) wantNone() {
	f.t.Helper()
	_, err := f.SigningKey(f.t.Context(), token.ES256)
	f.wantError(err, ErrUnavailable)
	_, err = f.JWKS(f.t.Context())
	f.wantError(err, ErrUnavailable)
}

func TestASetThatNobodyLookedAfter(t *testing.T) {
	t.Run("F44 keys that were dropped while the issuer was not configured neither sign nor are published, though the storage is away", func(t *testing.T) {
		f := startHeld(t)
		f.clock.advance(30 * 24 * time.Hour)
		f.dropElsewhere()
		f.clock.advance(time.Hour)
		f.away()
		g := f.reload()
		g.attempt.Do(func() { close(g.attempted) }) // the request comes first, and waits for nothing
		g.wantNone()
		g.wantError(g.tryRound(), errFault)
		g.wantNone()
	})
	t.Run("F44 nor once the storage was asked in vain, nor after the next reload", func(t *testing.T) {
		f := startHeld(t)
		f.clock.advance(unattendedFor + time.Nanosecond)
		f.dropElsewhere()
		f.away()
		g := f.reload()
		g.wantError(g.tryRound(), errFault)
		g.wantNone()
		h := g.reload() // a moment later: now somebody looks after them
		h.wantError(h.tryRound(), errFault)
		h.wantNone()
	})
	t.Run("F44 their private keys are forgotten, but not that there were keys", func(t *testing.T) {
		f := startHeld(t)
		f.clock.advance(unattendedFor + time.Nanosecond)
		f.reload().takeOver()
		if f.known.places[f.place].set != nil {
			t.Error("they are remembered")
		}
		if before, _ := f.known.has(f.place, f.known.number()); !before {
			t.Error("it is forgotten that there were keys")
		}
	})
	t.Run("F44 nor does the late reading of a former config bring them back", func(t *testing.T) {
		f := startHeld(t)
		late, err := f.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.clock.advance(unattendedFor + time.Nanosecond)
		f.reload().takeOver()
		if err := f.adopt(late); err != nil {
			t.Fatal(err)
		}
		if f.known.places[f.place].set != nil {
			t.Error("they are remembered")
		}
	})
	t.Run("F44 with a clock that was set back nobody can say when they were looked after", func(t *testing.T) {
		f := startHeld(t)
		f.away()
		f.clock.advance(-time.Nanosecond)
		g := f.reload()
		g.wantError(g.tryRound(), errFault)
		g.wantNone()
	})
	t.Run("F36 F16 a round that ends while they are asked for does not end in the future", func(t *testing.T) {
		f := startHeld(t)
		read := 0
		f.known.set(f.place, f.opens, func() time.Time {
			read++
			if f.known.mu.TryLock() {
				f.known.mu.Unlock()
				t.Error("a round may end once the clock was read")
			}
			return f.now()
		})
		if read != 1 {
			t.Errorf("the clock was read %d times", read)
		}
	})
	t.Run("F44 F36 until a busy process would have looked again they go on", func(t *testing.T) {
		f := startHeld(t)
		want := f.signer(token.ES256).ID
		f.away()
		f.clock.advance(unattendedFor)
		if f.reload().signer(token.ES256).ID != want {
			t.Error("another key")
		}
	})
	t.Run("F36 F16 rounds that fail look after them as well, for as long as the storage is away", func(t *testing.T) {
		f := startHeld(t)
		want := f.signer(token.ES256).ID
		f.away()
		for range 10 {
			f.clock.advance(longestInterval)
			f.wantError(f.tryRound(), errFault)
		}
		if f.reload().signer(token.ES256).ID != want {
			t.Error("another key")
		}
	})
	t.Run("F36 F02 and so does a round that takes long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := startHeld(t)
			want := f.signer(token.ES256).ID
			f.clock.advance(time.Hour)
			release := f.store.hang("list")
			ended := make(chan error)
			go func() { ended <- f.tryRound() }()
			synctest.Wait()
			f.clock.advance(time.Hour)
			if f.reload().signer(token.ES256).ID != want {
				t.Error("another key, though the round is under way")
			}
			<-ended
			f.clock.advance(unattendedFor)
			if f.reload().signer(token.ES256).ID != want {
				t.Error("another key, though it ended just now")
			}
			release()
			if n := f.known.attended[f.place].rounds; n != 0 {
				t.Errorf("%d rounds are under way", n)
			}
		})
	})
}

package keys

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestClose(t *testing.T) {
	t.Run("F38 what was read last goes on, and the storage is not used", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		want := f.kids() // young: a reading is published only where it is fresh
		f.Close()
		f.clock.advance(time.Minute)
		f.store.before = func(operation, key string) error {
			t.Errorf("the storage is used: %s %s", operation, key)
			return errFault
		}
		for range 2 {
			if !slices.Equal(f.kids(), want) || f.signer(token.ES256) == nil {
				t.Error("another set")
			}
		}
		f.wantError(f.tryRound(), errClosed)
	})
	t.Run("F38 nobody waits for a storage that hangs, and no reading follows the one that is under way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			f.round()
			want := f.kids()
			release := f.store.hang("list")
			f.clock.advance(time.Second)
			for range 2 { // the second is to begin when the first has ended
				go func() { _, _ = f.refresh(t.Context()) }()
				synctest.Wait()
			}
			lists := f.store.count("list")
			f.Close()
			began := time.Now()
			if !slices.Equal(f.kids(), want) || time.Since(began) != 0 {
				t.Errorf("another set, or it took %s", time.Since(began))
			}
			release()
			if n := f.store.count("list") - lists; n != 0 {
				t.Errorf("%d readings began", n)
			}
		})
	})
	t.Run("F38 where nothing was ever read there are no keys, at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, began := newFixture(t, newMemory(), newClock(), nil), time.Now()
			f.Close()
			_, err := f.JWKS(t.Context())
			f.wantError(err, errClosed)
			f.wantError(err, ErrUnavailable)
			if took := time.Since(began); took != 0 {
				t.Errorf("it took %s", took)
			}
		})
	})
	t.Run("an issuer with key files has nothing to close", func(t *testing.T) {
		var none *Automatic
		defer func() {
			if recover() != nil {
				t.Error("it panics")
			}
		}()
		none.Close()
	})
}

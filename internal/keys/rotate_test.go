package keys

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

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

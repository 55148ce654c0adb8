package storage_test

import (
	"context"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// A claim that was given up before it began has been answered with 503, and the
// client asks again with the same code.
func TestAClaimThatWasGivenUpWritesNothing(t *testing.T) {
	for _, kind := range kinds {
		t.Run("F31 "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			codes := node(t, s, c)
			code := mint(t, codes, c.Now())
			found := load(t, codes, code)
			unchanged, err := codes.ClaimGivenUp(t.Context(), found)
			if !unchanged {
				t.Errorf("it does not say that nothing was changed: %v", err)
			}
			place, marker := codes.Keys(code)
			if _, err := s.Load(t.Context(), place); err != nil {
				t.Errorf("the record: %v", err)
			}
			if s.Exists(t.Context(), marker) {
				t.Error("there is a marker")
			}
			wantError(t, codes.Redeem(t.Context(), found), nil)
		})
	}
}

// Only the end of a phase of our own tells that a call was given up. A storage
// has deadlines, too, and may have written before it ran into one.
func TestAStorageWithADeadlineOfItsOwn(t *testing.T) {
	t.Run("REQ-104 F05 at the marker's write the code counts as spent", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		code := mint(t, codes, c.Now())
		_, marker := codes.Keys(code)
		memory.Before(func(_ context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpStore && call.Key == marker {
				return context.DeadlineExceeded
			}
			return nil
		})
		wantSpent(t, codes, code)
		memory.Before(nil)
		wantError(t, redeem(t.Context(), codes, code), storage.ErrUsed)
	})
	t.Run("REQ-104 F05 at the storage's own claim the code counts as spent", func(t *testing.T) {
		c, own := noon(), newClaimer()
		codes := node(t, own, c)
		code := mint(t, codes, c.Now())
		own.fail = context.DeadlineExceeded
		wantSpent(t, codes, code)
		own.fail = nil
		wantError(t, redeem(t.Context(), codes, code), storage.ErrUsed)
	})
}

// wantSpent redeems a code, and wants it to be remembered though nobody knows
// what became of its claim.
func wantSpent(t *testing.T, codes *storage.Codes, code string) {
	t.Helper()
	err := redeem(t.Context(), codes, code)
	wantError(t, err, storage.ErrUncertain)
	wantError(t, err, context.DeadlineExceeded)
	if !codes.Claimed(code) {
		t.Error("the code is forgotten")
	}
}

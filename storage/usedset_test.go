package storage_test

import (
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

func TestTheUsedSetForgetsNoOtherCode(t *testing.T) {
	t.Run("REQ-107 A01 a claim that changed nothing has that code forgotten, and no other of its minute", func(t *testing.T) {
		c, own := noon(), newClaimer()
		codes := node(t, own, c)
		redeemed, failed := mint(t, codes, c.Now()), mint(t, codes, c.Now())
		wantError(t, redeem(t.Context(), codes, redeemed), nil)
		own.fail = storage.ErrUnavailable
		wantError(t, redeem(t.Context(), codes, failed), storage.ErrUnavailable)
		if !codes.Claimed(redeemed) {
			t.Error("the other code is forgotten")
		}
		if codes.Claimed(failed) {
			t.Error("the code that stays good is not forgotten")
		}
	})
}

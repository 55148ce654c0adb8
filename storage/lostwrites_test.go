package storage_test

import (
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// A Redis that fails over can lose a claim that it has acknowledged: the marker
// is gone, and the record is back. Only the node that claimed knows.
func TestStorageThatLostAClaim(t *testing.T) {
	memory, own := storagetest.NewMemory(), newClaimer()
	for _, kind := range []struct {
		name    string
		storage certmagic.Storage
		memory  *storagetest.Memory
	}{
		{"generic claim", memory, memory},
		{"storage's own claim", own, own.Memory},
	} {
		t.Run("F20 the node whose claim was lost refuses, and of all others one wins once: "+kind.name, func(t *testing.T) {
			c := noon()
			here, there, third := node(t, kind.storage, c), node(t, kind.storage, c), node(t, kind.storage, c)
			code := mint(t, here, c.Now())
			tokenID := load(t, here, code).TokenID()
			before := kind.memory.Snapshot()
			wantError(t, redeem(t.Context(), here, code), nil)
			kind.memory.Restore(before)
			wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
			// What it would yield is at least no other token.
			if again := load(t, there, code).TokenID(); again != tokenID {
				t.Errorf("the token is %s, and was %s", again, tokenID)
			}
			wantError(t, redeem(t.Context(), there, code), nil)
			for _, codes := range []*storage.Codes{here, there, third, node(t, kind.storage, c)} {
				wantError(t, redeem(t.Context(), codes, code), storage.ErrUsed)
			}
		})
		t.Run("F20 a code whose claim was lost is nobody's once it has expired: "+kind.name, func(t *testing.T) {
			c := noon()
			here, there := node(t, kind.storage, c), node(t, kind.storage, c)
			code := mint(t, here, c.Now())
			before := kind.memory.Snapshot()
			wantError(t, redeem(t.Context(), here, code), nil)
			kind.memory.Restore(before)
			c.Add(time.Minute)
			wantError(t, redeem(t.Context(), there, code), storage.ErrExpired)
		})
	}
}

func TestNodeThatEndedBeforeItsClaim(t *testing.T) {
	for _, kind := range kinds {
		t.Run("F11 a code that a node had loaded when it ended is good at the next try: "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			code := mint(t, node(t, s, c), c.Now())
			load(t, node(t, s, c), code)
			wantError(t, redeem(t.Context(), node(t, s, c), code), nil)
		})
	}
}

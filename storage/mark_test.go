package storage_test

import (
	"bytes"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// TestEachClaimHasAMarkOfItsOwn: the last step of the generic claim tells its
// own marker from another node's by nothing else.
func TestEachClaimHasAMarkOfItsOwn(t *testing.T) {
	const size = 32
	c, memory := noon(), storagetest.NewMemory()
	codes := node(t, memory, c)
	seen := make(map[string]bool)
	for range 100 {
		code := mint(t, codes, c.Now())
		place, marker := codes.Keys(code)
		sealed := memory.Snapshot()[place]
		wantError(t, redeem(t.Context(), codes, code), nil)
		value := memory.Snapshot()[marker]
		if len(value) != size+len(sealed) || !bytes.HasSuffix(value, sealed) {
			t.Fatalf("the marker has %d bytes, want a mark and the record's %d", len(value), len(sealed))
		}
		seen[string(value[:size])] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 claims have %d marks", len(seen))
	}
}

package storage_test

import (
	"bytes"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
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

// TestMarksAreRandom: two processes that start alike must not make the same, as
// they would by counting, which leaves most digits as they are.
func TestMarksAreRandom(t *testing.T) {
	const size, marks, atLeast = 32, 256, 8
	var seen [size]map[byte]bool
	for i := range seen {
		seen[i] = make(map[byte]bool)
	}
	for range marks {
		for i, digit := range storage.NewMark() {
			seen[i][digit] = true
		}
	}
	for i, digits := range seen {
		if len(digits) < atLeast { // by chance less than once in 10⁸⁰ runs
			t.Errorf("digit %d of %d marks has %d values, want %d or more", i, marks, len(digits), atLeast)
		}
	}
}

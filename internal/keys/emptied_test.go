package keys

import (
	"bytes"
	"testing"
)

func TestEmptiedStorageUnderAnotherEncryptionKey(t *testing.T) {
	t.Run("F45 after a reload with another encryption key an emptied storage leads to no new identity either", func(t *testing.T) {
		f := startHeld(t, bytes.Repeat([]byte{1}, 32))
		clear(f.store.values)
		g := f.reload(bytes.Repeat([]byte{2}, 32))
		g.wantError(g.tryRound(), errDisappeared)
		if n := len(f.store.all()); n != 0 {
			t.Errorf("%d keys in storage", n)
		}
	})
}

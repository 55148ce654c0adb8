package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// TestCreatedMarkerWantsTheRecordThatWasOpened: a marker that is made as a file
// of its own is no claim to a record that was put in the place of the one that
// was opened, as it is none where a link takes the record itself.
func TestCreatedMarkerWantsTheRecordThatWasOpened(t *testing.T) {
	c, dir := noon(), t.TempDir()
	codes, _ := fileNode(t, dir, c, false, boot)
	code := mint(t, codes, c.Now())
	found := load(t, codes, code)
	place, _ := codes.Keys(code)
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(place)), []byte("another record"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, codes.Redeem(t.Context(), found), storage.ErrLost)
}

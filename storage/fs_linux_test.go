package storage_test

import (
	"syscall"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// The folders of /proc can be opened but not synced.
func TestFolderThatCannotBeSyncedIsAnError(t *testing.T) {
	wantError(t, storage.SyncDir("/proc"), syscall.EINVAL)
}

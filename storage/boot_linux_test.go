package storage_test

import (
	"os"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// Whatever else names a machine outlives its start, and with it the claims that
// the start lost.
func TestBootIDIsTheKernels(t *testing.T) {
	want, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	if got := storage.BootID(); got != strings.TrimSpace(string(want)) {
		t.Errorf("got %q, want %q", got, want)
	}
}

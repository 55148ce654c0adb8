package storage

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/internal/place"
)

func TestReadFile(t *testing.T) {
	for _, size := range []int{0, 1, 2047, 2048, 2049, 100_000} { // 2048 are read at once
		name := filepath.Join(t.TempDir(), "record")
		want := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes got %d that are the same: %t, %v", size, len(got), bytes.Equal(got, want), err)
		}
	}
	t.Run("a file that does not exist is told from one that cannot be read", func(t *testing.T) {
		if _, err := readFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		if _, err := readFile(t.TempDir()); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a folder: got %v", err)
		}
	})
}

func TestSyncDir(t *testing.T) {
	if err := (operatingSystem{}).SyncDir(t.TempDir()); err != nil {
		t.Error(err)
	}
	t.Run("a folder that does not exist is not taken for synced", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("no folder is synced there")
		}
		if err := (operatingSystem{}).SyncDir(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

// The files are where FileStorage has them: other programs look there.
func TestFilename(t *testing.T) {
	prefix := place.Prefix("https://id.example.com")
	hash := strings.Repeat("0af9", 16)
	for _, path := range []string{"", ".", "data", "data/", "/data", "/data/../x//", "/"} {
		files := &certmagic.FileStorage{Path: path}
		s := newFileStore(files, nil)
		for _, key := range []string{prefix, prefix + "/codes/29383840/" + hash, prefix + "/used/29383840", probeDir + "/" + hash + "-2"} {
			if got, want := s.filename(key), files.Filename(key); got != want {
				t.Errorf("in %q got %s, want %s", path, got, want)
			}
		}
	}
}

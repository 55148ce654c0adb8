package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestLayOut(t *testing.T) {
	dir := t.TempDir()
	first, err := layOut(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the secret has 256 bits and the password can be typed", func(t *testing.T) {
		if len(first.client) != 43 {
			t.Errorf("the secret has %d characters", len(first.client))
		}
		if !regexp.MustCompile(`^([a-z1-9]{4}-){2}[a-z1-9]{4}$`).MatchString(first.password) {
			t.Error("the password has another form")
		}
	})
	t.Run("the hash is the password's", func(t *testing.T) {
		hash, err := os.ReadFile(filepath.Join(dir, "alice.hash"))
		if err != nil {
			t.Fatal(err)
		}
		if err := bcrypt.CompareHashAndPassword([]byte(strings.TrimSpace(string(hash))), []byte(first.password)); err != nil {
			t.Error(err)
		}
	})
	t.Run("nobody else may read any of it", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("Windows keeps access in lists, of which Go's mode bits show nothing")
		}
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || path == dir {
				return err
			}
			info, err := entry.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("a second start keeps password and secret", func(t *testing.T) {
		if second, err := layOut(dir); err != nil || second != first {
			t.Errorf("they differ: %v", err)
		}
	})
	t.Run("a second start leaves no page of an older program", func(t *testing.T) {
		old := filepath.Join(dir, "site", "old.html")
		if err := os.WriteFile(old, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := layOut(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(old); !os.IsNotExist(err) {
			t.Errorf("it is still there: %v", err)
		}
	})
	t.Run("an empty password file is no empty password", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(dir, "alice.password"), []byte("\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := layOut(dir); err == nil || !strings.Contains(err.Error(), "is empty: remove it") {
			t.Errorf("got %v", err)
		}
	})
}

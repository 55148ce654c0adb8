package keys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

// lockFile is where a file storage keeps the lock on a node's keys.
func (f *fixture) lockFile(dir string) string {
	return filepath.Join(dir, "locks", certmagic.StorageKeys.Safe(f.lockName())+".lock")
}

// TestLockFiles finds a lock that nobody will ever let go.
func TestLockFiles(t *testing.T) {
	held := func(at time.Time) string {
		at = at.UTC()
		return fmt.Sprintf(`{"created":%q,"updated":%[1]q}`, at.Format(time.RFC3339Nano))
	}
	for _, row := range []struct {
		name    string
		content func() string
		renewed bool
	}{
		{"F25 a lock of a node that died keeps no other from making keys", func() string { return held(time.Now()) }, false},
		{"F27 a lock that never goes stale keeps no node from making keys", func() string { return held(time.Now()) }, true},
		{"F28 an empty lock file keeps no node from making keys", func() string { return "" }, true},
		{"F28 a torn lock file keeps no node from making keys", func() string { return held(time.Now())[:20] }, true},
		{"F28 a lock file from the future keeps no node from making keys", func() string { return held(time.Now().Add(100 * time.Hour)) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Storage = &certmagic.FileStorage{Path: dir} })
				file := f.lockFile(dir)
				write := func() {
					if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(row.content()), 0o600)); err != nil {
						t.Error(err)
					}
				}
				write()
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					for row.renewed && ctx.Err() == nil {
						time.Sleep(time.Second)
						write()
					}
				}()
				began := time.Now()
				f.round()
				if took := time.Since(began); took > lockTimeout+unlockTimeout {
					t.Errorf("it took %s", took)
				}
				f.wantStates("ES256 signing", "RS256 signing")
				cancel()
				time.Sleep(2 * time.Second)
				os.Remove(file)
				time.Sleep(time.Minute) // what keeps a lock fresh ends when its file is gone
			})
		})
	}
}

func TestLockNames(t *testing.T) {
	t.Run("F29 no two issuers share a lock, on storages that fold letters and leave out others", func(t *testing.T) {
		seen := make(map[string]string)
		for _, issuer := range []string{
			"https://id.example.com", "https://ID.example.com", "https://id.example.com/", "https://id.example.com/a", "https://id.example.com/A",
			"https://id.example.com/a b", "https://id.example.com/a+b", "https://id.example.com/a*b", "https://id.example.com/a:b", "https://id.example.com/ab",
		} {
			f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Issuer = issuer })
			name := f.lockName()
			if certmagic.StorageKeys.Safe(name) != name || strings.ToLower(name) != name {
				t.Errorf("a storage changes the name %q", name)
			}
			if other, taken := seen[name]; taken {
				t.Errorf("%s and %s share one", issuer, other)
			}
			seen[name] = issuer
		}
	})
}

func TestReleaseFails(t *testing.T) {
	t.Run("F32 a lock that cannot be released is told of, and the keys are there", func(t *testing.T) {
		store := newMemory()
		f := newFixture(t, store, newClock(), nil)
		store.before = faultOn("unlock")
		f.round()
		f.wantStates("ES256 signing", "RS256 signing")
		if !strings.Contains(f.log.String(), "releasing the lock on the signing keys failed") {
			t.Errorf("log: %s", f.log)
		}
	})
}

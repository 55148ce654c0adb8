//go:build unix

package storage_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

const expiredRecords = 100_000

// prefill puts expired records into a file storage, fifty minutes of them, as
// many codes that nobody redeems leave. They are links to a few files, since
// that is quicker, and no file system has so many for one.
func prefill(t *testing.T, dir string, codes *storage.Codes, before time.Time) {
	t.Helper()
	var file string
	for i := range expiredRecords {
		bucket := filepath.Join(dir, filepath.FromSlash(codes.Prefix()), "codes", fmt.Sprintf("%08x", before.Unix()/60-int64(i%50)))
		name := filepath.Join(bucket, fmt.Sprintf("%016x%016x%016x%016x", rand.Uint64(), rand.Uint64(), rand.Uint64(), i))
		err := os.MkdirAll(bucket, 0o700)
		if i%10_000 == 0 {
			file = name
			err = os.WriteFile(name, []byte("expired"), 0o600)
		} else if err == nil {
			err = os.Link(file, name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// cpu is what this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// pace redeems a code at a time until enough, resting between them, and returns
// how long the median took and what CPU one cost with its minting.
func pace(t *testing.T, codes *storage.Codes, rest time.Duration, enough func(n int) bool) (median, cost time.Duration) {
	t.Helper()
	var took []time.Duration
	used := cpu(t)
	for n := 0; !enough(n); n++ {
		code := mint(t, codes, time.Now())
		began := time.Now()
		wantError(t, redeem(t.Context(), codes, code), nil)
		took = append(took, time.Since(began))
		time.Sleep(rest)
	}
	used = cpu(t) - used
	slices.Sort(took)
	return took[len(took)/2], used / time.Duration(len(took))
}

// TestExpiredRecords compares with what is measured in the same second: nothing
// else holds on a machine that does other work, too.
func TestExpiredRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand files take some seconds to make")
	}
	dir := t.TempDir()
	files := &certmagic.FileStorage{Path: dir}
	prefill(t, dir, node(t, files, nil), time.Now().Add(-time.Hour))
	enough := func(n int) bool { return n == 300 }
	quiet, cost := pace(t, node(t, &certmagic.FileStorage{Path: t.TempDir()}, nil), 0, enough)

	codes := node(t, files, nil)
	t.Run("F49 the first redemption beside 100,000 expired records takes no second", func(t *testing.T) {
		began := time.Now()
		wantError(t, redeem(t.Context(), codes, mint(t, codes, time.Now())), nil)
		within(t, began, time.Second)
	})
	t.Run("F49 a redemption beside 100,000 expired records takes no longer", func(t *testing.T) {
		if beside, _ := pace(t, codes, 0, enough); beside > 4*quiet {
			t.Errorf("it takes %s, and %s without them", beside, quiet)
		}
	})
	began, used := time.Now(), cpu(t)
	done, swept := make(chan struct{}), 0
	go func() {
		defer close(done)
		swept = sweep(t, codes)
	}()
	const rest = 10 * time.Millisecond
	meanwhile, _ := pace(t, codes, rest, func(n int) bool {
		select {
		case <-done:
			return n > 0
		default:
			return false
		}
	})
	used = cpu(t) - used
	t.Logf("swept in %s with %s of CPU, some of it for redemptions; one takes %s, and %s else", time.Since(began), used, meanwhile, quiet)
	t.Run("F49 100,000 expired records are swept", func(t *testing.T) {
		if records, _ := values(t, files, codes); swept != expiredRecords || records != 0 {
			t.Errorf("%d were swept and %d are left", swept, records)
		}
	})
	t.Run("F49 a redemption takes little longer while they are swept", func(t *testing.T) {
		// A goroutine that has rested is slower than one that has not.
		if meanwhile > 10*quiet {
			t.Errorf("it takes %s, and %s else", meanwhile, quiet)
		}
	})
	t.Run("F49 sweeping a code costs a fraction of minting and redeeming it", func(t *testing.T) {
		if each := used / expiredRecords; each > cost/2 {
			t.Errorf("it costs %s, and %s", each, cost)
		}
	})
	t.Run("F49 a sweep that finds nothing takes less than 1 % of the minute between two", func(t *testing.T) {
		used := cpu(t)
		if n := sweep(t, codes); n != 0 {
			t.Errorf("swept %d", n)
		}
		if used = cpu(t) - used; used > 600*time.Millisecond {
			t.Errorf("it takes %s", used)
		}
	})
}

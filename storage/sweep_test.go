package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// The codes of noon expire at 12:01:07 and their bucket ends at 12:02. Records
// go two minutes later, markers after the access token's ten minutes more.
var (
	bucketEnd  = time.Date(2026, 3, 1, 12, 2, 0, 0, time.UTC)
	recordsEnd = bucketEnd.Add(storage.SweepDelay)
	markersEnd = recordsEnd.Add(10 * time.Minute)
)

func sweep(t *testing.T, codes *storage.Codes) int {
	t.Helper()
	n, err := codes.Sweep(t.Context())
	if err != nil {
		t.Errorf("Sweep: %v", err)
	}
	return n
}

// values returns the keys of an issuer's values.
func values(t *testing.T, s certmagic.Storage, codes *storage.Codes) (records, markers int) {
	t.Helper()
	for _, dir := range []string{"codes", "used"} {
		keys, err := s.List(t.Context(), codes.Prefix()+"/"+dir, true)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, key := range keys {
			if len(path.Base(key)) == 64 && dir == "codes" {
				records++
			} else if len(path.Base(key)) == 64 {
				markers++
			}
		}
	}
	return records, markers
}

func TestSweeping(t *testing.T) {
	rows := []struct {
		name                           string
		at                             time.Time
		wantRecords, wantMarkers, want int
	}{
		{"nothing while codes are good", bucketEnd.Add(-time.Minute), 3, 2, 0},
		{"nothing while clocks may differ and claims may be under way", recordsEnd.Add(-1), 3, 2, 0},
		{"records of a bucket that closed", recordsEnd, 0, 2, 3},
		{"REQ-106 no marker while an access token may live", markersEnd.Add(-1), 0, 2, 3},
		{"markers after that", markersEnd, 0, 0, 5},
	}
	for _, kind := range kinds {
		for _, row := range rows {
			t.Run(kind.name+": "+row.name, func(t *testing.T) {
				c, s := noon(), kind.new(t)
				told := 0
				codes := node(t, s, c, func(o *storage.Options) {
					o.Observe = func(e storage.Event) { told += e.Count }
				})
				for i := range 5 {
					code := mint(t, codes, c.Now())
					if i < 2 {
						wantError(t, redeem(t.Context(), codes, code), nil)
					}
				}
				c.Set(row.at)
				if n := sweep(t, codes); n != row.want || told != row.want {
					t.Errorf("swept %d and told of %d, want %d", n, told, row.want)
				}
				if records, markers := values(t, s, codes); records != row.wantRecords || markers != row.wantMarkers {
					t.Errorf("left are %d records and %d markers, want %d and %d", records, markers, row.wantRecords, row.wantMarkers)
				}
				if n := sweep(t, codes); n != 0 {
					t.Errorf("swept %d the second time", n)
				}
			})
		}
		t.Run(kind.name+": F49 thousands at once, and by several sweepers", func(t *testing.T) {
			c, s := noon(), kind.new(t)
			codes, other := node(t, s, c), node(t, s, c)
			for range 2500 {
				mint(t, codes, c.Now())
			}
			live := func() string { c.Set(recordsEnd); return mint(t, codes, c.Now()) }()
			both := make(chan int)
			for _, sweeper := range []*storage.Codes{codes, other} {
				go func() {
					n, err := sweeper.Sweep(t.Context())
					wantError(t, err, nil)
					both <- n
				}()
			}
			if n := <-both + <-both; n < 2500 {
				t.Errorf("swept %d of 2500", n)
			}
			if records, _ := values(t, s, codes); records != 1 {
				t.Errorf("left are %d records, want 1", records)
			}
			wantError(t, redeem(t.Context(), codes, live), nil)
		})
	}
}

// foreign are keys beside ours that look like ours in part.
func foreign(prefix string) map[string][]byte {
	bucket, name := "01c0ffee", strings.Repeat("0a", 32)
	keys := []string{
		"certificates/acme/example.com/example.com.key",
		"ocsp/example.com-0123",
		"oidc_token/keys/record",
		"oidc_token/" + strings.Repeat("0", 32) + "/codes/00000001/" + name,
		prefix + "/keys/" + name,
		prefix + "/codes/" + name,
		prefix + "/codes/0000001/" + name,
		prefix + "/codes/0000001G/" + name,
		prefix + "/codes/0000000A/" + name,
		prefix + "/codes/00000001/" + strings.ToUpper(name),
		prefix + "/codes/00000001/" + name[1:],
		prefix + "/codes/00000001/" + name + "0",
		prefix + "/codes/00000001/" + name + ".json",
		prefix + "/codes/00000001/deeper/" + name,
		prefix + "/codes/00000001/tmp-notours",
		prefix + "/used/00000001/notes",
		prefix + "/codes2/00000001/" + name,
		prefix + "x/codes/" + bucket + "/" + name,
	}
	all := make(map[string][]byte)
	for _, key := range keys {
		all[key] = []byte("of somebody else")
	}
	return all
}

func TestSweepingTouchesNothingOfOthers(t *testing.T) {
	for _, kind := range kinds {
		t.Run("T7 "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			codes := node(t, s, c)
			mint(t, codes, c.Now())
			others := foreign(codes.Prefix())
			for key, value := range others {
				if err := s.Store(t.Context(), key, value); err != nil {
					t.Fatal(err)
				}
			}
			ours := codes.Prefix() + "/codes/00000001/" + strings.Repeat("0b", 32)
			if err := s.Store(t.Context(), ours, []byte("expired long ago")); err != nil {
				t.Fatal(err)
			}
			c.Add(24 * time.Hour)
			if n := sweep(t, codes); n != 2 {
				t.Errorf("swept %d, want what was minted and the one that is shaped like it", n)
			}
			for key := range others {
				if _, err := s.Load(t.Context(), key); err != nil {
					t.Errorf("gone: %s", key)
				}
			}
		})
	}
	t.Run("links and folders with a record's name", func(t *testing.T) {
		c, dir, outside := noon(), t.TempDir(), t.TempDir()
		codes, _ := fileNode(t, dir, c, true, boot)
		mint(t, codes, c.Now())
		name := strings.Repeat("0b", 32)
		records := filepath.Join(dir, filepath.FromSlash(codes.Prefix()), "codes")
		kept := filepath.Join(outside, name)
		for _, err := range []error{
			os.WriteFile(kept, nil, 0o600),
			symlink(outside, filepath.Join(records, "00000001")),
			os.MkdirAll(filepath.Join(records, "00000002", name), 0o700),
			symlink(kept, filepath.Join(records, "00000002", "00"+name[2:])),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		c.Add(24 * time.Hour)
		sweep(t, codes)
		for _, file := range []string{kept, filepath.Join(records, "00000001"), filepath.Join(records, "00000002", name)} {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("gone: %v", err)
			}
		}
	})
}

// symlink makes a symbolic link; on Windows, where that needs a privilege, a
// folder, which is to be kept as well.
func symlink(to, name string) error {
	if runtime.GOOS != "windows" {
		return os.Symlink(to, name)
	}
	return os.MkdirAll(name, 0o700)
}

func TestFoldersAreRemovedWithTheirFiles(t *testing.T) {
	c, dir := noon(), t.TempDir()
	codes, faults := fileNode(t, dir, c, true, boot)
	wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
	faults.Before = func(s storage.Step) error {
		if s.Op == "rename" || s.Op == "remove" {
			return errFault // a write that ends in the middle leaves a file
		}
		return nil
	}
	codes.Store(t.Context(), record(c.Now()))
	faults.Reset()
	c.Set(markersEnd)
	if n := sweep(t, codes); n != 2 {
		t.Errorf("swept %d, want the unfinished file and the marker", n)
	}
	for _, below := range []string{"codes", "used"} {
		entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(codes.Prefix()), below))
		if err != nil || len(entries) != 0 {
			t.Errorf("left below %s: %v, %v", below, entries, err)
		}
	}
	if codes.Noted() != 0 {
		t.Errorf("%d buckets are still remembered", codes.Noted())
	}
}

// Storages whose List is not as the contract wants it.
type listing struct {
	*storagetest.Memory
	list func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error)
}

func (l listing) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	return l.list(l.Memory, ctx, prefix, recursive)
}

func TestSweepingByListsOfAnotherKind(t *testing.T) {
	type list = func(*storagetest.Memory, context.Context, string, bool) ([]string, error)
	rows := []struct {
		name string
		list list
	}{
		{"the whole storage whatever is asked", func(m *storagetest.Memory, _ context.Context, _ string, _ bool) ([]string, error) {
			return m.Keys(), nil
		}},
		{"empty keys and the folder itself among them", func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			keys, err := m.List(ctx, prefix, recursive)
			return append(keys, "", "/", prefix, prefix+"/", prefix+"//", ".", "..", prefix+"/"+strings.Repeat("0c", 32)+"/"), err
		}},
		{"folders with a slash at the end", func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			keys, err := m.List(ctx, prefix, recursive)
			for i, key := range keys {
				if len(path.Base(key)) == 8 {
					keys[i] += "/"
				}
			}
			return keys, err
		}},
		{"everything below although not asked for", func(m *storagetest.Memory, ctx context.Context, prefix string, _ bool) ([]string, error) {
			return m.List(ctx, prefix, true)
		}},
		{"nothing unless asked for everything below", func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			if !recursive {
				return nil, nil
			}
			return m.List(ctx, prefix, true)
		}},
		{"an error when asked for everything below", func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			if recursive {
				return nil, errFault
			}
			return m.List(ctx, prefix, false)
		}},
		{"no folders, only what is in them", func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			keys, err := m.List(ctx, prefix, recursive)
			return slices.DeleteFunc(keys, func(key string) bool { return len(path.Base(key)) != 64 }), err
		}},
		{"no error for what is absent", func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			keys, _ := m.List(ctx, prefix, recursive)
			return keys, nil
		}},
	}
	for _, row := range rows {
		t.Run("T7 "+row.name, func(t *testing.T) {
			c, memory := noon(), storagetest.NewMemory()
			codes := node(t, listing{memory, row.list}, c)
			others := foreign(codes.Prefix())
			memory.Restore(others)
			wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
			mint(t, codes, c.Now())
			memory.Reset()
			c.Set(markersEnd)
			if n := sweep(t, codes); n != 2 {
				t.Errorf("swept %d, want a record and a marker", n)
			}
			if left := memory.Snapshot(); !maps.EqualFunc(left, others, bytes.Equal) {
				t.Errorf("left are %d keys, want the %d of others", len(left), len(others))
			}
			for _, call := range memory.Calls() {
				if call.Op == storagetest.OpDelete && len(path.Base(call.Key)) != 64 {
					t.Errorf("deleted %q", call.Key)
				}
			}
			if codes.Noted() != 0 {
				t.Errorf("%d buckets are still remembered", codes.Noted())
			}
		})
	}
}

func TestSweepingPutsUpWithFaults(t *testing.T) {
	t.Run("F52 keys that are gone already, and storages that say so", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		mint(t, codes, c.Now())
		mint(t, codes, c.Now())
		c.Set(recordsEnd)
		memory.After(func(_ context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpDelete {
				return fs.ErrNotExist
			}
			return nil
		})
		if n := sweep(t, codes); n != 2 {
			t.Errorf("swept %d, want 2", n)
		}
	})
	t.Run("a marker stays while its bucket's records cannot be swept", func(t *testing.T) {
		for _, kind := range kinds[:2] {
			t.Run(kind.name, func(t *testing.T) {
				c, s := noon(), kind.new(t)
				codes := node(t, s, c)
				mint(t, codes, c.Now())
				wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
				c.Set(markersEnd)
				recover := failRecordRemoval(codes, s)
				if _, err := codes.Sweep(t.Context()); !errors.Is(err, errFault) {
					t.Errorf("Sweep = %v, want the fault", err)
				}
				if records, markers := values(t, s, codes); records != 1 || markers != 1 {
					t.Errorf("left are %d records and %d markers, want both", records, markers)
				}
				recover()
				sweep(t, codes)
				if records, markers := values(t, s, codes); records != 0 || markers != 0 {
					t.Errorf("left are %d records and %d markers", records, markers)
				}
			})
		}
	})
	t.Run("a marker stays while the storage only says that it deletes", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, keepingRecords{memory}, c)
		mint(t, codes, c.Now())
		found := load(t, codes, mint(t, codes, c.Now()))
		wantError(t, codes.Redeem(t.Context(), found), storage.ErrLost)
		c.Set(markersEnd)
		if _, err := codes.Sweep(t.Context()); err == nil {
			t.Error("Sweep gave no error")
		}
		if records, markers := values(t, memory, codes); records != 2 || markers != 1 {
			t.Errorf("left are %d records and %d markers, want all", records, markers)
		}
	})
	t.Run("a bucket that fails leaves the others to be swept", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		bad, _ := codes.Keys(mint(t, codes, c.Now()))
		c.Add(time.Minute)
		mint(t, codes, c.Now())
		c.Set(recordsEnd.Add(time.Minute))
		memory.Before(func(_ context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpDelete && call.Key == bad {
				return errFault
			}
			return nil
		})
		if n, err := codes.Sweep(t.Context()); n != 1 || !errors.Is(err, errFault) {
			t.Errorf("Sweep = %d, %v, want 1 and the fault", n, err)
		}
	})
	t.Run("T7 a list is not cancelled: one storage ends the process then", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		mint(t, codes, c.Now())
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan error, 1)
		memory.Before(func(callCtx context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpList && len(asked) == 0 {
				cancel()
				asked <- callCtx.Err()
			}
			return nil
		})
		codes.Sweep(ctx)
		wantError(t, <-asked, nil)
	})
	t.Run("F53 a panic is an error", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		memory.Before(func(context.Context, storagetest.Call) error { panic("nil response") })
		if _, err := codes.Sweep(t.Context()); err == nil {
			t.Error("Sweep gave none")
		}
	})
	t.Run("a sweep ends with its context", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		for range 10 {
			mint(t, codes, c.Now())
		}
		c.Set(recordsEnd)
		ctx, cancel := context.WithCancel(t.Context())
		memory.After(func(_ context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpDelete {
				cancel()
			}
			return nil
		})
		n, err := codes.Sweep(ctx)
		wantError(t, err, context.Canceled)
		if n > 1 {
			t.Errorf("swept %d after the end", n)
		}
	})
}

// keepingRecords passes the probe and does not delete records.
type keepingRecords struct{ *storagetest.Memory }

func (s keepingRecords) Delete(ctx context.Context, key string) error {
	if strings.Contains(key, "/codes/") {
		return nil
	}
	return s.Memory.Delete(ctx, key)
}

// failRecordRemoval makes the removal of records fail until it is undone.
func failRecordRemoval(codes *storage.Codes, s certmagic.Storage) (undo func()) {
	if memory, ok := s.(*storagetest.Memory); ok {
		memory.Before(func(_ context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpDelete && strings.Contains(call.Key, "/codes/") {
				return errFault
			}
			return nil
		})
		return memory.Reset
	}
	faults := new(storage.Faults)
	failed := false
	faults.Before = func(s storage.Step) error {
		if s.Op == "remove" && !failed { // records come first
			failed = true
			return errFault
		}
		return nil
	}
	codes.SetFaults(faults)
	return faults.Reset
}

func TestRunSweepsUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storagetest.NewMemory()
		used := storage.NewUsedSet()
		var log bytes.Buffer
		var broken atomic.Bool
		codes := node(t, memory, nil, func(o *storage.Options) {
			o.Used = used
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			o.Now = func() time.Time {
				if broken.CompareAndSwap(true, false) {
					panic("no clock")
				}
				return time.Now()
			}
		})
		wantError(t, redeem(t.Context(), codes, mint(t, codes, time.Now())), nil)
		memory.Reset()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { codes.Run(ctx); close(ended) }()

		time.Sleep(30*time.Second - 1)
		synctest.Wait()
		if memory.Count() != 0 {
			t.Error("the first sweep came before half a minute")
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if memory.Count(storagetest.OpList) == 0 {
			t.Error("no sweep within a minute")
		}
		var once atomic.Bool
		memory.Before(func(context.Context, storagetest.Call) error {
			if once.CompareAndSwap(false, true) {
				panic("nil response")
			}
			return nil
		})
		time.Sleep(time.Minute)
		broken.Store(true)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if left := len(memory.Keys()); left != 0 {
			t.Errorf("%d keys are left", left)
		}
		if used.Len() != 0 {
			t.Errorf("%d codes are remembered", used.Len())
		}
		for _, fault := range []string{"the storage panicked", "no clock"} {
			if !strings.Contains(log.String(), fault) {
				t.Errorf("%q is not in the log: %s", fault, log.String())
			}
		}
		cancel()
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("it runs on")
		}
	})
}

func TestRunEndsWhileTheStorageHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := storagetest.NewMemory()
		codes := node(t, memory, nil)
		release := hang(memory, storagetest.OpList)
		defer release()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { codes.Run(ctx); close(ended) }()
		time.Sleep(2 * time.Minute)
		cancel()
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("it waits for the storage")
		}
	})
}

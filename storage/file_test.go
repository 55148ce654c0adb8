package storage_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

const boot = "0f1e2d3c-boot"

// fileNode returns a node on a folder that is taken for what the row says.
func fileNode(t *testing.T, dir string, c *clock, local bool, bootID string) (*storage.Codes, *storage.Faults) {
	t.Helper()
	codes := node(t, &certmagic.FileStorage{Path: dir}, c)
	codes.SetLocal(local, bootID)
	faults := new(storage.Faults)
	codes.SetFaults(faults)
	return codes, faults
}

// fileSystems are what a folder can be on.
var fileSystems = []struct {
	name           string
	local          bool
	boot           string
	durable, links bool
}{
	{"local", true, boot, false, true},
	{"local, without a boot id", true, "", true, true},
	{"network", false, boot, true, false},
}

func TestFileSystemTraits(t *testing.T) {
	for _, row := range fileSystems {
		t.Run(row.name, func(t *testing.T) {
			c := noon()
			codes, faults := fileNode(t, t.TempDir(), c, row.local, row.boot)
			code := mint(t, codes, c.Now())
			bootID, durable, links := codes.Traits()
			if durable != row.durable || links != row.links || (bootID != "") != (row.local && row.boot != "") {
				t.Errorf("found boot id %q, durable %v, links %v", bootID, durable, links)
			}
			faults.Reset()
			mint(t, codes, c.Now())
			wantError(t, redeem(t.Context(), codes, code), nil)
			if n := count(faults, "sync", "syncdir"); (n > 0) != row.durable {
				t.Errorf("%d syncs", n)
			}
			if n := count(faults, "link"); (n > 0) != row.links {
				t.Errorf("%d links", n)
			}
		})
	}
	t.Run("this machine's folders are served one way or another", func(t *testing.T) {
		c := noon()
		codes := node(t, &certmagic.FileStorage{Path: t.TempDir()}, c)
		wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
	})
}

// F35: what is written to a file system that is not local is durable before
// anybody acts on it: the file before its name, the name before the answer.
func TestDurableClaim(t *testing.T) {
	c := noon()
	t.Run("F35 on a network the marker and its folder are synced before the record goes", func(t *testing.T) {
		codes, faults := fileNode(t, t.TempDir(), c, false, "")
		found := load(t, codes, mint(t, codes, c.Now()))
		faults.Reset()
		wantError(t, codes.Redeem(t.Context(), found), nil)
		wantSteps(t, faults, "mkdir syncdir syncdir syncdir syncdir create write sync close read syncdir remove")
	})
	t.Run("F35 a second claim in the bucket does not sync the folders above again", func(t *testing.T) {
		codes, faults := fileNode(t, t.TempDir(), c, false, "")
		wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
		found := load(t, codes, mint(t, codes, c.Now()))
		faults.Reset()
		wantError(t, codes.Redeem(t.Context(), found), nil)
		wantSteps(t, faults, "mkdir create write sync close read syncdir remove")
	})
	t.Run("F35 without a boot id the link is synced before the record goes", func(t *testing.T) {
		codes, faults := fileNode(t, t.TempDir(), c, true, "")
		wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
		found := load(t, codes, mint(t, codes, c.Now()))
		faults.Reset()
		wantError(t, codes.Redeem(t.Context(), found), nil)
		wantSteps(t, faults, "mkdir link syncdir remove")
	})
	t.Run("F35 a record is synced, named, and its name synced", func(t *testing.T) {
		codes, faults := fileNode(t, t.TempDir(), c, false, "")
		mint(t, codes, c.Now())
		faults.Reset()
		mint(t, codes, c.Now())
		wantSteps(t, faults, "mkdir create write sync close rename syncdir")
	})
	t.Run("a local claim is a link and a removal", func(t *testing.T) {
		codes, faults := fileNode(t, t.TempDir(), c, true, boot)
		found := load(t, codes, mint(t, codes, c.Now()))
		faults.Reset()
		wantError(t, codes.Redeem(t.Context(), found), nil)
		wantSteps(t, faults, "mkdir link remove")
	})
}

// Which folders are synced: those above a new bucket before its marker is made,
// and the marker's, not the record's, before the record goes.
func TestFoldersOfAClaimAreSynced(t *testing.T) {
	for _, row := range []struct {
		name, claim string
		local       bool
	}{
		{"network", "create", false},
		{"local, without a boot id", "link", true},
	} {
		t.Run(row.name, func(t *testing.T) { testSyncedFolders(t, row.local, row.claim, 0) })
		for n := 2; n <= 5; n++ { // the first makes the folder
			t.Run(fmt.Sprintf("%s: again after call %d, which failed", row.name, n), func(t *testing.T) {
				testSyncedFolders(t, row.local, row.claim, n)
			})
		}
	}
}

// testSyncedFolders claims the first code of a bucket; where a call is to fail,
// it fails once, and the claim is made again.
func testSyncedFolders(t *testing.T, local bool, claim string, failing int) {
	c, dir := noon(), t.TempDir()
	codes, faults := fileNode(t, dir, c, local, "")
	code := mint(t, codes, c.Now())
	found := load(t, codes, code)
	record, marker := codes.Keys(code)
	bucket := path.Dir(marker)
	want := []string{"mkdir " + bucket}
	for _, above := range []string{path.Dir(bucket), codes.Prefix(), path.Dir(codes.Prefix()), "."} {
		want = append(want, "syncdir "+above)
	}
	want = append(want, claim+" "+marker, "syncdir "+bucket, "remove "+record)
	faults.Reset()
	if failing > 0 {
		faults.Before = func(s storage.Step) error {
			if s.N == failing {
				return syscall.EIO
			}
			return nil
		}
		wantError(t, codes.Redeem(t.Context(), found), storage.ErrUnavailable)
		wantNames(t, faults, dir, want[:failing])
		faults.Reset()
	}
	wantError(t, codes.Redeem(t.Context(), found), nil)
	wantNames(t, faults, dir, want)
}

// wantNames compares the steps that concern names, and where below dir.
func wantNames(t *testing.T, f *storage.Faults, dir string, want []string) {
	t.Helper()
	var got []string
	for _, step := range f.Steps {
		switch step.Op {
		case "mkdir", "create", "link", "syncdir", "remove":
			name, err := filepath.Rel(dir, step.Name)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, step.Op+" "+filepath.ToSlash(name))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCodeOfAnotherBootIsRefused(t *testing.T) {
	type fileSystem struct {
		local bool
		boot  string
	}
	rows := []struct {
		name        string
		mint, spend fileSystem
		want        error
	}{
		{"F35 the same boot", fileSystem{true, boot}, fileSystem{true, boot}, nil},
		{"F35 another boot, after which a claim may be gone", fileSystem{true, boot}, fileSystem{true, "another"}, storage.ErrBoot},
		{"F35 a durable code by a node that does not sync", fileSystem{false, boot}, fileSystem{true, boot}, storage.ErrBoot},
		{"F35 a code that is not durable by a node on a network", fileSystem{true, boot}, fileSystem{false, boot}, storage.ErrBoot},
		{"a durable code after another boot", fileSystem{false, boot}, fileSystem{false, "another"}, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, dir := noon(), t.TempDir()
			minter, _ := fileNode(t, dir, c, row.mint.local, row.mint.boot)
			spender, _ := fileNode(t, dir, c, row.spend.local, row.spend.boot)
			wantError(t, redeem(t.Context(), spender, mint(t, minter, c.Now())), row.want)
		})
	}
}

// A node that links and one that creates exclude each other: they are one kind
// of claim.
func TestLinkAndExclusiveCreateExcludeEachOther(t *testing.T) {
	c, dir := noon(), t.TempDir()
	links, _ := fileNode(t, dir, c, true, "")
	creates, _ := fileNode(t, dir, c, false, "")
	mint(t, links, c.Now())
	mint(t, creates, c.Now())
	for i := range 60 {
		code := mint(t, links, c.Now())
		a, b := load(t, links, code), load(t, creates, code)
		if i%2 == 0 {
			wantError(t, links.Redeem(t.Context(), a), nil)
			wantError(t, creates.Redeem(t.Context(), b), storage.ErrLost)
		} else {
			wantError(t, creates.Redeem(t.Context(), b), nil)
			wantError(t, links.Redeem(t.Context(), a), storage.ErrLost)
		}
		if won, _ := race(t, 2, mint(t, links, c.Now()), links, creates); won != 1 {
			t.Fatalf("%d winners", won)
		}
	}
}

func TestRecordThatComesBackIsNotClaimedAgain(t *testing.T) {
	for _, row := range fileSystems {
		t.Run("F22 a record written late: "+row.name, func(t *testing.T) {
			c, dir := noon(), t.TempDir()
			here, _ := fileNode(t, dir, c, row.local, row.boot)
			there, _ := fileNode(t, dir, c, row.local, row.boot)
			code := mint(t, here, c.Now())
			a, b := load(t, here, code), load(t, there, code)
			key, _ := here.Keys(code)
			name := filepath.Join(dir, filepath.FromSlash(key))
			saved, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, here.Redeem(t.Context(), a), nil)
			if err := os.WriteFile(name, saved, 0o600); err != nil {
				t.Fatal(err)
			}
			wantError(t, there.Redeem(t.Context(), b), storage.ErrLost)
		})
		// A caller that was stopped for long comes when both are swept.
		t.Run("F33 a marker that was swept meanwhile: "+row.name, func(t *testing.T) {
			c, dir := noon(), t.TempDir()
			here, _ := fileNode(t, dir, c, row.local, row.boot)
			there, _ := fileNode(t, dir, c, row.local, row.boot)
			code := mint(t, here, c.Now())
			a, b := load(t, here, code), load(t, there, code)
			wantError(t, here.Redeem(t.Context(), a), nil)
			_, marker := here.Keys(code)
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(marker))); err != nil {
				t.Fatal(err)
			}
			wantError(t, there.Redeem(t.Context(), b), storage.ErrLost)
		})
	}
}

// A write that ends in the middle leaves nothing that reads as a record.
func TestUnfinishedWriteLeavesNoRecord(t *testing.T) {
	for _, op := range []string{"create", "write", "close", "rename"} {
		t.Run(op, func(t *testing.T) {
			c, dir := noon(), t.TempDir()
			codes, faults := fileNode(t, dir, c, true, boot)
			mint(t, codes, c.Now())
			faults.Before = func(s storage.Step) error {
				if s.Op == op || s.Op == "remove" { // nor can it be cleaned up
					return syscall.EIO
				}
				return nil
			}
			_, err := codes.Store(t.Context(), record(c.Now()))
			wantError(t, err, storage.ErrUnavailable)
			if names := recordFiles(t, dir, 64); len(names) != 1 {
				t.Errorf("%d files have a record's name, want 1", len(names))
			}
		})
		t.Run(op+", and where it can be cleaned up nothing at all", func(t *testing.T) {
			c, dir := noon(), t.TempDir()
			codes, faults := fileNode(t, dir, c, true, boot)
			mint(t, codes, c.Now())
			faults.Before = func(s storage.Step) error {
				if s.Op == op {
					return syscall.ENOSPC
				}
				return nil
			}
			_, err := codes.Store(t.Context(), record(c.Now()))
			wantError(t, err, storage.ErrUnavailable)
			if names := recordFiles(t, dir, 28); len(names) != 0 {
				t.Errorf("left are %v", names)
			}
		})
	}
}

// recordFiles returns the files whose names have a length: 64 for records, 28
// for temporary files.
func recordFiles(t *testing.T, dir string, length int) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if len(entry.Name()) == length {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func ops(f *storage.Faults) (ops []string) {
	for _, step := range f.Steps {
		ops = append(ops, step.Op)
	}
	return ops
}

func count(f *storage.Faults, names ...string) (n int) {
	for _, op := range ops(f) {
		for _, name := range names {
			if op == name {
				n++
			}
		}
	}
	return n
}

func wantSteps(t *testing.T, f *storage.Faults, want string) {
	t.Helper()
	if got := strings.Join(ops(f), " "); got != want {
		t.Errorf("steps are  %s\nwant       %s", got, want)
	}
}

//go:build unix

package storage_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// What follows rests on what Unix alone has: error numbers, by which a refusal
// is told from a failure (errno_unix.go), and permission bits. Windows knows a
// file's read-only attribute and errors of its own, of which only the missing
// permission is told apart (errno_other.go).

// Which faults a system call can report, and what they say of the code.
func TestEveryFileCallFailsInTurn(t *testing.T) {
	faults := []struct {
		name string
		err  error
		late bool // the call had its effect
		kept bool // the error says that nothing was changed
	}{
		{"F18 an input/output error", syscall.EIO, false, false},
		{"F18 an input/output error after the effect", syscall.EIO, true, false},
		{"an error without a number", errFault, false, false},
		{"F14 no space", syscall.ENOSPC, false, true},
		{"F15 over quota", syscall.EDQUOT, false, true},
		{"F16 read-only", syscall.EROFS, false, true},
		{"F17 permission denied", syscall.EACCES, false, true},
		{"too many open files", syscall.EMFILE, false, true},
	}
	for _, row := range fileSystems {
		steps := claimSteps(t, row.local, row.boot)
		for _, fault := range faults {
			for n, op := range steps {
				t.Run(fmt.Sprintf("%s: call %d %s: %s", row.name, n+1, op, fault.name), func(t *testing.T) {
					testFailingFileCall(t, row.local, row.boot, n+1, fault.err, fault.late, kept(steps, n, fault.kept))
				})
			}
		}
	}
}

// kept reports whether a code must stay good when step n fails.
func kept(steps []string, n int, changedNothing bool) bool {
	for _, op := range steps[:n] {
		if op == "link" || op == "create" {
			return false // the claim has landed
		}
	}
	return steps[n] != "link" && steps[n] != "create" || changedNothing
}

// claimSteps returns the calls of one request, from finding the code on.
func claimSteps(t *testing.T, local bool, bootID string) []string {
	t.Helper()
	c := noon()
	codes, faults := fileNode(t, t.TempDir(), c, local, bootID)
	code := mint(t, codes, c.Now())
	faults.Reset()
	wantError(t, redeem(t.Context(), codes, code), nil)
	return ops(faults)
}

func testFailingFileCall(t *testing.T, local bool, bootID string, n int, fault error, late, kept bool) {
	c, dir := noon(), t.TempDir()
	here, faults := fileNode(t, dir, c, local, bootID)
	there, _ := fileNode(t, dir, c, local, bootID)
	code := mint(t, here, c.Now())
	mint(t, there, c.Now())
	faults.Reset()
	hit := false
	hook := func(s storage.Step) error {
		if s.N != n {
			return nil
		}
		hit = true
		return &fs.PathError{Op: s.Op, Path: dir, Err: fault}
	}
	if late {
		faults.After = hook
	} else {
		faults.Before = hook
	}
	err := redeem(t.Context(), here, code)
	faults.Reset()
	if !hit {
		wantError(t, err, nil) // the call fails by itself: the marker is absent
		return
	}
	wantError(t, err, fault)
	if kept {
		wantError(t, err, storage.ErrUnavailable)
		wantError(t, redeem(t.Context(), here, code), nil)
		return
	}
	wantError(t, err, storage.ErrUncertain)
	wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
	// Whatever another node finds, there was no success before.
	again := redeem(t.Context(), there, code)
	if late && again == nil {
		t.Error("the claim had its effect and another node succeeds")
	}
}

func TestWhereLinksAreRefusedTheMarkerIsCreated(t *testing.T) {
	for _, refusal := range []error{syscall.EPERM, syscall.EXDEV, syscall.EMLINK, syscall.ENOSYS, syscall.EOPNOTSUPP} {
		t.Run(refusal.Error(), func(t *testing.T) {
			c, dir := noon(), t.TempDir()
			here, faults := fileNode(t, dir, c, true, boot)
			there, _ := fileNode(t, dir, c, true, boot)
			code := mint(t, here, c.Now())
			found := load(t, there, code)
			faults.Before = func(s storage.Step) error {
				if s.Op == "link" {
					return &os.LinkError{Op: "link", Err: refusal}
				}
				return nil
			}
			wantError(t, redeem(t.Context(), here, code), nil)
			wantError(t, there.Redeem(t.Context(), found), storage.ErrLost)
		})
	}
	t.Run("found by the probe", func(t *testing.T) {
		c := noon()
		codes, faults := fileNode(t, t.TempDir(), c, true, boot)
		faults.Before = func(s storage.Step) error {
			if s.Op == "link" {
				return syscall.EPERM
			}
			return nil
		}
		code := mint(t, codes, c.Now())
		if _, _, links := codes.Traits(); links {
			t.Error("links are taken for possible")
		}
		faults.Reset()
		wantError(t, redeem(t.Context(), codes, code), nil)
		if count(faults, "link") != 0 {
			t.Error("a link was tried")
		}
	})
}

func TestFilesAreTheirOwnersOnly(t *testing.T) {
	c, dir := noon(), t.TempDir()
	codes, _ := fileNode(t, dir, c, true, boot)
	wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
	mint(t, codes, c.Now())
	files := 0
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", entry.Name(), got, want)
		}
		return nil
	})
	if err != nil || files != 2 {
		t.Errorf("%d files, want a record and a marker, and nothing of the probe; %v", files, err)
	}
}

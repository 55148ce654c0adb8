package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// named is a storage that says which one it is.
type named struct {
	*storagetest.Memory
	name string
}

func (n named) String() string { return n.name }

// namedClaimer does, too, and claims by itself.
type namedClaimer struct {
	*claimer
	name string
}

func (n namedClaimer) String() string { return n.name }

// moody stores nothing when instead is set, but does that.
type moody struct {
	named
	instead func()
}

func (m moody) Store(ctx context.Context, key string, value []byte) error {
	if m.instead == nil {
		return m.named.Store(ctx, key, value)
	}
	m.instead()
	return nil
}

// probes reports whether codes examine their storage before they look for one.
func probes(t *testing.T, codes *storage.Codes, memory *storagetest.Memory) bool {
	t.Helper()
	before := memory.Count(storagetest.OpStore)
	_, err := codes.Load(t.Context(), storage.NewCodeAt(noon().Now()))
	wantError(t, err, storage.ErrUnknown)
	return memory.Count(storagetest.OpStore) > before
}

func TestTheNextConfigDoesNotProbeAgain(t *testing.T) {
	memory, process := storagetest.NewMemory(), new(storage.Process)
	next := func(t *testing.T, s certmagic.Storage) *storage.Codes {
		codes := node(t, s, noon())
		codes.SetProcess(process)
		return codes
	}
	if !probes(t, next(t, named{memory, "redis://a"}), memory) {
		t.Fatal("the first config does not probe")
	}
	own := func(kind string) certmagic.Storage {
		return namedClaimer{&claimer{Memory: memory, kind: kind}, "redis://a"}
	}
	for _, row := range []struct {
		name    string
		storage certmagic.Storage
		asks    bool
	}{
		{"F36 the same storage", named{memory, "redis://a"}, false},
		{"another one", named{memory, "redis://b"}, true},
		{"one that claims by itself", own("one/v1"), true},
		{"F36 the same that claims in the same way", own("one/v1"), false},
		{"one that claims in another way", own("two/v1"), true},
		{"one that does not say which it is", memory, true},
		{"again one that does not say which it is", memory, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			if asked := probes(t, next(t, row.storage), memory); asked != row.asks {
				t.Errorf("that it was probed is %v", asked)
			}
		})
	}
	t.Run("F36 REQ-113 a storage that only reads and claims goes on redeeming after a reload", func(t *testing.T) {
		s := next(t, own("one/v1"))
		code := mint(t, s, noon().Now())
		probe := func(_ context.Context, call storagetest.Call) error {
			if filepath.Dir(call.Key) == "oidc_token/probe" {
				return errFault
			}
			return nil
		}
		memory.Before(probe)
		defer memory.Reset()
		wantError(t, redeem(t.Context(), next(t, own("one/v1")), code), nil)
	})
}

func TestOnlyWhatAnsweredRightlyIsRemembered(t *testing.T) {
	const name = "redis://a"
	node := func(t *testing.T, s certmagic.Storage, process *storage.Process) *storage.Codes {
		codes := node(t, s, noon())
		codes.SetProcess(process)
		return codes
	}
	t.Run("no answer is not remembered", func(t *testing.T) {
		memory, process := storagetest.NewMemory(), new(storage.Process)
		memory.Before(func(context.Context, storagetest.Call) error { return errFault })
		_, err := node(t, named{memory, name}, process).Store(t.Context(), record(noon().Now()))
		wantError(t, err, storage.ErrUnavailable)
		memory.Reset()
		if !probes(t, node(t, named{memory, name}, process), memory) {
			t.Error("it is not probed again")
		}
	})
	t.Run("F21 neither is a wrong one, and it counts more than a right one that came meanwhile", func(t *testing.T) {
		memory, process := storagetest.NewMemory(), new(storage.Process)
		right := moody{named: named{memory, name}}
		wrong := node(t, moody{right.named, func() { mint(t, node(t, right, process), noon().Now()) }}, process)
		for range 2 {
			_, err := wrong.Store(t.Context(), record(noon().Now()))
			wantError(t, err, storage.ErrRefused)
		}
		if !probes(t, node(t, right, process), memory) {
			t.Error("it is not probed again")
		}
	})
}

func TestTheNextConfigOnFiles(t *testing.T) {
	// start leaves a code in a folder, and full lets the next config write nothing there.
	start := func(t *testing.T, local bool, bootID string) (dir, code string, process *storage.Process) {
		dir, process = t.TempDir(), new(storage.Process)
		codes, _ := fileNode(t, dir, noon(), local, bootID)
		codes.SetProcess(process)
		return dir, mint(t, codes, noon().Now()), process
	}
	full := func(t *testing.T, dir string, process *storage.Process, local bool, bootID string) *storage.Codes {
		codes, faults := fileNode(t, dir, noon(), local, bootID)
		codes.SetProcess(process)
		faults.Before = func(s storage.Step) error {
			if s.Op == "create" || s.Op == "write" {
				return &os.PathError{Op: s.Op, Path: "file", Err: syscall.ENOSPC}
			}
			return nil
		}
		return codes
	}
	t.Run("F16 F36 REQ-113 on a disk that is full after a reload a code is redeemed by its link", func(t *testing.T) {
		dir, code, process := start(t, true, boot)
		wantError(t, redeem(t.Context(), full(t, dir, process, true, boot), code), nil)
	})
	t.Run("a process that has not probed it cannot", func(t *testing.T) {
		dir, code, _ := start(t, true, boot)
		wantError(t, redeem(t.Context(), full(t, dir, new(storage.Process), true, boot), code), storage.ErrUnavailable)
	})
	t.Run("outside of tests the process is what remembers", func(t *testing.T) {
		files := &certmagic.FileStorage{Path: t.TempDir()}
		open := func() *storage.Codes {
			codes, err := storage.New(storage.Options{Storage: files, Issuer: issuer, Now: noon().Now})
			if err != nil {
				t.Fatal(err)
			}
			return codes
		}
		code := mint(t, open(), noon().Now())
		codes, faults := open(), new(storage.Faults)
		codes.SetFaults(faults)
		load(t, codes, code)
		if n := count(faults, "create", "write", "rename"); n > 0 {
			t.Errorf("%d writes", n)
		}
	})
	for _, row := range []struct {
		name        string
		local, then bool
		boot, after string
		change      func(t *testing.T, dir string)
	}{
		{"F35 a folder that is on a network by then is examined", true, false, boot, boot, nil},
		{"F35 one that is on a network by then, without a boot id, is examined", true, false, "", "", nil},
		{"F35 one that is local by then is examined", false, true, boot, boot, nil},
		{"F35 one under another start of the operating system is examined", true, true, boot, boot + "2", nil},
		{"a folder that was made anew is examined", true, true, boot, boot, func(t *testing.T, dir string) {
			probe := filepath.Join(dir, "oidc_token", "probe")
			for _, err := range []error{os.Rename(probe, probe+"-before"), os.Mkdir(probe, 0o700)} {
				wantError(t, err, nil)
			}
		}},
		{"a folder that is gone is made", true, true, boot, boot, func(t *testing.T, dir string) {
			wantError(t, os.Remove(filepath.Join(dir, "oidc_token", "probe")), nil)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir, _, process := start(t, row.local, row.boot)
			if row.change != nil {
				row.change(t, dir)
			}
			_, err := full(t, dir, process, row.then, row.after).Load(t.Context(), storage.NewCodeAt(noon().Now()))
			wantError(t, err, storage.ErrUnavailable)
			codes, _ := fileNode(t, dir, noon(), row.then, row.after)
			codes.SetProcess(process)
			mint(t, codes, noon().Now())
			bootID, durable, links := codes.Traits()
			if local := row.then; links != local || durable == (local && row.after != "") || local && bootID != row.after {
				t.Errorf("found boot id %q, durable %v, links %v", bootID, durable, links)
			}
		})
	}
}

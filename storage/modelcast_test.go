package storage_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// castGeneric makes actors on one storage in memory.
func castGeneric(t *testing.T) func(func(*storage.Options)) *actor {
	memory, c := storagetest.NewMemory(), noon()
	return func(used func(*storage.Options)) *actor {
		own := storagetest.Wrap(memory)
		hook := func(marker string, before func(call) error, after func() error) {
			own.Before(func(_ context.Context, call storagetest.Call) error { return before(storageCall(call, marker)) })
			own.After(func(context.Context, storagetest.Call) error { return after() })
		}
		return &actor{codes: node(t, own, c, used), hook: hook}
	}
}

// storageCall is what the model calls a call of a storage.
func storageCall(c storagetest.Call, marker string) call {
	switch {
	case c.Op == storagetest.OpStore && c.Key == marker:
		return storeMarker
	case c.Op == storagetest.OpDelete && c.Key != marker:
		return deleteRecord
	case c.Op == storagetest.OpLoad && c.Key == marker:
		return loadMarker
	case c.Op == storagetest.OpLoad:
		return loadRecord
	}
	return ended
}

func castLinks(t *testing.T) func(func(*storage.Options)) *actor   { return castFiles(t, true) }
func castCreates(t *testing.T) func(func(*storage.Options)) *actor { return castFiles(t, false) }

// castFiles makes actors on one folder.
func castFiles(t *testing.T, links bool) func(func(*storage.Options)) *actor {
	dir, c, bootID := t.TempDir(), noon(), ""
	if links {
		bootID = boot
	}
	return func(used func(*storage.Options)) *actor {
		codes, faults := node(t, &certmagic.FileStorage{Path: dir}, c, used), new(storage.Faults)
		codes.SetLocal(links, bootID)
		codes.SetFaults(faults)
		hook := func(marker string, before func(call) error, after func() error) {
			faults.Reset()
			faults.Before = func(s storage.Step) error {
				return before(systemCall(s, filepath.Join(dir, filepath.FromSlash(marker))))
			}
			faults.After = func(storage.Step) error { return after() }
		}
		return &actor{codes: codes, hook: hook}
	}
}

// systemCall is what the model calls a call of the operating system.
func systemCall(s storage.Step, marker string) call {
	switch s.Op {
	case "read":
		if s.Name == marker {
			return loadMarker
		}
		return loadRecord
	case "mkdir":
		return makeFolder
	case "link":
		return linkMarker
	case "create":
		return createMarker
	case "write":
		return writeMarker
	case "sync":
		return syncMarker
	case "close":
		return closeMarker
	case "syncdir":
		return syncFolder
	case "remove":
		return deleteRecord
	}
	return ended
}

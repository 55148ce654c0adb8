package storage_test

import (
	"path/filepath"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// scriptedFiles is an operating system that is in order, but for one code.
type scriptedFiles struct {
	storage.FileSystem
	*script
	dir string // of the marker
}

// learnFiles learns the redemption by the file claim: by link, or by exclusive
// create.
func learnFiles(t *testing.T, links bool) *automaton {
	t.Helper()
	c, root, bootID := noon(), t.TempDir(), ""
	if links {
		bootID = boot
	}
	codes, _ := fileNode(t, root, c, links, bootID)
	s := newScript(t, codes, c)
	files := &certmagic.FileStorage{Path: root}
	s.record, s.marker = files.Filename(s.record), files.Filename(s.marker)
	codes.SetFileSystem(func(os storage.FileSystem) storage.FileSystem {
		sealed, err := os.ReadFile(s.record)
		if err != nil {
			t.Fatal(err)
		}
		s.sealed = sealed
		return &scriptedFiles{os, s, filepath.Dir(s.marker)}
	})
	return newAutomaton(func(history []answer, late bool) point { return s.run(t, history, late) })
}

func (f *scriptedFiles) ReadFile(name string) ([]byte, error) {
	switch name {
	case f.marker:
		return f.read(loadMarker)
	case f.record:
		return f.read(loadRecord)
	}
	return f.FileSystem.ReadFile(name)
}

func (f *scriptedFiles) MkdirAll(dir string) error {
	if dir == f.dir {
		if err := told(f.ask(makeFolder)); err != nil {
			return err
		}
	}
	return f.FileSystem.MkdirAll(dir)
}

func (f *scriptedFiles) Link(from, to string) error {
	if to == f.marker {
		return told(f.ask(linkMarker))
	}
	return f.FileSystem.Link(from, to)
}

func (f *scriptedFiles) Remove(name string) error {
	if name == f.record {
		return told(f.ask(deleteRecord))
	}
	return f.FileSystem.Remove(name)
}

func (f *scriptedFiles) SyncDir(dir string) error {
	if dir == f.dir {
		return told(f.ask(syncFolder))
	}
	return f.FileSystem.SyncDir(dir)
}

func (f *scriptedFiles) Create(name string) (storage.File, error) {
	if name != f.marker {
		return f.FileSystem.Create(name)
	}
	return scriptedFile{f.script}, told(f.ask(createMarker))
}

type scriptedFile struct{ *script }

func (f scriptedFile) Write(p []byte) (int, error) { return len(p), told(f.ask(writeMarker)) }
func (f scriptedFile) Sync() error                 { return told(f.ask(syncMarker)) }
func (f scriptedFile) Close() error                { return told(f.ask(closeMarker)) }

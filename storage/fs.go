package storage

import (
	"io"
	"io/fs"
	"os"
	"runtime"
)

// fileSystem is what fileStore needs of an operating system. Each method is one
// step that can fail on its own.
type fileSystem interface {
	ReadFile(name string) ([]byte, error)
	MkdirAll(dir string) error
	// Create makes a file that does not exist yet.
	Create(name string) (file, error)
	Rename(from, to string) error
	// Link gives a file a second name that does not exist yet.
	Link(from, to string) error
	Remove(name string) error
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error
}

type file interface {
	io.WriteCloser
	Sync() error
}

type operatingSystem struct{}

func (operatingSystem) ReadFile(name string) ([]byte, error)  { return readFile(name) }
func (operatingSystem) MkdirAll(dir string) error             { return os.MkdirAll(dir, 0o700) }
func (operatingSystem) Rename(from, to string) error          { return os.Rename(from, to) }
func (operatingSystem) Link(from, to string) error            { return os.Link(from, to) }
func (operatingSystem) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }
func (operatingSystem) Remove(name string) error              { return os.Remove(name) }

func (operatingSystem) Create(name string) (file, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err // not f: a nil *os.File is not a nil file
	}
	return f, nil
}

func (operatingSystem) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there; NTFS journals its names
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

var _ fileSystem = operatingSystem{}

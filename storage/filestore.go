package storage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/certmagic"
)

// fileStore keeps codes in the folder of a certmagic.FileStorage. It writes its
// files itself: codes live for a minute and need atomicity, not survival of a
// power cut, and FileStorage's fsync is by far the most expensive thing in a
// redemption.
//
// On a file system that is local, the operating system's boot id is sealed into
// each record instead: whoever uses a local file system shares one kernel, so
// but for a file system that goes back itself (a disk that is lost and mounted
// again, a snapshot) only a start of the operating system can have lost a claim,
// and it changes the boot id. A process that is killed loses nothing. The boot time would not
// do, it moves with the clock. On any other file system, or where there is no
// boot id, files and folders are synced and nothing depends on it.
type fileStore struct {
	files *certmagic.FileStorage
	root  string // what files puts before every key
	failures

	os      fileSystem
	isLocal func(dir string) bool
	bootID  func() string

	// found is set by prepare or resume. Until then the store trusts nothing: no
	// links, everything synced.
	found  atomic.Pointer[traits]
	synced folders // whose names are durable
}

// traits are what a file system was found to be.
type traits struct {
	boot    string // empty: not local, or no boot id
	durable bool   // what is written must be synced
	links   bool   // a hard link is a claim
}

func newFileStore(files *certmagic.FileStorage, failed func(string, error)) *fileStore {
	root := strings.TrimSuffix(files.Filename("x"), "x")
	return &fileStore{files: files, root: root, failures: failures{failed}, os: operatingSystem{}, isLocal: isLocal, bootID: bootID}
}

// filename is what FileStorage.Filename returns for a key that is clean, as all
// of ours are. That cleans the whole path each time, and a redemption has four.
func (s *fileStore) filename(key string) string { return s.root + filepath.FromSlash(key) }

func (s *fileStore) kind() string    { return fileKind }
func (s *fileStore) boot() string    { return s.traits().boot }
func (s *fileStore) exclusive() bool { return true }

func (s *fileStore) traits() traits {
	if t := s.found.Load(); t != nil {
		return *t
	}
	return traits{durable: true}
}

func (s *fileStore) load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.os.ReadFile(s.filename(key))
	return value, s.failure(ctx, "load", key, err)
}

func (s *fileStore) remove(ctx context.Context, key string) error {
	err := s.os.Remove(s.filename(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.failure(ctx, "delete", key, err)
}

// store writes to another name first, so that nobody ever reads half a record.
func (s *fileStore) store(ctx context.Context, key string, value []byte) error {
	return s.failure(ctx, "store", key, s.write(key, value))
}

func (s *fileStore) write(key string, value []byte) error {
	if err := s.makeDir(path.Dir(key)); err != nil {
		return err
	}
	name := s.filename(key)
	temporary := filepath.Join(filepath.Dir(name), newTemporaryName())
	err := s.create(temporary, value)
	if err == nil {
		err = s.os.Rename(temporary, name)
	}
	if err != nil {
		_ = s.os.Remove(temporary) // else the sweeper takes it
		return err
	}
	return s.syncDirOf(name)
}

// create makes a file that must not exist yet.
func (s *fileStore) create(name string, value []byte) error {
	f, err := s.os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	if err == nil && s.traits().durable {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return &createdError{err}
	}
	return nil
}

// createdError is an error that came after the file was made.
type createdError struct{ error }

func (e *createdError) Unwrap() error { return e.error }

// makeDir makes a folder and, where names must be durable, syncs those above
// it: the name of a new folder can be lost, too. Once is enough for each.
func (s *fileStore) makeDir(key string) error {
	if err := s.os.MkdirAll(s.filename(key)); err != nil {
		return err
	}
	if !s.traits().durable || s.synced.has(key) {
		return nil
	}
	for parent := path.Dir(key); ; parent = path.Dir(parent) {
		if err := s.os.SyncDir(s.filename(parent)); err != nil {
			return err
		}
		if parent == "." {
			break
		}
	}
	s.synced.add(key)
	return nil
}

// syncDirOf makes a new name durable where it must be.
func (s *fileStore) syncDirOf(name string) error {
	if !s.traits().durable {
		return nil
	}
	return s.os.SyncDir(filepath.Dir(name))
}

// Temporary names have the length of no record's and a letter that is not hex.
const temporaryPrefix = "tmp-"

func newTemporaryName() string {
	var x [12]byte
	rand.Read(x[:]) // never fails
	return temporaryPrefix + hex.EncodeToString(x[:])
}

func temporaryName(name string) bool {
	x, ok := strings.CutPrefix(name, temporaryPrefix)
	return ok && len(x) == 24 && lowerHex(x)
}

var _ backend = (*fileStore)(nil)

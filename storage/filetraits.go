package storage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"sync"
)

// probeDir is where the probe writes.
const probeDir = "oidc_token/probe"

// prepare finds out whether the file system is local and has hard links, and
// makes sure that a name that exists cannot be taken again.
func (s *fileStore) prepare(ctx context.Context) (evidence, error) {
	var random [16]byte
	rand.Read(random[:]) // never fails
	key := probeDir + "/" + hex.EncodeToString(random[:])
	name, second := s.filename(key), s.filename(key+"-2")
	if err := s.store(ctx, key, random[:]); err != nil {
		return evidence{}, err
	}
	defer s.os.Remove(name)
	defer s.os.Remove(second)
	if err := s.examineCreate(ctx, key); err != nil {
		return evidence{}, err
	}
	folder, err := s.os.Stat(s.folder())
	if err != nil {
		return evidence{}, s.failure(ctx, "probe", key, err)
	}
	t, local := s.surroundings()
	t.links = local && s.os.Link(name, second) == nil
	if t.links && s.os.Link(name, second) == nil {
		return evidence{}, refusal(s, "it links to a name that exists")
	}
	s.found.Store(&t)
	return evidence{folder, local, t}, nil
}

func (s *fileStore) examineCreate(ctx context.Context, taken string) error {
	err := s.create(s.filename(taken), nil)
	if err == nil {
		return refusal(s, "it creates a file anew that exists")
	}
	if !errors.Is(err, fs.ErrExist) {
		return s.failure(ctx, "probe", taken, err)
	}
	return nil
}

// resume takes the traits over where the folder is the very one they were found
// in, by device and inode, and what can be seen without writing is as it was:
// that the file system is local, and the operating system's start. A folder that
// was made anew, or that another file system was mounted over, is examined like
// any other. What a mount in the same place with the same inode could still
// differ in is hard links, and a claim that cannot link creates.
//
// On Windows os.SameFile asks for the identity of the former folder by its path,
// and as late as this: one made anew passes for it. There nothing depends on it:
// no file system is taken for local, so that none has traits to differ in.
func (s *fileStore) resume(_ context.Context, e evidence) bool {
	folder, err := s.os.Stat(s.folder())
	if err != nil || !os.SameFile(folder, e.folder) {
		return false
	}
	t, local := s.surroundings()
	t.links = e.traits.links
	if local != e.local || t != e.traits {
		return false
	}
	s.found.Store(&t)
	return true
}

// folder is the name of the folder that the probe writes to.
func (s *fileStore) folder() string { return s.filename(probeDir) }

// surroundings are what can be seen without writing: all traits but links.
func (s *fileStore) surroundings() (t traits, local bool) {
	t.durable = true
	if local = s.isLocal(s.folder()); local {
		t.boot = s.bootID()
		t.durable = t.boot == ""
	}
	return t, local
}

// folders is a small set of folders.
type folders struct {
	mu   sync.Mutex // guards keys
	keys map[string]bool
}

func (f *folders) has(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys[key]
}

// add forgets all others from time to time: a new bucket comes every minute.
func (f *folders) add(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys == nil || len(f.keys) >= 64 {
		f.keys = make(map[string]bool)
	}
	f.keys[key] = true
}

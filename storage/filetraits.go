package storage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
)

// prepare finds out whether the file system is local and has hard links, and
// makes sure that a name that exists cannot be taken again.
func (s *fileStore) prepare(ctx context.Context) error {
	var random [16]byte
	rand.Read(random[:]) // never fails
	key := "oidc_token/probe/" + hex.EncodeToString(random[:])
	name, second := s.files.Filename(key), s.files.Filename(key+"-2")
	if err := s.store(ctx, key, random[:]); err != nil {
		return err
	}
	defer s.os.Remove(name)
	defer s.os.Remove(second)
	err := s.create(name, nil)
	if err == nil {
		return refusal(s, "it creates a file anew that exists")
	}
	if !errors.Is(err, fs.ErrExist) {
		return s.failure(ctx, "probe", key, err)
	}
	t := traits{durable: true}
	if s.isLocal(filepath.Dir(name)) {
		t.boot = s.bootID()
		t.durable = t.boot == ""
		t.links = s.os.Link(name, second) == nil
	}
	if t.links && s.os.Link(name, second) == nil {
		return refusal(s, "it links to a name that exists")
	}
	s.found.Store(&t)
	return nil
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

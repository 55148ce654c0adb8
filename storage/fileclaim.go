package storage

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
)

// claim takes the name of the used-marker, which one caller can do. Where a
// hard link does it, the record itself becomes the marker in one step: it fails
// where the marker exists and where the record does not.
//
// Link and exclusive create are one kind of claim, "file", because they exclude
// each other: both fail where the marker's name is taken, and a name once taken
// stays until the sweeper takes it away, long after the code has expired and
// after its record is gone. So neither a record that was written late nor
// another node that sees the same folder over a network makes a second winner.
// TestEveryOrderOfFileClaims runs it in every order of the system calls of two
// and three callers, with every fault between them.
func (s *fileStore) claim(ctx context.Context, t transfer, begin func() bool) (outcome, error) {
	from, to := s.filename(t.from), s.filename(t.to)
	if err := s.makeDir(path.Dir(t.to)); err != nil {
		return unchanged, s.failure(ctx, "claim", t.to, err)
	}
	if !begin() {
		return unchanged, errors.New("the claim was given up before it began")
	}
	result, err := s.take(from, to, t.sealed)
	if err != nil {
		return result, s.failure(ctx, "claim", t.to, err)
	}
	if result != won {
		return result, nil
	}
	// The marker stands. If the record stays, it stays used; but a file system
	// that fails now is not one to hand out tokens on.
	if err := s.os.Remove(from); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return uncertain, s.failure(ctx, "claim", t.from, err)
	}
	return won, nil
}

func (s *fileStore) take(from, to string, sealed []byte) (outcome, error) {
	if !s.traits().links {
		return s.takeByCreating(from, to, sealed)
	}
	err := s.os.Link(from, to)
	switch {
	case err == nil:
		return s.taken(to)
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return lost, nil
	case cannotLink(err):
		return s.takeByCreating(from, to, sealed)
	case changedNothing(err):
		return unchanged, err
	}
	return uncertain, err
}

// takeByCreating makes the marker a file of its own: on a network file system,
// where a repeated LINK can tell its own winner that the name exists, and where
// there are no hard links. The record must still be there once the name is
// taken: a caller that was stopped for long may come when the sweeper has
// removed the record and then the marker of another.
func (s *fileStore) takeByCreating(from, to string, sealed []byte) (outcome, error) {
	err := s.create(to, sealed)
	_, created := errors.AsType[*createdError](err)
	switch {
	case err == nil:
	case created:
		return uncertain, err
	case errors.Is(err, fs.ErrExist):
		return lost, nil
	case errors.Is(err, fs.ErrNotExist), changedNothing(err):
		return unchanged, err
	default:
		return uncertain, err
	}
	record, err := s.os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return lost, nil
	}
	if err != nil {
		return uncertain, err
	}
	if !bytes.Equal(record, sealed) {
		return lost, nil
	}
	return s.taken(to)
}

// taken makes a claim durable before anybody acts on it.
func (s *fileStore) taken(to string) (outcome, error) {
	if err := s.syncDirOf(to); err != nil {
		return uncertain, err
	}
	return won, nil
}

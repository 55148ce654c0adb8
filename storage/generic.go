package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/caddyserver/certmagic"
)

// genericStore redeems on any certmagic.Storage, with nothing but its promise
// that Load returns the last Store.
type genericStore struct {
	storage certmagic.Storage
	failures
}

func (s *genericStore) kind() string { return genericKind }
func (s *genericStore) boot() string { return "" }

// exclusive: a claim writes over the marker of another.
func (s *genericStore) exclusive() bool { return false }

func (s *genericStore) prepare(context.Context) (evidence, error) { return evidence{}, nil }
func (s *genericStore) resume(context.Context, evidence) bool     { return true }

func (s *genericStore) load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.storage.Load(ctx, key)
	return value, s.failure(ctx, "load", key, err)
}

func (s *genericStore) store(ctx context.Context, key string, value []byte) error {
	return s.failure(ctx, "store", key, s.storage.Store(ctx, key, value))
}

// remove deletes a key. Some storages answer that a key that is gone does not
// exist, although the contract wants no error.
func (s *genericStore) remove(ctx context.Context, key string) error {
	err := s.failure(ctx, "delete", key, s.storage.Delete(ctx, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// claim lets at most one of any number of callers win, without a lock, a clock
// or an atomic step of the storage. Let P and Q both win and P's marker be
// written first. P found its own marker at the end, so that was before Q wrote.
// P had made sure before that the record is gone, so it was gone before Q
// wrote, and so before Q looked for it: Q found no record and lost. A pause or
// an end of the process at any step changes nothing about it. Two callers on
// two nodes may both lose.
//
// Each step is one call of the storage, and nothing is kept between two of them
// but what they answered. That lets TestEveryOrderOfGenericClaims run it in every
// order of the calls of two and three callers, with every fault between them.
func (s *genericStore) claim(ctx context.Context, t transfer, begin func() bool) (outcome, error) {
	if !begin() {
		return unchanged, ctx.Err()
	}
	mark := newMark()
	if err := s.storeMarker(ctx, t, mark); err != nil {
		return uncertain, err
	}
	record, err := s.load(ctx, t.from)
	if errors.Is(err, fs.ErrNotExist) {
		return lost, nil
	}
	if err != nil {
		return uncertain, err
	}
	if !bytes.Equal(record, t.sealed) {
		return lost, nil
	}
	if err := s.remove(ctx, t.from); err != nil {
		return uncertain, err
	}
	return s.confirm(ctx, t, mark)
}

func (s *genericStore) storeMarker(ctx context.Context, t transfer, mark []byte) error {
	began := time.Now()
	if err := s.store(ctx, t.to, append(mark, t.sealed...)); err != nil {
		return err
	}
	return inTime("storing the used-marker", began)
}

// confirm makes sure that the record is gone and then that the marker is still
// ours, in this order.
func (s *genericStore) confirm(ctx context.Context, t transfer, mark []byte) (outcome, error) {
	_, err := s.load(ctx, t.from)
	if err == nil {
		return lost, nil // the storage did not delete
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return uncertain, err
	}
	marker, err := s.load(ctx, t.to)
	if errors.Is(err, fs.ErrNotExist) {
		return lost, nil
	}
	if err != nil {
		return uncertain, err
	}
	if !bytes.HasPrefix(marker, mark) {
		return lost, nil
	}
	return won, nil
}

// promptly is how long the write of a record or a marker may take. A client of a
// storage may repeat a write that was not answered in time, by itself (go-redis
// after 3 s, or what a module's configuration says in whole seconds), and the
// first can arrive after the second was answered: a marker over that of another
// claim, which would then win beside this one, or a record that was redeemed
// meanwhile.
const promptly = 900 * time.Millisecond

// inTime is the error of a write that took so long that it may come twice.
func inTime(what string, began time.Time) error {
	if took := time.Since(began); took >= promptly {
		return fmt.Errorf("%s took %s: an earlier try of the storage's client may arrive yet", what, took.Round(time.Millisecond))
	}
	return nil
}

const markSize = 16

// newMark returns what tells one claim from every other.
func newMark() []byte {
	var x [markSize]byte
	rand.Read(x[:]) // never fails
	return hex.AppendEncode(nil, x[:])
}

// withoutMark returns the record that a used-marker of any kind of claim holds.
// Only a generic claim puts a mark before it, and no sealed record begins with a
// hex digit.
func withoutMark(marker []byte) []byte {
	const size = 2 * markSize
	if len(marker) >= size && lowerHex(string(marker[:size])) {
		return marker[size:]
	}
	return marker
}

var _ backend = (*genericStore)(nil)

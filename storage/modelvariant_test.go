package storage

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"
)

// SetClaim replaces the generic claim by one of the steps that are named, in
// their order.
func (c *Codes) SetClaim(steps string) {
	c.backend = &variantStore{c.backend.(*genericStore), steps}
}

// variantStore claims as genericStore does, but for steps that are left out,
// moved or weakened. With all steps it is the same claim, as
// TestTheVariantIsTheGenericClaim makes sure.
type variantStore struct {
	*genericStore
	steps string
}

func (s *variantStore) claim(ctx context.Context, t transfer, begin func() bool) (outcome, error) {
	if !begin() {
		return unchanged, ctx.Err()
	}
	mark := newMark()
	for _, step := range s.steps {
		holds, err := s.step(ctx, t, mark, step)
		if err != nil {
			return uncertain, err
		}
		if !holds {
			return lost, nil
		}
	}
	return won, nil
}

// step takes one step and reports whether what it asks holds.
func (s *variantStore) step(ctx context.Context, t transfer, mark []byte, step rune) (bool, error) {
	switch step {
	case 'b': // mark it used, promptly
		began := time.Now()
		err := s.store(ctx, t.to, append(bytes.Clone(mark), t.sealed...))
		if err == nil && time.Since(began) >= promptly {
			err = errors.New("an earlier try may arrive yet")
		}
		return true, err
	case 's': // mark it used, however long that takes
		return true, s.store(ctx, t.to, append(bytes.Clone(mark), t.sealed...))
	case 'c': // is the record there?
		record, err := s.load(ctx, t.from)
		return bytes.Equal(record, t.sealed), butAbsent(err)
	case 'd': // remove it
		return true, s.remove(ctx, t.from)
	case 'g': // is it gone?
		_, err := s.load(ctx, t.from)
		return err != nil, butAbsent(err)
	case 'e': // is the marker ours?
		marker, err := s.load(ctx, t.to)
		return bytes.HasPrefix(marker, mark), butAbsent(err)
	case 'p': // is there a marker, whosesoever?
		_, err := s.load(ctx, t.to)
		return err == nil, butAbsent(err)
	}
	panic("no such step")
}

func butAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

package storage

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// sweep goes by what List tells and by what this process wrote. Storages differ
// in what they list: some the whole bucket, some folders with a slash at the
// end, some an empty key, some nothing without one. Whatever a key looks like,
// only those of the exact shape of ours are deleted, one by one and never a
// folder: deleting a folder leaves its children on some, and deleting "" has
// removed everything on one.
func (s *genericStore) sweep(ctx context.Context, b *broom) error {
	noted := b.used.noted(b.prefix)
	records, err := s.buckets(ctx, b.prefix+"/"+recordsDir)
	if err != nil {
		return err
	}
	markers, err := s.buckets(ctx, b.prefix+"/"+markersDir)
	if err != nil {
		return err
	}
	return b.sweepBuckets(ctx, union(records, noted, markers), union(markers, noted), func(dir string) error {
		return s.sweepBucket(ctx, b, dir)
	})
}

// buckets returns the buckets that List finds below dir.
func (s *genericStore) buckets(ctx context.Context, dir string) ([]uint32, error) {
	keys, err := s.list(ctx, dir, false)
	if err != nil {
		return nil, err
	}
	var buckets []uint32
	for _, key := range keys {
		below, ok := strings.CutPrefix(key, dir+"/")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(below, "/")
		if bucket, ok := parseBucket(name); ok {
			buckets = append(buckets, bucket)
		}
	}
	return buckets, nil
}

// sweepBucket deletes what is in a closed bucket. An error means that something
// may be left.
func (s *genericStore) sweepBucket(ctx context.Context, b *broom, dir string) error {
	keys, err := s.children(ctx, dir)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.remove(ctx, key); err != nil {
			return err
		}
		if err := b.removed(ctx); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	left, err := s.children(ctx, dir)
	if err == nil && len(left) > 0 {
		return errors.New("the storage still lists what was deleted")
	}
	return err
}

// children returns the keys of ours directly below dir. One with a slash at its
// end is a folder.
func (s *genericStore) children(ctx context.Context, dir string) ([]string, error) {
	keys, err := s.list(ctx, dir, false)
	if err != nil {
		return nil, err
	}
	ours := slices.DeleteFunc(keys, func(key string) bool { return path.Dir(key) != dir || !recordName(path.Base(key)) })
	if len(ours) > 0 {
		return ours, nil
	}
	// Some list nothing unless asked for everything, others cannot be asked.
	keys, err = s.list(ctx, dir, true)
	if err != nil {
		return nil, nil
	}
	return slices.DeleteFunc(keys, func(key string) bool { return path.Dir(key) != dir || !recordName(path.Base(key)) }), nil
}

// list passes a context that does not end: the listing of one published storage
// ends the process when it is cancelled.
func (s *genericStore) list(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	keys, err := s.storage.List(context.WithoutCancel(ctx), prefix, recursive)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failure(ctx, "list", prefix, err)
	}
	return keys, nil
}

func union(lists ...[]uint32) []uint32 {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

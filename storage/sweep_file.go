package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// sweep reads folders itself: FileStorage's List looks at every file, and fails
// when one goes away meanwhile.
func (s *fileStore) sweep(ctx context.Context, b *broom) error {
	records, err := s.buckets(ctx, b.prefix+"/"+recordsDir)
	if err != nil {
		return err
	}
	markers, err := s.buckets(ctx, b.prefix+"/"+markersDir)
	if err != nil {
		return err
	}
	return b.sweepBuckets(ctx, records, markers, func(dir string) error { return s.sweepBucket(ctx, b, dir) })
}

// buckets returns the folders below dir that are ours.
func (s *fileStore) buckets(ctx context.Context, dir string) ([]uint32, error) {
	entries, err := os.ReadDir(s.filename(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failure(ctx, "list", dir, err)
	}
	var buckets []uint32
	for _, entry := range entries {
		if bucket, ok := parseBucket(entry.Name()); ok && entry.IsDir() {
			buckets = append(buckets, bucket)
		}
	}
	return buckets, nil
}

// sweepBucket removes our files from the folder of a closed bucket, and the
// folder when nothing else is in it.
func (s *fileStore) sweepBucket(ctx context.Context, b *broom, dir string) error {
	name := s.filename(dir)
	folder, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return s.failure(ctx, "list", dir, err)
	}
	defer folder.Close()
	for {
		entries, err := folder.ReadDir(sliceSize)
		for _, entry := range entries {
			if err := s.sweepFile(ctx, b, name, entry); err != nil {
				return err
			}
		}
		if err == io.EOF || errors.Is(err, fs.ErrNotExist) { // another node was faster
			break
		}
		if err != nil {
			return s.failure(ctx, "list", dir, err)
		}
	}
	_ = folder.Close() // Windows removes no folder that is open
	// It fails where something of others is in it, which is theirs to remove.
	_ = s.os.Remove(name)
	return nil
}

func (s *fileStore) sweepFile(ctx context.Context, b *broom, dir string, entry fs.DirEntry) error {
	if !entry.Type().IsRegular() || !recordName(entry.Name()) && !temporaryName(entry.Name()) {
		return ctx.Err()
	}
	err := s.os.Remove(filepath.Join(dir, entry.Name()))
	if errors.Is(err, fs.ErrNotExist) { // another node sweeps, too
		return ctx.Err()
	}
	if err != nil {
		return s.failure(ctx, "delete", entry.Name(), err)
	}
	return b.removed(ctx)
}

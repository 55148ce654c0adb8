package storage

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"
)

// processUsed is the set of the whole process. It outlives a config reload,
// because the old and the new handler serve at the same time.
var processUsed = NewUsedSet()

// UsedSet remembers the codes that one process has claimed, until they expire.
// It makes the first of several requests on one node the winner, and refuses a
// replay whatever happens to the storage meanwhile. Safe for concurrent use.
type UsedSet struct {
	mu sync.Mutex // guards everything below
	// Hashes go by bucket, so that a whole bucket is forgotten at once and the
	// set holds no more than the codes redeemed within a code's lifetime.
	buckets map[uint32]map[[sha256.Size]byte]struct{}
	purged  uint32 // the minute of the last purge
	// written are the buckets this process wrote to, for sweeping storages
	// whose List does not tell.
	written map[writtenBucket]struct{}
}

type writtenBucket struct {
	prefix string
	bucket uint32
}

// NewUsedSet returns an empty set.
func NewUsedSet() *UsedSet {
	return &UsedSet{
		buckets: make(map[uint32]map[[sha256.Size]byte]struct{}),
		written: make(map[writtenBucket]struct{}),
	}
}

// Len returns how many codes are remembered.
func (s *UsedSet) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, b := range s.buckets {
		n += len(b)
	}
	return n
}

// add reports whether the code was not in the set yet.
func (s *UsedSet) add(id identity, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bucketOf(now) != s.purged {
		s.purgeLocked(now)
	}
	if _, ok := s.buckets[id.bucket][id.hash]; ok {
		return false
	}
	if s.buckets[id.bucket] == nil {
		s.buckets[id.bucket] = make(map[[sha256.Size]byte]struct{})
	}
	s.buckets[id.bucket][id.hash] = struct{}{}
	return true
}

func (s *UsedSet) has(id identity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.buckets[id.bucket][id.hash]
	return ok
}

// remove forgets a code whose claim certainly changed nothing.
func (s *UsedSet) remove(id identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.buckets[id.bucket], id.hash)
}

// purge forgets the codes that expired longer ago than clocks may differ.
func (s *UsedSet) purge(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purgeLocked(now)
}

func (s *UsedSet) purgeLocked(now time.Time) {
	s.purged = bucketOf(now)
	for bucket := range s.buckets {
		if now.After(bucketEnd(bucket).Add(skew)) {
			delete(s.buckets, bucket)
		}
	}
}

// note remembers that something was written to a bucket.
func (s *UsedSet) note(prefix string, bucket uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written[writtenBucket{prefix, bucket}] = struct{}{}
}

// noted returns the buckets that were written to and not forgotten.
func (s *UsedSet) noted(prefix string) []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var buckets []uint32
	for b := range maps.Keys(s.written) {
		if b.prefix == prefix {
			buckets = append(buckets, b.bucket)
		}
	}
	slices.Sort(buckets)
	return buckets
}

func (s *UsedSet) forget(prefix string, bucket uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.written, writtenBucket{prefix, bucket})
}

package keys

import (
	"slices"
	"time"
)

// snapshot is what one reading of the storage found. Immutable.
type snapshot struct {
	began     time.Time
	number    uint64    // of the reading, in this process
	records   []*record // by storage key
	unopened  map[string]error
	takenOver bool // from the config before: another reading found it
}

func (s *snapshot) find(storageKey string) *record {
	if s == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(s.records, storageKey, func(r *record, key string) int {
		switch {
		case r.storageKey < key:
			return -1
		case r.storageKey > key:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return s.records[i]
}

func (s *snapshot) young(now time.Time) bool {
	return slices.ContainsFunc(s.records, func(r *record) bool { return r.young(now) })
}

// dated reports whether another node may have made a key since, and signs with it.
func (s *snapshot) dated(now time.Time) bool { return s.young(now) || s.age(now) > jwksMaxAge }

// allYoung reports whether the issuer is new: no node can rely on any key's
// being known to all.
func (s *snapshot) allYoung(now time.Time) bool {
	return !slices.ContainsFunc(s.records, func(r *record) bool { return !r.young(now) })
}

// age returns how long ago the reading began. A clock that was set back makes
// it endlessly old.
func (s *snapshot) age(now time.Time) time.Duration {
	if age := now.Sub(s.began); age >= 0 {
		return age
	}
	return 1<<63 - 1
}

// outlived reports whether the set was taken over and is older than one can get
// in a process that goes on, unless the storage fails. Keys may have been dropped
// meanwhile, so the storage is asked before it signs.
func (s *snapshot) outlived(now time.Time) bool { return s.takenOver && s.age(now) > longestInterval }

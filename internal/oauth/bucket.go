package oauth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// The table's shape: 32768 buckets of 56 bytes, for ever. Random client ids
// and addresses cost an attacker requests and this process nothing more.
const (
	tableSets = 8192
	tableWays = 4
)

const (
	failureWindow = time.Minute
	minPenalty    = time.Minute
	maxPenalty    = 15 * time.Minute
)

// bucket counts the failures of one key. Times are Unix nanoseconds; what is
// to fit 32768 times is kept small.
type bucket struct {
	key     uint64 // 0: empty
	used    uint64 // the table's turn of the last failure
	start   int64  // of the window
	last    int64  // failure
	until   int64  // end of the penalty
	penalty time.Duration
	count   int64 // failures in the window
}

// table is a set-associative table of buckets: a key has four places, and a
// new one takes that whose last failure is the longest ago.
type table struct {
	seed maphash.Seed // secret, so that nobody can aim at another's places

	mu   sync.Mutex // guards what follows
	turn uint64     // counts failures: a clock may tell two the same time
	sets [tableSets][tableWays]bucket
}

func newTable() *table { return &table{seed: maphash.MakeSeed()} }

// key hashes what a bucket is for. The parts are told apart by their types and
// lengths, so that no choice of a client id makes another key.
func (t *table) key(kind byte, issuer, clientID string, prefix netip.Prefix) uint64 {
	key := maphash.Comparable(t.seed, struct {
		kind             byte
		issuer, clientID string
		prefix           netip.Prefix
	}{kind, issuer, clientID, prefix})
	return max(key, 1)
}

// fail counts a failure and returns how many the window has, and how long the
// penalty still is where there are more than limit.
func (t *table) fail(key uint64, limit int64, now time.Time) (count int64, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.take(key)
	at := now.UnixNano()
	t.turn++
	defer func() { b.last, b.used = at, t.turn }()
	if b.punished(at) {
		b.count++
		return b.count, time.Duration(b.until - at)
	}
	if b.penalty > 0 {
		if b.goesOn(at) {
			// The failures went on through the penalty: a longer one.
			return b.count, b.punish(min(2*b.penalty, maxPenalty), at)
		}
		*b = bucket{key: key}
	}
	if at-b.start >= int64(failureWindow) || at < b.start {
		b.start, b.count = at, 0
	}
	b.count++
	if b.count > limit {
		return b.count, b.punish(minPenalty, at)
	}
	return b.count, 0
}

// exhausted reports whether the key's next failure falls into a penalty. It
// changes nothing.
func (t *table) exhausted(key uint64, limit int64, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.find(key)
	if b == nil {
		return false
	}
	at := now.UnixNano()
	inWindow := at >= b.start && at-b.start < int64(failureWindow) && b.count >= limit
	return b.punished(at) || inWindow || b.goesOn(at)
}

// punished reports whether the penalty lasts. One that would last much longer
// than any is from before the clock was set back.
func (b *bucket) punished(at int64) bool {
	return at < b.until && b.until-at <= int64(maxPenalty+failureWindow)
}

// goesOn reports whether a failure now follows a penalty closely enough for a
// longer one.
func (b *bucket) goesOn(at int64) bool {
	return at >= b.last && at-b.last < int64(b.penalty)
}

func (b *bucket) punish(penalty time.Duration, at int64) time.Duration {
	b.penalty, b.until = penalty, at+int64(penalty)
	return penalty
}

// find returns the key's bucket or nil. The caller holds mu.
func (t *table) find(key uint64) *bucket {
	set := &t.sets[key%tableSets]
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
	}
	return nil
}

// take returns the key's bucket, if need be in the place of the one that was
// used the longest ago. The caller holds mu.
func (t *table) take(key uint64) *bucket {
	if b := t.find(key); b != nil {
		return b
	}
	set := &t.sets[key%tableSets]
	oldest := &set[0]
	for i := range set {
		if set[i].used < oldest.used {
			oldest = &set[i]
		}
	}
	*oldest = bucket{key: key}
	return oldest
}

// addressPrefix is what failures are counted for: an IPv4 address, or the /64
// that one IPv6 subscriber has. Addresses that are none share one bucket.
func addressPrefix(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	prefix, _ := addr.Prefix(bits) // fails for the invalid address alone
	return prefix
}

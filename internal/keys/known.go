package keys

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/place"
)

// processKnown is what this process has known. It outlives a config reload,
// which would otherwise take an emptied storage for a new issuer's, and leave
// the issuer without keys where the storage is away.
var processKnown = new(known)

// known remembers where keys have been found and, where that is certainly the
// same storage again, the last set. One set for each place. Private keys are
// here no longer than the process lives. Safe for concurrent use.
type known struct {
	mu       sync.Mutex // guards everything below
	places   map[place.Place]held
	attended map[place.Place]attendance
	writes   map[place.Place]writes // by writesAt; only those under way
	begun    uint64                 // readings
}

// held is the last set that was read at a place. since is the number of the
// earliest reading that may replace it.
type held struct {
	set   *snapshot // nil: none may be taken over
	opens ringID
	since uint64
}

// ringID tells encryption keys from others, and from none. With others the
// operator expects what they do not open to be refused, and with the same in
// another order that it is sealed anew.
type ringID [sha256.Size]byte

func newRingID(keys [][]byte) ringID {
	h := sha256.New()
	for _, key := range keys {
		h.Write(key) // each has the same length
	}
	return ringID(h.Sum(nil))
}

// number numbers a reading that begins.
func (k *known) number() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begun++
	return k.begun
}

// add remembers that the reading of that number found keys at p.
func (k *known) add(p place.Place, number uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.places[p]
	h.since = max(h.since, number)
	k.put(p, h)
}

// keep remembers a set. One whose reading began before that of the last, or
// before keys were dropped, comes too late: the former config's readings may
// still end when the next one's have.
func (k *known) keep(p place.Place, set *snapshot, opens ringID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if set.number >= k.places[p].since {
		k.put(p, held{set: set, opens: opens, since: set.number})
	}
}

// drop forgets the set at p, and with it what any reading finds that has begun
// by now. That there were keys is remembered.
func (k *known) drop(p place.Place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropLocked(p)
}

func (k *known) dropLocked(p place.Place) { k.put(p, held{since: k.begun + 1}) }

func (k *known) put(p place.Place, h held) {
	if k.places == nil {
		k.places = map[place.Place]held{}
	}
	k.places[p] = h
}

// has reports whether keys were found at p before the reading of that number
// began, and whether they were since: then what that reading did not find says
// nothing.
func (k *known) has(p place.Place, number uint64) (before, since bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.places[p]
	return ok && h.since <= number, ok && h.since > number
}

// set returns the last set at p that these encryption keys opened; nil: none.
// One of an issuer that was not configured for a while is forgotten: its keys
// may have been dropped meanwhile, by another node, because they leaked. The
// clock is read once nothing changes any more: a round that ends meanwhile would
// otherwise have ended in the future.
func (k *known) set(p place.Place, opens ringID, now func() time.Time) *snapshot {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.places[p]
	if h.set != nil && !k.attendedLocked(p, now()) {
		k.dropLocked(p)
		return nil
	}
	if h.opens == opens {
		return h.set
	}
	return nil
}

// takeOver begins with the set that this process held before its config was
// reloaded, as if it had gone on. It does so when the set is first needed, not
// when the config is loaded: until then the former one still reads and rotates.
// The set stands in until the storage has been read, and spares no part of that:
// each record is loaded and opened again.
func (a *Automatic) takeOver() {
	if a.current.Load() != nil {
		return
	}
	if set := a.known.set(a.place, a.opens, a.now); set != nil {
		a.current.CompareAndSwap(nil, &snapshot{began: set.began, records: set.records, takenOver: true})
	}
}

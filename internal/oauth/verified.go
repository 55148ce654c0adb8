package oauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// maxVerified is how many verified secrets a process remembers.
const maxVerified = 4096

// verifiedSet remembers which secrets were verified against which slow hash,
// so that each costs its hash once per process. Only successes are kept, as an
// HMAC under a key that never leaves the process: a copy of it is worth
// nothing, and looking one up tells nothing about near matches. Safe for
// concurrent use.
type verifiedSet struct {
	key [sha256.Size]byte

	mu    sync.Mutex // guards what follows
	known map[[sha256.Size]byte]struct{}
	order [][sha256.Size]byte // the oldest at next, once it is full
	next  int
}

func newVerifiedSet() *verifiedSet {
	v := &verifiedSet{known: make(map[[sha256.Size]byte]struct{})}
	_, _ = rand.Read(v.key[:]) // never fails: crypto/rand ends the process instead
	return v
}

// any reports whether presented was verified against one of the hashes.
func (v *verifiedSet) any(hashes []*slowHash, presented string) bool {
	found := false
	for _, hash := range hashes {
		mac := v.mac(hash, presented)
		v.mu.Lock()
		if _, ok := v.known[mac]; ok {
			found = true
		}
		v.mu.Unlock()
	}
	return found
}

func (v *verifiedSet) add(hash *slowHash, presented string) {
	mac := v.mac(hash, presented)
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.known[mac]; ok {
		return
	}
	v.known[mac] = struct{}{}
	if len(v.order) < maxVerified {
		v.order = append(v.order, mac)
		return
	}
	delete(v.known, v.order[v.next])
	v.order[v.next] = mac
	v.next = (v.next + 1) % maxVerified
}

// mac separates the two with a NUL, which neither can contain.
func (v *verifiedSet) mac(hash *slowHash, presented string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, v.key[:])
	mac.Write([]byte(hash.configured))
	mac.Write([]byte{0})
	mac.Write([]byte(presented))
	return [sha256.Size]byte(mac.Sum(nil))
}

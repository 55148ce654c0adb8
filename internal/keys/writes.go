package keys

import (
	"errors"

	"github.com/authentiq/caddy-oidc-token/internal/place"
)

// errStoring: what is dropped now could be back a moment later.
var errStoring = errors.New("the storage has not answered an earlier call to store a signing key, which could bring back what is dropped")

// writes are those of all configs of the process: a call that a storage has not
// answered outlives the config that made it.
type writes struct {
	storing  int // calls that store a key, also those given up, and rounds of sealing anew
	dropping int
}

// writesAt names what a key may be written to. A storage that does not say which
// it is may be any, and then what is written to another holds a drop back, too.
func (a *Automatic) writesAt() place.Place {
	if a.certain {
		return a.place
	}
	return place.Place{Prefix: a.vault.prefix}
}

// beginStoring counts a new key's store. endStoring follows.
func (k *known) beginStoring(p place.Place) {
	k.write(p, func(w *writes) bool { w.storing++; return true })
}

// beginResealing reports whether keys that are there may be stored again, which
// they may not while they are dropped. If so, endStoring follows.
func (k *known) beginResealing(p place.Place) bool {
	return k.write(p, func(w *writes) bool {
		if w.dropping > 0 {
			return false
		}
		w.storing++
		return true
	})
}

func (k *known) endStoring(p place.Place) {
	k.write(p, func(w *writes) bool { w.storing--; return true })
}

// beginDropping reports whether keys may be dropped. If so, endDropping follows.
func (k *known) beginDropping(p place.Place) bool {
	return k.write(p, func(w *writes) bool {
		if w.storing > 0 {
			return false
		}
		w.dropping++
		return true
	})
}

func (k *known) endDropping(p place.Place) {
	k.write(p, func(w *writes) bool { w.dropping--; return true })
}

func (k *known) write(p place.Place, change func(*writes) bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writes == nil {
		k.writes = map[place.Place]writes{}
	}
	w := k.writes[p]
	changed := change(&w)
	k.writes[p] = w
	if w == (writes{}) {
		delete(k.writes, p)
	}
	return changed
}

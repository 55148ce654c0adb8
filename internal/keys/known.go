package keys

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/caddyserver/certmagic"
)

// processKnown is what this process has known. It outlives a config reload,
// which would otherwise take an emptied storage for a new issuer's.
var processKnown = new(known)

// known remembers where keys have been found. Safe for concurrent use.
type known struct {
	mu     sync.Mutex // guards places
	places map[place]struct{}
}

// place is one issuer's folder in one storage.
type place struct{ storage, prefix string }

func (k *known) add(p place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.places == nil {
		k.places = map[place]struct{}{}
	}
	k.places[p] = struct{}{}
}

func (k *known) has(p place) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.places[p]
	return ok
}

// identity names a storage across reloads, each of which makes it anew. certain
// is false where the name is only that of its type: then it may be another.
func identity(storage certmagic.Storage) (name string, certain bool) {
	kind := fmt.Sprintf("%T", storage)
	switch s := storage.(type) {
	case *certmagic.FileStorage:
		return kind + " " + filepath.Clean(s.Path), true
	case fmt.Stringer:
		return kind + " " + s.String(), true
	}
	return kind, false
}

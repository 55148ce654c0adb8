package storage

import (
	"io/fs"
	"sync"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/internal/place"
)

// processProven are the storages that this process has examined. They outlive a
// config reload: each would otherwise make the storage be written to again
// before anything is redeemed, and a disk that is full by then, or a storage
// that pauses, would cost codes that it could still claim.
var processProven = new(proven)

// proven remembers the storages that answered rightly. One that did not is not
// remembered: each config that names it asks again. Safe for concurrent use.
type proven struct {
	mu       sync.Mutex // guards storages
	storages map[string]evidence
}

// evidence is what an examination found, beside that the storage answers
// rightly. Empty but for files.
type evidence struct {
	folder fs.FileInfo // in which it was found
	local  bool        // the file system
	traits traits
}

func (p *proven) get(storage string) (e evidence, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok = p.storages[storage]
	return e, ok
}

func (p *proven) put(storage string, e evidence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.storages == nil {
		p.storages = make(map[string]evidence)
	}
	p.storages[storage] = e
}

func (p *proven) remove(storage string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.storages, storage)
}

// provenName is what a storage is remembered by: its name and the kind of claim
// that was examined. Empty where it is not certain to be the same again.
func provenName(s certmagic.Storage, b backend) string {
	name, certain := place.Name(s)
	if !certain {
		return ""
	}
	return name + " " + b.kind()
}

// Package place says where an issuer's data are, in words that outlive a config
// reload, which makes every storage anew. What a process has learnt of a storage
// can be kept under them.
package place

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/certmagic"
)

// Place is one issuer's part of one storage. Comparable.
type Place struct {
	Storage string // the storage's name, see Name
	Prefix  string // of the issuer's storage keys, see Prefix
}

// Of returns the place of an issuer. certain as in Name.
func Of(storage certmagic.Storage, issuer string) (p Place, certain bool) {
	p.Prefix = Prefix(issuer)
	p.Storage, certain = Name(storage)
	return p, certain
}

// Name names a storage by its type and by what it says of itself. certain is
// false where the name is only that of its type: then it may be another storage.
// So may one that answers nothing when it is asked.
func Name(storage certmagic.Storage) (name string, certain bool) {
	kind := fmt.Sprintf("%T", storage)
	switch s := storage.(type) {
	case *certmagic.FileStorage:
		return kind + " " + filepath.Clean(s.Path), true
	case fmt.Stringer:
		if said := s.String(); said != "" {
			return kind + " " + said, true
		}
	}
	return kind, false
}

// Prefix returns the beginning of all storage keys of an issuer. No character
// of its URL reaches a key: some storages fold case, or go up at "..".
func Prefix(issuer string) string { return "oidc_token/" + Hash(issuer) }

// Hash returns the issuer's name in storage: 128 bits, in lower-case hex.
func Hash(issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return hex.EncodeToString(sum[:16])
}

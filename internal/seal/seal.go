// Package seal encrypts and authenticates small records with AES-256-GCM under
// keys derived by HKDF-SHA-256, so that a record opens only as what it was
// sealed as, where it was sealed, and for whom it was sealed.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// KeySize is the length of an encryption key in bytes.
const KeySize = 32

const (
	version   = 1
	idSize    = 8
	nonceSize = 12
	overhead  = 1 + idSize + nonceSize + 16
)

// Errors of Open. Each is also the answer for a record that was moved, cut or
// altered: what cannot be authenticated is not told apart further.
var (
	// ErrVersion: the record was sealed by another version of this format.
	ErrVersion = errors.New("sealed under an unknown format version")
	// ErrKey: the record was sealed under an encryption key that is not in the
	// ring, or without one where the ring has keys.
	ErrKey = errors.New("sealed under an encryption key that is not configured")
	// ErrAuthentic: the record does not open: altered, moved or not a record.
	ErrAuthentic = errors.New("sealed record does not open")
)

// Ring is an ordered set of encryption keys. The first seals, all open. The
// empty ring (or nil) seals under the caller's secret alone. A Ring is
// immutable and safe for concurrent use.
type Ring struct {
	keys []ringKey
}

type ringKey struct {
	id  [idSize]byte
	key []byte
}

// NewRing returns a ring of 32-byte keys, the sealing key first.
func NewRing(keys ...[]byte) (*Ring, error) {
	r := new(Ring)
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("encryption key %d has %d bytes, want %d", i+1, len(key), KeySize)
		}
		id, err := hkdf.Expand(sha256.New, key, "oidc_token/encryption-key-id/v1", idSize)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, ringKey{id: [idSize]byte(id), key: bytes.Clone(key)})
	}
	return r, nil
}

// Configured reports whether the ring has keys: whether what it seals is safe
// from someone who reads and writes the storage.
func (r *Ring) Configured() bool { return r != nil && len(r.keys) > 0 }

// Label says what a record is. Every member is authenticated: a record opens
// only under the label it was sealed with.
type Label struct {
	Type   string // "code", "key", …: one per kind of record, in HKDF's info too
	Issuer string // issuer identifier
	Key    string // storage key of the record
}

func (l Label) additionalData() []byte {
	ad := append(make([]byte, 0, 1+3*4+len(l.Type)+len(l.Issuer)+len(l.Key)), version)
	for _, s := range []string{l.Type, l.Issuer, l.Key} {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(s)))
		ad = append(ad, s...)
	}
	return ad
}

// Seal encrypts plaintext under a key derived from secret and the ring's first
// key. The secret may be nil only where the ring is configured.
func (r *Ring) Seal(secret []byte, label Label, plaintext []byte) ([]byte, error) {
	k := ringKey{}
	if r.Configured() {
		k = r.keys[0]
	}
	aead, err := k.aead(secret, label.Type)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 1+idSize+nonceSize, len(plaintext)+overhead)
	sealed[0] = version
	copy(sealed[1:], k.id[:])
	nonce := sealed[1+idSize:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(sealed, nonce, plaintext, label.additionalData()), nil
}

// Open decrypts what Seal sealed. stale reports that another than the ring's
// first key sealed it, so that the caller can seal it anew.
func (r *Ring) Open(secret []byte, label Label, sealed []byte) (plaintext []byte, stale bool, err error) {
	if len(sealed) < overhead {
		return nil, false, ErrAuthentic
	}
	if sealed[0] != version {
		return nil, false, ErrVersion
	}
	k, i, ok := r.find([idSize]byte(sealed[1 : 1+idSize]))
	if !ok {
		return nil, false, ErrKey
	}
	aead, err := k.aead(secret, label.Type)
	if err != nil {
		return nil, false, err
	}
	nonce, ciphertext := sealed[1+idSize:][:nonceSize], sealed[1+idSize+nonceSize:]
	plaintext, err = aead.Open(nil, nonce, ciphertext, label.additionalData())
	if err != nil {
		return nil, false, ErrAuthentic
	}
	return plaintext, i > 0, nil
}

// find returns the key with that id. Without configured keys only the zero id
// is known; with them it is not: nothing sealed without them opens.
func (r *Ring) find(id [idSize]byte) (ringKey, int, bool) {
	if !r.Configured() {
		return ringKey{}, 0, id == [idSize]byte{}
	}
	for i, k := range r.keys {
		if k.id == id {
			return k, i, true
		}
	}
	return ringKey{}, 0, false
}

func (k ringKey) aead(secret []byte, recordType string) (cipher.AEAD, error) {
	if len(secret) == 0 && k.key == nil {
		return nil, errors.New("sealing needs a secret or an encryption key")
	}
	key, err := hkdf.Key(sha256.New, secret, k.key, "oidc_token/"+recordType+"/v1", KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

package keys

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/place"
	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

const recordVersion = 1

// errRecord: a record is there and cannot be used. Joined with the cause.
var errRecord = errors.New("key record does not open")

// What a record's sealing and the configured encryption keys disagree in.
var (
	errUnsealed = errors.New("it is not sealed, but encryption_key is configured")
	errSealed   = errors.New("it is sealed, but no encryption_key is configured")
)

// record is a key as it is stored: once, under its own thumbprint, and never
// changed. No two nodes ever write the same one, so that none is lost to a
// concurrent writer; what a key is at a time follows from all records and the
// time (schedule).
type record struct {
	key        *token.Key
	storageKey string
	createdAt  time.Time
	signsAt    time.Time
	pkcs8      []byte
	seenAt     time.Time // since when this process has known it
	stale      bool      // sealed under an older encryption key
}

type storedRecord struct {
	Version   int             `json:"version"`
	Algorithm token.Algorithm `json:"alg"`
	KeyID     string          `json:"kid"`
	CreatedAt time.Time       `json:"created_at"`
	SignsAt   time.Time       `json:"signs_at"`
	PKCS8     []byte          `json:"pkcs8"`
}

// young reports whether r is so new that other nodes may not know it yet. A
// clock that is behind the maker's makes it younger still.
func (r *record) young(now time.Time) bool { return now.Sub(r.createdAt) < youth }

// ahead reports whether r was made later than clocks can differ by: by one that
// was wrong, or to this one, which is.
func (r *record) ahead(now time.Time) bool { return r.createdAt.After(now.Add(youth)) }

// settled reports whether r has been in storage long enough for every node to
// publish it.
func (r *record) settled(now time.Time) bool { return now.Sub(r.seenAt) >= settle }

// first reports whether r was made for an issuer without keys: there was no
// verifier to wait for.
func (r *record) first() bool { return r.signsAt.Equal(r.createdAt) }

// ofNewIssuer reports whether r is a first key that all nodes take for young, as
// far as two clocks can differ.
func (r *record) ofNewIssuer(now time.Time) bool {
	return r.first() && now.Sub(r.createdAt) < youth/2
}

// vault writes and reads one issuer's records. Its label binds a sealed record
// to its issuer and its place.
type vault struct {
	issuer string
	prefix string // storage key of the folder
	ring   *seal.Ring
}

func newVault(issuer string, ring *seal.Ring) vault {
	return vault{issuer: issuer, prefix: place.Prefix(issuer) + "/keys", ring: ring}
}

// storageKey returns the place of the key with that kid: lower-case hex, since
// some storages fold case.
func (v vault) storageKey(kid string) (string, error) {
	thumbprint, err := base64.RawURLEncoding.Strict().DecodeString(kid)
	if err != nil || len(thumbprint) != sha256.Size {
		return "", errors.New("kid is not a thumbprint")
	}
	return v.prefix + "/" + hex.EncodeToString(thumbprint), nil
}

// wellFormed reports whether key is a place storageKey can return. Storages
// list folders, temporary files and other tenants' keys too.
func (v vault) wellFormed(key string) bool {
	name, ok := strings.CutPrefix(key, v.prefix+"/")
	return ok && len(name) == 2*sha256.Size && strings.Trim(name, "0123456789abcdef") == ""
}

func (v vault) newRecord(alg token.Algorithm, signer crypto.Signer, createdAt, signsAt time.Time) (*record, error) {
	key, err := token.NewKey(alg, signer)
	if err != nil {
		return nil, err
	}
	r := &record{key: key, createdAt: createdAt, signsAt: signsAt}
	if r.storageKey, err = v.storageKey(key.ID); err != nil {
		return nil, err
	}
	r.pkcs8, err = x509.MarshalPKCS8PrivateKey(signer)
	return r, err
}

func (v vault) encode(r *record) ([]byte, error) {
	plain, err := json.Marshal(storedRecord{
		Version:   recordVersion,
		Algorithm: r.key.Algorithm,
		KeyID:     r.key.ID,
		CreatedAt: r.createdAt,
		SignsAt:   r.signsAt,
		PKCS8:     r.pkcs8,
	})
	if err != nil || !v.ring.Configured() {
		return plain, err
	}
	return v.ring.Seal(nil, v.label(r.storageKey), plain)
}

// open reads a record. Where encryption keys are configured nothing unsealed is
// believed: a writer of the storage would publish a key of his own.
func (v vault) open(storageKey string, data []byte) (*record, error) {
	plain, stale, err := v.unseal(storageKey, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	r, err := v.decode(storageKey, plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	r.stale = stale
	return r, nil
}

func (v vault) unseal(storageKey string, data []byte) (plain []byte, stale bool, err error) {
	unsealed := len(data) > 0 && data[0] == '{'
	switch {
	case len(data) == 0:
		return nil, false, errors.New("it is empty")
	case v.ring.Configured() && unsealed:
		return nil, false, errUnsealed
	case v.ring.Configured():
		return v.ring.Open(nil, v.label(storageKey), data)
	case !unsealed:
		return nil, false, errSealed
	}
	return data, false, nil
}

// decode keeps JSON's errors to itself: they may quote what they read.
func (v vault) decode(storageKey string, plain []byte) (*record, error) {
	var s storedRecord
	if json.Unmarshal(plain, &s) != nil {
		return nil, errors.New("it is cut or altered")
	}
	if s.Version != recordVersion {
		return nil, fmt.Errorf("it has version %d, this program knows %d", s.Version, recordVersion)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(s.PKCS8)
	signer, ok := parsed.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("its private key is cut or altered")
	}
	r, err := v.newRecord(s.Algorithm, signer, s.CreatedAt, s.SignsAt)
	if err != nil {
		return nil, err
	}
	if r.key.ID != s.KeyID || r.storageKey != storageKey {
		return nil, errors.New("its private key is another than its name says")
	}
	if s.CreatedAt.IsZero() || s.SignsAt.Before(s.CreatedAt) {
		return nil, errors.New("its times are impossible")
	}
	return r, nil
}

func (v vault) label(storageKey string) seal.Label {
	return seal.Label{Type: "key", Issuer: v.issuer, Key: storageKey}
}

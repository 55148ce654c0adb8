package storage

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
)

// Record is what an authorization code stands for (RFC 6749 §4.1.2, OpenID
// Connect Core §3.1.2.5). It is immutable once stored.
type Record struct {
	Issuer              string                     `json:"issuer"`
	ClientID            string                     `json:"client_id"`
	Subject             string                     `json:"sub"`
	RedirectURI         string                     `json:"redirect_uri,omitempty"`      // the URI used at the authorization endpoint
	RedirectURISent     bool                       `json:"redirect_uri_sent,omitempty"` // whether the authorization request carried it
	Scope               []string                   `json:"scope,omitempty"`
	Nonce               string                     `json:"nonce,omitempty"`
	CodeChallenge       string                     `json:"code_challenge,omitempty"` // RFC 7636; empty: none
	CodeChallengeMethod string                     `json:"code_challenge_method,omitempty"`
	AuthTime            time.Time                  `json:"auth_time,omitzero"` // zero: not known
	ACR                 string                     `json:"acr,omitempty"`
	AMR                 []string                   `json:"amr,omitempty"`
	Claims              map[string]json.RawMessage `json:"claims,omitempty"` // user claims, released by scope
	AccessTokenClaims   map[string]json.RawMessage `json:"access_token_claims,omitempty"`
	IssuedAt            time.Time                  `json:"issued_at"`
	ExpiresAt           time.Time                  `json:"expires_at"`
}

// recordVersion changes with every change of meaning of sealedRecord. A record
// of another version is refused and never read in part.
const recordVersion = 1

// sealedRecord is what is encrypted: the record, and what a redeemer has to
// have in common with whoever issued the code.
type sealedRecord struct {
	Version int    `json:"version"`
	Claim   string `json:"claim"`          // the kind of claim, see Claimer
	Boot    string `json:"boot,omitempty"` // see fileStore
	Record
}

// Code is an authorization code that was found, opened, and is neither expired
// nor used as far as is known. Nothing has been changed yet. It does not
// contain the code itself.
type Code struct {
	Record Record

	codes            *Codes
	id               identity
	sealed           []byte
	expiresAt        time.Time
	tokenID, grantID string
}

// TokenID returns the jti of the access token this code yields: the same for
// the same code always (HKDF), so that even a storage that breaks its promise
// yields one token identity.
func (c *Code) TokenID() string { return c.tokenID }

// GrantID identifies everything that descends from this code.
func (c *Code) GrantID() string { return c.grantID }

func label(issuer string, id identity) seal.Label {
	return seal.Label{Type: "code", Issuer: issuer, Key: id.record}
}

func (c *Codes) seal(code string, id identity, r *Record) ([]byte, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false) // claims keep the bytes they were given
	err := enc.Encode(sealedRecord{recordVersion, c.backend.kind(), c.backend.boot(), *r})
	if err != nil {
		return nil, fmt.Errorf("encoding authorization code record: %w", err)
	}
	sealed, err := c.ring.Seal([]byte(code), label(c.issuer, id), plain.Bytes())
	if err != nil {
		return nil, fmt.Errorf("sealing authorization code record: %w", err)
	}
	return sealed, nil
}

// open turns a stored record into a Code and checks everything about it that
// does not depend on who presents the code.
func (c *Codes) open(code string, id identity, sealed []byte) (*Code, error) {
	plain, _, err := c.ring.Open([]byte(code), label(c.issuer, id), sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	r, err := decodeRecord(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := c.acceptable(r, id); err != nil {
		return nil, err
	}
	return &Code{
		Record:    r.Record,
		codes:     c,
		id:        id,
		sealed:    sealed,
		expiresAt: r.ExpiresAt,
		tokenID:   base64.RawURLEncoding.EncodeToString(derive(code, "oidc_token/jti/v1", 16)),
		grantID:   base64.RawURLEncoding.EncodeToString(derive(code, "oidc_token/grant/v1", 16)),
	}, nil
}

func decodeRecord(plain []byte) (*sealedRecord, error) {
	// The version comes first: what another version means by a member that has
	// the same name is not ours to guess.
	var versioned struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(plain, &versioned); err != nil {
		return nil, errors.New("the record is not one JSON value") // the cause could quote it
	}
	if versioned.Version != recordVersion {
		return nil, fmt.Errorf("the record has version %d, want %d", versioned.Version, recordVersion)
	}
	r := new(sealedRecord)
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.DisallowUnknownFields()
	if err := dec.Decode(r); err != nil {
		return nil, errors.New("the record has members that are not known or of another type")
	}
	return r, nil
}

func (c *Codes) acceptable(r *sealedRecord, id identity) error {
	// OpenID Connect Core §16.15: a code belongs to the issuer that issued it.
	if r.Issuer != c.issuer {
		return fmt.Errorf("%w: it is another issuer's", ErrCorrupt)
	}
	// Sweeping goes by the bucket, expiry by the record: they must agree.
	if bucketOf(r.ExpiresAt) != id.bucket {
		return fmt.Errorf("%w: it expires at another time than its key says", ErrCorrupt)
	}
	now := c.now()
	// RFC 6749 §4.1.2. No grace for a time that we set ourselves.
	if !now.Before(r.ExpiresAt) {
		return ErrExpired
	}
	// A clock that was put back would let a code live longer than was said.
	if r.IssuedAt.After(now.Add(skew)) {
		return ErrNotYetValid
	}
	// Two kinds of claim do not exclude each other: a node that sees the same
	// folder through a wrapper would win beside the link.
	if r.Claim != c.backend.kind() {
		return fmt.Errorf("%w: %q, here %q", ErrClaimKind, r.Claim, c.backend.kind())
	}
	// A record with a boot id was claimed without fsync, if it was, and the
	// claim may be gone with a power cut. One without was fsynced, and must not
	// be claimed by a node that does not fsync.
	if r.Boot != c.backend.boot() {
		return ErrBoot
	}
	return nil
}

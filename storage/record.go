package storage

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
)

// Record is what an authorization code stands for (RFC 6749 §4.1.2, OpenID
// Connect Core §3.1.2.5). It is immutable once stored. Codes require Issuer,
// IssuedAt and ExpiresAt and leave the rest to whoever redeems; a token
// endpoint cannot use a record without ClientID or Subject.
type Record struct {
	Issuer   string // Required: the issuer identifier that the Codes were made with.
	ClientID string // Required: the only client that may redeem the code.
	Subject  string // Required: the user, as in the ID token's sub.

	// RedirectURI is the URI that the authorization endpoint answered to.
	RedirectURI string
	// RedirectURISent says that the authorization request carried it, so that
	// the token request must repeat it (RFC 6749 §4.1.3). false: it was the
	// client's only one, and may be left out.
	RedirectURISent bool

	Scope []string // What was granted, one scope each. nil: none.
	Nonce string   // That of the authorization request. Empty: it had none.

	CodeChallenge       string // RFC 7636 §4.3. Empty: none.
	CodeChallengeMethod string // Required with CodeChallenge: "S256".

	AuthTime time.Time // When the user signed in. Zero: not known.
	ACR      string    // How, as one value (Core §2). Empty: not known.
	AMR      []string  // By what means (RFC 8176). nil: not known.

	// Claims are the user's, as JSON, and are released by scope. nil: none.
	Claims map[string]json.RawMessage
	// AccessTokenClaims are more claims of the access token, as JSON. nil: none.
	AccessTokenClaims map[string]json.RawMessage

	IssuedAt  time.Time // Required.
	ExpiresAt time.Time // Required: after IssuedAt. The code is not good at this time any more.
}

// recordVersion is the first byte of what is sealed. It changes with every
// change of meaning of sealedRecord: what another version means by a member
// that is at the same place is not ours to guess.
const recordVersion = 1

// sealedRecord is what is encrypted: the record, and what a redeemer has to
// have in common with whoever issued the code.
type sealedRecord struct {
	Claim string // the kind of claim, see Claimer
	Boot  string // see fileStore
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
	ref              string
}

// TokenID returns the jti of the access token this code yields: the same for
// the same code always, so that even a storage that breaks its promise
// yields one token identity.
func (c *Code) TokenID() string { return c.tokenID }

// Ref is the Ref of the code.
func (c *Code) Ref() string { return c.ref }

// GrantID identifies everything that descends from this code.
func (c *Code) GrantID() string { return c.grantID }

// GrantRef is what Grant finds the record by once the code was redeemed. It is
// a secret: with a copy of the storage it opens the record.
func (c *Code) GrantRef() string { return c.id.grantRef() }

func label(issuer string, id identity) seal.Label {
	return seal.Label{Type: "code", Issuer: issuer, Key: id.record}
}

func (c *Codes) seal(id identity, r *Record) ([]byte, error) {
	whole := sealedRecord{c.backend.kind(), c.backend.boot(), *r}
	plain, err := whole.encode()
	if err != nil {
		return nil, fmt.Errorf("encoding authorization code record: %w", err)
	}
	sealed, err := c.ring.Seal(id.grant[:], label(c.issuer, id), plain)
	if err != nil {
		return nil, fmt.Errorf("sealing authorization code record: %w", err)
	}
	return sealed, nil
}

// open turns a stored record into a Code and checks everything about it that
// does not depend on who presents the code.
func (c *Codes) open(code string, id identity, sealed []byte) (*Code, error) {
	r, err := c.unseal(id, sealed)
	if err != nil {
		return nil, err
	}
	if err := c.acceptable(r); err != nil {
		return nil, err
	}
	tokenID, grantID := deriveIDs(code)
	return &Code{
		Record:    r.Record,
		codes:     c,
		id:        id,
		sealed:    sealed,
		expiresAt: r.ExpiresAt,
		tokenID:   tokenID,
		grantID:   grantID,
		ref:       deriveRef(code),
	}, nil
}

// unseal opens what was sealed where id says, and makes sure that it belongs
// there.
func (c *Codes) unseal(id identity, sealed []byte) (*sealedRecord, error) {
	plain, _, err := c.ring.Open(id.grant[:], label(c.issuer, id), sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	r, err := decodeRecord(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	// OpenID Connect Core §16.15: a code belongs to the issuer that issued it.
	if r.Issuer != c.issuer {
		return nil, fmt.Errorf("%w: it is another issuer's", ErrCorrupt)
	}
	// Sweeping goes by the bucket, expiry by the record: they must agree.
	if bucketOf(r.ExpiresAt) != id.bucket {
		return nil, fmt.Errorf("%w: it expires at another time than its key says", ErrCorrupt)
	}
	return r, nil
}

// acceptable checks what only matters to a code that is to be redeemed.
func (c *Codes) acceptable(r *sealedRecord) error {
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

// Package keys holds an issuer's signing keys: made, stored, published ahead,
// rotated and retired automatically, or loaded from files.
package keys

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// Errors of a Set. Compare with errors.Is. Each is temporary or the operator's
// to mend; none is the client's doing.
var (
	// ErrUnavailable: no key is at hand. Joined with the cause.
	ErrUnavailable = errors.New("signing keys are not available")
	// ErrNotYet: there is a key, but it may not sign yet.
	ErrNotYet = errors.New("signing key is not in use yet")
)

// Set is an issuer's keys. Safe for concurrent use.
type Set interface {
	token.Keys
	token.VerificationKeys
	// JWKS returns the published set (RFC 7517 §5), never without a key.
	JWKS(ctx context.Context) (json.RawMessage, error)
	// Algorithms lists what can be signed with, for discovery; no I/O.
	Algorithms() []token.Algorithm
	// States describes each published key, for metrics and logs; no I/O.
	States() []State
}

// The values of State.State.
const (
	Pending = "pending" // published, does not sign yet
	Signing = "signing"
	Retired = "retired" // signs no more, published for the tokens it signed
)

// State describes a published key.
type State struct {
	ID        string
	Algorithm token.Algorithm
	State     string    // Pending, Signing or Retired
	CreatedAt time.Time // zero for a key from a file
	SignsAt   time.Time // zero for a key from a file
}

// jwks writes a JWK Set (RFC 7517 §5): the public parts of keys, in order.
func jwks(keys []*token.Key) json.RawMessage {
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{}
	for _, key := range keys {
		set.Keys = append(set.Keys, key.JWK())
	}
	raw, err := json.Marshal(set)
	if err != nil {
		panic(err) // JWKs are JSON
	}
	return raw
}

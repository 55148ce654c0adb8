package token

import (
	"context"
	"crypto"
	"errors"
)

// ErrUnknownKey: no key with that kid is published.
var ErrUnknownKey = errors.New("no key with that kid is published")

// PublicKey is what verifies the signatures of a Key.
type PublicKey struct {
	Algorithm Algorithm // the only one it verifies (RFC 8725 §3.1)
	Key       crypto.PublicKey
}

// VerificationKeys is where a Verifier gets its keys from.
type VerificationKeys interface {
	// VerificationKey returns the published key with that kid, whether or not it
	// signs any more. Errors: ErrUnknownKey; any other says that the keys are not
	// at hand.
	VerificationKey(ctx context.Context, kid string) (*PublicKey, error)
}

// Public returns the key that verifies what k signs.
func (k *Key) Public() *PublicKey {
	return &PublicKey{Algorithm: k.Algorithm, Key: k.Signer.Public()}
}

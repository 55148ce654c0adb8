package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
)

// Key is a private signing key: one key, one algorithm (RFC 8725 §3.1).
// Immutable.
type Key struct {
	ID        string // kid: RFC 7638 SHA-256 thumbprint
	Algorithm Algorithm
	Signer    crypto.Signer
}

// Keys is where an Issuer gets its keys from. SigningKey is called on the
// request path: it answers from memory, or, where a key may just have come or
// gone, waits some seconds for the storage. It returns an error when no key for
// alg may sign now. The returned key says what it signs with: while an issuer's
// default algorithm is being changed that is still the former one.
type Keys interface {
	SigningKey(ctx context.Context, alg Algorithm) (*Key, error)
}

// NewKey checks the key against the algorithm and computes its thumbprint.
func NewKey(alg Algorithm, signer crypto.Signer) (*Key, error) {
	if signer == nil {
		return nil, errors.New("there is no private key")
	}
	if err := alg.CheckKey(signer.Public()); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(publicMembers(signer.Public()).thumbprintInput())
	return &Key{ID: base64url(sum[:]), Algorithm: alg, Signer: signer}, nil
}

// JWK is the public part of a key as RFC 7517 writes it: kty, use "sig", alg,
// kid and the members of its kty, in a fixed order.
func (k *Key) JWK() json.RawMessage {
	m := publicMembers(k.Signer.Public())
	raw, err := json.Marshal(struct {
		KeyType   string    `json:"kty"`
		Use       string    `json:"use"`
		Algorithm Algorithm `json:"alg"`
		KeyID     string    `json:"kid"`
		Curve     string    `json:"crv,omitempty"`
		X         string    `json:"x,omitempty"`
		Y         string    `json:"y,omitempty"`
		N         string    `json:"n,omitempty"`
		E         string    `json:"e,omitempty"`
	}{m.KeyType, "sig", k.Algorithm, k.ID, m.Curve, m.X, m.Y, m.N, m.E})
	if err != nil {
		panic(err) // strings always marshal
	}
	return raw
}

// jwkMembers are the members of a public key that are its own, in the order of
// RFC 7638 §3.2: lexicographic, without white space.
type jwkMembers struct {
	Curve   string `json:"crv,omitempty"`
	E       string `json:"e,omitempty"`
	KeyType string `json:"kty"`
	N       string `json:"n,omitempty"`
	X       string `json:"x,omitempty"`
	Y       string `json:"y,omitempty"`
}

// publicMembers writes pub as RFC 7518 §6 and RFC 8037 §2 do: unpadded
// base64url, coordinates with the full length of the curve's field. pub has
// passed CheckKey.
func publicMembers(pub crypto.PublicKey) jwkMembers {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		return jwkMembers{
			KeyType: "RSA",
			N:       base64url(key.N.Bytes()),
			E:       base64url(big.NewInt(int64(key.E)).Bytes()),
		}
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 0x04 ‖ X ‖ Y
		if err != nil {
			panic("token: public key was not checked")
		}
		size := len(point) / 2
		return jwkMembers{
			KeyType: "EC",
			Curve:   key.Curve.Params().Name,
			X:       base64url(point[1 : 1+size]),
			Y:       base64url(point[1+size:]),
		}
	case ed25519.PublicKey:
		return jwkMembers{KeyType: "OKP", Curve: "Ed25519", X: base64url(key)}
	}
	panic("token: public key was not checked")
}

func (m jwkMembers) thumbprintInput() []byte {
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings always marshal
	}
	return raw
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

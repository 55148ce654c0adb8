package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // SHA-256 for crypto.Hash.New
	_ "crypto/sha512" // SHA-384 and SHA-512
	"errors"
	"fmt"
)

// Algorithm is a JWS signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
type Algorithm string

// The algorithms this package signs with. Ed25519 keys sign as "EdDSA": RFC
// 9864 deprecates the name, but it is the one that verifiers know.
const (
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	EdDSA Algorithm = "EdDSA"
)

// Algorithms lists them all, RS256 first.
func Algorithms() []Algorithm {
	return []Algorithm{RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA}
}

// Known reports whether this package signs with a.
func (a Algorithm) Known() bool { return a.hash() != 0 }

// RSA reports whether a signs with an RSA key.
func (a Algorithm) RSA() bool {
	switch a {
	case RS256, RS384, RS512, PS256, PS384, PS512:
		return true
	}
	return false
}

// CheckKey reports why pub cannot be used with a (RFC 7518 §3.3–3.5: RSA of at
// least 2048 bits with an odd exponent of at least 65537, ES256 on P-256, ES384
// on P-384, ES512 on P-521; RFC 8037 §3.1: EdDSA with Ed25519).
func (a Algorithm) CheckKey(pub crypto.PublicKey) error {
	switch {
	case !a.Known():
		return fmt.Errorf("signing algorithm %q is not known", string(a))
	case a.RSA():
		key, ok := pub.(*rsa.PublicKey)
		if !ok {
			return a.unfit("RSA", pub)
		}
		return checkRSA(key)
	case a == EdDSA:
		if key, ok := pub.(ed25519.PublicKey); !ok || len(key) != ed25519.PublicKeySize {
			return a.unfit("Ed25519", pub)
		}
		return nil
	default:
		key, ok := pub.(*ecdsa.PublicKey)
		if !ok || key.Curve != a.curve() {
			return a.unfit(a.curve().Params().Name, pub)
		}
		if _, err := key.Bytes(); err != nil {
			return errors.New("the public key is not a point on its curve")
		}
		return nil
	}
}

// NIST SP 800-131A sets the modulus, FIPS 186-5 §5.4 the exponent.
func checkRSA(key *rsa.PublicKey) error {
	if bits := key.N.BitLen(); bits < 2048 {
		return fmt.Errorf("the RSA key has %d bits, at least 2048 are needed", bits)
	}
	if key.E < 65537 || key.E%2 == 0 {
		return fmt.Errorf("the RSA key has the public exponent %d, an odd one of at least 65537 is needed", key.E)
	}
	return nil
}

func (a Algorithm) unfit(want string, pub crypto.PublicKey) error {
	return fmt.Errorf("%s needs a key of type %s, this one is %s", string(a), want, keyType(pub))
}

func keyType(pub crypto.PublicKey) string {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PublicKey:
		if key.Curve == nil {
			return "an elliptic curve without a name"
		}
		return key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	default:
		return fmt.Sprintf("%T", pub)
	}
}

// hash is the hash of the signature. For EdDSA, which hashes itself, it is that
// of at_hash: SHA-512, the hash inside Ed25519.
func (a Algorithm) hash() crypto.Hash {
	switch a {
	case RS256, PS256, ES256:
		return crypto.SHA256
	case RS384, PS384, ES384:
		return crypto.SHA384
	case RS512, PS512, ES512, EdDSA:
		return crypto.SHA512
	}
	return 0
}

func (a Algorithm) curve() elliptic.Curve {
	switch a {
	case ES256:
		return elliptic.P256()
	case ES384:
		return elliptic.P384()
	case ES512:
		return elliptic.P521()
	}
	return nil
}

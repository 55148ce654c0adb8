package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// rsaBits is the floor of RFC 7518 §3.3. A longer key would cost every token
// more than it gains a key that is replaced every few months.
const rsaBits = 2048

// generate makes a private key for alg from the operating system's randomness.
func generate(alg token.Algorithm) (crypto.Signer, error) {
	switch alg {
	case token.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case token.ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case token.ES512:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case token.EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	if alg.RSA() {
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("signing algorithm %q is not known", string(alg))
}

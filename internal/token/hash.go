package token

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
)

// atHash is the at_hash claim (Core §3.1.3.6): the left half of the hash of the
// access token, by the hash of the ID token's algorithm. The algorithm's name
// does not say it for EdDSA: with Ed25519 it is SHA-512.
func atHash(alg Algorithm, accessToken string) string {
	sum := alg.digest([]byte(accessToken))
	return base64url(sum[:len(sum)/2])
}

func (a Algorithm) digest(message []byte) []byte {
	switch a.hash() {
	case crypto.SHA256:
		sum := sha256.Sum256(message)
		return sum[:]
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		return sum[:]
	case crypto.SHA512:
		sum := sha512.Sum512(message)
		return sum[:]
	}
	panic("token: " + string(a) + " has no hash")
}

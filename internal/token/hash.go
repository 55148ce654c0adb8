package token

// atHash is the at_hash claim (Core §3.1.3.6): the left half of the hash of the
// access token, by the hash of the ID token's algorithm. The algorithm's name
// does not say it for EdDSA: with Ed25519 it is SHA-512.
func atHash(alg Algorithm, accessToken string) string {
	sum := alg.digest(accessToken)
	return base64url(sum[:len(sum)/2])
}

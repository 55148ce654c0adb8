package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// s256 is the one code_challenge_method. With plain the challenge is the
// verifier, and whoever sees the authorization request has it (RFC 7636 §7.2,
// RFC 9700 §2.1.1).
const s256 = "S256"

// checkVerifierForm checks the ABNF of RFC 7636 §4.1, before anything is
// looked up.
func checkVerifierForm(verifier string) error {
	if verifier == "" {
		return nil
	}
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, reserved) {
		return malformed("code_verifier", "RFC 7636 §4.1: 43 to 128 characters of A-Z a-z 0-9 - . _ ~")
	}
	return nil
}

// checkPKCE compares the verifier with the challenge: RFC 7636 §4.6.
func checkPKCE(client *Client, record *storage.Record, verifier string) error {
	refuse := func(detail Reason, hint string) error {
		return &Error{Kind: InvalidGrant, Reason: PKCEFailed, Detail: detail, Hint: hint, Security: true}
	}
	switch {
	case record.CodeChallenge == "" && client.needsPKCE():
		return refuse(ChallengeMissing, "the code was issued without a code_challenge, which this client must send at the authorization endpoint")
	case record.CodeChallenge == "" && verifier != "":
		// RFC 9700 §2.1.1: somebody may have taken the challenge out of the
		// authorization request. A client that has a verifier sent one.
		return refuse(VerifierUnexpected, "the client sent a code_verifier for a code that was issued without a code_challenge: the challenge got lost on the way to the authorization endpoint, or somebody removed it")
	case record.CodeChallenge == "":
		return nil
	case record.CodeChallengeMethod != s256:
		// RFC 7636 §4.3: no method means plain.
		return refuse(ChallengeMethod, "the code was issued with another code_challenge_method than S256, which is the only one")
	case verifier == "":
		return refuse(VerifierMissing, "the code was issued with a code_challenge and the client sent no code_verifier")
	case !matchesS256(record.CodeChallenge, verifier):
		return refuse(VerifierMismatch, "the code_verifier does not belong to the code_challenge the code was issued with")
	}
	return nil
}

// matchesS256 compares in constant time: RFC 7636 §4.2.
func matchesS256(challenge, verifier string) bool {
	digest := sha256.Sum256([]byte(verifier))
	computed := base64.RawURLEncoding.EncodeToString(digest[:])
	return subtle.ConstantTimeCompare([]byte(computed), []byte(challenge)) == 1
}

// challengeForm reports whether s is what S256 makes: 43 characters of
// unpadded base64url.
func challengeForm(s string) bool {
	digest, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(digest) == sha256.Size && len(s) == 43
}

// reserved reports whether r is not an unreserved character (RFC 3986 §2.3).
func reserved(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("-._~", r)
}

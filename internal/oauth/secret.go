package oauth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// minPlainSecret is the length at which a secret of unreserved characters can
// carry 128 bits (RFC 6749 §10.10).
const minPlainSecret = 22

// Secret is a client secret as configured: plain, sha256:<hex>, bcrypt or
// argon2id. It verifies and never shows itself. A plain secret is kept as its
// digest only.
type Secret struct {
	digest [sha256.Size]byte // where slow is nil
	slow   *slowHash
	// decodes reports that a plain secret reads differently once form-decoded.
	decodes bool
}

var otherHash = regexp.MustCompile(`^(\$[A-Za-z0-9-]+\$|\{[A-Za-z0-9-]+\})`)

// ParseSecret reads a configured secret after placeholder resolution. Plain
// secrets of less than 128 bits (22 characters) are refused with the remedy;
// the error never contains the secret.
func ParseSecret(s string) (Secret, error) {
	switch {
	case s == "":
		return Secret{}, errors.New("is empty; if it is a placeholder, what it names is not set")
	case strings.HasPrefix(s, "sha256:"):
		return parseSHA256(s)
	case strings.HasPrefix(s, "$2a$"), strings.HasPrefix(s, "$2b$"), strings.HasPrefix(s, "$2y$"):
		return slowSecret(parseBcrypt(s))
	case strings.HasPrefix(s, "$argon2id$"):
		return slowSecret(parseArgon2id(s))
	case otherHash.MatchString(s):
		return Secret{}, errors.New("is a hash of a kind that is not supported; write sha256:<64 hex digits>, bcrypt ($2a$…, $2b$…, $2y$…) or $argon2id$…")
	}
	return parsePlain(s)
}

// String hides the secret from every fmt verb that asks.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "oauth.Secret{}" }

func parseSHA256(s string) (Secret, error) {
	digest, err := hex.DecodeString(strings.TrimPrefix(s, "sha256:"))
	if err != nil || len(digest) != sha256.Size {
		return Secret{}, errors.New("has a sha256: that is not followed by 64 hex digits")
	}
	return Secret{digest: [sha256.Size]byte(digest)}, nil
}

func parsePlain(s string) (Secret, error) {
	switch {
	case strings.ContainsAny(s, "\r\n"):
		return Secret{}, errors.New("has a line break; if it comes from a file, write the file without a newline at its end")
	case !printableASCII(s):
		return Secret{}, errors.New("has characters that are not printable ASCII, which no client can send (RFC 6749 appendix A.2)")
	case len(s) < minPlainSecret:
		return Secret{}, fmt.Errorf("has %d characters, which is less than 128 bits; `caddy oidc-token client-secret` makes one of 256, and a secret that people chose belongs here as its bcrypt or argon2id hash", len(s))
	case len(s) > maxSecretSize:
		return Secret{}, fmt.Errorf("is longer than %d characters", maxSecretSize)
	}
	return Secret{digest: sha256.Sum256([]byte(s)), decodes: decodes(s)}, nil
}

// decodes reports whether s reads differently once form-decoded.
func decodes(s string) bool {
	decoded, ok := formDecode(s)
	return !ok || decoded != s
}

func slowSecret(h *slowHash, err error) (Secret, error) {
	return Secret{slow: h}, err
}

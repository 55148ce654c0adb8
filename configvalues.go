package oidctoken

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// parseIssuer checks an issuer identifier. OpenID Connect Discovery §3, RFC
// 8414 §2: an https URL with a host, and no query or fragment. Clients compare
// it as a string (RFC 8414 §3.3), so what a URL library would normalize on the
// way is refused.
func parseIssuer(issuer string) (*url.URL, error) {
	u, err := parseWebURL(issuer)
	if err != nil {
		return nil, err
	}
	if u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#") {
		return nil, errors.New("an issuer has no query and no fragment: leave out what follows ? or #")
	}
	if u.Path == "" || u.Path == "/" {
		return u, nil
	}
	if err := checkPath(strings.TrimSuffix(u.EscapedPath(), "/")); err != nil {
		return nil, fmt.Errorf("its path %w", err)
	}
	return u, nil
}

// checkAuthorizationEndpoint checks an URL that is only advertised. RFC 6749
// §3.1: TLS, no fragment; a query is allowed.
func checkAuthorizationEndpoint(endpoint string) error {
	if _, err := parseWebURL(endpoint); err != nil {
		return err
	}
	if strings.Contains(endpoint, "#") {
		return errors.New("an endpoint has no fragment: leave out what follows #")
	}
	return nil
}

// parseWebURL parses an absolute https URL, or an http URL on a loopback host.
// No error shows the URL: there may be a password in it.
func parseWebURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("is not a URL: write one such as https://id.example.com")
	}
	if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return nil, errors.New("is not an absolute URL: it begins with https://, in lower case, as in https://id.example.com")
	}
	if u.User != nil {
		return nil, errors.New("has a user name or password in it: leave out what is before the @")
	}
	if u.Hostname() == "" {
		return nil, errors.New("has no host: write one such as https://id.example.com")
	}
	if err := checkPort(u); err != nil {
		return nil, err
	}
	if u.Scheme == "http" && !developmentHost(u.Hostname()) {
		return nil, errors.New("is plain HTTP: write https://; http:// is only for development on localhost, 127.0.0.1 or [::1]")
	}
	return u, nil
}

func checkPort(u *url.URL) error {
	if u.Port() == "" && !strings.HasSuffix(u.Host, ":") {
		return nil
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
		return errors.New("has an impossible port: write one from 1 to 65535, or none")
	}
	return nil
}

// developmentHost reports whether an issuer on host may be plain HTTP: it is
// one of the three names that never leave the machine. Other names may resolve
// to anything.
func developmentHost(host string) bool {
	return slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host)
}

// pathCharacters are those a path segment may hold without escaping (RFC 3986
// §3.3), and the slash. An escaped character has two spellings, of which a
// client sends one and the handler compares the other.
const pathCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/"

// checkPath checks the path of an endpoint, which is compared with a request's
// exactly (REQ-008).
func checkPath(p string) error {
	if !strings.HasPrefix(p, "/") {
		return errors.New("is not a path on this site: it begins with /, without scheme and host")
	}
	if strings.Trim(p, pathCharacters) != "" {
		return errors.New("holds a character that is escaped in a URL, or a query: use letters, digits and -._~")
	}
	if p == "/" || path.Clean(p) != p {
		return errors.New("is not in its shortest form: no empty, . or .. segment and no slash at the end, as in /token")
	}
	return nil
}

// parseEncryptionKey decodes a key in any of the four common base64 forms.
func parseEncryptionKey(value string) ([]byte, error) {
	const remedy = "make one with: openssl rand -base64 32"
	s := strings.TrimRight(value, "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	key, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil, errors.New("is not base64: " + remedy)
	}
	if len(key) != seal.KeySize {
		return nil, fmt.Errorf("has %d bytes, not %d: %s", len(key), seal.KeySize, remedy)
	}
	if strings.Count(string(key), string(key[:1])) == len(key) {
		return nil, errors.New("is one byte repeated, not a key: " + remedy)
	}
	return key, nil
}

// parseAlgorithm refuses what this module does not sign with; above all "none"
// (RFC 8725 §3.1) and the HMAC family, whose key every client would hold.
func parseAlgorithm(name string) (token.Algorithm, error) {
	alg := token.Algorithm(name)
	if alg.Known() {
		return alg, nil
	}
	var known []string
	for _, alg := range token.Algorithms() {
		if strings.EqualFold(name, string(alg)) {
			return "", fmt.Errorf("%s is not an algorithm: write %s", name, alg)
		}
		known = append(known, string(alg))
	}
	return "", fmt.Errorf("%s is not an algorithm this module signs with: write one of %s", name, strings.Join(known, ", "))
}

// checkLifetime applies the default to a lifetime. Its end is a whole number
// of seconds in every token (RFC 7519 §2, NumericDate; RFC 6749 §5.1,
// expires_in).
func checkLifetime(d, def, limit time.Duration) (time.Duration, error) {
	switch {
	case d == 0:
		return def, nil
	case d < 0:
		return 0, fmt.Errorf("is negative: write for example %s", short(def))
	case d < time.Second:
		return 0, fmt.Errorf("is shorter than a second: write the unit, for example %s (a bare number in JSON means nanoseconds)", short(def))
	case d%time.Second != 0:
		return 0, fmt.Errorf("is not a whole number of seconds: write for example %s", short(d.Truncate(time.Second)))
	case limit > 0 && d > limit:
		return 0, fmt.Errorf("is longer than %s: write at most that; the default is %s", short(limit), short(def))
	}
	return d, nil
}

// checkRotation returns how long a key signs, 0 for ever.
func checkRotation(d caddy.Duration) (time.Duration, error) {
	switch {
	case d == 0:
		return defaultKeyRotation, nil
	case d == keyRotationOff:
		return 0, nil
	case time.Duration(d) < minKeyRotation:
		return 0, errors.New("is shorter than 48h, but a key is published a day before it signs: write for example 90d, or off (-1 in JSON) for keys that sign forever")
	}
	return time.Duration(d), nil
}

// short writes a duration as people do: 10m, not 10m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// firstDuplicate returns the first value that is in values twice.
func firstDuplicate(values []string) (string, bool) {
	seen := make(map[string]bool)
	for _, v := range values {
		if seen[v] {
			return v, true
		}
		seen[v] = true
	}
	return "", false
}

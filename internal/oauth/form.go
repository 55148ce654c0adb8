package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Limits of a form. They are documented for operators; nothing legitimate
// comes near them.
const (
	maxParameters    = 64
	maxParameterSize = 4 << 10  // bytes of a name or a value, decoded
	maxAssertionSize = 16 << 10 // of what is as large as a token
	maxClientIDSize  = 256
	maxSecretSize    = 1 << 10
)

// parameter is one decoded pair of a form.
type parameter struct{ name, value string }

// recognised are the parameters this endpoint knows. RFC 6749 §3.2 (with
// errata 5708): these must not be repeated, all others are ignored.
var recognised = map[string]bool{
	"grant_type":            true,
	"code":                  true,
	"redirect_uri":          true,
	"code_verifier":         true,
	"client_id":             true,
	"client_secret":         true,
	"client_assertion":      true,
	"client_assertion_type": true,
	"refresh_token":         true,
	"scope":                 true,
}

// members are the further names of an AuthorizationRequest.
var members = map[string]bool{
	"subject":               true,
	"nonce":                 true,
	"code_challenge":        true,
	"code_challenge_method": true,
	"auth_time":             true,
	"acr":                   true,
	"amr":                   true,
	"claims":                true,
	"access_token_claims":   true,
}

// nameable reports whether an error_description may show name: only constants
// of ours, never a name that a client made up.
func nameable(name string) bool {
	return recognised[name] || members[name] || authorizationParameters[name]
}

// large are the parameters that hold a token or a JSON document.
var large = map[string]bool{
	"client_assertion": true,
	"access_token":     true,
	"id_token_hint":    true,
	"request":          true,
	"claims":           true,
}

// decodeForm decodes application/x-www-form-urlencoded. It is all or nothing:
// net/url returns the good pairs together with an error, and whoever forgets
// the error acts on half a request.
func decodeForm(body string) ([]parameter, error) {
	// A raw semicolon was once a separator. Two programs that disagree about
	// that see two different requests.
	if strings.Contains(body, ";") {
		return nil, errors.New("the form has a raw semicolon; it must be written %3B")
	}
	form := make([]parameter, 0, min(strings.Count(body, "&")+1, maxParameters))
	for segment := range strings.SplitSeq(body, "&") {
		if segment == "" {
			continue
		}
		if len(form) == maxParameters {
			return nil, fmt.Errorf("the form has more than %d parameters", maxParameters)
		}
		p, err := decodePair(segment)
		if err != nil {
			return nil, err
		}
		form = append(form, p)
	}
	return form, nil
}

func decodePair(segment string) (parameter, error) {
	rawName, rawValue, _ := strings.Cut(segment, "=")
	name, ok := formDecode(rawName)
	if !ok {
		return parameter{}, errors.New("a parameter name is not percent-encoded UTF-8")
	}
	value, ok := formDecode(rawValue)
	if !ok {
		return parameter{}, errors.New("a parameter value is not percent-encoded UTF-8")
	}
	limit := maxParameterSize
	if large[name] {
		limit = maxAssertionSize
	}
	if len(name) > maxParameterSize || len(value) > limit {
		return parameter{}, fmt.Errorf("a parameter is larger than %d bytes", limit)
	}
	return parameter{name, value}, nil
}

// formDecode decodes one name or value (RFC 6749 appendix B): + is a space,
// %XX an octet, and the octets are UTF-8.
func formDecode(s string) (string, bool) {
	decoded, err := url.QueryUnescape(s)
	if err != nil || !utf8.ValidString(decoded) {
		return "", false
	}
	return decoded, true
}

// printableASCII reports whether s is *VSCHAR (RFC 6749 appendix A).
func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return true
}

// hasControl reports whether s has a C0 control character or DEL.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7F })
}

package oauth

import (
	"net/http"
	"strings"
)

// secretNames are the parameters that must never travel in a URI: URIs are
// logged by everything on the way (RFC 6749 §2.3.1, RFC 9700 §4.3).
var secretNames = map[string]bool{
	"client_secret":    true,
	"client_assertion": true,
	"code":             true,
	"code_verifier":    true,
	"refresh_token":    true,
	"access_token":     true,
}

// checkURI refuses a request with a secret in its URI, also where the body is
// complete: the secret is in somebody's log already, and the client that does
// this must be found. Other query components are harmless (RFC 6749 §3.2); no
// parameter is ever taken from the query.
func checkURI(r *http.Request) error {
	// The request line as it came, too: a rewrite on the way here hides
	// nothing from the log that has it.
	_, asSent, _ := strings.Cut(r.RequestURI, "?")
	name := nameIn(r.URL.RawQuery, secretNames)
	if name == "" {
		name = nameIn(asSent, secretNames)
	}
	if name == "" {
		return nil
	}
	hint := name + " came in the request URI, where logs keep it; the client must send it in the body"
	if name == "client_secret" {
		hint += ". Replace the secret"
	}
	return &Error{Kind: InvalidRequest, Reason: SecretInURI, Security: true, Hint: hint}
}

// nameIn returns the first of names that query uses, or "". It does not need
// the query to be well-formed: a log keeps a malformed one as well.
func nameIn(query string, names map[string]bool) string {
	separator := func(r rune) bool { return r == '&' || r == ';' }
	for segment := range strings.FieldsFuncSeq(query, separator) {
		name, _, _ := strings.Cut(segment, "=")
		if name = lenientDecode(name); names[name] {
			return name
		}
	}
	return ""
}

// lenientDecode decodes the percent-encoding that is right and leaves the rest.
func lenientDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) {
			if decoded, ok := formDecode(s[i : i+3]); ok && s[i] == '%' {
				b.WriteString(decoded)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

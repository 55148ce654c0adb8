package oidctoken

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// Identity says who a person is that `authorize` let through. Its values are
// placeholders of the request, resolved once it was let through. One whose
// placeholder is empty or not set is empty as a whole.
//
// Request headers that a value names, and those that are commonly trusted to
// say who somebody is, are taken out of the request before `authorize` runs:
// only what it sets itself is read.
type Identity struct {
	// The subject identifier: who the person is to every client, for good
	// (OpenID Connect Core §2 sub). Default: `{http.auth.user.id}`. Where it is
	// empty nobody is signed in. At most 255 printable ASCII characters.
	Subject string `json:"subject,omitempty"`

	// Claims about the person. Default: none.
	Claims []*IdentityClaim `json:"claims,omitempty"`

	// When the person authenticated: seconds since 1970, or RFC 3339. Default:
	// the time of the request. Where it is there and empty the time is not
	// known, and a client that wants a recent authentication is refused.
	AuthTime string `json:"auth_time,omitempty"`

	// How the person authenticated: an authentication context class (Core §2
	// acr). Default: not known.
	ACR string `json:"acr,omitempty"`

	// How the person authenticated: methods (Core §2 amr, RFC 8176), each value
	// one or several separated by commas. Default: not known.
	AMR []string `json:"amr,omitempty"`
}

// IdentityClaim is one claim about a person (Core §5.1). It is left out where
// its value is empty or not of its type.
type IdentityClaim struct {
	// The claim's name. Required.
	Name string `json:"name,omitempty"`

	// Its value. Required.
	Value string `json:"value,omitempty"`

	// What the value is: `string`, `list` (of strings, separated by commas),
	// `boolean`, `number` or `json`. Default: what Core §5.1 says of the claim,
	// or string.
	Type string `json:"type,omitempty"`
}

const defaultSubject = "{http.auth.user.id}"

// The types of claims.
const (
	claimString  = "string"
	claimList    = "list"
	claimBoolean = "boolean"
	claimNumber  = "number"
	claimJSON    = "json"
)

var claimTypes = []string{claimString, claimList, claimBoolean, claimNumber, claimJSON}

// standardTypes are the types of the standard claims that are no strings: Core
// §5.1.
var standardTypes = map[string]string{
	"email_verified":        claimBoolean,
	"phone_number_verified": claimBoolean,
	"updated_at":            claimNumber,
	"address":               claimJSON,
}

// standardType returns the type of a standard claim in any language (Core §5.2),
// or "".
func standardType(claim string) string {
	name, _, _ := strings.Cut(claim, "#")
	if !token.StandardClaim(name) {
		return ""
	}
	return withDefault(standardTypes[name], claimString)
}

// identity is an Identity checked and complete.
type identity struct {
	subject  string
	claims   []IdentityClaim
	authTime string // "": the time of the request
	acr      string
	amr      []string
	headers  map[string]bool // that its values are read from, by headerName
}

// person resolves who was let through. leftOut are the names of claims whose
// value was there and not of their type.
func (d *identity) person(r *http.Request, now time.Time) (p oauth.Person, leftOut []string) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return p, nil
	}
	certificate := r.TLS != nil && len(r.TLS.PeerCertificates) > 0
	value := func(s string) string {
		// Caddy has a fingerprint and a serial number also where no certificate was
		// presented: those of an empty one, the same for everybody.
		if !certificate && strings.Contains(strings.ToLower(s), "{http.request.tls.client.") {
			return ""
		}
		// A value that is put together of several is worth nothing without one of
		// them: "tenant/" is nobody.
		resolved, err := repl.ReplaceOrErr(s, true, true)
		if err != nil {
			return ""
		}
		return resolved
	}
	p.Subject, p.Source = value(d.subject), d.subject
	p.AuthTime = now
	if d.authTime != "" {
		p.AuthTime = parseTime(value(d.authTime))
	}
	p.ACR = value(d.acr)
	for _, method := range d.amr {
		p.AMR = append(p.AMR, splitList(value(method))...)
	}
	p.Claims = make(map[string]json.RawMessage, len(d.claims))
	for _, claim := range d.claims {
		resolved := value(claim.Value)
		if resolved == "" {
			continue
		}
		if encoded := encodeClaim(claim.Type, resolved); encoded != nil {
			p.Claims[claim.Name] = encoded
		} else {
			leftOut = append(leftOut, claim.Name)
		}
	}
	return p, leftOut
}

// claimNames are the claims that may be said of a person.
func (d *identity) claimNames() []string {
	var names []string
	if d.acr != "" {
		names = append(names, "acr")
	}
	if len(d.amr) > 0 {
		names = append(names, "amr")
	}
	for _, claim := range d.claims {
		names = append(names, claim.Name)
	}
	return names
}

// parseTime returns the zero time for what is not one: the time is not known.
func parseTime(value string) time.Time {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Unix(seconds, 0)
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}
	}
	return at
}

// encodeClaim returns value as JSON, or nil if it is not of that type. Nothing
// is guessed: a claim that is wrong is worse than one that is not there.
func encodeClaim(kind, value string) json.RawMessage {
	if !utf8.ValidString(value) {
		return nil
	}
	var encoded any = value
	switch kind {
	case claimList:
		list := splitList(value)
		if len(list) == 0 {
			return nil
		}
		encoded = list
	case claimBoolean:
		is, err := strconv.ParseBool(strings.ToLower(value))
		if err != nil {
			return nil
		}
		encoded = is
	case claimNumber:
		if strings.Trim(value[:1], "-0123456789") != "" || !json.Valid([]byte(value)) {
			return nil
		}
		encoded = json.Number(value)
	case claimJSON:
		if !json.Valid([]byte(value)) {
			return nil
		}
		encoded = json.RawMessage(value)
	}
	b, err := json.Marshal(encoded)
	if err != nil {
		return nil
	}
	return b
}

// splitList splits at commas, as headers with several values are written (RFC
// 9110 §5.6.1), and leaves out what is empty.
func splitList(value string) []string {
	var list []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// removeHeaders takes out of a request every header that says who somebody is,
// but for credentials: it came from the client, who may say anything.
func (d *identity) removeHeaders(h http.Header) {
	for field := range h {
		name := headerName(field)
		if d.headers[name] || identifying(name) {
			delete(h, field)
		}
	}
}

// headerName is a header's name as the laxest reader behind us has it: CGI and
// its like take _ for - (RFC 3875 §4.1.18).
func headerName(field string) string {
	return separators.Replace(strings.ToLower(field))
}

var separators = strings.NewReplacer("_", "-", ".", "-")

// identifying reports whether a header is one of those in which authenticating
// proxies name people, and services behind them trust.
func identifying(name string) bool {
	for _, prefix := range identityHeaders {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// identityHeaders are the beginnings of their names: Authelia, oauth2-proxy,
// authentik, Vouch, Pomerium, caddy-security, Tailscale, the clouds', and those
// of servers that check client certificates.
var identityHeaders = []string{
	"remote-", "x-remote-", "x-forwarded-user", "x-forwarded-email", "x-forwarded-group", "x-forwarded-preferred-username", "x-forwarded-access-token",
	"x-auth-request-", "x-auth-user", "x-auth-email", "x-auth-group", "x-auth-name", "x-auth-role", "x-auth-username",
	"x-authentik-", "x-webauth-", "x-token-", "x-user", "x-email", "x-groups", "x-vouch-user", "x-vouch-idp-claims-", "x-pomerium-claim-",
	"x-goog-authenticated-user-", "cf-access-authenticated-user-", "x-ms-client-principal", "x-ms-token-", "x-amzn-oidc-identity", "tailscale-",
	"x-ssl-client-", "ssl-client-", "x-client-cert", "x-client-verify", "x-client-dn", "x-forwarded-client-cert", "x-forwarded-tls-client-cert",
}

package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// protocolClaims are set by the issuer or by nobody. Beside those of Core §2,
// RFC 7519 §4.1, RFC 9068 §2.2 and RFC 7800 these are claims that would point
// to claims held elsewhere, past the scope (Core §5.6.2), let an ID token pass
// for a logout token (RFC 8417 §2.2), replace the issuer's key by another
// (Core's sub_jwk), or lead our UserInfo endpoint to another person's grant.
var protocolClaims = claimSet(
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti",
	"nonce", "at_hash", "c_hash", "s_hash", "azp", "auth_time", "acr", "amr", "sid",
	"client_id", "scope", "cnf", "grant_ref",
	"_claim_names", "_claim_sources", "events", "sub_jwk",
)

// standardClaims maps each claim of Core §5.1 to the scope value that asks for
// it (Core §5.4).
var standardClaims = map[string]string{
	"name": "profile", "family_name": "profile", "given_name": "profile", "middle_name": "profile",
	"nickname": "profile", "preferred_username": "profile", "profile": "profile", "picture": "profile",
	"website": "profile", "gender": "profile", "birthdate": "profile", "zoneinfo": "profile",
	"locale": "profile", "updated_at": "profile",
	"email": "email", "email_verified": "email",
	"address":      "address",
	"phone_number": "phone", "phone_number_verified": "phone",
}

// ProtocolClaim reports whether name is a claim that only the issuer sets. A
// difference in case or a language tag (Core §5.2) does not make it another:
// verifiers written in Go read "SUB" into the field for "sub".
func ProtocolClaim(name string) bool { return protocolClaims[foldClaim(name)] }

// StandardClaim reports whether name, without a language tag, is a claim of Core
// §5.1.
func StandardClaim(name string) bool { return standardClaims[name] != "" }

// ReleasedBy returns which user claims a granted scope releases: a standard
// claim under its scope value, any other claim always.
func ReleasedBy(scope []string) func(claim string) bool {
	return func(claim string) bool {
		covered, standard := standardClaims[foldClaim(claim)]
		return !standard || slices.Contains(scope, covered)
	}
}

// named returns which of names lets a claim through: the claim of that name,
// in any language (Core §5.2). nil lets all through.
func named(names []string) func(claim string) bool {
	return func(claim string) bool {
		return names == nil || slices.ContainsFunc(names, func(name string) bool {
			rest, found := strings.CutPrefix(claim, name)
			return found && (rest == "" || rest[0] == '#')
		})
	}
}

// foldClaim returns the name that encoding/json and its like would take name
// for. ToUpper before ToLower catches the letters that fold into ASCII: ſ and
// the Kelvin sign.
func foldClaim(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == "" {
		return name
	}
	name, _, _ = strings.Cut(name, "#")
	return strings.ToLower(strings.ToUpper(name))
}

// What most tokens need; others grow.
const (
	headerSize    = 96
	claimsSize    = 448
	signatureSize = 88 // encoded
)

// authTime adds when the user authenticated, where that is known.
func (o *object) authTime(a *Authorization) {
	if !a.AuthTime.IsZero() {
		o.number("auth_time", a.AuthTime.Unix())
	}
}

// extra adds, by name, those claims that are no protocol claims and that
// released lets through. Values keep their JSON types to the digit. Claims with
// nothing in them are left out (Core §5.3.2: not null, not an empty string).
func (o *object) extra(claims map[string]json.RawMessage, released func(string) bool) error {
	if len(claims) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if ProtocolClaim(name) || !released(name) || emptyClaim(claims[name]) {
			continue
		}
		if err := o.claim(name, claims[name]); err != nil {
			return err
		}
	}
	return nil
}

// claim adds a claim under a name that is not ours.
func (o *object) claim(name string, value json.RawMessage) error {
	o.separate()
	b := bytes.NewBuffer(*o)
	b.Write(appendString(nil, name))
	b.WriteByte(':')
	if json.Compact(b, value) != nil { // its text could quote the value
		return fmt.Errorf("claim %s is not JSON", appendString(nil, name))
	}
	*o = b.Bytes()
	return nil
}

func emptyClaim(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", `""`:
		return true
	}
	return false
}

func claimSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

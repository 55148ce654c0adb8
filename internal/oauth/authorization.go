package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// Limits of an authorization request.
const (
	maxSubjectSize = 255 // OpenID Connect Core §2
	maxNonceSize   = 4 << 10
	maxClaimsSize  = 32 << 10
	maxAhead       = time.Minute // how far auth_time may be in the future
)

// AuthorizationRequest asks for a code for somebody who is already
// authenticated. It is validated like an authorization request (RFC 6749
// §4.1.1, OpenID Connect Core §3.1.2.1).
type AuthorizationRequest struct {
	ClientID            string
	RedirectURI         string // "": the client's only registered one, and the token request may leave it out
	Subject             string // Required. At most 255 printable ASCII characters.
	Scope               string // space-delimited; "": openid
	Nonce               string
	CodeChallenge       string
	CodeChallengeMethod string    // must be S256 where CodeChallenge is given
	AuthTime            time.Time // zero: not known
	ACR                 string
	AMR                 []string
	Claims              map[string]json.RawMessage
	AccessTokenClaims   map[string]json.RawMessage
}

// Record validates q against its client and returns the record to store.
// Errors are *Error with Hint saying what to change: InvalidRequest (Param
// names the member), InvalidScope, UnauthorizedClient.
func (c *Clients) Record(issuer string, q *AuthorizationRequest, now time.Time, lifetime time.Duration) (*storage.Record, error) {
	client, err := c.registered(q.ClientID)
	if e, ok := errors.AsType[*Error](err); ok && e.Detail == ClientNotRegistered {
		e.Hint = fmt.Sprintf("it is %.256q; %s", q.ClientID, e.Hint)
	}
	if err != nil {
		return nil, err
	}
	if err := client.checkGrantType(); err != nil {
		return nil, err
	}
	redirectURI, err := client.redirectTo(q.RedirectURI)
	if err != nil {
		return nil, err
	}
	scope, err := q.scope(client)
	if err != nil {
		return nil, err
	}
	for _, check := range []error{q.checkChallenge(client), q.checkNonce(), q.checkPerson(now)} {
		if check != nil {
			return nil, check
		}
	}
	return &storage.Record{
		Issuer:              issuer,
		ClientID:            client.ID,
		Subject:             q.Subject,
		RedirectURI:         redirectURI,
		RedirectURISent:     q.RedirectURI != "",
		Scope:               scope,
		Nonce:               q.Nonce,
		CodeChallenge:       q.CodeChallenge,
		CodeChallengeMethod: q.CodeChallengeMethod,
		AuthTime:            q.AuthTime,
		ACR:                 q.ACR,
		AMR:                 slices.Clone(q.AMR),
		Claims:              maps.Clone(q.Claims),
		AccessTokenClaims:   maps.Clone(q.AccessTokenClaims),
		IssuedAt:            now,
		ExpiresAt:           now.Add(lifetime),
	}, nil
}

// registered returns the client that an authorization request names.
func (c *Clients) registered(id string) (*Client, error) {
	if id == "" {
		return nil, missing("client_id")
	}
	client := c.Get(id)
	if client == nil {
		// Not the id itself: a stranger's request is logged with this.
		return nil, &Error{Kind: InvalidRequest, Param: "client_id", Reason: ParameterMalformed, Detail: ClientNotRegistered,
			Hint: "registered are " + c.someIDs()}
	}
	return client, nil
}

// someIDs lists registered clients for a hint: not hundreds of them.
func (c *Clients) someIDs() string {
	const most = 20
	var ids []string
	for _, client := range c.All() {
		ids = append(ids, client.ID)
	}
	if len(ids) > most {
		ids = append(ids[:most], "…")
	}
	return strings.Join(ids, ", ")
}

func (c *Client) checkGrantType() error {
	if !slices.Contains(c.GrantTypes, GrantAuthorizationCode) {
		return &Error{Kind: UnauthorizedClient, Reason: GrantTypeNotAllowed,
			Hint: "the client may not use authorization codes; add authorization_code to its grant_types"}
	}
	return nil
}

// scope returns the granted scope, each part once: RFC 6749 §3.3.
func (q *AuthorizationRequest) scope(client *Client) ([]string, error) {
	if q.Scope == "" {
		q = &AuthorizationRequest{Scope: "openid"}
	}
	granted, err := scopeTokens(q.Scope)
	if err != nil {
		return nil, err
	}
	for _, part := range granted {
		if !slices.Contains(client.Scope, part) {
			return nil, &Error{Kind: InvalidScope, Param: "scope", Reason: ScopeNotAllowed,
				Hint: fmt.Sprintf("the client may not be granted %.100q; add it to the client's scope, which is %q", part, strings.Join(client.Scope, " "))}
		}
	}
	return granted, nil
}

// scopeTokens splits a scope, each part once: RFC 6749 §3.3.
func scopeTokens(scope string) ([]string, error) {
	var parts []string
	for part := range strings.SplitSeq(scope, " ") {
		if !scopeToken(part) {
			return nil, &Error{Kind: InvalidScope, Param: "scope", Reason: ScopeMalformed,
				Hint: "scopes are printable ASCII, separated by one space each"}
		}
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// checkChallenge insists on S256 and on a challenge where the client needs one
// (RFC 7636 §4.4.1, RFC 9700 §2.1.1).
func (q *AuthorizationRequest) checkChallenge(client *Client) error {
	switch {
	case q.CodeChallenge == "" && q.CodeChallengeMethod != "":
		return missing("code_challenge")
	case q.CodeChallenge == "" && client.needsPKCE():
		e := missing("code_challenge").(*Error)
		e.Hint = "the client needs PKCE: send code_challenge and code_challenge_method=S256 (RFC 7636)"
		return e
	case q.CodeChallenge == "":
		return nil
	case q.CodeChallengeMethod != s256:
		// RFC 7636 §4.3: no method means plain.
		return malformed("code_challenge_method", "plain is refused, also as the default of RFC 7636 §4.3; send code_challenge_method=S256")
	case !challengeForm(q.CodeChallenge):
		return malformed("code_challenge", "S256 makes 43 characters of unpadded base64url (RFC 7636 §4.2)")
	}
	return nil
}

// checkNonce: Core §2. It goes into the ID token as it is.
func (q *AuthorizationRequest) checkNonce() error {
	if len(q.Nonce) > maxNonceSize || !utf8.ValidString(q.Nonce) {
		return malformed("nonce", "it must be at most 4096 bytes of UTF-8")
	}
	return nil
}

// checkPerson checks who was authenticated, when and how, and what is claimed
// of them: Core §2.
func (q *AuthorizationRequest) checkPerson(now time.Time) error {
	switch {
	case q.Subject == "":
		return missing("subject")
	case len(q.Subject) > maxSubjectSize || !printableASCII(q.Subject):
		return malformed("subject", "it must be at most 255 printable ASCII characters")
	case !q.AuthTime.IsZero() && (q.AuthTime.Unix() <= 0 || q.AuthTime.Sub(now) > maxAhead):
		return malformed("auth_time", "it must be the time of the authentication in seconds since 1970, not in the future")
	case !utf8.ValidString(q.ACR):
		return malformed("acr", "it must be UTF-8")
	case slices.ContainsFunc(q.AMR, func(s string) bool { return s == "" || !utf8.ValidString(s) }):
		return malformed("amr", "its members must be strings that are not empty")
	}
	return q.checkClaims()
}

// checkClaims keeps protocol claims to the issuer: who may say who somebody is
// must not be able to say whom the token is for.
func (q *AuthorizationRequest) checkClaims() error {
	size := 0
	for _, claims := range []struct {
		member string
		values map[string]json.RawMessage
	}{{"claims", q.Claims}, {"access_token_claims", q.AccessTokenClaims}} {
		for _, name := range slices.Sorted(maps.Keys(claims.values)) {
			size += len(name) + len(claims.values[name])
			switch {
			case name == "" || !utf8.ValidString(name):
				return malformed(claims.member, "claim names must be UTF-8 and not empty")
			case token.ProtocolClaim(name):
				return malformed(claims.member, "only the issuer sets the claim "+name+"; leave it out")
			case !utf8.Valid(claims.values[name]):
				// RFC 8259 §8.1. json.Valid lets it pass.
				return malformed(claims.member, fmt.Sprintf("the value of claim %.100q is not UTF-8", name))
			case !json.Valid(claims.values[name]):
				return malformed(claims.member, fmt.Sprintf("the value of claim %.100q is not JSON", name))
			}
		}
	}
	if size > maxClaimsSize {
		return malformed("claims", "the claims are larger than 32 KiB together")
	}
	return nil
}

package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// Grants is the part of storage.Codes that the UserInfo endpoint needs.
type Grants interface {
	Grant(ctx context.Context, ref string) (*storage.Record, error)
}

// UserInfo is one issuer's UserInfo endpoint. Immutable after construction, safe
// for concurrent use.
type UserInfo struct {
	Endpoint *Endpoint // of the same issuer: its clients and their origins
	Grants   Grants
	Tokens   *token.Verifier
}

// Respond answers one UserInfo request with claims: OpenID Connect Core §5.3,
// RFC 6750. The method, the path and TLS were checked, and the body, which only
// a POST has, is what ReadBody read. Every error is an *Error or is treated as
// server_error.
func (u *UserInfo) Respond(r *http.Request, body Body) (claims []byte, a Attempt, err error) {
	origin := new(request)
	if origin.origin, origin.hasOrigin, err = u.Endpoint.origin(r.Header); err != nil {
		return nil, a, err
	}
	presented, err := presentedToken(r, body)
	if err != nil {
		return nil, a, err
	}
	access, err := u.verify(r.Context(), presented)
	if err != nil {
		return nil, a, err
	}
	a.TokenID, a.Scope = access.TokenID, strings.Join(access.Scope, " ")
	client, err := u.client(access)
	if err != nil {
		return nil, a, err
	}
	a.ClientID = client.ID
	if err := u.Endpoint.checkClientOrigin(client, origin); err != nil {
		return nil, a, err
	}
	record, err := u.grant(r.Context(), access)
	if err != nil {
		return nil, a, err
	}
	claims, err = token.UserInfo(record.Subject, access.Scope, record.Claims)
	return claims, a, err
}

// presentedToken returns the access token of a request: RFC 6750 §2.1 and §2.2.
// One in the URI (§2.3) is refused, since logs keep it (RFC 9700 §4.3.2), and so
// is one that comes in two ways, whichever is right.
func presentedToken(r *http.Request, body Body) (string, error) {
	if err := checkURI(r); err != nil {
		return "", err
	}
	field, err := bearer(r.Header.Values("Authorization"))
	if err != nil {
		return "", err
	}
	form, err := tokenInForm(r.Header, body)
	if err != nil {
		return "", err
	}
	switch {
	case field != "" && form != "":
		return "", &Error{Kind: InvalidRequest, Reason: SeveralTransports,
			Hint: "the access token came in the Authorization field and in the form; the client must use one"}
	case field == "" && form == "":
		return "", &Error{Kind: NoToken, Reason: TokenMissing,
			Hint: "the request has no access token; the client sends it as Authorization: Bearer"}
	}
	return field + form, nil
}

// bearer returns the token of an Authorization field: RFC 6750 §2.1. Another
// scheme is none we know, as if nothing had been sent (§3.1).
func bearer(fields []string) (string, error) {
	if len(fields) > 1 {
		return "", &Error{Kind: InvalidRequest, Reason: AuthorizationHeader,
			Hint: "the request has more than one Authorization field"}
	}
	if len(fields) == 0 {
		return "", nil
	}
	scheme, presented, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	presented = strings.TrimLeft(presented, " ") // RFC 9110 §11.4: 1*SP
	if !b64token(presented) {
		return "", &Error{Kind: InvalidRequest, Reason: TokenMalformed,
			Hint: "the Authorization field says Bearer and has no token of RFC 6750 §2.1 after it"}
	}
	return presented, nil
}

// b64token: RFC 6750 §2.1.
func b64token(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("-._~+/", r)
	})
}

// tokenInForm returns the access_token of a form: RFC 6750 §2.2. A body that is
// there must be one.
func tokenInForm(h http.Header, body Body) (string, error) {
	if body == "" {
		return "", nil
	}
	if err := checkContentCoding(h); err != nil {
		return "", err
	}
	if err := checkMediaType(h); err != nil {
		return "", err
	}
	form, err := decodeForm(string(body))
	if err != nil {
		return "", &Error{Kind: InvalidRequest, Reason: FormMalformed, Err: err}
	}
	presented, seen := "", false
	for _, p := range form {
		if p.name != "access_token" {
			continue
		}
		if seen {
			return "", &Error{Kind: InvalidRequest, Param: p.name, Reason: ParameterRepeated}
		}
		presented, seen = p.value, true
	}
	return presented, nil
}

// verify verifies an access token. What is wrong with it only the operator is
// told.
func (u *UserInfo) verify(ctx context.Context, presented string) (*token.AccessToken, error) {
	access, err := u.Tokens.AccessToken(ctx, presented)
	switch {
	case errors.Is(err, token.ErrAudience):
		return nil, &Error{Kind: InvalidToken, Reason: TokenAudience, Err: err,
			Hint: "the access token is for other resource servers; add the issuer to the client's access_token_audience if it is to be good here, too"}
	case errors.Is(err, token.ErrInvalid):
		return nil, &Error{Kind: InvalidToken, Reason: TokenInvalid, Err: err}
	case err != nil:
		return nil, &Error{Kind: TemporarilyUnavailable, Reason: KeysUnavailable, RetryAfter: time.Second, Err: err}
	case !slices.Contains(access.Scope, "openid"):
		// Core §5.3.1: the access token is one of an authentication.
		return nil, &Error{Kind: InsufficientScope, Reason: ScopeInsufficient,
			Hint: "the client was not granted openid; it must ask for it in its authorization request"}
	}
	return access, nil
}

// client returns whom the token was issued to: a client that was removed has no
// more business with anybody's claims.
func (u *UserInfo) client(access *token.AccessToken) (*Client, error) {
	client := u.Endpoint.Clients.Get(access.ClientID)
	if client == nil {
		return nil, &Error{Kind: InvalidToken, Reason: ClientRemoved,
			Hint: fmt.Sprintf("the access token was issued to client %.256q, which is not registered any more", access.ClientID)}
	}
	return client, nil
}

// grant returns the record of the code that the token came of. It holds the
// record against the token: what the storage says must be what was signed.
func (u *UserInfo) grant(ctx context.Context, access *token.AccessToken) (*storage.Record, error) {
	record, err := u.Grants.Grant(ctx, access.GrantRef)
	switch {
	case errors.Is(err, storage.ErrUnknown):
		return nil, &Error{Kind: InvalidToken, Reason: GrantUnknown, Err: err,
			Hint: "the used code that the access token came of is not in storage: it was removed, or another storage is configured"}
	case errors.Is(err, storage.ErrCorrupt):
		return nil, &Error{Kind: InvalidToken, Reason: RecordCorrupt, Security: true, Err: err,
			Hint: "the used code that the access token came of does not open: it was altered, or its encryption_key is not configured any more"}
	}
	if unavailable := Unavailable(err); unavailable != nil {
		return nil, unavailable
	}
	if err != nil {
		return nil, err
	}
	if record.ClientID != access.ClientID {
		return nil, &Error{Kind: InvalidToken, Reason: GrantMismatch, Security: true, Hint: "the grant is another client's"}
	}
	// Core §5.3.2: the client compares sub with that of the ID token.
	if record.Subject != access.Subject {
		return nil, &Error{Kind: InvalidToken, Reason: GrantMismatch, Security: true, Hint: "the grant is another person's"}
	}
	return record, nil
}

// Package oauth is the token endpoint and the authorization endpoint as RFC 6749
// describes them, and UserInfo: requests, client authentication, grants, PKCE
// and errors. Its steps return values or errors; none writes a response or a log
// line.
package oauth

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// Codes is the part of storage.Codes that the endpoint needs.
type Codes interface {
	Load(ctx context.Context, code string) (*storage.Code, error)
	LoadForStranger(ctx context.Context, code string) (*storage.Code, error)
	Redeem(ctx context.Context, code *storage.Code) error
}

// Endpoint is one issuer's token endpoint. Immutable after construction, safe
// for concurrent use.
type Endpoint struct {
	Issuer   string
	Clients  *Clients
	Codes    Codes
	Tokens   *token.Issuer
	Throttle *Throttle // nil: the process-wide one
	Now      func() time.Time
}

// Attempt is what is known of a token or UserInfo request when it ends, for the log line
// and the metrics. Nothing in it is secret or taken from an unauthenticated
// client unchecked.
type Attempt struct {
	ClientID      string // only if registered; else ""
	Authenticated bool
	AuthMethod    string // what was presented: client_secret_basic, client_secret_post, none or ""
	GrantType     string // a known grant type or "other" or ""
	Scope         string // granted
	KeyID         string // of the ID token, else of the access token
	TokenID       string // jti
	GrantID       string
	CodeRef       string // storage.Ref of the presented code
	Redemption    string // "won", "lost", "replayed" or ""
}

// Respond answers one token request: RFC 6749 §3.2, OpenID Connect Core
// §3.1.3. The method, the path and TLS were checked, and the body is what
// ReadBody read: nothing here waits for the client. clientIP is the address
// failures are counted for. Every error is an *Error or is treated as
// server_error.
func (e *Endpoint) Respond(r *http.Request, body Body, clientIP netip.Addr) (*token.Response, Attempt, error) {
	var a Attempt
	req, err := e.parseRequest(r, body)
	if err != nil {
		return nil, a, err
	}
	req.describe(&a)
	response, err := e.respond(r.Context(), req, clientIP, &a)
	if a.CodeRef == "" { // no code was found that has it derived already
		a.CodeRef = storage.Ref(req.parameters["code"])
	}
	return response, a, err
}

// Refused counts a request that is refused, at whichever endpoint of the issuer,
// and returns later where its address or the issuer has had many refused, or its
// client id many wrong secrets, but not after ctx has ended: whoever sends such
// requests as fast as they are answered would take the processor from those
// whose requests are good. Nothing that a reload waits for is to be held
// meanwhile.
func (e *Endpoint) Refused(ctx context.Context, refusal *Error, clientIP netip.Addr) {
	delay(ctx, e.throttle().delayed, refusal.late)
	if refusal.counts() {
		e.throttle().refused(ctx, e.Issuer, clientIP, e.now())
	}
}

// counts reports whether a refusal counts for its address. Our own faults are
// nobody's, but for those that anybody can cause: with the name of a key that is
// not to be had, with wrong secrets that take long to verify, or with more codes
// than a storage can look for.
func (e *Error) counts() bool {
	return e.Status() < http.StatusInternalServerError || e.Reason == KeysUnavailable || e.Reason == HashingBusy ||
		e.Reason == StorageUnavailable
}

// respond goes on where the structure is right. The order is fixed: credentials
// before everything they protect, the grant's own checks, and tokens last. What
// fails before the grant is redeemed has changed nothing.
func (e *Endpoint) respond(ctx context.Context, req *request, clientIP netip.Addr, a *Attempt) (*token.Response, error) {
	client, err := e.authenticate(ctx, req, clientIP, a)
	if err != nil {
		return nil, err
	}
	if err := e.checkClientOrigin(client, req); err != nil {
		return nil, err
	}
	grant, err := grantFor(client, req)
	if err != nil {
		return nil, err
	}
	granted, err := grant(e, ctx, client, req, a)
	if err != nil {
		return nil, err
	}
	return e.issue(granted)
}

// grant redeems what a client presents and returns what it is worth. A grant
// sees authenticated clients only and signs nothing.
type grant func(e *Endpoint, ctx context.Context, client *Client, req *request, a *Attempt) (*granted, error)

// granted is what every grant ends in.
type granted struct {
	authorization token.Authorization
	keys          token.SigningKeys
}

// grants are the grant types that are built (RFC 6749 §4). The password grant
// will never be (RFC 9700 §2.4).
var grants = map[string]grant{
	GrantAuthorizationCode: authorizationCode,
}

// grantFor returns the grant that was asked for. RFC 6749 §5.2 tells one that
// nobody may use from one that this client may not.
func grantFor(client *Client, req *request) (grant, error) {
	name := req.parameters["grant_type"]
	grant, ok := grants[name]
	if !ok {
		return nil, &Error{Kind: UnsupportedGrantType, Reason: GrantTypeUnknown,
			Hint: "the client asks for a grant type that is not supported; authorization_code is"}
	}
	if !slices.Contains(client.GrantTypes, name) {
		return nil, &Error{Kind: UnauthorizedClient, Reason: GrantTypeNotAllowed,
			Hint: "the client may not use grant type " + name + "; add it to its grant_types"}
	}
	return grant, nil
}

// issue signs. The grant is spent: an error here is final.
func (e *Endpoint) issue(g *granted) (*token.Response, error) {
	response, err := e.Tokens.Issue(&g.authorization, g.keys)
	if err != nil {
		return nil, &Error{Kind: ServerError, Reason: IssueFailed, Err: err,
			Hint: "the tokens could not be signed; the code is spent and the client has to start over"}
	}
	return response, nil
}

// describe notes what a request asks for, before it is known who asks.
func (req *request) describe(a *Attempt) {
	a.GrantType = "other"
	if name := req.parameters["grant_type"]; grants[name] != nil {
		a.GrantType = name
	}
}

// describe notes what was granted.
func (g *granted) describe(a *Attempt) {
	a.Scope = strings.Join(g.authorization.Scope, " ")
	a.TokenID = g.authorization.TokenID
	for _, key := range []*token.Key{g.keys.AccessToken, g.keys.IDToken} {
		if key != nil {
			a.KeyID = key.ID
		}
	}
}

func (e *Endpoint) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

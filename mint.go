package oidctoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// Errors of Mint. Compare with errors.Is.
var (
	// ErrNoIssuer: no running issuer has that identifier.
	ErrNoIssuer = errors.New("no such issuer")
	// ErrRequest: the request is not one the client may make; the text says
	// what to change.
	ErrRequest = errors.New("invalid mint request")
)

// MintRequest asks for an authorization code for somebody who is already
// authenticated. It is validated like an authorization request (RFC 6749
// §4.1.1, OpenID Connect Core §3.1.2.1).
type MintRequest struct {
	// ClientID is the registered client the code is for. Required.
	ClientID string `json:"client_id"`
	// RedirectURI is one of the client's, character by character. "" stands
	// for its only one; the token request may then leave it out too.
	RedirectURI string `json:"redirect_uri,omitempty"`
	// Subject identifies the person at this issuer (Core §2 sub). Required. At
	// most 255 printable ASCII characters.
	Subject string `json:"subject"`
	// Scope is what is granted, separated by spaces. "" stands for openid.
	Scope string `json:"scope,omitempty"`
	// Nonce comes back in the ID token, unmodified. At most 4096 bytes. "": none.
	Nonce string `json:"nonce,omitempty"`
	// CodeChallenge is RFC 7636's, 43 characters. A public client, and one with
	// require_pkce, needs one. "": none.
	CodeChallenge string `json:"code_challenge,omitempty"`
	// CodeChallengeMethod must be S256 where CodeChallenge is given.
	CodeChallengeMethod string `json:"code_challenge_method,omitempty"`
	// AuthTime is when the person authenticated, in seconds since 1970. 0: not
	// known.
	AuthTime int64 `json:"auth_time,omitempty"`
	// ACR and AMR say how the person authenticated (Core §2). Default: not known.
	ACR string   `json:"acr,omitempty"`
	AMR []string `json:"amr,omitempty"`
	// Claims are claims about the person, as JSON. A standard claim (Core
	// §5.1) is released only under the scope that covers it (§5.4), others as
	// given. None can set a protocol claim. With AccessTokenClaims at most 32 KiB.
	Claims map[string]json.RawMessage `json:"claims,omitempty"`
	// AccessTokenClaims are added to the access token as given.
	AccessTokenClaims map[string]json.RawMessage `json:"access_token_claims,omitempty"`
}

// MintResponse is a fresh authorization code (RFC 6749 §4.1.2).
type MintResponse struct {
	// Code goes to the client by way of the browser, once. Whoever has it and
	// can authenticate as the client gets the tokens: keep it out of logs.
	Code string `json:"code"`
	// ExpiresIn is the issuer's code_lifetime in seconds, from now.
	ExpiresIn int64 `json:"expires_in"`
}

// Mint stores an authorization code at a running issuer, for a Caddy module
// that authenticates people. issuer is the configured identifier; "" stands
// for the only one. Errors: ErrNoIssuer, ErrRequest, storage.ErrUnavailable,
// storage.ErrRefused. Safe for concurrent use.
func Mint(ctx context.Context, issuer string, request *MintRequest) (*MintResponse, error) {
	if request == nil {
		return nil, fmt.Errorf("%w: it is nil", ErrRequest)
	}
	i, err := live.begin(issuer)
	if err != nil {
		return nil, err
	}
	defer i.end()
	return i.mint(ctx, request)
}

func (i *issuer) mint(ctx context.Context, q *MintRequest) (*MintResponse, error) {
	record, err := i.endpoint.Clients.Record(i.identifier, q.authorization(), i.now(), i.settings.codeLifetime)
	if err != nil {
		e := oauth.AsError(err)
		text := e.Code() + ": " + strings.TrimSuffix(e.Description(), ".")
		if e.Hint != "" {
			text += ": " + e.Hint
		}
		return nil, fmt.Errorf("%w: %s", ErrRequest, text)
	}
	code, err := i.store(ctx, record, false)
	if err != nil {
		return nil, err
	}
	i.logger.Info("authorization code minted", zap.String("event", "code_minted"), zap.String("issuer", i.identifier),
		zap.String("client_id", record.ClientID), zap.String("scope", strings.Join(record.Scope, " ")), zap.String("code_ref", storage.Ref(code)))
	return &MintResponse{Code: code, ExpiresIn: int64(i.settings.codeLifetime / time.Second)}, nil
}

func (q *MintRequest) authorization() *oauth.AuthorizationRequest {
	a := &oauth.AuthorizationRequest{
		ClientID:            q.ClientID,
		RedirectURI:         q.RedirectURI,
		Subject:             q.Subject,
		Scope:               q.Scope,
		Nonce:               q.Nonce,
		CodeChallenge:       q.CodeChallenge,
		CodeChallengeMethod: q.CodeChallengeMethod,
		ACR:                 q.ACR,
		AMR:                 q.AMR,
		Claims:              q.Claims,
		AccessTokenClaims:   q.AccessTokenClaims,
	}
	if q.AuthTime != 0 {
		a.AuthTime = time.Unix(q.AuthTime, 0)
	}
	return a
}

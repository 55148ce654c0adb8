package oauth

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// authorizationCode redeems an authorization code: RFC 6749 §4.1.3, OpenID
// Connect Core §3.1.3.2. Everything that can fail without a trace comes before
// Redeem, the keys to sign with included: a request that is refused leaves the
// code to the one it belongs to. scope, nonce and state of the token request
// have no meaning here and never widen what was granted.
func authorizationCode(e *Endpoint, ctx context.Context, client *Client, req *request, a *Attempt) (*granted, error) {
	presented := req.parameters["code"]
	if presented == "" {
		return nil, missing("code")
	}
	if err := checkVerifierForm(req.parameters["code_verifier"]); err != nil {
		return nil, err
	}
	load := e.Codes.Load
	if client.AuthMethod == None {
		load = e.Codes.LoadForStranger
	}
	code, err := load(ctx, presented)
	if err != nil {
		return nil, loadError(err, a)
	}
	a.CodeRef = code.Ref()
	if err := e.checkBinding(client, &code.Record, req); err != nil {
		return nil, err
	}
	if err := checkPKCE(client, &code.Record, req.parameters["code_verifier"]); err != nil {
		return nil, err
	}
	g := &granted{authorization: client.authorization(code)}
	if g.keys, err = e.Tokens.SigningKeys(ctx, &g.authorization); err != nil {
		return nil, &Error{Kind: TemporarilyUnavailable, Reason: SigningKeyUnavailable, RetryAfter: time.Second, Err: err,
			Hint: "no key to sign with is at hand; the code stays good"}
	}
	if err := e.Codes.Redeem(ctx, code); err != nil {
		return nil, redeemError(err, a)
	}
	a.Redemption, a.GrantID = "won", code.GrantID()
	g.describe(a)
	return g, nil
}

// checkBinding holds a code against who presents it, where and how: RFC 6749
// §4.1.3. Each condition stands alone; a code is good only if all hold.
func (e *Endpoint) checkBinding(client *Client, record *storage.Record, req *request) error {
	if record.ClientID != client.ID {
		return &Error{Kind: InvalidGrant, Reason: ClientMismatch, Security: true,
			Hint: "the code was issued to client " + record.ClientID}
	}
	if record.Issuer != e.Issuer {
		return &Error{Kind: InvalidGrant, Reason: IssuerMismatch, Security: true,
			Hint: "the code was issued by " + record.Issuer}
	}
	return checkRedirectURI(record, req)
}

// checkRedirectURI compares code point by code point (RFC 3986 §6.2.1): every
// normalization is a way to reach another address. A URI that the
// authorization request carried must be repeated; another may be left out.
func checkRedirectURI(record *storage.Record, req *request) error {
	sent := req.parameters["redirect_uri"]
	if sent == "" && record.RedirectURISent {
		return &Error{Kind: InvalidGrant, Reason: RedirectMismatch, Detail: RedirectMissing,
			Hint: "the client sent no redirect_uri; it must repeat that of its authorization request, " + record.RedirectURI}
	}
	same := subtle.ConstantTimeCompare([]byte(sent), []byte(record.RedirectURI)) == 1
	if sent != "" && !same {
		return &Error{Kind: InvalidGrant, Reason: RedirectMismatch,
			Hint: fmt.Sprintf("the client sent redirect_uri %s but the code was issued for %s; they must be the same in every character",
				showURI(sent, req.secrets()...), record.RedirectURI)}
	}
	return nil
}

// secrets are what the client sent that nobody else is to see, or "".
func (r *request) secrets() []string {
	return []string{r.parameters["code"], r.parameters["code_verifier"], r.credentials.secret, r.credentials.rawSecret}
}

// showURI quotes a URI that a client sent, without what may be secret in it:
// the query, the fragment, user information, or any of secrets.
func showURI(uri string, secrets ...string) string {
	const hidden = "(not shown)"
	shown, _, cut := strings.Cut(uri, "?")
	shown, _, cutAgain := strings.Cut(shown, "#")
	if strings.Contains(shown, "@") {
		return hidden
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(shown, secret) {
			return hidden
		}
	}
	shown = fmt.Sprintf("%.200q", shown)
	if cut || cutAgain {
		shown += " with a query or fragment (not shown)"
	}
	return shown
}

// authorization is what a code is worth to its client.
func (c *Client) authorization(code *storage.Code) token.Authorization {
	record := &code.Record
	return token.Authorization{
		ClientID:          c.ID,
		Subject:           record.Subject,
		Scope:             record.Scope,
		Nonce:             record.Nonce,
		AuthTime:          record.AuthTime,
		ACR:               record.ACR,
		AMR:               record.AMR,
		Claims:            record.Claims,
		IDTokenClaims:     c.IDTokenClaims,
		AccessTokenClaims: record.AccessTokenClaims,
		Audience:          c.AccessTokenAudience,
		IDTokenAlgorithm:  c.IDTokenAlgorithm,
		TokenID:           code.TokenID(),
		GrantRef:          code.GrantRef(),
	}
}

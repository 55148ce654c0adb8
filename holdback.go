package oidctoken

import (
	"context"
	"net/http"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// holdBack counts a request that is refused, at whichever endpoint, and returns
// when it may be answered. Nothing that could hold up a reload may be held.
func (i *issuer) holdBack(r *http.Request, err error) {
	i.endpoint.Refused(holding(r), oauth.AsError(err), clientIP(r))
}

// holding is for how long the answer to a refused request may be held back: also
// when nobody waits for it any more, or whoever hangs up could send the next
// request at once. But where a trusted proxy sends the requests of many over one
// HTTP/2 connection, those that were ended must not stay: net/http closes a
// connection on which too many do, with the good requests on it.
func holding(r *http.Request) context.Context {
	if r.ProtoMajor >= 2 && fromTrustedProxy(r) {
		return r.Context()
	}
	return context.WithoutCancel(r.Context())
}

package oidctoken

import (
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// serveDocument answers for the JWKS and the discovery documents: public,
// cacheable, readable by any browser script (Discovery §4.2, RFC 9700 §2.6).
// They are no token requests, and are neither counted nor logged as such.
func (i *issuer) serveDocument(w http.ResponseWriter, r *http.Request, document func(*issuer) ([]byte, error)) {
	x := &responder{issuer: i, w: w, r: r, start: i.now()}
	defer x.recover()
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		x.refuseDocument(&oauth.Error{Kind: oauth.MethodNotAllowed})
		return
	}
	body, err := i.read(document)
	if err != nil {
		i.logger.Error("signing keys cannot be published", zap.String("event", string(oauth.KeysUnavailable)),
			zap.String("issuer", i.identifier), zap.Error(err))
		x.refuseDocument(&oauth.Error{Kind: oauth.TemporarilyUnavailable, RetryAfter: time.Second})
		return
	}
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(jwksLifetime/time.Second)))
	// A client that went away has no more use for the answer.
	_ = x.write(http.StatusOK, body)
}

// read reads a document of the issuer that is to serve it. Where that has been
// removed its own does, from memory.
func (i *issuer) read(document func(*issuer) ([]byte, error)) ([]byte, error) {
	serving, err := i.begin()
	if err != nil {
		return document(i)
	}
	defer serving.end()
	return document(serving)
}

func (x *responder) refuseDocument(e *oauth.Error) {
	x.w.Header().Set("Cache-Control", "no-store")
	_ = x.writeError(e) // as above
}

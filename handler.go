package oidctoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// bodyTimeout is how long a client may take to send its form.
const bodyTimeout = 10 * time.Second

// ServeHTTP answers on the issuer's paths and passes every other request on.
// The path is compared exactly: what merely resembles it is another resource.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	i := h.issuer
	i.warnOfHost(r)
	switch r.URL.Path {
	case i.settings.tokenPath:
		i.serveToken(w, r)
	case i.settings.userinfoPath:
		i.serveUserInfo(w, r)
	case i.settings.jwksPath:
		i.serveDocument(w, r, func(i *issuer) ([]byte, error) { return i.keys.JWKS(r.Context()) })
	case i.documents.openIDPath, i.documents.oauthPath:
		i.serveDocument(w, r, func(i *issuer) ([]byte, error) { return i.documents.metadata, nil })
	default:
		// There are requests without a path (RFC 9110 §9.3.6).
		if i.settings.authorizationPath != "" && r.URL.Path == i.settings.authorizationPath {
			return h.serveAuthorize(w, r)
		}
		return next.ServeHTTP(w, r)
	}
	return nil
}

// serveToken answers a request to the token endpoint. It is the only place
// that writes its responses and its log lines.
func (i *issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	x := &responder{issuer: i, w: w, r: r, start: i.now()}
	defer x.recover()
	// Not every ResponseWriter has deadlines; the server's own apply then. They
	// go by the system's clock, whatever the issuer goes by.
	deadline := http.NewResponseController(w)
	_ = deadline.SetReadDeadline(time.Now().Add(bodyTimeout))
	x.setHeaders()
	if r.Method == http.MethodOptions && i.secure(r) {
		x.preflight("POST")
		return
	}
	response, err := x.token()
	if err != nil {
		// The deadline stays: what is left of the body is not waited for.
		x.holdBack(r, err)
		x.refuse(err)
		return
	}
	_ = deadline.SetReadDeadline(time.Time{})
	x.writeToken(response)
}

// responder answers one request.
type responder struct {
	*issuer
	w       http.ResponseWriter
	r       *http.Request
	start   time.Time
	id      string // request id
	attempt oauth.Attempt
	written bool
}

// setHeaders sets what every response of the endpoint carries, errors
// included. RFC 6749 §5.1: no-store and no-cache. no-transform keeps `encode`
// from compressing tokens.
func (x *responder) setHeaders() {
	x.id = requestID(x.r)
	h := x.w.Header()
	setPrivate(h, x.id)
	h.Add("Vary", "Origin")
	x.allowOrigin()
}

// setPrivate keeps a response from caches, and its URI from other pages.
func setPrivate(h http.Header, id string) {
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Request-Id", id)
}

// allowOrigin lets a browser page read the answer if it is on a list.
func (x *responder) allowOrigin() {
	h := x.w.Header()
	if origins := x.r.Header.Values("Origin"); len(origins) == 1 && x.endpoint.OriginAllowed(origins[0]) {
		h.Set("Access-Control-Allow-Origin", origins[0])
		h.Set("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate, Retry-After, X-Request-Id")
	}
}

// preflight answers OPTIONS: a CORS preflight of an allowed origin, or a plain
// one (RFC 9110 §9.3.7). It needs no authentication and has no effect.
func (x *responder) preflight(methods string) {
	h := x.w.Header()
	h.Set("Allow", methods+", OPTIONS")
	if h.Get("Access-Control-Allow-Origin") != "" && x.r.Header.Get("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
		h.Set("Access-Control-Max-Age", "600")
	}
	x.written = true
	x.w.WriteHeader(http.StatusNoContent)
}

// token checks what HTTP itself decides, in the order TLS, method and early
// data, reads the body, which is bounded, and then has the endpoint respond.
func (x *responder) token() (*token.Response, error) {
	r := x.r
	switch {
	case !x.secure(r):
		return nil, errPlainHTTP()
	case r.Method != http.MethodPost:
		x.w.Header().Set("Allow", "POST, OPTIONS")
		return nil, &oauth.Error{Kind: oauth.MethodNotAllowed, Reason: oauth.WrongMethod}
	case r.TLS != nil && !r.TLS.HandshakeComplete:
		// RFC 8470 §5.2: early data can be replayed.
		return nil, &oauth.Error{Kind: oauth.TooEarly, Reason: oauth.EarlyData}
	}
	body, err := oauth.ReadBody(r)
	if err != nil {
		return nil, err
	}
	// Not before: a reload waits for what has begun, and must not wait for a
	// client.
	serving, err := x.begin()
	if err != nil {
		return nil, configReplaced(err)
	}
	defer serving.end()
	x.handOver(serving)
	response, attempt, err := x.endpoint.Respond(r, body, clientIP(r))
	x.attempt = attempt
	return response, err
}

// configReplaced says so where a request can begin at no issuer any more.
func configReplaced(err error) error {
	return &oauth.Error{Kind: oauth.TemporarilyUnavailable, Reason: oauth.ConfigReplaced, RetryAfter: time.Second, Err: err,
		Hint: "the request was under way when a reload removed the issuer; it has changed nothing: a code stays good"}
}

// handOver makes another issuer answer, if it is another.
func (x *responder) handOver(to *issuer) {
	if to == x.issuer {
		return
	}
	x.issuer = to
	h := x.w.Header()
	h.Del("Access-Control-Allow-Origin")
	h.Del("Access-Control-Expose-Headers")
	x.allowOrigin()
}

// errPlainHTTP refuses a request that came in the clear, at every endpoint that
// takes credentials or gives them.
func errPlainHTTP() error {
	return &oauth.Error{Kind: oauth.InvalidRequest, Reason: oauth.TLSRequired,
		Hint: "the request came over plain HTTP; behind a TLS terminator list it in trusted_proxies and have it send X-Forwarded-Proto: https"}
}

// secure reports whether the request came over TLS: to this server, or to a
// trusted proxy in front that says so. A development issuer is plain HTTP.
func (i *issuer) secure(r *http.Request) bool {
	if r.TLS != nil || i.settings.issuerURL.Scheme == "http" {
		return true
	}
	proto := r.Header.Values("X-Forwarded-Proto")
	return fromTrustedProxy(r) && len(proto) == 1 && proto[0] == "https"
}

func fromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// writeToken answers with tokens. To a client that went away it does not: what is
// written only waits to be sent, and whoever has closed one direction of a
// connection may still read the other, so that the line which says that nobody
// got the tokens would not be true.
func (x *responder) writeToken(response *token.Response) {
	undelivered := &oauth.Error{Kind: oauth.ServerError, Reason: oauth.Undelivered,
		Hint: "the client went away before it was answered; the code is spent, and it has to start over"}
	if undelivered.Err = context.Cause(x.r.Context()); undelivered.Err != nil {
		x.refuse(undelivered)
		return
	}
	if undelivered.Err = x.write(http.StatusOK, response.JSON()); undelivered.Err != nil {
		x.log(undelivered)
		return
	}
	x.log(nil)
}

// errorBody is RFC 6749 §5.2's error response.
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// refuse answers a token request with an error, and logs it.
func (x *responder) refuse(err error) {
	e := oauth.AsError(err)
	if err := x.writeError(e); err != nil {
		e.Err = errors.Join(e.Err, err)
	}
	x.log(e)
}

// writeError writes an error as our JSON with our headers. RFC 9110 §15.5.2: a
// 401 has a challenge, whatever the client had sent.
func (x *responder) writeError(e *oauth.Error) error {
	h := x.w.Header()
	if e.Reason == oauth.OriginNotAllowed {
		// It is on the list of another client (REQ-200).
		h.Del("Access-Control-Allow-Origin")
		h.Del("Access-Control-Expose-Headers")
	}
	if e.Kind == oauth.InvalidClient {
		h.Set("WWW-Authenticate", `Basic realm="oidc_token", charset="UTF-8"`)
	}
	setErrorHeaders(h, x.r, e)
	body, _ := json.Marshal(errorBody{e.Code(), e.Description()}) // two strings
	return x.write(e.Status(), body)
}

// setErrorHeaders sets what a status asks for, in JSON and on a page.
func setErrorHeaders(h http.Header, r *http.Request, e *oauth.Error) {
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	switch e.Kind {
	case oauth.UnsupportedCoding:
		h.Set("Accept-Encoding", "identity") // RFC 9110 §15.5.16
	case oauth.ContentTooLarge, oauth.RequestTimeout:
		if r.ProtoMajor == 1 {
			h.Set("Connection", "close") // the rest of the body is not read
		}
	}
}

// write sends status and a JSON body whole: HTTP/1.0 clients need its length.
func (x *responder) write(status int, body []byte) error {
	x.written = true
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, err := x.w.Write(body)
	return err
}

// recover turns a panic into a server_error: no stack, no second response, and
// the process lives.
func (x *responder) recover() { x.recovered(recover(), x.refuse) }

// recovered does so with what was recovered, and has it refused.
func (x *responder) recovered(p any, refuse func(error)) {
	switch {
	case p == nil:
	case p == http.ErrAbortHandler:
		panic(p)
	default:
		// Of the value only what cannot hold request data.
		what := fmt.Sprintf("%T", p)
		if fault, ok := p.(runtime.Error); ok {
			what = fault.Error()
		}
		x.logger.Error("panic while answering a request", zap.String("issuer", x.identifier),
			zap.String("request_id", x.id), zap.String("panic", what), zap.ByteString("stack", debug.Stack()))
		if !x.written {
			refuse(&oauth.Error{Kind: oauth.ServerError, Reason: oauth.Panic})
		}
	}
}

// clientIP is the address Caddy determined: that of a trusted proxy's client,
// or the connection's.
func clientIP(r *http.Request) netip.Addr {
	s, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, _ := netip.ParseAddr(s)
	return addr.Unmap().WithZone("")
}

// requestID is Caddy's own id of the request, which its access log then shows
// too.
func requestID(r *http.Request) string {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	id, _ := repl.GetString("http.request.uuid")
	return id
}

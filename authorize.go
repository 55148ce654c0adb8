package oidctoken

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// authorization answers one request to the authorization endpoint.
type authorization struct {
	*issuer
	identity *identity // of the config whose routes run
	w        http.ResponseWriter
	r        *http.Request
	start    time.Time
	id       string         // request id
	pending  *oauth.Pending // nil: it is not known who asks
	refusal  error          // of a request whose answer waits for a sign-in
	status   int            // answered; 0: not known
	written  bool           // there is an answer of ours
	scope    string         // granted
	codeRef  string
	leftOut  []string // claims
}

// serveAuthorize answers a request to the authorization endpoint: RFC 6749
// §4.1.1, OpenID Connect Core §3.1.2. A request that does not say where its
// answer goes ends before anybody has to sign in. What else is wrong with one
// the client learns once the person has: a link to us shall not be one to the
// client (RFC 9700 §4.11.2). An error it returns is that of the routes, for the
// site's handle_errors.
func (h *Handler) serveAuthorize(w http.ResponseWriter, r *http.Request) error {
	watched := &watchedWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	x := &authorization{issuer: h.issuer, identity: h.issuer.settings.identity, w: w, r: r, start: h.issuer.now()}
	defer func() { x.recovered(recover(), watched) }()
	x.id = requestID(r)
	x.setHeaders(w.Header())
	err := x.accept()
	switch {
	case err != nil && (x.pending == nil || x.pending.Silent()):
		x.refuse(w, err)
		return nil
	case x.pending.Silent():
		x.signInSilently(h.Authorize)
		return nil
	}
	x.refusal = err
	return x.signIn(h.Authorize, watched)
}

// setHeaders sets what every response of the endpoint carries. There is a code
// or a request in its URI or its body: no cache keeps it, no page that is
// reached from it learns the URI, and no script of another origin reads it,
// whatever the site allows elsewhere.
func (x *authorization) setHeaders(h http.Header) {
	setPrivate(h, x.id)
	for field := range h {
		if strings.HasPrefix(field, "Access-Control-") {
			delete(h, field)
		}
	}
}

// accept validates the request, and then makes it one that routes and login
// pages know how to keep: a GET with its parameters in the query.
func (x *authorization) accept() error {
	if caddyhttp.GetVar(x.r.Context(), authorizing) != nil {
		// A named route that authorize invokes leads back here.
		return &oauth.Error{Kind: oauth.ServerError, Reason: oauth.Internal, Err: errNested}
	}
	parameters, err := x.parameters()
	if err != nil {
		return err
	}
	serving, err := x.begin()
	if err != nil {
		return configReplaced(err)
	}
	defer serving.end()
	x.issuer = serving
	x.pending, err = x.settings.clients.Authorize(x.r.Context(), parameters, x.hintedSubject)
	if x.pending == nil {
		return err
	}
	caddyhttp.SetVar(x.r.Context(), authorizing, true)
	if x.r.Method == http.MethodPost {
		x.turnIntoGet(parameters)
	}
	x.identity.removeHeaders(x.r.Header)
	return err
}

// authorizing is the request variable that is set while routes run.
const authorizing = "oidc_token.authorizing"

// parameters checks what HTTP itself decides, in the order TLS, method and
// early data, and returns the parameters form-encoded: the query, or the body
// of a POST (Core §3.1.2.1).
func (x *authorization) parameters() (string, error) {
	r := x.r
	switch {
	case !x.secure(r):
		return "", errPlainHTTP()
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		x.w.Header().Set("Allow", "GET, POST")
		return "", &oauth.Error{Kind: oauth.MethodNotAllowed, Reason: oauth.WrongMethod}
	case r.TLS != nil && !r.TLS.HandshakeComplete:
		// RFC 8470 §5.2: early data can be replayed.
		return "", &oauth.Error{Kind: oauth.TooEarly, Reason: oauth.EarlyData}
	}
	// Not every ResponseWriter has deadlines; the server's own apply then.
	deadline := http.NewResponseController(x.w)
	_ = deadline.SetReadDeadline(time.Now().Add(bodyTimeout))
	parameters, err := oauth.ReadAuthorization(r)
	if err != nil {
		return "", err // the deadline stays: what is left of the body is not waited for
	}
	_ = deadline.SetReadDeadline(time.Time{})
	return parameters, nil
}

// turnIntoGet makes a POST whose body was read a GET of the same: a login page
// redirects back to a URI, and would lose a form. It changes the request in
// place, because placeholders read the one they were made for.
func (x *authorization) turnIntoGet(parameters string) {
	r := x.r
	// Encoded anew: what may stand in a body may break a request line.
	values, err := url.ParseQuery(parameters)
	if err != nil {
		values = nil // not after Authorize has read them
	}
	r.Method = http.MethodGet
	r.URL.RawQuery = values.Encode()
	r.RequestURI = r.URL.RequestURI()
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, 0, nil
	for _, field := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Language"} {
		r.Header.Del(field)
	}
}

// signIn runs the routes. If they do not let the request through, theirs is the
// answer.
func (x *authorization) signIn(routes caddyhttp.RouteList, watched *watchedWriter) error {
	var answered bool
	err := routes.Compile(caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		if !answered { // one code, however often a handler goes on
			answered = true
			x.authorize(w)
		}
		return nil
	})).ServeHTTP(watched, x.r)
	if answered {
		return nil
	}
	x.status = statusOf(watched.status, err)
	x.log(notSignedIn(x.status, err))
	return err
}

// signInSilently runs the routes without showing what they answer: Core
// §3.1.2.1 prompt=none. Cookies of theirs are set only if they let the request
// through.
func (x *authorization) signInSilently(routes caddyhttp.RouteList) {
	silent := &silentWriter{header: make(http.Header)}
	var answered bool
	err := routes.Compile(caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		if !answered {
			answered = true
			for _, cookie := range silent.header.Values("Set-Cookie") {
				x.w.Header().Add("Set-Cookie", cookie)
			}
			x.authorize(x.w)
		}
		return nil
	})).ServeHTTP(silent, x.r)
	if answered {
		return
	}
	x.refuse(x.w, notSignedIn(statusOf(silent.status, err), err))
}

// notSignedIn says what it is that routes did not let a request through, which
// ended with a status. After a server error nobody knows whether the person is
// signed in, and a client that is told login_required forgets its session.
func notSignedIn(status int, err error) *oauth.Error {
	if status < http.StatusInternalServerError {
		return &oauth.Error{Kind: oauth.LoginRequired, Reason: oauth.NotAuthenticated, Err: err}
	}
	return &oauth.Error{Kind: oauth.TemporarilyUnavailable, Reason: authenticationUnavailable, Err: err,
		Hint: "authorize answered with a server error, so nobody can sign in: its log, or that of the service it asks, says why"}
}

// authorize answers for a request that the routes let through.
func (x *authorization) authorize(w http.ResponseWriter) {
	x.setHeaders(w.Header()) // again: the routes may have set others
	if x.refusal != nil {
		x.refuse(w, x.refusal)
		return
	}
	code, err := x.issueCode()
	if err != nil {
		x.refuse(w, err)
		return
	}
	x.respond(w, x.pending.Grant(x.identifier, code), nil)
}

// refuse answers with an error: at the client's redirect URI, or on a page
// where that is not known (RFC 6749 §4.1.2.1), also because a reload has removed
// it meanwhile. Nothing that could hold up a reload is held at this point.
func (x *authorization) refuse(w http.ResponseWriter, err error) {
	e := oauth.AsError(err)
	if e.Reason != oauth.NotAuthenticated { // asking whether somebody is signed in is no fault
		x.holdBack(x.r, e)
	}
	if removed := x.reconsider(); removed != nil {
		e = oauth.AsError(removed)
	}
	if x.pending == nil {
		x.written, x.status = true, e.Status()
		if err := writeErrorPage(w, x.r, e, x.id); err != nil {
			e.Err = errors.Join(e.Err, err)
		}
		x.log(e)
		return
	}
	x.respond(w, x.pending.Refuse(x.identifier, e), e)
}

// reconsider asks the config that runs whether the client may still be answered
// at its redirect URI: signing in takes a person's time, and a reload may have
// removed either. An issuer that was removed itself says nothing of that.
func (x *authorization) reconsider() error {
	if x.pending == nil {
		return nil
	}
	running, err := x.begin()
	if err != nil {
		return nil
	}
	defer running.end()
	err = running.settings.clients.Reconsider(x.pending)
	if err != nil {
		x.pending = nil
	}
	return err
}

// respond sends the browser back to the client and logs e, which is nil for a
// code.
func (x *authorization) respond(w http.ResponseWriter, response oauth.AuthorizationResponse, e *oauth.Error) {
	x.written, x.status = true, http.StatusSeeOther
	location := response.Location()
	if location == "" {
		x.status = http.StatusOK
		if err := writeFormPost(w, response); err != nil && e == nil {
			e = &oauth.Error{Kind: oauth.ServerError, Reason: oauth.Undelivered, Err: err}
		}
		x.log(e)
		return
	}
	x.log(e) // first: whether a redirect arrives is not known here anyway
	h := w.Header()
	h.Set("Location", location)
	h.Set("Content-Length", "0")
	// RFC 9700 §4.12: never 307, which would post a password on to the client.
	w.WriteHeader(http.StatusSeeOther)
	hideLocation(w, x.r, response.RedirectURI)
}

// recovered answers for a panic, also of a handler in the routes, as the token
// endpoint does. What the routes have written stays as it is.
func (x *authorization) recovered(p any, watched *watchedWriter) {
	refuse := func(err error) {
		if watched.status != 0 {
			x.log(oauth.AsError(err))
			return
		}
		x.refuse(x.w, err)
	}
	if p == http.ErrAbortHandler && !x.written {
		x.log(notSignedIn(0, http.ErrAbortHandler))
	}
	answering := &responder{issuer: x.issuer, id: x.id, written: x.written}
	answering.recovered(p, refuse)
}

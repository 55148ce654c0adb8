package oidctoken

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// userInfoMethods: OpenID Connect Core §5.3.1 wants GET and POST, RFC 9110
// §9.3.2 HEAD where there is GET.
const userInfoMethods = "GET, HEAD, POST"

// serveUserInfo answers a request to the UserInfo endpoint (Core §5.3). It is
// the only place that writes its responses and its log lines.
func (i *issuer) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	x := &userInfoResponder{responder{issuer: i, w: w, r: r, start: i.now()}}
	defer x.recover()
	deadline := http.NewResponseController(w)
	_ = deadline.SetReadDeadline(time.Now().Add(bodyTimeout)) // as at the token endpoint
	x.setHeaders()
	if r.Method == http.MethodOptions && i.secure(r) {
		x.preflight(userInfoMethods)
		return
	}
	claims, err := x.claims()
	if err != nil {
		x.holdBack(r, err)
		x.refuse(err)
		return
	}
	_ = deadline.SetReadDeadline(time.Time{})
	// A client that went away has no more use for the answer.
	_ = x.write(http.StatusOK, claims)
	x.log(nil)
}

// userInfoResponder answers one UserInfo request.
type userInfoResponder struct{ responder }

// claims checks what HTTP itself decides, and then has the issuer respond that
// is to serve. TLS comes first: a token that came in the clear is not looked at.
func (x *userInfoResponder) claims() ([]byte, error) {
	if !x.secure(x.r) {
		return nil, errPlainHTTP()
	}
	body, err := x.body()
	if err != nil {
		return nil, err
	}
	serving, err := x.begin()
	if err != nil {
		return nil, configReplaced(err)
	}
	defer serving.end()
	x.handOver(serving)
	claims, attempt, err := x.userInfo().Respond(x.r, body)
	x.attempt = attempt
	return claims, err
}

// body reads the body of a POST. That of a GET has no meaning (RFC 9110 §9.3.1).
func (x *userInfoResponder) body() (oauth.Body, error) {
	switch x.r.Method {
	case http.MethodPost:
		return oauth.ReadBody(x.r)
	case http.MethodGet, http.MethodHead:
		return "", nil
	}
	x.w.Header().Set("Allow", userInfoMethods+", OPTIONS")
	return "", &oauth.Error{Kind: oauth.MethodNotAllowed, Reason: oauth.WrongMethod}
}

func (i *issuer) userInfo() *oauth.UserInfo {
	return &oauth.UserInfo{Endpoint: i.endpoint, Grants: i.codes, Tokens: i.verifier()}
}

// verifier verifies what the issuer signed.
func (i *issuer) verifier() *token.Verifier {
	return &token.Verifier{Issuer: i.identifier, Keys: i.keys, Now: i.now}
}

// refuse answers with an error, and logs it.
func (x *userInfoResponder) refuse(err error) {
	e := oauth.AsError(err)
	if challenge := bearerChallenge(e); challenge != "" {
		x.w.Header().Set("WWW-Authenticate", challenge)
	}
	if err := x.writeRefusal(e); err != nil {
		e.Err = errors.Join(e.Err, err)
	}
	x.log(e)
}

// writeRefusal writes no error where the client sent no token: RFC 6750 §3.1. It
// may not even have known that it needs one.
func (x *userInfoResponder) writeRefusal(e *oauth.Error) error {
	if e.Kind != oauth.NoToken {
		return x.writeError(e)
	}
	x.written = true
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(e.Status())
	return nil
}

// bearerChallenge is the WWW-Authenticate field of RFC 6750 §3. Codes,
// descriptions and scopes of ours need no escape.
func bearerChallenge(e *oauth.Error) string {
	const realm = `Bearer realm="oidc_token"`
	switch e.Status() {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
	default:
		return ""
	}
	if e.Kind == oauth.NoToken {
		return realm
	}
	challenge := realm + ", error=" + strconv.Quote(e.Code()) + ", error_description=" + strconv.Quote(e.Description())
	if e.Kind == oauth.InsufficientScope {
		challenge += `, scope="openid"`
	}
	return challenge
}

func (x *userInfoResponder) recover() { x.recovered(recover(), x.refuse) }

// log writes the request's one line and counts it: info for claims and for a
// client's mistake, warn for a security event, error for a fault.
func (x *userInfoResponder) log(e *oauth.Error) {
	metrics.observeUserInfo(e)
	level, message := severity(e, "UserInfo answered", "UserInfo request")
	c := x.logger.Check(level, message)
	if c == nil {
		return
	}
	fields := x.fields(e, x.now().Sub(x.start))
	if e == nil {
		fields[0] = zap.String("event", "userinfo_answered")
	}
	c.Write(fields...)
}

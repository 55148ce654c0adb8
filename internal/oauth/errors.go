package oauth

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// Kind selects the public error code, its status and its constant description.
type Kind int

// The kinds, in the order of the answers table.
const (
	ServerError Kind = iota // 500; the zero value, so that what is untyped is internal
	InvalidRequest
	InvalidClient
	InvalidGrant
	UnauthorizedClient
	UnsupportedGrantType
	InvalidScope
	MethodNotAllowed       // 405 invalid_request
	RequestTimeout         // 408 invalid_request
	ContentTooLarge        // 413 invalid_request
	UnsupportedCoding      // 415 invalid_request
	TooEarly               // 425 temporarily_unavailable
	TooManyRequests        // 429 temporarily_unavailable
	TemporarilyUnavailable // 503

	// What follows is answered by the authorization endpoint alone, to the
	// redirect URI (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6).
	AccessDenied
	UnsupportedResponseType
	LoginRequired
	ConsentRequired
	AccountSelectionRequired
	RequestNotSupported
	RequestURINotSupported
	RegistrationNotSupported

	// What follows is answered by the UserInfo endpoint alone (RFC 6750 §3.1).
	NoToken           // 401 without a code
	InvalidToken      // 401
	InsufficientScope // 403
)

// Error is a failed request: what the client is told (Kind, Param) and what
// only the operator is told (Reason, Hint, Err).
type Error struct {
	Kind       Kind
	Param      string        // invalid_request: the parameter it is about, never its value
	Reason     Reason        // stable: code_replayed, redirect_mismatch, pkce_failed, …
	Detail     Reason        // stable and finer, where a Reason has several causes
	Hint       string        // for the operator: what was presented, what is registered, which option to change
	RetryAfter time.Duration // 429 and 503
	Security   bool          // a security event: logged as a warning
	Operating  bool          // neither that nor the client's mistake, but the operator's to mend: logged as a warning
	late       time.Duration // how long Refused holds the answer back at least
	ClientID   string        // of the registered client whose request has no Pending; "": not known
	Err        error
}

// Error is the operator's text. It is never sent to a client.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code())
	if e.Reason != "" {
		b.WriteString(" (" + string(e.Reason))
		if e.Detail != "" {
			b.WriteString(", " + string(e.Detail))
		}
		b.WriteString(")")
	}
	if e.Param != "" {
		b.WriteString(": " + e.Param)
	}
	if e.Hint != "" {
		b.WriteString(": " + e.Hint)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Status returns the HTTP status (RFC 6749 §5.2; the HTTP layer's own for
// what is not the form's fault).
func (e *Error) Status() int { return e.answer().status }

// Code returns the public error code.
func (e *Error) Code() string { return e.answer().code }

// Description returns the public error_description: constant for each kind,
// but for invalid_request, which names the parameter.
func (e *Error) Description() string {
	switch e.Detail {
	case ClientNotRegistered:
		return "No client has this client_id."
	case RedirectNotRegistered:
		return "This redirect_uri is not registered for the client."
	}
	if e.Kind == InvalidRequest && nameable(e.Param) {
		switch e.Reason {
		case ParameterMissing:
			return "missing parameter: " + e.Param
		case ParameterRepeated:
			return "parameter repeated: " + e.Param
		case ParameterMalformed:
			return "malformed parameter: " + e.Param
		}
	}
	return e.answer().description
}

// AsError returns err as an *Error; anything untyped is a ServerError. It
// returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) && e != nil {
		return e
	}
	return &Error{Kind: ServerError, Reason: Internal, Err: err}
}

// answer is what a client sees of an error.
type answer struct {
	status      int
	code        string
	description string
}

// answers decides status, code and text in one place. One constant text for
// each kind: nothing tells unknown, expired, used and foreign codes apart, nor
// unknown clients and wrong secrets (RFC 6749 §10.10). The texts stay within
// %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2).
//
// invalid_client is always 401, also where no Authorization field was sent:
// RFC 6749 §5.2 allows it, and a status that depends on the reason would be an
// oracle.
var answers = [...]answer{
	ServerError:            {http.StatusInternalServerError, "server_error", "The request could not be completed."},
	InvalidRequest:         {http.StatusBadRequest, "invalid_request", "The request is malformed."},
	InvalidClient:          {http.StatusUnauthorized, "invalid_client", "Client authentication failed."},
	InvalidGrant:           {http.StatusBadRequest, "invalid_grant", "The grant is invalid, expired, used or was issued for another request."},
	UnauthorizedClient:     {http.StatusBadRequest, "unauthorized_client", "The client may not use this grant type."},
	UnsupportedGrantType:   {http.StatusBadRequest, "unsupported_grant_type", "The grant type is not supported."},
	InvalidScope:           {http.StatusBadRequest, "invalid_scope", "The scope is unknown, malformed or more than the client may be granted."},
	MethodNotAllowed:       {http.StatusMethodNotAllowed, "invalid_request", "The method is not allowed here."},
	RequestTimeout:         {http.StatusRequestTimeout, "invalid_request", "The request body did not arrive in time."},
	ContentTooLarge:        {http.StatusRequestEntityTooLarge, "invalid_request", "The request body is too large."},
	UnsupportedCoding:      {http.StatusUnsupportedMediaType, "invalid_request", "The request body must not have a content coding."},
	TooEarly:               {http.StatusTooEarly, "temporarily_unavailable", "The request came in TLS early data. Repeat it."},
	TooManyRequests:        {http.StatusTooManyRequests, "temporarily_unavailable", "Too many failed requests. Try again later."},
	TemporarilyUnavailable: {http.StatusServiceUnavailable, "temporarily_unavailable", "The service is temporarily unavailable. Try again."},

	AccessDenied:             {http.StatusForbidden, "access_denied", "The request was denied."},
	UnsupportedResponseType:  {http.StatusBadRequest, "unsupported_response_type", "The response type is not supported. Use code."},
	LoginRequired:            {http.StatusBadRequest, "login_required", "The person has to sign in."},
	ConsentRequired:          {http.StatusBadRequest, "consent_required", "This provider cannot ask for consent."},
	AccountSelectionRequired: {http.StatusBadRequest, "account_selection_required", "This provider cannot ask which account to use."},
	RequestNotSupported:      {http.StatusBadRequest, "request_not_supported", "The parameter request is not supported."},
	RequestURINotSupported:   {http.StatusBadRequest, "request_uri_not_supported", "The parameter request_uri is not supported."},
	RegistrationNotSupported: {http.StatusBadRequest, "registration_not_supported", "The parameter registration is not supported."},

	NoToken:           {http.StatusUnauthorized, "no_token", "An access token is needed."},
	InvalidToken:      {http.StatusUnauthorized, "invalid_token", "The access token is malformed, expired or not valid any more."},
	InsufficientScope: {http.StatusForbidden, "insufficient_scope", "The access token was not granted the scope openid."},
}

func (e *Error) answer() answer {
	if e.Kind < 0 || int(e.Kind) >= len(answers) {
		return answers[ServerError]
	}
	return answers[e.Kind]
}

// Interface guards
var _ error = (*Error)(nil)

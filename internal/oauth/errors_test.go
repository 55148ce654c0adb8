package oauth

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestStatuses(t *testing.T) {
	for kind, want := range map[Kind]string{
		ServerError:              "500 server_error",
		InvalidRequest:           "400 invalid_request",
		InvalidClient:            "401 invalid_client",
		InvalidGrant:             "400 invalid_grant",
		UnauthorizedClient:       "400 unauthorized_client",
		UnsupportedGrantType:     "400 unsupported_grant_type",
		InvalidScope:             "400 invalid_scope",
		MethodNotAllowed:         "405 invalid_request",
		RequestTimeout:           "408 invalid_request",
		ContentTooLarge:          "413 invalid_request",
		UnsupportedCoding:        "415 invalid_request",
		TooEarly:                 "425 temporarily_unavailable",
		TooManyRequests:          "429 temporarily_unavailable",
		TemporarilyUnavailable:   "503 temporarily_unavailable",
		AccessDenied:             "403 access_denied",
		UnsupportedResponseType:  "400 unsupported_response_type",
		LoginRequired:            "400 login_required",
		ConsentRequired:          "400 consent_required",
		AccountSelectionRequired: "400 account_selection_required",
		RequestNotSupported:      "400 request_not_supported",
		RequestURINotSupported:   "400 request_uri_not_supported",
		RegistrationNotSupported: "400 registration_not_supported",
		NoToken:                  "401 no_token",
		InvalidToken:             "401 invalid_token",
		InsufficientScope:        "403 insufficient_scope",
		Kind(-1):                 "500 server_error",
		Kind(len(answers)):       "500 server_error",
	} {
		t.Run("REQ-165 REQ-162 this is the answer: "+want, func(t *testing.T) {
			e := &Error{Kind: kind, Hint: `"\`, Err: errors.New("\r\n")}
			if got := fmt.Sprint(e.Status(), " ", e.Code()); got != want {
				t.Errorf("kind %d is %s", kind, got)
			}
			for _, text := range []string{e.Code(), e.Description()} {
				if text == "" || !printableASCII(text) || strings.ContainsAny(text, `"\`) {
					t.Errorf("public text %q is empty or has other characters than RFC 6749 §5.2 allows", text)
				}
			}
		})
	}
}

func TestDescription(t *testing.T) {
	for _, row := range []struct {
		name string
		err  Error
		want string
	}{
		{"REQ-164 a missing parameter is named", Error{Kind: InvalidRequest, Param: "code", Reason: ParameterMissing}, "missing parameter: code"},
		{"REQ-164 a repeated parameter is named", Error{Kind: InvalidRequest, Param: "code", Reason: ParameterRepeated}, "parameter repeated: code"},
		{"REQ-164 a malformed parameter is named", Error{Kind: InvalidRequest, Param: "code_verifier", Reason: ParameterMalformed}, "malformed parameter: code_verifier"},
		{"an unknown client is told on a page", Error{Kind: InvalidRequest, Param: "client_id", Reason: ParameterMalformed, Detail: ClientNotRegistered}, "No client has this client_id."},
		{"a redirect URI that is not registered is told on a page", Error{Kind: InvalidRequest, Param: "redirect_uri", Reason: ParameterMalformed, Detail: RedirectNotRegistered}, "This redirect_uri is not registered for the client."},
		{"REQ-163 a name of the client's own is not", Error{Kind: InvalidRequest, Param: `x"y`, Reason: ParameterMalformed}, "The request is malformed."},
		{"REQ-164 another cause has the constant text", Error{Kind: InvalidRequest, Param: "client_id", Reason: ClientIDConflict}, "The request is malformed."},
		{"REQ-164 another kind has its constant text", Error{Kind: InvalidGrant, Param: "code", Reason: ParameterMissing, Hint: "secret"}, answers[InvalidGrant].description},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.err.Description(); got != row.want {
				t.Errorf("described as %q, want %q", got, row.want)
			}
		})
	}
}

func TestAsError(t *testing.T) {
	t.Run("REQ-168 what has no type is internal and says nothing", func(t *testing.T) {
		cause := errors.New("pq: relation oidc does not exist")
		e := AsError(cause)
		if e.Kind != ServerError || e.Reason != Internal || strings.Contains(e.Description(), "pq") || !errors.Is(e, cause) {
			t.Errorf("it becomes %+v", e)
		}
	})
	t.Run("a wrapped error keeps its kind", func(t *testing.T) {
		e := AsError(fmt.Errorf("answering: %w", &Error{Kind: InvalidGrant, RetryAfter: time.Second}))
		if e.Kind != InvalidGrant || e.RetryAfter != time.Second {
			t.Errorf("it becomes %+v", e)
		}
	})
	t.Run("no error stays none", func(t *testing.T) {
		if e := AsError(nil); e != nil {
			t.Errorf("it becomes %+v", e)
		}
	})
	t.Run("the operator's text has everything", func(t *testing.T) {
		e := &Error{Kind: InvalidClient, Reason: ClientAuthFailed, Detail: ClientUnknown, Param: "p", Hint: "h", Err: errors.New("c")}
		if got := e.Error(); got != "invalid_client (client_auth_failed, client_unknown): p: h: c" {
			t.Errorf("it says %q", got)
		}
	})
}

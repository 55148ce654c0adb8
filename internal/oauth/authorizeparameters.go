package oauth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// authorizationParameters are the parameters of an authorization request:
// RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core §3.1.2.1, §5.2, §5.5, §6
// and §7.2.1, OAuth 2.0 Multiple Response Types §2.1. Those that are not acted
// upon may not be repeated either (RFC 6749 §3.1).
var authorizationParameters = map[string]bool{
	"client_id":             true,
	"redirect_uri":          true,
	"response_type":         true,
	"response_mode":         true,
	"scope":                 true,
	"state":                 true,
	"nonce":                 true,
	"code_challenge":        true,
	"code_challenge_method": true,
	"prompt":                true,
	"max_age":               true,
	"id_token_hint":         true,
	"request":               true,
	"request_uri":           true,
	"registration":          true,
	"claims":                true,
	"claims_locales":        true,
	"display":               true,
	"ui_locales":            true,
	"login_hint":            true,
	"acr_values":            true,
}

// sentParameters are the known parameters of an authorization request.
type sentParameters struct {
	values   map[string]string // "": absent, or without a value (RFC 6749 §3.1)
	repeated []string          // names that are there more than once, in the order sent
	openID   bool              // scope has openid, whichever of several
}

// parseAuthorization decodes an authorization request. What cannot be decoded
// in whole says nothing reliable, its redirect URI included.
func parseAuthorization(parameters string) (*sentParameters, error) {
	if len(parameters) > maxBody {
		return nil, &Error{Kind: InvalidRequest, Reason: FormMalformed,
			Hint: fmt.Sprintf("the parameters are larger than %d bytes", maxBody)}
	}
	form, err := decodeForm(parameters)
	if err != nil {
		return nil, &Error{Kind: InvalidRequest, Reason: FormMalformed, Err: err}
	}
	sent := &sentParameters{values: make(map[string]string, len(form))}
	for _, p := range form {
		if !authorizationParameters[p.name] {
			continue
		}
		if _, there := sent.values[p.name]; there && !slices.Contains(sent.repeated, p.name) {
			sent.repeated = append(sent.repeated, p.name)
		}
		sent.values[p.name] = p.value
		sent.openID = sent.openID || p.name == "scope" && slices.Contains(strings.Split(p.value, " "), "openid")
	}
	return sent, nil
}

// ReadAuthorization returns the parameters of an authorization request that
// came by GET or POST, which the caller has made sure of: RFC 6749 §3.1. Those
// of a POST are in its body and nowhere else: two programs on the way that
// disagree about body or query see two different requests.
func ReadAuthorization(r *http.Request) (parameters string, err error) {
	if r.Method == http.MethodGet {
		return r.URL.RawQuery, nil
	}
	if err := checkContentCoding(r.Header); err != nil {
		return "", err
	}
	if err := checkMediaType(r.Header); err != nil {
		return "", err
	}
	if name := nameIn(r.URL.RawQuery, authorizationParameters); name != "" {
		return "", &Error{Kind: InvalidRequest, Param: name, Reason: ParameterMalformed,
			Hint: name + " came in the URI of a POST; the client must send every parameter in the body"}
	}
	body, err := ReadBody(r)
	return string(body), err
}

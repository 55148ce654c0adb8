package oauth

import (
	"net/url"
	"slices"
	"strings"
)

// The response modes: OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form
// Post Response Mode.
const (
	ModeQuery    = "query"
	ModeFragment = "fragment"
	ModeFormPost = "form_post"
)

// ResponseModes returns the response modes, the default first.
func ResponseModes() []string { return []string{ModeQuery, ModeFragment, ModeFormPost} }

// Parameter is one parameter of an AuthorizationResponse.
type Parameter struct{ Name, Value string }

// AuthorizationResponse is what goes to a client by way of the browser.
type AuthorizationResponse struct {
	Mode        string // ModeQuery, ModeFragment or ModeFormPost
	RedirectURI string
	Parameters  []Parameter
}

// Grant answers with an authorization code: RFC 6749 §4.1.2. issuer tells the
// client who answers, so that no other provider's answer passes for ours (RFC
// 9207 §2).
func (p *Pending) Grant(issuer, code string) AuthorizationResponse {
	return p.response(issuer, Parameter{"code", code})
}

// Refuse answers with an error: RFC 6749 §4.1.2.1. Its texts are constant.
func (p *Pending) Refuse(issuer string, err error) AuthorizationResponse {
	e := AsError(err)
	return p.response(issuer, Parameter{"error", e.Code()}, Parameter{"error_description", e.Description()})
}

func (p *Pending) response(issuer string, parameters ...Parameter) AuthorizationResponse {
	if p.state != "" {
		parameters = append(parameters, Parameter{"state", p.state})
	}
	parameters = append(parameters, Parameter{"iss", issuer})
	return AuthorizationResponse{Mode: p.mode, RedirectURI: p.redirectURI, Parameters: parameters}
}

// Location is the URI to send the browser to. "" in mode form_post, where
// nothing may be in a URI.
func (r AuthorizationResponse) Location() string {
	switch r.Mode {
	case ModeQuery:
		// RFC 6749 §3.1.2: the redirect URI's own query is retained.
		switch {
		case !strings.Contains(r.RedirectURI, "?"):
			return r.RedirectURI + "?" + r.encoded()
		case strings.HasSuffix(r.RedirectURI, "?"), strings.HasSuffix(r.RedirectURI, "&"):
			return r.RedirectURI + r.encoded()
		}
		return r.RedirectURI + "&" + r.encoded()
	case ModeFragment:
		return r.RedirectURI + "#" + r.encoded()
	}
	return ""
}

// encoded is the parameters form-encoded, with %20 for a space: every decoder
// reads that as one, and scripts that decode a fragment as a URI component
// leave a + as it is.
func (r AuthorizationResponse) encoded() string {
	var b strings.Builder
	for i, p := range r.Parameters {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.Name) + "=" + strings.ReplaceAll(url.QueryEscape(p.Value), "+", "%20"))
	}
	return b.String()
}

// responseMode returns how a request is answered: as it asks, or by query
// where it asks for nothing that can be done.
func responseMode(redirectURI string, sent *sentParameters) string {
	mode := sent.values["response_mode"]
	if slices.Contains(sent.repeated, "response_mode") || !canAnswer(mode, redirectURI) {
		return ModeQuery
	}
	return mode
}

// canAnswer reports whether there is an answer in mode for a redirect URI. A
// browser posts forms to web addresses only, not to the schemes of apps (RFC
// 8252 §7.1).
func canAnswer(mode, redirectURI string) bool {
	if mode == ModeFormPost {
		return strings.HasPrefix(redirectURI, "https://") || strings.HasPrefix(redirectURI, "http://")
	}
	return slices.Contains(ResponseModes(), mode)
}

// checkResponseMode refuses what responseMode could not follow.
func (p *Pending) checkResponseMode(sent *sentParameters) error {
	if mode := sent.values["response_mode"]; mode != "" && !canAnswer(mode, p.redirectURI) {
		return malformed("response_mode", "the client asks for a response_mode that it cannot be answered in; query, fragment and form_post are there, form_post for http and https only")
	}
	return nil
}

package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Pending is an authorization request whose client and redirect URI are right:
// its answer, good or bad, goes to that redirect URI. Immutable.
type Pending struct {
	client      *Client
	redirectURI string // where the answer goes
	mode        string // response_mode
	state       string // "": none was sent
	silent      bool
	maxAge      int64                // seconds; noMaxAge: the authentication may be of any age
	hinted      string               // the subject of the id_token_hint; "": none was sent
	request     AuthorizationRequest // the person apart
}

// HintVerifier returns the subject of an ID token that this issuer signed,
// expired or not (OpenID Connect Core §3.1.2.1 id_token_hint). An *Error is
// passed on as it is; any other error means that it is no such token.
type HintVerifier func(ctx context.Context, idToken string) (subject string, err error)

// Authorize validates an authorization request, but for what is known only
// once the person is: RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.2.
// parameters is the form-encoded query or body.
//
// An error without a Pending must be shown to the person and never sent to a
// redirect URI (RFC 6749 §4.1.2.1): it is not known whose that is. An error
// with a Pending is answered with Refuse.
func (c *Clients) Authorize(ctx context.Context, parameters string, hint HintVerifier) (*Pending, error) {
	sent, err := parseAuthorization(parameters)
	if err != nil {
		return nil, err
	}
	p, err := c.pending(sent)
	if err != nil {
		return nil, err
	}
	// The order of the specifications; the first that fails is the answer.
	for _, step := range []func(*sentParameters) error{
		p.checkParameters, p.checkResponseType, p.checkResponseMode, p.checkUnsupported, p.checkGrantType,
		p.readScope, p.readChallenge, p.readPrompt, p.readMaxAge,
	} {
		if err := step(sent); err != nil {
			return p, err
		}
	}
	return p, p.readHint(ctx, sent, hint)
}

// pending finds out to whom the request's answer goes.
func (c *Clients) pending(sent *sentParameters) (*Pending, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if slices.Contains(sent.repeated, name) {
			return nil, &Error{Kind: InvalidRequest, Param: name, Reason: ParameterRepeated}
		}
	}
	client, err := c.registered(sent.values["client_id"])
	if err != nil {
		return nil, err
	}
	redirectURI, err := client.redirectTo(sent.values["redirect_uri"])
	if err != nil {
		return nil, client.named(err)
	}
	if sent.values["redirect_uri"] == "" && sent.openID {
		// OpenID Connect Core §3.1.2.1: required there, also where there is
		// only one.
		return nil, client.named(missing("redirect_uri"))
	}
	p := &Pending{client: client, redirectURI: redirectURI, maxAge: noMaxAge}
	// Also of a request in which more is wrong nothing is shown.
	p.silent = slices.Contains(strings.Split(sent.values["prompt"], " "), "none")
	p.request.ClientID, p.request.RedirectURI = client.ID, sent.values["redirect_uri"]
	p.request.Nonce = sent.values["nonce"] // bounded and UTF-8, as every value of a form
	p.mode = responseMode(redirectURI, sent)
	if !slices.Contains(sent.repeated, "state") {
		p.state = sent.values["state"]
	}
	return p, nil
}

// Reconsider reports whether p's answer may still go where it was to go: these
// clients may be those of a later config. Errors as those of Authorize without a
// Pending.
func (c *Clients) Reconsider(p *Pending) error {
	client, err := c.registered(p.client.ID)
	if err != nil {
		return err
	}
	_, err = client.redirectTo(p.redirectURI)
	return client.named(err)
}

// named says in err whose request it is about, for the log.
func (c *Client) named(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.ClientID = c.ID
	}
	return err
}

// Client is who asks.
func (p *Pending) Client() *Client { return p.client }

// Silent reports whether nothing may be shown to the person: prompt=none.
func (p *Pending) Silent() bool { return p.silent }

// checkParameters: RFC 6749 §3.1, each at most once. A state with control
// characters is not VSCHAR (RFC 6749 appendix A.5), and no form posts it back
// as it was.
func (p *Pending) checkParameters(sent *sentParameters) error {
	if len(sent.repeated) > 0 {
		return &Error{Kind: InvalidRequest, Param: sent.repeated[0], Reason: ParameterRepeated}
	}
	if hasControl(p.state) {
		return malformed("state", "it has a control character")
	}
	return nil
}

// checkResponseType: RFC 6749 §3.1.1. Tokens are never handed out by way of
// the browser (RFC 9700 §2.1.2).
func (p *Pending) checkResponseType(sent *sentParameters) error {
	switch sent.values["response_type"] {
	case "":
		return missing("response_type")
	case "code":
		return nil
	}
	return &Error{Kind: UnsupportedResponseType, Reason: ResponseTypeUnknown,
		Hint: "the client asks for another response_type than code, which is the only one; set it to the authorization code flow"}
}

// checkUnsupported: OpenID Connect Core §6 and §7.2.1 have an error for each of
// what is not supported. Ignoring a request object instead would be to act on
// other parameters than the client meant.
func (p *Pending) checkUnsupported(sent *sentParameters) error {
	for _, parameter := range []struct {
		name string
		kind Kind
	}{
		{"request", RequestNotSupported}, {"request_uri", RequestURINotSupported}, {"registration", RegistrationNotSupported},
	} {
		if sent.values[parameter.name] != "" {
			return &Error{Kind: parameter.kind, Reason: ParameterUnsupported,
				Hint: "the client sent " + parameter.name + "; it must send each parameter by itself"}
		}
	}
	return nil
}

func (p *Pending) checkGrantType(*sentParameters) error { return p.client.checkGrantType() }

// readScope keeps what the client may be granted. OpenID Connect Core
// §3.1.2.1: what is not understood should be ignored; the token response says
// what was granted (RFC 6749 §3.3).
func (p *Pending) readScope(sent *sentParameters) error {
	if sent.values["scope"] == "" {
		return &Error{Kind: InvalidScope, Param: "scope", Reason: ParameterMissing, Hint: "the client sent no scope; it must ask for openid at least"}
	}
	asked, err := scopeTokens(sent.values["scope"])
	if err != nil {
		return err
	}
	granted := slices.DeleteFunc(asked, func(part string) bool { return !slices.Contains(p.client.Scope, part) })
	if len(granted) == 0 {
		return &Error{Kind: InvalidScope, Param: "scope", Reason: ScopeNotAllowed,
			Hint: "the client may be granted nothing of what it asks for; its scope is " + strings.Join(p.client.Scope, " ")}
	}
	p.request.Scope = strings.Join(granted, " ")
	return nil
}

func (p *Pending) readChallenge(sent *sentParameters) error {
	p.request.CodeChallenge = sent.values["code_challenge"]
	p.request.CodeChallengeMethod = sent.values["code_challenge_method"]
	return p.request.checkChallenge(p.client)
}

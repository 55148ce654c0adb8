package oauth

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
)

const (
	noMaxAge = math.MaxInt64
	// freshAge is how old, in seconds, an authentication may be that a request
	// wants to be new: the person needs some for the way back.
	freshAge = 60
)

// readPrompt: OpenID Connect Core §3.1.2.1. Signing in is what the site's own
// authentication does; nobody can be asked for consent or to choose an account.
func (p *Pending) readPrompt(sent *sentParameters) error {
	if sent.values["prompt"] == "" {
		return nil
	}
	asked := make(map[string]bool)
	for value := range strings.SplitSeq(sent.values["prompt"], " ") {
		switch value {
		case "none", "login", "consent", "select_account":
			asked[value] = true
		default:
			return malformed("prompt", "it has a value that is not none, login, consent or select_account")
		}
	}
	switch {
	case asked["none"] && len(asked) > 1:
		return malformed("prompt", "none stands alone")
	case asked["consent"]:
		return &Error{Kind: ConsentRequired, Reason: PromptUnsupported, Hint: "the client sent prompt=consent, and nobody asks for consent here; it must leave that out"}
	case asked["select_account"]:
		return &Error{Kind: AccountSelectionRequired, Reason: PromptUnsupported, Hint: "the client sent prompt=select_account, and there is no choice of accounts here; it must leave that out"}
	case asked["login"]:
		p.maxAge = freshAge
	}
	return nil
}

// readMaxAge: OpenID Connect Core §3.1.2.1, in seconds. A max_age of 0 is the
// same as prompt=login.
func (p *Pending) readMaxAge(sent *sentParameters) error {
	value := sent.values["max_age"]
	if value == "" {
		return nil
	}
	if strings.Trim(value, "0123456789") != "" {
		return malformed("max_age", "it is not a number of seconds")
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return nil // longer than anybody lives
	}
	if seconds == 0 {
		seconds = freshAge
	}
	p.maxAge = min(p.maxAge, seconds)
	return nil
}

// readHint: OpenID Connect Core §3.1.2.1 id_token_hint.
func (p *Pending) readHint(ctx context.Context, sent *sentParameters, verify HintVerifier) error {
	value := sent.values["id_token_hint"]
	if value == "" {
		return nil
	}
	subject, err := verify(ctx, value)
	if _, typed := errors.AsType[*Error](err); typed {
		return err
	}
	if err != nil || subject == "" {
		return &Error{Kind: InvalidRequest, Param: "id_token_hint", Reason: ParameterMalformed, Err: err,
			Hint: "it is not an ID token of this issuer"}
	}
	p.hinted = subject
	return nil
}

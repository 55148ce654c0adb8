package oauth

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Person is who was authenticated, as the site's authentication says.
type Person struct {
	Subject  string
	Source   string    // what Subject was read from, as configured: for hints
	AuthTime time.Time // zero: not known, and then never recent
	ACR      string
	AMR      []string
	Claims   map[string]json.RawMessage
}

// Request returns p's request for person, to be recorded. Errors are *Error:
// AccessDenied where it is not said who the person is, ServerError where what
// is said of them is unfit for a token, LoginRequired where they have to sign
// in anew or as somebody else (OpenID Connect Core §3.1.2.1 prompt, max_age,
// id_token_hint).
func (p *Pending) Request(person Person, now time.Time) (*AuthorizationRequest, error) {
	q := p.request
	q.Subject, q.AuthTime, q.ACR, q.AMR, q.Claims = person.Subject, person.AuthTime, person.ACR, person.AMR, person.Claims
	if err := q.checkPerson(now); err != nil {
		return nil, unfit(&q, person.Source, err)
	}
	switch {
	case p.hinted != "" && p.hinted != person.Subject:
		return nil, &Error{Kind: LoginRequired, Reason: SubjectMismatch,
			Hint: "the id_token_hint is about somebody else than who is signed in"}
	case p.tooOld(person.AuthTime, now):
		return nil, &Error{Kind: LoginRequired, Reason: AuthenticationTooOld,
			Hint: "the client wants a newer authentication (max_age or prompt=login) than auth_time says; the identity's auth_time must be that of the sign-in"}
	}
	return &q, nil
}

// tooOld counts in whole seconds, as auth_time does.
func (p *Pending) tooOld(authTime, now time.Time) bool {
	if p.maxAge == noMaxAge {
		return false
	}
	return authTime.IsZero() || now.Unix()-authTime.Unix() > p.maxAge
}

// unfit turns a fault of the configured identity, which is not the client's,
// into what the client is told.
func unfit(q *AuthorizationRequest, source string, err error) error {
	if q.Subject == "" {
		// Whoever reaches this came through the login without signing in.
		return &Error{Kind: AccessDenied, Reason: IdentityMissing, Security: true, Hint: nameless(source)}
	}
	fault, typed := errors.AsType[*Error](err)
	if !typed {
		return err
	}
	kind := ServerError
	if fault.Param == "subject" {
		kind = AccessDenied
	}
	return &Error{Kind: kind, Reason: IdentityMalformed, Hint: "identity " + fault.Param + ": " + fault.Hint}
}

// nameless says what to do about a subject that is empty, which was to be read
// from source.
func nameless(source string) string {
	hint := "the request was let through, but identity subject, which is " + source + ", is empty: "
	switch {
	case strings.Contains(source, "{http.request.header."):
		return hint + "nothing inside authorize set that header. A forward_auth there must name it in copy_headers, and the login service answer with it; " +
			"as the browser sends it, or as the site sets it outside authorize, it is removed"
	case strings.Contains(source, "{http.auth.user."):
		return hint + "nobody authenticated the person, or under another name. " +
			"forward_auth sets no user id; write subject {http.request.header.Remote-User}, or whichever header it copies"
	}
	return hint + "nothing set it for this request"
}

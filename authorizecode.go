package oidctoken

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// issueCode stores a code for the person who was let through. Nothing was
// written before: neither for a request that is not valid, nor for a person who
// is not signed in.
func (x *authorization) issueCode() (string, error) {
	person, leftOut := x.identity.person(x.r, x.now())
	x.leftOut = leftOut
	request, err := x.pending.Request(person, x.now())
	if err != nil {
		return "", err
	}
	// Only now: a reload waits for what has begun, and must not wait for a login
	// service.
	serving, err := x.begin()
	if err != nil {
		return "", configReplaced(err)
	}
	defer serving.end()
	x.issuer = serving
	if err := x.reconsider(); err != nil {
		return "", err
	}
	record, err := x.settings.clients.Record(x.identifier, request, x.now(), x.settings.codeLifetime)
	if err != nil {
		return "", err
	}
	// A browser that goes away does not stop it: whether what it left is stored
	// would not be known, and so not counted.
	code, err := x.store(context.WithoutCancel(x.r.Context()), record, true)
	if err != nil {
		return "", storeError(err)
	}
	x.scope, x.codeRef = strings.Join(record.Scope, " "), storage.Ref(code)
	return code, nil
}

// storeError says what the client is told of a code that was not stored.
func storeError(err error) error {
	if errors.Is(err, errCodesCapped) {
		return &oauth.Error{Kind: oauth.TemporarilyUnavailable, Reason: oauth.CodesCapped, RetryAfter: time.Second, Err: err, Hint: fmt.Sprintf(
			"a person may have %d and a client %d codes that are neither redeemed nor expired: somebody asks for codes without end, or the application never redeems them", maxPersonalCodes, maxLiveCodes)}
	}
	if unavailable := oauth.Unavailable(err); unavailable != nil {
		return unavailable
	}
	return fmt.Errorf("storing authorization code: %w", err)
}

// hintedSubject returns whom an ID token of this issuer is about.
func (x *authorization) hintedSubject(ctx context.Context, idToken string) (string, error) {
	subject, err := x.verifier().IDTokenHint(ctx, idToken)
	if err != nil && !errors.Is(err, token.ErrInvalid) {
		return "", &oauth.Error{Kind: oauth.TemporarilyUnavailable, Reason: oauth.KeysUnavailable, RetryAfter: time.Second, Err: err}
	}
	return subject, err
}

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
	record, err := x.settings.clients.Record(x.identifier, request, x.now(), x.settings.codeLifetime)
	if err != nil {
		return "", x.refusedRecord(err)
	}
	if record.RedirectURI != x.pending.RedirectURI() {
		// The request named none, and the client's only one is another now.
		x.pending = nil
		return "", &oauth.Error{Kind: oauth.TemporarilyUnavailable, Reason: oauth.ConfigReplaced, RetryAfter: time.Second,
			Hint: "the request was under way when a reload changed the client's redirect_uris"}
	}
	code, err := x.store(x.r.Context(), record, maxLiveCodes)
	if err != nil {
		return "", storeError(err)
	}
	x.scope, x.codeRef = strings.Join(record.Scope, " "), storage.Ref(code)
	return code, nil
}

// refusedRecord is about a request that was valid until a reload changed its
// client. What is not registered any more must not be redirected to.
func (x *authorization) refusedRecord(err error) error {
	if e := oauth.AsError(err); e.Param == "client_id" || e.Param == "redirect_uri" {
		x.pending = nil
	}
	return err
}

// storeError says what the client is told of a code that was not stored.
func storeError(err error) error {
	e := &oauth.Error{Kind: oauth.TemporarilyUnavailable, RetryAfter: time.Second, Err: err}
	switch {
	case errors.Is(err, errCodesCapped):
		e.Reason, e.Security = oauth.CodesCapped, true
		e.Hint = fmt.Sprintf("the client has %d codes that are neither redeemed nor expired: somebody asks for codes without end, or its application never redeems them", maxLiveCodes)
	case errors.Is(err, storage.ErrUnavailable):
		e.Reason = oauth.StorageUnavailable
	case errors.Is(err, storage.ErrRefused):
		e.Reason = oauth.StorageRefused
	default:
		return fmt.Errorf("storing authorization code: %w", err)
	}
	return e
}

// hintedSubject returns whom an ID token of this issuer is about.
func (x *authorization) hintedSubject(ctx context.Context, idToken string) (string, error) {
	subject, err := x.verifier().IDTokenHint(ctx, idToken)
	if err != nil && !errors.Is(err, token.ErrInvalid) {
		return "", &oauth.Error{Kind: oauth.TemporarilyUnavailable, Reason: oauth.KeysUnavailable, RetryAfter: time.Second, Err: err}
	}
	return subject, err
}

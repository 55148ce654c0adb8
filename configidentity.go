package oidctoken

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// checkIdentity says who a person will be. Its values are placeholders of a
// request that has not come yet, so only what they name can be judged.
func (s *settings) checkIdentity(h *Handler) error {
	if h.Authorize == nil {
		if h.Identity != nil {
			return mistake("identity", "says who authorize let through, and there is no authorize: add an authorize block with what authenticates people, or leave identity out")
		}
		return nil
	}
	given := h.Identity
	if given == nil {
		given = new(Identity)
	}
	s.identity = &identity{
		subject:  withDefault(given.Subject, defaultSubject),
		authTime: given.AuthTime,
		acr:      given.ACR,
		amr:      given.AMR,
		headers:  make(map[string]bool),
	}
	if len(placeholders(s.identity.subject)) == 0 {
		return mistake("identity subject", "is the same for everybody: write a placeholder, such as %s", defaultSubject)
	}
	if given.Subject == "" && len(h.Authorize) == 0 {
		return mistake("authorize", "is empty, so nobody is ever signed in: write a directive that authenticates, such as basic_auth, "+
			"or, where TLS client certificates do, identity { subject {http.request.tls.client.subject} }")
	}
	for _, value := range []struct{ option, value string }{
		{"identity subject", s.identity.subject}, {"identity auth_time", given.AuthTime}, {"identity acr", given.ACR},
	} {
		if err := s.identity.readsFrom(value.option, value.value); err != nil {
			return err
		}
	}
	for _, value := range given.AMR {
		if err := s.identity.readsFrom("identity amr", value); err != nil {
			return err
		}
	}
	if err := s.checkIdentityClaims(given); err != nil {
		return err
	}
	s.warnOfSubject(h)
	return nil
}

func (s *settings) checkIdentityClaims(given *Identity) error {
	for i, claim := range given.Claims {
		if claim == nil || claim.Name == "" {
			return mistake("identity claims", "entry %d has no name: write an object with a name and a value", i+1)
		}
		option := "identity claim " + claim.Name
		want := standardType(claim.Name)
		complete := *claim
		complete.Type = withDefault(claim.Type, withDefault(want, claimString))
		switch {
		case claim.Value == "":
			return mistake(option, "has no value: write one, such as {http.auth.user.%s}", claim.Name)
		case !slices.Contains(claimTypes, complete.Type):
			return mistake(option, "%s is not a type: write one of %s", claim.Type, strings.Join(claimTypes, ", "))
		case want != "" && complete.Type != want:
			return mistake(option, "is a %s (OpenID Connect Core §5.1), not a %s: leave the type out", want, claim.Type)
		case token.ProtocolClaim(claim.Name):
			return mistake(option, "is set by the issuer alone: leave it out")
		case slices.ContainsFunc(s.identity.claims, func(c IdentityClaim) bool { return c.Name == claim.Name }):
			return mistake(option, "is there twice: leave one out")
		}
		if err := s.identity.readsFrom(option, claim.Value); err != nil {
			return err
		}
		s.identity.claims = append(s.identity.claims, complete)
	}
	return nil
}

// warnOfSubject says what is sure to refuse everybody: nothing but an
// authentication handler sets the user id.
func (s *settings) warnOfSubject(h *Handler) {
	handlers, err := handlersOf(h.Authorize)
	if err != nil || !strings.Contains(s.identity.subject, defaultSubject) || len(handlers) == 0 {
		return
	}
	for name := range handlers {
		if !slices.Contains(anonymousHandlers, name) {
			return
		}
	}
	s.warn("identity subject is %s, which nothing in authorize sets (forward_auth does not): "+
		"write the header that your login service answers with, as in identity { subject {http.request.header.Remote-User} }, and copy it with copy_headers", defaultSubject)
}

// anonymousHandlers are Caddy's own that never say who somebody is.
var anonymousHandlers = []string{
	"reverse_proxy", "headers", "vars", "subroute", "rewrite", "static_response", "error", "encode", "map",
	"request_body", "log_append", "tracing", "push", "templates", "file_server", "intercept", "copy_response", "copy_response_headers",
}

const headerPlaceholder = "http.request.header."

// readsFrom notes the request headers that a value is read from, which a client
// must not be able to send, and refuses what is always the client's own.
func (d *identity) readsFrom(option, value string) error {
	for _, name := range placeholders(value) {
		header, isHeader := strings.CutPrefix(name, headerPlaceholder)
		switch {
		case isHeader && slices.Contains(credentialHeaders, http.CanonicalHeaderKey(header)):
			return mistake(option, "{%s} is what the client sends to authenticate, not who it is: write what the authentication sets, such as %s", name, defaultSubject)
		case isHeader:
			d.headers[headerName(header)] = true
		case fromClient(name):
			return mistake(option, "{%s} is whatever the client sends: write what the authentication sets, such as %s", name, defaultSubject)
		}
	}
	return nil
}

// credentialHeaders cannot be taken out of a request before it is
// authenticated.
var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Host"}

// fromClient reports whether a placeholder is a part of the request that no
// authentication ever sets, or who somebody only says to be.
func fromClient(name string) bool {
	for _, prefix := range chosenByClient {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

var chosenByClient = []string{
	"http.request.uri", "http.request.orig_uri", "http.request.cookie.", "http.request.body", "http.request.method", "http.request.orig_method",
	"http.request.host", "http.request.port", "http.request.proto", "http.request.scheme", "http.request.uuid", "http.request.remote.port",
	"http.request.tls.server_name", "http.auth.candidate.",
}

// placeholders returns the names of the placeholders in a value.
func placeholders(value string) []string {
	var names []string
	for _, m := range placeholderName.FindAllStringSubmatch(value, -1) {
		names = append(names, m[1])
	}
	return names
}

var placeholderName = regexp.MustCompile(`\{([^{}\s]+)\}`)

// errNested is what an oidc_token inside authorize is refused with: it would
// answer in the place of the authorization endpoint that runs it.
var errNested = errors.New("there is an oidc_token inside: an issuer cannot authenticate people for itself or another; leave it out")

// checkAuthorize judges the routes as far as that is possible before they are
// provisioned.
func (s *settings) checkAuthorize(h *Handler) error {
	if h.Authorize == nil {
		return nil
	}
	handlers, err := handlersOf(h.Authorize)
	if err != nil {
		return mistake("authorize", "%w", err)
	}
	if handlers["oidc_token"] {
		return mistake("authorize", "%w", errNested)
	}
	return nil
}

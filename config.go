package oidctoken

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// Defaults and limits of the options.
const (
	defaultKeyRotation         = 90 * 24 * time.Hour
	defaultCodeLifetime        = time.Minute
	defaultAccessTokenLifetime = 10 * time.Minute
	defaultIDTokenLifetime     = time.Hour
	defaultScope               = "openid profile email address phone"

	// RFC 6749 §4.1.2: a maximum authorization code lifetime of 10 minutes is
	// RECOMMENDED.
	maxCodeLifetime = 10 * time.Minute
	// A signed access token cannot be called back, and used codes are
	// remembered for as long as the access tokens they yielded.
	maxAccessTokenLifetime  = 24 * time.Hour
	longAccessTokenLifetime = time.Hour
	longIDTokenLifetime     = 24 * time.Hour
	// A key is published a day before it signs; its successor needs that day
	// within the key's own time.
	minKeyRotation = 48 * time.Hour
)

// keyRotationOff is KeyRotation's value for automatic keys that sign forever.
const keyRotationOff = caddy.Duration(-1)

// settings is a Handler's config resolved, checked and complete: code that has
// it never meets a placeholder or a default.
type settings struct {
	issuer                string
	issuerURL             *url.URL
	tokenPath             string
	jwksPath              string
	userinfoPath          string
	authorizationPath     string    // "": not served
	authorizationEndpoint string    // URL; "": none is known
	identity              *identity // nil where authorizationPath is ""
	encryptionKeys        [][]byte
	signingAlg            token.Algorithm
	signingKeyFiles       []string
	keyRotation           time.Duration // 0: off
	codeLifetime          time.Duration
	accessTokenLifetime   time.Duration
	idTokenLifetime       time.Duration
	clients               *oauth.Clients
	warnings              []string // for the log, at load
}

// configError is a mistake in the config. It says which option of which client
// of which issuer to change and what to write instead; never a secret.
type configError struct {
	Issuer string // "": not known, or the mistake itself
	Option string // "": the block as a whole, or Err says
	Err    error  // an *oauth.ConfigError where it is about a client
}

func (e *configError) Error() string {
	var b strings.Builder
	if e.Issuer != "" {
		fmt.Fprintf(&b, "issuer %s: ", e.Issuer)
	}
	if e.Option != "" {
		b.WriteString(e.Option + ": ")
	}
	return b.String() + e.Err.Error()
}

func (e *configError) Unwrap() error { return e.Err }

// mistake is a configError about an option outside the clients.
func mistake(option, format string, args ...any) error {
	return &configError{Option: option, Err: fmt.Errorf(format, args...)}
}

// clientMistake is a configError about an option of a client's.
func clientMistake(client, option string, err error) error {
	return &configError{Err: &oauth.ConfigError{Client: client, Option: option, Err: err}}
}

// settings resolves every value with resolve and checks the whole. Errors name
// the client and the option and say what to write instead.
func (h *Handler) settings(resolve func(string) (string, error)) (*settings, error) {
	s, err := h.check(func(_ *Client, _, value string) (string, error) { return resolve(value) })
	if err != nil {
		return nil, err
	}
	s.warnings = append(h.literals(), s.warnings...)
	return s, nil
}

// check is what a config must pass. It does no I/O of its own and runs twice:
// while a Caddyfile is parsed, where an error can still name the line, and in
// Provision, where every value is known and JSON passes too.
func (h *Handler) check(resolve resolver) (*settings, error) {
	h, err := h.resolved(resolve)
	if err != nil {
		return nil, err
	}
	s := new(settings)
	for _, step := range []func(*Handler) error{
		s.checkIssuer,
		s.checkEndpoints,
		s.checkKeys,
		s.checkLifetimes,
		s.checkClients,
		s.checkAuthorize,
		s.checkIdentity,
	} {
		if err := step(h); err != nil {
			return nil, s.attribute(err)
		}
	}
	return s, nil
}

// attribute adds the issuer to an error, once it is known to be sound.
func (s *settings) attribute(err error) error {
	if e, ok := errors.AsType[*configError](err); ok && e.Option != "issuer" {
		e.Issuer = s.issuer
	}
	return err
}

func (s *settings) checkIssuer(h *Handler) (err error) {
	if h.Issuer == "" {
		return mistake("issuer", "is missing: write the URL clients know this provider by, as in issuer https://id.example.com")
	}
	s.issuerURL, err = parseIssuer(h.Issuer)
	if err != nil {
		return mistake("issuer", "%w", err)
	}
	// REQ-126: character for character, also a trailing slash.
	s.issuer = h.Issuer
	if s.issuerURL.Scheme == "http" {
		s.warn("issuer %s is plain HTTP on a loopback host: for development only", s.issuer)
	}
	return nil
}

// endpointPath is the path of an endpoint that is served.
type endpointPath struct {
	option, path string
	written      bool // not the default
}

func (s *settings) checkEndpoints(h *Handler) error {
	s.tokenPath = withDefault(h.TokenEndpoint, s.path()+"/token")
	s.jwksPath = withDefault(h.JWKSEndpoint, s.path()+"/.well-known/jwks.json")
	taken := map[string]string{
		s.path() + wellKnownOpenID: "the OpenID Connect discovery document's",
		wellKnownOAuth + s.path():  "the authorization server metadata's (RFC 8414)",
	}
	s.userinfoPath = withDefault(h.UserInfoEndpoint, s.path()+"/userinfo")
	if h.Authorize != nil {
		s.authorizationPath = withDefault(h.AuthorizationEndpoint, s.path()+"/authorize")
	}
	endpoints := []endpointPath{
		{"token_endpoint", s.tokenPath, h.TokenEndpoint != ""},
		{"jwks_endpoint", s.jwksPath, h.JWKSEndpoint != ""},
		{"userinfo_endpoint", s.userinfoPath, h.UserInfoEndpoint != ""},
	}
	if s.authorizationPath != "" {
		endpoints = append(endpoints, endpointPath{"authorization_endpoint", s.authorizationPath, h.AuthorizationEndpoint != ""})
	}
	// What is written comes last: it is what can be changed.
	slices.SortStableFunc(endpoints, func(a, b endpointPath) int {
		switch {
		case a.written == b.written:
			return 0
		case b.written:
			return -1
		}
		return 1
	})
	for _, endpoint := range endpoints {
		if err := checkPath(endpoint.path); err != nil {
			return mistake(endpoint.option, "%w", err)
		}
		if other, ok := taken[endpoint.path]; ok {
			return mistake(endpoint.option, "%s is %s path: give this endpoint another", endpoint.path, other)
		}
		taken[endpoint.path] = endpoint.option + "'s"
	}
	return s.advertise(h)
}

// advertise determines which authorization endpoint clients are told of: ours,
// or one elsewhere.
func (s *settings) advertise(h *Handler) error {
	if s.authorizationPath != "" {
		s.authorizationEndpoint = s.url(s.authorizationPath)
		return nil
	}
	if h.AuthorizationEndpoint == "" {
		return nil
	}
	if err := checkAuthorizationEndpoint(h.AuthorizationEndpoint); err != nil {
		return mistake("authorization_endpoint", "%w", err)
	}
	s.authorizationEndpoint = h.AuthorizationEndpoint
	return nil
}

func (s *settings) checkKeys(h *Handler) error {
	for i, value := range h.EncryptionKey {
		key, err := parseEncryptionKey(value)
		if err != nil {
			return mistake("encryption_key", "key %d %w", i+1, err)
		}
		if slices.ContainsFunc(s.encryptionKeys, func(other []byte) bool { return string(other) == string(key) }) {
			return mistake("encryption_key", "key %d is there twice: leave one out", i+1)
		}
		s.encryptionKeys = append(s.encryptionKeys, key)
	}
	alg, err := parseAlgorithm(withDefault(h.SigningAlg, string(token.RS256)))
	if err != nil {
		return mistake("signing_alg", "%w", err)
	}
	s.signingAlg = alg
	if len(h.SigningKey) > 0 && h.KeyRotation != 0 {
		return mistake("key_rotation", "is for automatic keys and does nothing for signing_key files: leave out one of the two")
	}
	for _, file := range h.SigningKey {
		// Before anything names the file: {file.…} would make it the key.
		if strings.ContainsAny(file, "\r\n") {
			return mistake("signing_key", "is the content of a key, not the path of its file: write the path itself, such as /run/secrets/key.pem, without {file.…}")
		}
	}
	if file, twice := firstDuplicate(h.SigningKey); twice {
		return mistake("signing_key", "%s is there twice: leave one out", file)
	}
	s.signingKeyFiles = h.SigningKey
	return nil
}

func (s *settings) checkLifetimes(h *Handler) (err error) {
	for _, lifetime := range []struct {
		option string
		value  caddy.Duration
		def    time.Duration
		max    time.Duration // 0: none
		to     *time.Duration
	}{
		{"code_lifetime", h.CodeLifetime, defaultCodeLifetime, maxCodeLifetime, &s.codeLifetime},
		{"access_token_lifetime", h.AccessTokenLifetime, defaultAccessTokenLifetime, maxAccessTokenLifetime, &s.accessTokenLifetime},
		{"id_token_lifetime", h.IDTokenLifetime, defaultIDTokenLifetime, 0, &s.idTokenLifetime},
	} {
		*lifetime.to, err = checkLifetime(time.Duration(lifetime.value), lifetime.def, lifetime.max)
		if err != nil {
			return mistake(lifetime.option, "%w", err)
		}
	}
	if s.accessTokenLifetime > longAccessTokenLifetime {
		s.warn("access_token_lifetime is %s: an access token cannot be called back before it expires; 1h or less is advised", short(s.accessTokenLifetime))
	}
	if s.idTokenLifetime > longIDTokenLifetime {
		s.warn("id_token_lifetime is %s: a retired key stays published until the last token it signed has expired", short(s.idTokenLifetime))
	}
	s.keyRotation, err = checkRotation(h.KeyRotation)
	if err != nil {
		return mistake("key_rotation", "%w", err)
	}
	return nil
}

func (s *settings) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

func withDefault(value, def string) string {
	if value == "" {
		return def
	}
	return value
}

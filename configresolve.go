package oidctoken

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// resolver answers one value of the config with its placeholders replaced. c
// is the client the option belongs to, or nil.
type resolver func(c *Client, option, value string) (string, error)

// errEmpty is what a value that came out empty is refused with. REQ-035: an
// empty secret must not make a public client of a confidential one.
var errEmpty = errors.New("a value is empty: write it, or leave the option out for its default")

// errUnresolved is what a placeholder without a value is refused with, where
// its name must not be shown.
var errUnresolved = errors.New(`a placeholder in it is empty or not one of the config's: ` +
	`write {env.NAME} or {file./path}, and a literal brace as \{`)

// resolution resolves values until the first error.
type resolution struct {
	resolve resolver
	client  *Client // whose options are being resolved; nil: the issuer's
	err     error
}

// resolved returns a copy of h with every placeholder replaced. What was given
// and comes out empty is an error. The copy is never exported or logged: h
// keeps the placeholders, the copy has the secrets.
func (h *Handler) resolved(resolve resolver) (*Handler, error) {
	r := &resolution{resolve: resolve}
	c := &Handler{
		Issuer:                r.value("issuer", h.Issuer),
		EncryptionKey:         r.values("encryption_key", h.EncryptionKey),
		SigningAlg:            r.value("signing_alg", h.SigningAlg),
		SigningKey:            r.values("signing_key", h.SigningKey),
		KeyRotation:           h.KeyRotation,
		CodeLifetime:          h.CodeLifetime,
		AccessTokenLifetime:   h.AccessTokenLifetime,
		IDTokenLifetime:       h.IDTokenLifetime,
		TokenEndpoint:         r.value("token_endpoint", h.TokenEndpoint),
		AuthorizationEndpoint: r.value("authorization_endpoint", h.AuthorizationEndpoint),
		UserInfoEndpoint:      r.value("userinfo_endpoint", h.UserInfoEndpoint),
		JWKSEndpoint:          r.value("jwks_endpoint", h.JWKSEndpoint),
		// Their placeholders are those of a request.
		Authorize: h.Authorize,
		Identity:  h.Identity,
	}
	for i, client := range h.Clients {
		if client == nil {
			r.client = nil
			r.fail("clients", fmt.Errorf("entry %d is null: write an object with a client_id", i+1))
			break
		}
		c.Clients = append(c.Clients, r.resolveClient(client))
	}
	return c, r.err
}

func (r *resolution) resolveClient(c *Client) *Client {
	r.client = c
	return &Client{
		ClientID:                 r.value("client_id", c.ClientID),
		ClientName:               r.value("client_name", c.ClientName),
		ClientSecret:             r.values("client_secret", c.ClientSecret),
		TokenEndpointAuthMethod:  r.value("token_endpoint_auth_method", c.TokenEndpointAuthMethod),
		RedirectURIs:             r.values("redirect_uris", c.RedirectURIs),
		GrantTypes:               r.values("grant_types", c.GrantTypes),
		Scope:                    r.value("scope", c.Scope),
		RequirePKCE:              c.RequirePKCE,
		IDTokenSignedResponseAlg: r.value("id_token_signed_response_alg", c.IDTokenSignedResponseAlg),
		AccessTokenAudience:      r.values("access_token_audience", c.AccessTokenAudience),
		IDTokenClaims:            r.values("id_token_claims", c.IDTokenClaims),
		AllowedOrigins:           r.values("allowed_origins", c.AllowedOrigins),
	}
}

// value resolves an option with one value. "" is an option that was not given.
func (r *resolution) value(option, value string) string {
	if value == "" || r.err != nil {
		return ""
	}
	return r.required(option, value)
}

// values resolves an option with several values, each of which was given. A
// list that is there but empty stays so.
func (r *resolution) values(option string, values []string) []string {
	if values == nil {
		return nil
	}
	resolved := make([]string, 0, len(values))
	for _, value := range values {
		resolved = append(resolved, r.required(option, value))
	}
	return resolved
}

func (r *resolution) required(option, value string) string {
	if r.err != nil {
		return ""
	}
	resolved, err := r.resolve(r.client, option, value)
	if err != nil {
		r.fail(option, unresolved(value))
		return ""
	}
	if strings.TrimSpace(resolved) == "" {
		r.fail(option, errEmpty)
	}
	return resolved
}

func (r *resolution) fail(option string, err error) {
	if r.client != nil {
		r.err = clientMistake(r.client.ClientID, option, err)
		return
	}
	r.err = &configError{Option: option, Err: err}
}

// unresolved words a placeholder that has no value. Only a value that is
// wholly one placeholder is shown: anything else may be a secret that happens
// to contain a brace.
func unresolved(value string) error {
	name, ok := strings.CutPrefix(strings.TrimSuffix(value, "}"), "{")
	if ok && !strings.ContainsAny(name, "{}") && globalPlaceholder(name) {
		return fmt.Errorf("the placeholder {%s} is empty or not there: set it where Caddy runs", name)
	}
	return errUnresolved
}

func globalPlaceholder(name string) bool {
	for _, prefix := range []string{"env.", "file.", "system.", "time."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// literals warns of secrets that are in the config itself. REQ-210: Caddy's
// admin API answers the config to whoever asks, and autosave.json keeps it.
func (h *Handler) literals() []string {
	var warnings []string
	for _, key := range h.EncryptionKey {
		if _, plain := written(key); plain {
			warnings = append(warnings, "encryption_key is in the config itself, "+
				"where GET /config/ and autosave.json show it: write a placeholder such as {env.OIDC_ENCRYPTION_KEY}")
			break
		}
	}
	for _, c := range h.Clients {
		for _, secret := range c.ClientSecret {
			if _, plain := plainSecret(secret); plain {
				warnings = append(warnings, fmt.Sprintf("client %s: client_secret is in the config itself, "+
					"where GET /config/ and autosave.json show it: write a placeholder such as {env.CLIENT_SECRET}, "+
					"or its hash (`caddy oidc-token client-secret` makes both)", c.ClientID))
				break
			}
		}
	}
	return warnings
}

// written returns what a value says by itself, which it does where it has no
// placeholder. \{ is a brace, and so is one that nothing closes.
func written(value string) (text string, ok bool) {
	// Without providers every placeholder is unknown.
	text, err := caddy.NewEmptyReplacer().ReplaceOrErr(value, true, true)
	return text, err == nil
}

// plainSecret returns the secret of a configured value that is the secret
// itself: no placeholder and none of the hashes oauth.ParseSecret knows.
func plainSecret(value string) (secret string, plain bool) {
	secret, plain = written(value)
	if !plain {
		return "", false
	}
	for _, prefix := range []string{"sha256:", "$2a$", "$2b$", "$2y$", "$argon2id$"} {
		if strings.HasPrefix(secret, prefix) {
			return "", false
		}
	}
	return secret, true
}

// hashSecret is the form of a secret that may be kept with the config. It is
// as good as the secret is random: nobody can turn it back.
func hashSecret(secret string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(secret)))
}

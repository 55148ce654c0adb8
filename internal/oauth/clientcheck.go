package oauth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// GrantAuthorizationCode is the grant_type of RFC 6749 §4.1.3.
const GrantAuthorizationCode = "authorization_code"

// check refuses what could not work or would not be safe. Every error is a
// *ConfigError and says what to write instead.
func (c *Client) check() error {
	for _, step := range []func() error{
		c.checkID, c.checkAuthMethod, c.checkGrantTypes, c.checkRedirectURIs,
		c.checkScope, c.checkAlgorithm, c.checkOrigins,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) checkID() error {
	if c.ID == "" || len(c.ID) > maxClientIDSize || !printableASCII(c.ID) {
		// RFC 6749 appendix A.1.
		return c.mistake("client_id", "write 1 to %d printable ASCII characters", maxClientIDSize)
	}
	return nil
}

func (c *Client) checkAuthMethod() error {
	switch c.AuthMethod {
	case None:
		if len(c.Secrets) > 0 {
			return c.mistake("client_secret", "a client with token_endpoint_auth_method none has no secret; remove it, or choose client_secret_basic")
		}
	case ClientSecretBasic, ClientSecretPost:
		if len(c.Secrets) == 0 {
			return c.mistake("client_secret", "is missing; write one, or token_endpoint_auth_method none for a public client")
		}
	default:
		return c.mistake("token_endpoint_auth_method", "%q is not supported; write client_secret_basic, client_secret_post or none", c.AuthMethod)
	}
	for _, secret := range c.Secrets {
		if secret == (Secret{}) {
			return c.mistake("client_secret", "is empty")
		}
	}
	return nil
}

func (c *Client) checkGrantTypes() error {
	for _, grantType := range c.GrantTypes {
		switch grantType {
		case GrantAuthorizationCode:
		case "refresh_token":
			return c.mistake("grant_types", "refresh_token is not built yet; write authorization_code")
		default:
			return c.mistake("grant_types", "%q is not a grant type of this endpoint; write authorization_code", grantType)
		}
	}
	return nil
}

func (c *Client) checkRedirectURIs() error {
	if len(c.RedirectURIs) == 0 && slices.Contains(c.GrantTypes, GrantAuthorizationCode) {
		return c.mistake("redirect_uris", "is missing; write where the client receives its authorization codes")
	}
	for _, uri := range c.RedirectURIs {
		if problem := redirectURIProblem(uri); problem != "" {
			return c.mistake("redirect_uris", "%q %s", uri, problem)
		}
	}
	return nil
}

// redirectURIProblem says what is wrong with a redirect URI: RFC 6749 §3.1.2
// wants it absolute and without a fragment.
func redirectURIProblem(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil, !printableASCII(uri), strings.ContainsAny(uri, ` "\<>^{|}`+"`"):
		return "is not a URI; write other characters percent-encoded and hosts as xn--…"
	case len(uri) > maxParameterSize:
		return fmt.Sprintf("is longer than %d characters", maxParameterSize)
	case u.Scheme == "":
		return "is not absolute; write it with its scheme, such as https://app.example.com/callback"
	case strings.Contains(uri, "#"):
		return "has a fragment; write it without"
	case u.User != nil:
		return "has user information; write it without"
	}
	switch u.Scheme {
	case "javascript", "data", "vbscript", "file", "blob", "about", "view-source":
		return "would hand the authorization code to a script or a file; write an https URI"
	case "http", "https":
		if u.Hostname() == "" {
			return "has no host; write it as in https://app.example.com/callback"
		}
		if strings.Contains(u.Host, "*") {
			// RFC 9700 §4.1.3: patterns are how codes are stolen.
			return "has a * in its host; redirect URIs are compared character by character, so write out each"
		}
	}
	return ""
}

func (c *Client) checkScope() error {
	for _, scope := range c.Scope {
		if !scopeToken(scope) {
			return c.mistake("scope", "%q is not a scope (RFC 6749 §3.3); separate scopes with spaces", scope)
		}
	}
	return nil
}

func (c *Client) checkAlgorithm() error {
	if !c.IDTokenAlgorithm.Known() {
		return c.mistake("id_token_signed_response_alg", "%q is not built; leave it out to sign with signing_alg", c.IDTokenAlgorithm)
	}
	return nil
}

// checkOrigins wants origins as browsers write them (RFC 6454 §6.2): they are
// compared as strings.
func (c *Client) checkOrigins() error {
	for _, origin := range c.AllowedOrigins {
		serialized, ok := originOf(origin)
		if !ok {
			return c.mistake("allowed_origins", "%q is not an origin; write it as in https://app.example.com", origin)
		}
		if serialized != origin {
			return c.mistake("allowed_origins", "%q is not as browsers write it; write %s", origin, serialized)
		}
	}
	return nil
}

// checkAudience keeps access tokens and ID tokens apart (RFC 9068 §5): what
// takes an ID token for its audience must not take an access token.
func (c *Client) checkAudience(registered map[string]*registration) error {
	if len(c.AccessTokenAudience) == 0 {
		return c.mistake("access_token_audience", "is missing; write the URI of the API")
	}
	for _, audience := range c.AccessTokenAudience {
		u, err := url.Parse(audience)
		switch {
		case err != nil || u.Scheme == "" || strings.Contains(audience, "#") || !printableASCII(audience):
			return c.mistake("access_token_audience", "%q is not an absolute URI without fragment; write the URI of the API", audience)
		case registered[audience] != nil:
			return c.mistake("access_token_audience", "%q is a client_id, which is the audience of ID tokens; write the URI of the API", audience)
		}
	}
	return nil
}

// scopeToken reports whether s is a scope-token: 1*NQCHAR (RFC 6749 §3.3).
func scopeToken(s string) bool {
	return s != "" && printableASCII(s) && !strings.ContainsAny(s, ` "\`)
}

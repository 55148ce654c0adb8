package oauth

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// AuthMethod is a token_endpoint_auth_method (RFC 7591 §2).
type AuthMethod string

// The methods that are built.
const (
	ClientSecretBasic AuthMethod = "client_secret_basic"
	ClientSecretPost  AuthMethod = "client_secret_post"
	None              AuthMethod = "none"
)

// Client is a registered client with every default applied: what is required
// is required even where the config may leave it out. Immutable.
type Client struct {
	ID               string
	Name             string
	AuthMethod       AuthMethod
	Secrets          []Secret
	RedirectURIs     []string
	GrantTypes       []string
	Scope            []string // what it may be granted
	RequirePKCE      bool
	IDTokenAlgorithm token.Algorithm // Required.
	// IDTokenClaims names the user claims that go into ID tokens, of those the
	// scope releases. nil: all of them. Empty: none.
	IDTokenClaims       []string
	AccessTokenAudience []string // Required: at least one.
	AllowedOrigins      []string // allowed_origins as configured
}

// Warnings returns what the operator should know about a client that works
// but will surprise: a plain secret or client id that reads differently once
// form-encoded (RFC 6749 §2.3.1), codes that travel in the clear, and a
// redirect URI that looks like a pattern. Each begins with the option it is
// about.
func (c *Client) Warnings() []string {
	var warnings []string
	if c.AuthMethod == ClientSecretBasic && (decodes(c.ID) || strings.Contains(c.ID, ":")) {
		warnings = append(warnings, "client_id: it contains %, + or :, and a client that does not form-encode it in Basic credentials, as RFC 6749 §2.3.1 says, will be refused; another client_id avoids that")
	}
	warnings = append(warnings, c.SecretWarnings()...)
	for _, uri := range c.RedirectURIs {
		if strings.Contains(uri, "*") {
			warnings = append(warnings, "redirect_uris: "+uri+" is compared character by character; * is no wildcard: write each URI out")
		}
		if u, err := url.Parse(uri); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
			warnings = append(warnings, "redirect_uris: "+uri+" is not https: whoever is on the way reads its authorization codes")
		}
	}
	return warnings
}

// SecretWarnings returns those of Warnings that are about client_secret: what
// can be said while a secret is plain and not of its hash. None shows it.
func (c *Client) SecretWarnings() []string {
	if c.AuthMethod != ClientSecretBasic {
		return nil
	}
	var warnings []string
	for _, secret := range c.Secrets {
		if secret.decodes {
			warnings = append(warnings, "client_secret: it contains % or +, and a client that does not form-encode it in Basic credentials, as RFC 6749 §2.3.1 says, will be refused; `caddy oidc-token client-secret` makes one that every client sends alike")
		}
	}
	return warnings
}

// public reports whether the client has no credentials (RFC 6749 §2.1).
func (c *Client) public() bool { return c.AuthMethod == None }

// needsPKCE reports whether codes for the client must be issued with a
// code_challenge. RFC 9700 §2.1.1: always for a public client.
func (c *Client) needsPKCE() bool { return c.public() || c.RequirePKCE }

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

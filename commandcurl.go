package oidctoken

import (
	"net/url"
	"strings"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// redemption is the shell command that redeems a code (RFC 6749 §4.1.3). A
// secret is not known here: the shell takes it, and an own verifier, from its
// environment, and says so where it is not set.
func redemption(issuer *listedIssuer, client *listedClient, request *MintRequest, code, verifier string) string {
	// The answer does not end its line; the next prompt should not stand on it.
	lines := []string{`curl -sS --fail-with-body -w '\n' ` + shellQuote(issuer.TokenEndpoint)}
	post := func(name, value string) {
		lines = append(lines, "--data-urlencode "+shellQuote(name+"="+value))
	}
	switch oauth.AuthMethod(client.TokenEndpointAuthMethod) {
	case oauth.ClientSecretBasic:
		// RFC 6749 §2.3.1: both halves are form-encoded first. What is left
		// after that needs no quoting within double quotes.
		lines = append(lines, `-u "`+url.QueryEscape(client.ClientID)+`:${CLIENT_SECRET:?}"`)
	case oauth.ClientSecretPost:
		post("client_id", client.ClientID)
		lines = append(lines, `--data-urlencode "client_secret=${CLIENT_SECRET:?}"`)
	default:
		post("client_id", client.ClientID)
	}
	post("grant_type", oauth.GrantAuthorizationCode)
	post("code", code)
	if request.RedirectURI != "" {
		post("redirect_uri", request.RedirectURI)
	}
	switch {
	case verifier != "":
		post("code_verifier", verifier)
	case request.CodeChallenge != "":
		lines = append(lines, `--data-urlencode "code_verifier=${CODE_VERIFIER:?}"`)
	}
	return strings.Join(lines, " \\\n  ")
}

// shellQuote quotes s for a POSIX shell. Within single quotes everything but
// the single quote is literal.
func shellQuote(s string) string {
	const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,"
	if s != "" && strings.Trim(s, bare) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

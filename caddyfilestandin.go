package oidctoken

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// standIns answers placeholders while a Caddyfile is parsed, where their
// values must not be asked for: the result would end up in the adapted JSON or
// in an error. Each placeholder gets a valid value of its own, so that only
// what is written out is judged.
func standIns(h *Handler) resolver {
	seen := make(map[string]int)
	return func(c *Client, option, value string) (string, error) {
		if text, ok := written(value); ok {
			return text, nil
		}
		if _, ok := seen[value]; !ok {
			seen[value] = len(seen) + 1
		}
		if option == "authorization_endpoint" && h.Authorize != nil {
			option = "token_endpoint" // it is a path then
		}
		return standIn(c, option, value, seen[value])
	}
}

// standIn answers the nth placeholder.
func standIn(c *Client, option, value string, n int) (string, error) {
	// REQ-032, REQ-033: nothing of the config may come from a request.
	if strings.Contains(value, "{http.") {
		return "", errUnresolved
	}
	switch option {
	case "issuer", "authorization_endpoint", "redirect_uris", "access_token_audience":
		return fmt.Sprintf("https://placeholder.invalid/placeholder-%d", n), nil
	case "allowed_origins":
		return fmt.Sprintf("https://placeholder-%d.invalid", n), nil
	case "token_endpoint", "jwks_endpoint", "userinfo_endpoint", "signing_key":
		return fmt.Sprintf("/placeholder-%d", n), nil
	case "client_secret":
		return fmt.Sprintf("sha256:%064x", n), nil
	case "encryption_key":
		return standInKey(n), nil
	case "signing_alg", "id_token_signed_response_alg":
		return string(token.RS256), nil
	case "grant_types":
		return oauth.GrantAuthorizationCode, nil
	case "token_endpoint_auth_method":
		if len(c.ClientSecret) == 0 {
			return string(oauth.None), nil
		}
		return string(oauth.ClientSecretBasic), nil
	case "scope":
		return fmt.Sprintf("placeholder-%d", n), nil
	}
	return value, nil // client_id, client_name and id_token_claims: any text is one
}

// standInKey is a well-formed encryption key that is like no other.
func standInKey(n int) string {
	key := fmt.Sprintf("%0*d", seal.KeySize, n)
	return base64.StdEncoding.EncodeToString([]byte(key))
}

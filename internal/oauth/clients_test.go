package oauth

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestClientsThatAreRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Client)
		option string
		want   string
	}{
		{"a client without an id", func(c *Client) { c.ID = "" }, "client_id", "client_id: write 1 to 256"},
		{"a client_id with an umlaut", func(c *Client) { c.ID = "wéb" }, "client_id", "client_id: write 1 to 256"},
		{"a client_id above the cap", func(c *Client) { c.ID = strings.Repeat("a", maxClientIDSize+1) }, "client_id", "client_id: write 1 to 256"},
		{"REQ-035 a confidential client without a secret", func(c *Client) { c.Secrets = nil }, "client_secret", "client_secret: is missing"},
		{"REQ-035 an empty secret", func(c *Client) { c.Secrets = []Secret{{}} }, "client_secret", "client_secret: is empty"},
		{"a public client with a secret", func(c *Client) { c.AuthMethod = None }, "client_secret", "client_secret: a client with token_endpoint_auth_method none"},
		{"a method that is not built", func(c *Client) { c.AuthMethod = "private_key_jwt" }, "token_endpoint_auth_method", "token_endpoint_auth_method:"},
		{"no method", func(c *Client) { c.AuthMethod = "" }, "token_endpoint_auth_method", "token_endpoint_auth_method:"},
		{"a grant type that is not built yet", func(c *Client) { c.GrantTypes = []string{"refresh_token"} }, "grant_types", "not built yet"},
		{"REQ-080 the password grant", func(c *Client) { c.GrantTypes = []string{"password"} }, "grant_types", "is not a grant type"},
		{"no redirect URI", func(c *Client) { c.RedirectURIs = nil }, "redirect_uris", "redirect_uris: is missing"},
		{"a redirect URI that is relative", func(c *Client) { c.RedirectURIs = []string{"/cb"} }, "redirect_uris", "not absolute"},
		{"a redirect URI with a fragment", func(c *Client) { c.RedirectURIs = []string{"https://a.example/#"} }, "redirect_uris", "fragment"},
		{"a redirect URI with a space", func(c *Client) { c.RedirectURIs = []string{"https://a.example/a b"} }, "redirect_uris", "not a URI"},
		{"a redirect URI with an umlaut", func(c *Client) { c.RedirectURIs = []string{"https://ä.example/"} }, "redirect_uris", "xn--"},
		{"a redirect URI with a wildcard", func(c *Client) { c.RedirectURIs = []string{"https://*.example.com/callback"} }, "redirect_uris", "compared character by character"},
		{"a redirect URI without a host", func(c *Client) { c.RedirectURIs = []string{"https:///cb"} }, "redirect_uris", "no host"},
		{"a redirect URI with user information", func(c *Client) { c.RedirectURIs = []string{"https://good@evil.example/cb"} }, "redirect_uris", "user information"},
		{"a redirect URI that runs a script", func(c *Client) { c.RedirectURIs = []string{"JavaScript:alert(1)"} }, "redirect_uris", "script"},
		{"a redirect URI with data", func(c *Client) { c.RedirectURIs = []string{"data:text/html,x"} }, "redirect_uris", "script"},
		{"a redirect URI that no request can carry", func(c *Client) {
			c.RedirectURIs = []string{"https://a.example/" + strings.Repeat("a", maxParameterSize)}
		}, "redirect_uris", "longer"},
		{"a scope with a quote", func(c *Client) { c.Scope = []string{`a"b`} }, "scope", "scope:"},
		{"an empty scope", func(c *Client) { c.Scope = []string{""} }, "scope", "scope:"},
		{"no algorithm", func(c *Client) { c.IDTokenAlgorithm = "" }, "id_token_signed_response_alg", "id_token_signed_response_alg:"},
		{"an unknown algorithm", func(c *Client) { c.IDTokenAlgorithm = "none" }, "id_token_signed_response_alg", "id_token_signed_response_alg:"},
		{"REQ-200 an origin with a path", func(c *Client) { c.AllowedOrigins = []string{"https://a.example/"} }, "allowed_origins", "write https://a.example"},
		{"REQ-200 an origin with its default port", func(c *Client) { c.AllowedOrigins = []string{"https://a.example:443"} }, "allowed_origins", "write https://a.example"},
		{"REQ-200 an origin in capitals", func(c *Client) { c.AllowedOrigins = []string{"https://A.example"} }, "allowed_origins", "write https://a.example"},
		{"REQ-200 the null origin", func(c *Client) { c.AllowedOrigins = []string{"null"} }, "allowed_origins", "is not an origin"},
		{"REQ-200 any origin", func(c *Client) { c.AllowedOrigins = []string{"*"} }, "allowed_origins", "is not an origin"},
		{"no audience", func(c *Client) { c.AccessTokenAudience = nil }, "access_token_audience", "access_token_audience: is missing"},
		{"a client_id that writes to the terminal", func(c *Client) { c.ID = "web\x1b[2J" }, "client_id", `client "web\x1b[2J": client_id:`},
		{"an audience that is no URI", func(c *Client) { c.AccessTokenAudience = []string{"api"} }, "access_token_audience", "access_token_audience:"},
		{"an audience with a fragment", func(c *Client) { c.AccessTokenAudience = []string{"https://api.example/#a"} }, "access_token_audience", "access_token_audience:"},
		{"REQ-145 an audience that is another client", func(c *Client) { c.AccessTokenAudience = []string{oddID} }, "access_token_audience", "is a client_id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			clients := testClients(t)
			row.change(clients[0])
			_, err := NewClients(testIssuer, clients)
			if err == nil {
				t.Fatal("it is accepted")
			}
			if !strings.Contains(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "client ") {
				t.Errorf("%q does not say %q", err, row.want)
			}
			mistake, ok := errors.AsType[*ConfigError](err)
			if !ok || mistake.Client != clients[0].ID || mistake.Option != row.option {
				t.Errorf("%#v is not about %s of %q", err, row.option, clients[0].ID)
			}
		})
	}
	t.Run("two clients with one id", func(t *testing.T) {
		clients := testClients(t)
		clients[1].ID = "web"
		if _, err := NewClients(testIssuer, clients); err == nil || !strings.HasPrefix(err.Error(), "client web: two clients have this client_id") {
			t.Errorf("answered %v", err)
		}
	})
	t.Run("an issuer that is no URL", func(t *testing.T) {
		if _, err := NewClients("id.example", nil); err == nil || !strings.Contains(err.Error(), "issuer") {
			t.Errorf("answered %v", err)
		}
	})
}

func TestClientsThatAreAccepted(t *testing.T) {
	t.Run("redirect URIs of native apps and odd query strings", func(t *testing.T) {
		clients := testClients(t)
		clients[0].RedirectURIs = []string{"com.example.app:/cb", "http://[::1]:1/cb", "https://a.example/cb?a=b&c", "myapp://cb"}
		clients[0].IDTokenAlgorithm = token.RS256
		set, err := NewClients(testIssuer, clients)
		if err != nil || set.Get("web") != clients[0] || set.Get("nobody") != nil {
			t.Fatalf("refused: %v", err)
		}
		var ids []string
		for _, client := range set.All() {
			ids = append(ids, client.ID)
		}
		if len(ids) != len(clients) || !slices.IsSorted(ids) {
			t.Errorf("All returns %q", ids)
		}
	})
}

package oidctoken

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestDiscoveryOfIssuersWithPaths(t *testing.T) {
	for _, row := range []struct{ name, issuer, openID, oauth, endpoint string }{
		{"REQ-182 no path", "https://id.example", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "https://id.example/token"},
		{"REQ-182 REQ-183 a slash alone", "https://id.example/", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "https://id.example/token"},
		{"REQ-182 a path", "https://id.example:8443/t1", "/t1/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/t1", "https://id.example:8443/t1/token"},
		{"REQ-182 REQ-183 a path and a slash", "https://id.example/t1/", "/t1/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/t1", "https://id.example/t1/token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &Handler{Issuer: row.issuer, Clients: []*Client{{ClientID: "spa", TokenEndpointAuthMethod: "none", RedirectURIs: []string{"https://app.example/"}}}}
			s, err := h.settings(func(v string) (string, error) { return v, nil })
			if err != nil {
				t.Fatal(err)
			}
			d, err := newDocuments(s, []token.Algorithm{token.RS256})
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(d.metadata, &m); err != nil {
				t.Fatal(err)
			}
			if m["issuer"] != row.issuer || m["token_endpoint"] != row.endpoint || d.openIDPath != row.openID || d.oauthPath != row.oauth {
				t.Errorf("issuer %v, token_endpoint %v, at %s and %s", m["issuer"], m["token_endpoint"], d.openIDPath, d.oauthPath)
			}
		})
	}
}

// A client that is not told its method takes one of the list, and is refused
// with any but its own.
func TestAuthMethodsAreThoseOfTheClients(t *testing.T) {
	client := func(id, method string) *Client {
		c := &Client{ClientID: id, TokenEndpointAuthMethod: method, RedirectURIs: []string{"https://app.example/"}}
		if method != "none" {
			c.ClientSecret = []string{validHash}
		}
		return c
	}
	for _, row := range []struct {
		name    string
		clients []*Client
		want    []string
	}{
		{"REQ-185 of a client without a method", []*Client{client("a", "")}, []string{"client_secret_basic"}},
		{"REQ-185 of a public client alone", []*Client{client("a", "none")}, []string{"none"}},
		{"REQ-185 each once, in a fixed order", []*Client{client("a", "none"), client("b", "client_secret_post"), client("c", "none"), client("d", "client_secret_basic")},
			[]string{"client_secret_basic", "client_secret_post", "none"}},
		{"REQ-185 without the one that nobody has", []*Client{client("a", "none"), client("b", "client_secret_basic")}, []string{"client_secret_basic", "none"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &Handler{Issuer: "https://id.example", Clients: row.clients}
			s, err := h.settings(func(v string) (string, error) { return v, nil })
			if err != nil {
				t.Fatal(err)
			}
			d, err := newDocuments(s, []token.Algorithm{token.RS256})
			if err != nil {
				t.Fatal(err)
			}
			var m metadata
			if err := json.Unmarshal(d.metadata, &m); err != nil {
				t.Fatal(err)
			}
			if got := m.TokenEndpointAuthMethodsSupported; !slices.Equal(got, row.want) {
				t.Errorf("advertised are %v, want %v", got, row.want)
			}
		})
	}
}

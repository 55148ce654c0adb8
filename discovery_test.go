package oidctoken

import (
	"encoding/json"
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

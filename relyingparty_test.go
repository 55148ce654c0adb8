package oidctoken_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// Clients that nobody here wrote judge the answers: golang.org/x/oauth2 in all
// its auth styles exchanges the code, coreos/go-oidc discovers the issuer and
// verifies the ID token.
func TestRelyingParties(t *testing.T) {
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run("REQ-124 REQ-140 "+alg, func(t *testing.T) {
			s := newSite(t).start(strings.Replace(oneSite, "CLIENTS", "signing_alg "+alg+"\nCLIENTS", 1))
			ctx := oidc.ClientContext(t.Context(), s.client)
			provider, err := oidc.NewProvider(ctx, s.issuer)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range []struct {
				name, client, secret string
				style                oauth2.AuthStyle
			}{
				{"REQ-038 client_secret_basic", "web", webSecret, oauth2.AuthStyleInHeader},
				{"REQ-038 client_secret_post", "post", postSecret, oauth2.AuthStyleInParams},
				{"REQ-059 none with PKCE", "spa", "", oauth2.AuthStyleInParams},
			} {
				t.Run(row.name, func(t *testing.T) {
					config := oauth2.Config{ClientID: row.client, ClientSecret: row.secret, RedirectURL: redirect, Endpoint: provider.Endpoint()}
					config.Endpoint.AuthStyle = row.style
					s.exchange(t, ctx, provider, &config)
				})
			}
		})
	}
}

// exchange redeems a code by config and verifies everything that came back.
func (s *site) exchange(t *testing.T, ctx context.Context, provider *oidc.Provider, config *oauth2.Config) {
	verifier, challenge := pkce()
	code := s.mint(oidctoken.MintRequest{
		ClientID: config.ClientID, Scope: "openid email", Nonce: `a+b &<"é`, CodeChallenge: challenge, CodeChallengeMethod: "S256",
		AuthTime: 1700000000, ACR: "urn:example:gold", AMR: []string{"pwd", "otp"},
		Claims: map[string]json.RawMessage{"email": json.RawMessage(`"alice@example.com"`), "email_verified": json.RawMessage(`true`), "name": json.RawMessage(`"Alice"`)},
	})
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if tokens.TokenType != "Bearer" || tokens.ExpiresIn != 600 || tokens.Extra("scope") != "openid email" {
		t.Errorf("token_type %q, expires_in %d, scope %v", tokens.TokenType, tokens.ExpiresIn, tokens.Extra("scope"))
	}
	raw, _ := tokens.Extra("id_token").(string)
	secret("access_token", tokens.AccessToken)
	secret("id_token", raw)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: config.ClientID}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
		t.Error("REQ-134 at_hash: ", err)
	}
	var claims struct {
		Email    string   `json:"email"`
		Verified bool     `json:"email_verified"`
		Name     string   `json:"name"`
		AuthTime int64    `json:"auth_time"`
		ACR      string   `json:"acr"`
		AMR      []string `json:"amr"`
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if id.Subject != "alice" || id.Nonce != `a+b &<"é` || claims.Email != "alice@example.com" || !claims.Verified || claims.Name != "" ||
		claims.AuthTime != 1700000000 || claims.ACR != "urn:example:gold" || !slices.Equal(claims.AMR, []string{"pwd", "otp"}) {
		t.Errorf("sub %q, nonce %q, %+v", id.Subject, id.Nonce, claims)
	}
	// The access token is a JWT too (RFC 9068), for another audience.
	access, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: s.issuer}).Verify(ctx, tokens.AccessToken)
	if err != nil {
		t.Fatal("access token: ", err)
	}
	if access.Subject != "alice" {
		t.Errorf("access token: sub %q", access.Subject)
	}

	var refused *oauth2.RetrieveError
	if _, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier)); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("replayed: %v", err)
	}
	if config.ClientSecret != "" {
		wrong := *config
		wrong.ClientSecret += "x"
		if _, err := wrong.Exchange(ctx, code, oauth2.VerifierOption(verifier)); !errors.As(err, &refused) || refused.ErrorCode != "invalid_client" || refused.Response.StatusCode != http.StatusUnauthorized {
			t.Errorf("with a wrong secret: %v", err)
		}
	}
}

// header64 and payload decode a part of a compact JWS.
func header64(t testing.TB, token any) map[string]any { return part(t, token, 0) }
func payload(t testing.TB, token any) map[string]any  { return part(t, token, 1) }

func part(t testing.TB, token any, n int) map[string]any {
	t.Helper()
	s, _ := token.(string)
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		t.Fatalf("not a compact JWS: %d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

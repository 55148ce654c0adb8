package oidctoken

import (
	"errors"
	"fmt"
	"strings"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// checkClients turns the clients into registered ones with every default
// applied. What the protocol says about a client is checked where the protocol
// is: oauth.NewClients.
func (s *settings) checkClients(h *Handler) error {
	if len(h.Clients) == 0 {
		return mistake("", "no client is registered, so nobody can ask for a token: "+
			"add a client block with a client_secret and redirect_uris")
	}
	var clients []*oauth.Client
	for _, c := range h.Clients {
		client, err := s.client(c)
		if err != nil {
			return err
		}
		clients = append(clients, client)
	}
	var err error
	s.clients, err = oauth.NewClients(s.issuer, clients)
	if err != nil {
		return &configError{Err: err}
	}
	for _, client := range clients {
		for _, warning := range client.Warnings() {
			s.warn("client %s: %s", client.ID, warning)
		}
	}
	return nil
}

// client applies the defaults to one client. They are applied here only: what
// runs has clients that are complete.
func (s *settings) client(c *Client) (*oauth.Client, error) {
	client := &oauth.Client{
		ID:           c.ClientID,
		Name:         c.ClientName,
		RedirectURIs: c.RedirectURIs,
		GrantTypes:   c.GrantTypes,
		Scope:        strings.Fields(withDefault(c.Scope, defaultScope)),
		RequirePKCE:  c.RequirePKCE,
		// REQ-037: no method means client_secret_basic.
		AuthMethod:          oauth.AuthMethod(withDefault(c.TokenEndpointAuthMethod, string(oauth.ClientSecretBasic))),
		AccessTokenAudience: c.AccessTokenAudience,
		IDTokenClaims:       c.IDTokenClaims,
		AllowedOrigins:      c.AllowedOrigins,
	}
	// REQ-100: nothing else ties a code to a public client.
	client.RequirePKCE = client.RequirePKCE || client.AuthMethod == oauth.None
	// A list that is there and empty means none: the client stays known, and
	// is refused as RFC 6749 §5.2 says.
	if client.GrantTypes == nil {
		client.GrantTypes = []string{oauth.GrantAuthorizationCode}
	}
	if len(client.AccessTokenAudience) == 0 {
		client.AccessTokenAudience = []string{s.issuer}
	}
	var err error
	if client.Secrets, err = parseSecrets(c.ClientSecret); err != nil {
		return nil, clientMistake(c.ClientID, "client_secret", err)
	}
	client.IDTokenAlgorithm, err = parseAlgorithm(withDefault(c.IDTokenSignedResponseAlg, string(s.signingAlg)))
	if err != nil {
		return nil, clientMistake(c.ClientID, "id_token_signed_response_alg", err)
	}
	return client, nil
}

// parseSecrets parses a client's secrets. Errors count them and show none.
func parseSecrets(values []string) ([]oauth.Secret, error) {
	if _, twice := firstDuplicate(values); twice {
		return nil, errors.New("a secret is there twice: leave one out")
	}
	var secrets []oauth.Secret
	for i, value := range values {
		secret, err := oauth.ParseSecret(value)
		if err != nil {
			return nil, fmt.Errorf("secret %d %w", i+1, err)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

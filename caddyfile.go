package oidctoken

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// The directive comes before what rewrites paths (a single-page application's
// try_files) and before a site's own authentication (client_secret_basic uses
// the same header).
func init() {
	httpcaddyfile.RegisterHandlerDirective("oidc_token", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("oidc_token", httpcaddyfile.Before, "method")
}

func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.unmarshal(h.Dispenser, &h)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens:
//
//	oidc_token [<matcher>] {
//		issuer                 <url>
//		storage                <module> ...
//		encryption_key         <key> [<older key>...]
//		signing_alg            RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|EdDSA
//		signing_key            <file>...
//		key_rotation           <duration>|off
//		code_lifetime          <duration>
//		access_token_lifetime  <duration>
//		id_token_lifetime      <duration>
//		token_endpoint         <path>
//		authorization_endpoint <path>|<url>
//		userinfo_endpoint      <path>
//		jwks_endpoint          <path>
//		client <client_id> {
//			client_name                  <text>
//			client_secret                <secret>...
//			token_endpoint_auth_method   client_secret_basic|client_secret_post|none
//			redirect_uris                <uri>...
//			grant_types                  <type>...
//			scope                        <scope>...
//			require_pkce
//			id_token_signed_response_alg <alg>
//			access_token_audience        <uri>...
//			id_token_claims              <name>...|none
//			allowed_origins              <origin>...
//		}
//		authorize {
//			<directive> ...
//		}
//		identity {
//			subject   <value>
//			claim     <name> <value> [string|list|boolean|number|json]
//			auth_time <value>
//			acr       <value>
//			amr       <value>...
//		}
//	}
//
// Only issuer and one client are required. Each option stands at most once;
// client and claim may be repeated. Every mistake that does not hang on a placeholder is
// reported here, with its line.
//
// Whoever calls it outside a site block cannot have authorize: its directives
// are read by the site's.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return h.unmarshal(d, nil)
}

func (h *Handler) unmarshal(d *caddyfile.Dispenser, site *httpcaddyfile.Helper) error {
	d.Next() // the directive's name
	p := &parser{d: d, site: site, at: make(map[place]caddyfile.Dispenser)}
	p.mark(place{})
	if args := d.RemainingArgs(); len(args) > 0 {
		return d.Errf("oidc_token takes a matcher at most, not %q: write its options in a block, as in oidc_token { issuer https://id.example.com ... }", args[0])
	}
	if err := parseBlock(p, h, handlerOptions()); err != nil {
		return err
	}
	s, err := h.check(standIns(h))
	if err != nil {
		return p.locate(err)
	}
	for _, warning := range secretWarnings(s.clients) {
		caddy.Log().Named("oidc_token").Warn(warning, zap.String("issuer", h.Issuer))
	}
	h.hashSecrets()
	return nil
}

// secretWarnings returns what can only be said of a secret while it is written
// out: at load there is its hash. Where secrets are placeholders it is said at
// load.
func secretWarnings(clients *oauth.Clients) []string {
	var warnings []string
	for _, client := range clients.All() {
		for _, warning := range client.SecretWarnings() {
			warnings = append(warnings, fmt.Sprintf("client %s: %s", client.ID, warning))
		}
	}
	return warnings
}

// hashSecrets puts a hash in the place of each secret that is written out. The
// config is shown by GET /config/ and `caddy adapt`, kept in autosave.json and
// logged by Caddy at DEBUG (REQ-210, REQ-239).
func (h *Handler) hashSecrets() {
	for _, c := range h.Clients {
		for i, value := range c.ClientSecret {
			secret, plain := plainSecret(value)
			if !plain {
				continue
			}
			// One that is refused must not pass as a hash.
			if _, err := oauth.ParseSecret(secret); err == nil {
				c.ClientSecret[i] = hashSecret(secret)
			}
		}
	}
}

// handlerOptions is the grammar of the outer block.
func handlerOptions() []option[Handler] {
	return []option[Handler]{
		{"issuer", "<url>", text(func(h *Handler) *string { return &h.Issuer })},
		{"storage", "<module> ...", parseStorage},
		{"encryption_key", "<key> [<older key>...]", list(func(h *Handler) *[]string { return &h.EncryptionKey })},
		{"signing_alg", "<alg>", text(func(h *Handler) *string { return &h.SigningAlg })},
		{"signing_key", "<file>...", list(func(h *Handler) *[]string { return &h.SigningKey })},
		{"key_rotation", "<duration>|off", parseKeyRotation},
		{"code_lifetime", "<duration>", duration(func(h *Handler) *caddy.Duration { return &h.CodeLifetime })},
		{"access_token_lifetime", "<duration>", duration(func(h *Handler) *caddy.Duration { return &h.AccessTokenLifetime })},
		{"id_token_lifetime", "<duration>", duration(func(h *Handler) *caddy.Duration { return &h.IDTokenLifetime })},
		{"token_endpoint", "<path>", text(func(h *Handler) *string { return &h.TokenEndpoint })},
		{"authorization_endpoint", "<path>|<url>", text(func(h *Handler) *string { return &h.AuthorizationEndpoint })},
		{"userinfo_endpoint", "<path>", text(func(h *Handler) *string { return &h.UserInfoEndpoint })},
		{"jwks_endpoint", "<path>", text(func(h *Handler) *string { return &h.JWKSEndpoint })},
		{"client", "<client_id> { ... }", parseClient},
		{"authorize", "{ <directive> ... }", parseAuthorize},
		{"identity", "{ ... }", parseIdentity},
	}
}

// clientOptions is the grammar of a client block.
func clientOptions() []option[Client] {
	return []option[Client]{
		{"client_name", "<text>", text(func(c *Client) *string { return &c.ClientName })},
		{"client_secret", "<secret>...", list(func(c *Client) *[]string { return &c.ClientSecret })},
		{"token_endpoint_auth_method", "client_secret_basic|client_secret_post|none",
			text(func(c *Client) *string { return &c.TokenEndpointAuthMethod })},
		{"redirect_uris", "<uri>...", list(func(c *Client) *[]string { return &c.RedirectURIs })},
		{"grant_types", "<type>...", list(func(c *Client) *[]string { return &c.GrantTypes })},
		{"scope", "<scope>...", parseScope},
		{"require_pkce", "", flag(func(c *Client) *bool { return &c.RequirePKCE })},
		{"id_token_signed_response_alg", "<alg>", text(func(c *Client) *string { return &c.IDTokenSignedResponseAlg })},
		{"access_token_audience", "<uri>...", list(func(c *Client) *[]string { return &c.AccessTokenAudience })},
		{"id_token_claims", "<name>...|none", parseIDTokenClaims},
		{"allowed_origins", "<origin>...", list(func(c *Client) *[]string { return &c.AllowedOrigins })},
	}
}

// parseClient reads one client block.
func parseClient(p *parser, h *Handler) error {
	id, err := p.one()
	if err != nil {
		return err
	}
	for _, other := range h.Clients {
		if other.ClientID == id {
			return p.d.Errf("client %s is there twice: put its options into one block", id)
		}
	}
	c := &Client{ClientID: id}
	h.Clients = append(h.Clients, c)
	p.client = id
	p.mark(place{client: id})
	err = parseBlock(p, c, clientOptions())
	p.client = ""
	return err
}

// parseStorage reads a storage module the way Caddy's global option does.
func parseStorage(p *parser, h *Handler) error {
	if !p.d.NextArg() {
		return p.usage()
	}
	name := p.d.Val()
	module, err := caddyfile.UnmarshalModule(p.d, "caddy.storage."+name)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if _, ok := module.(caddy.StorageConverter); !ok {
		return p.d.Errf("storage: %s is not a storage module", name)
	}
	h.StorageRaw = caddyconfig.JSONModuleObject(module, "module", name, nil)
	return nil
}

// parseKeyRotation reads a duration, or off.
func parseKeyRotation(p *parser, h *Handler) error {
	value, err := p.one()
	if err != nil {
		return err
	}
	if value == "off" {
		h.KeyRotation = keyRotationOff
		return nil
	}
	h.KeyRotation, err = p.duration(value)
	if h.KeyRotation < 0 { // -1ns is keyRotationOff
		return p.d.Errf("key_rotation %s is negative: write off for keys that sign forever, or a duration such as 90d", value)
	}
	return err
}

// parseScope joins scopes as RFC 7591 §2 writes them.
func parseScope(p *parser, c *Client) error {
	scopes, err := p.some()
	c.Scope = strings.Join(scopes, " ")
	return err
}

// parseIDTokenClaims reads names of claims, or none.
func parseIDTokenClaims(p *parser, c *Client) (err error) {
	c.IDTokenClaims, err = p.some()
	switch {
	case err != nil || !slices.Contains(c.IDTokenClaims, "none"):
		return err
	case len(c.IDTokenClaims) > 1:
		return p.d.Errf("id_token_claims none stands alone: leave it out, or the others")
	}
	c.IDTokenClaims = []string{}
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)

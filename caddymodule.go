// Package oidctoken makes Caddy an OpenID Connect provider.
//
// One oidc_token block in a Caddyfile signs people in by Caddy's own
// authentication at /authorize, authenticates OAuth clients at /token, redeems
// authorization codes from Caddy's storage at most once, and answers with
// signed ID and access tokens.
package oidctoken

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(adminAPI))
}

// Handler is an OpenID Connect provider: a token endpoint (RFC 6749 §3.2,
// OpenID Connect Core §3.1.3), UserInfo (Core §5.3), an authorization endpoint
// where `authorize` is there (RFC 6749 §3.1, Core §3.1.2), and its JWKS and
// discovery documents. It answers on the paths of its issuer and passes every
// other request to the next handler.
//
// Values may hold global placeholders such as `{env.NAME}` and
// `{file./path}`; they are resolved once, when the config is loaded.
type Handler struct {
	// The issuer identifier: the URL clients know this provider by, verbatim
	// in every `iss`. Required. `https`, or `http` on a loopback host for
	// development.
	Issuer string `json:"issuer,omitempty"`

	// The storage module to keep codes and keys in. Default: Caddy's storage.
	// Instances that share it are one provider.
	StorageRaw json.RawMessage `json:"storage,omitempty" caddy:"namespace=caddy.storage inline_key=module"`

	// Keys that seal codes and private keys at rest, each 32 bytes in base64.
	// The first seals; older ones after it still open. Default: none; then
	// whoever reads the storage reads the signing keys, as with Caddy's TLS
	// keys.
	EncryptionKey []string `json:"encryption_key,omitempty"`

	// The JWS algorithm of access tokens, and of ID tokens unless the client
	// says otherwise: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384,
	// ES512 or EdDSA. Default: RS256.
	SigningAlg string `json:"signing_alg,omitempty"`

	// PEM files of private keys (PKCS#8, PKCS#1 or SEC1; RSA of at least 2048
	// bits) to sign with instead of automatic keys. The first signs, all are
	// published.
	SigningKey []string `json:"signing_key,omitempty"`

	// How long an automatic key signs before its successor takes over, or -1
	// for never (`off` in a Caddyfile). Default: 90d. At least 48h.
	KeyRotation caddy.Duration `json:"key_rotation,omitempty"`

	// How long an authorization code may be redeemed. Default: 60s. At most
	// 10m.
	CodeLifetime caddy.Duration `json:"code_lifetime,omitempty"`

	// How long an access token is valid. Default: 10m. At most 24h.
	AccessTokenLifetime caddy.Duration `json:"access_token_lifetime,omitempty"`

	// How long an ID token is valid. Default: 1h.
	IDTokenLifetime caddy.Duration `json:"id_token_lifetime,omitempty"`

	// The path of the token endpoint. Default: the issuer's path and `/token`.
	TokenEndpoint string `json:"token_endpoint,omitempty"`

	// With `authorize` the path of the authorization endpoint. Default: the
	// issuer's path and `/authorize`. Without it the URL of an application of
	// yours that authenticates people and mints codes, which is only advertised
	// in the discovery documents. Default: none.
	AuthorizationEndpoint string `json:"authorization_endpoint,omitempty"`

	// The path of the UserInfo endpoint. Default: the issuer's path and
	// `/userinfo`.
	UserInfoEndpoint string `json:"userinfo_endpoint,omitempty"`

	// The path of the JWKS. Default: the issuer's path and
	// `/.well-known/jwks.json`.
	JWKSEndpoint string `json:"jwks_endpoint,omitempty"`

	// The registered clients. Required: at least one.
	Clients []*Client `json:"clients,omitempty"`

	// The routes that authenticate people at the authorization endpoint, where
	// they run before it and nowhere else. A request that they do not answer
	// themselves is let through. Default: none, and no authorization endpoint
	// is served.
	Authorize caddyhttp.RouteList `json:"authorize,omitzero"`

	// Who a person is that `authorize` let through.
	Identity *Identity `json:"identity,omitempty"`

	issuer *issuer // set by Provision
}

// Client is a registered client. Its properties carry the names of RFC 7591 §2
// and OpenID Connect Registration §2.
type Client struct {
	// The client identifier. Required. Printable ASCII.
	ClientID string `json:"client_id,omitempty"`

	// A name for people. Default: none.
	ClientName string `json:"client_name,omitempty"`

	// Client secrets, several of which may be valid at once. Each is plain (at
	// least 22 characters; better a placeholder than the secret itself) or a
	// hash: `sha256:<hex>`, bcrypt (`$2a$…`, `$2b$…`, `$2y$…`) or `$argon2id$…`.
	// Required but for `none`.
	ClientSecret []string `json:"client_secret,omitempty"`

	// `client_secret_basic` (default), `client_secret_post`, or `none` for a
	// public client, which then needs PKCE and has no secret.
	TokenEndpointAuthMethod string `json:"token_endpoint_auth_method,omitempty"`

	// The redirect URIs codes may be issued for, compared character by
	// character. Required.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// The grant types the client may use. Default: `authorization_code`, the
	// only one there is. A list that is there and empty means none.
	GrantTypes []string `json:"grant_types,omitempty"`

	// The scopes the client may be granted, separated by spaces. Default:
	// `openid profile email address phone`.
	Scope string `json:"scope,omitempty"`

	// Refuse codes issued without PKCE (RFC 7636). Always on for `none`.
	RequirePKCE bool `json:"require_pkce,omitempty"`

	// The JWS algorithm of this client's ID tokens. Default: `signing_alg`.
	IDTokenSignedResponseAlg string `json:"id_token_signed_response_alg,omitempty"`

	// The audience of access tokens (RFC 9068 §2.2). Default: the issuer.
	AccessTokenAudience []string `json:"access_token_audience,omitempty"`

	// The claims about the person that go into ID tokens, of those the scope
	// releases; UserInfo has them all. Default: all. An empty list (`none` in a
	// Caddyfile) means none.
	IDTokenClaims []string `json:"id_token_claims,omitzero"`

	// Browser origins that may call the token endpoint for this client beside
	// the issuer's own and, for a public client, those of its redirect URIs.
	AllowedOrigins []string `json:"allowed_origins,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.oidc_token",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision resolves and checks the config and builds the issuer. It does no
// storage I/O and creates nothing: it also runs under `caddy validate`.
func (h *Handler) Provision(ctx caddy.Context) error {
	repl := caddy.NewReplacer()
	s, err := h.settings(func(value string) (string, error) { return repl.ReplaceOrErr(value, true, true) })
	if err != nil {
		return err
	}
	shared, err := ctx.App("oidc_token")
	if err != nil {
		return err
	}
	app := shared.(*App)
	h.issuer, err = app.issuerFor(h, s, func() (*issuer, error) {
		store, err := h.openStorage(ctx)
		if err != nil {
			return nil, err
		}
		i, err := newIssuer(s, store, app.logger, app.slog)
		for _, warning := range s.warnings {
			app.logger.Warn(warning, zap.String("issuer", s.issuer))
		}
		return i, err
	})
	if err != nil {
		return fmt.Errorf("issuer %s: %w", s.issuer, err)
	}
	// Last: it empties the routes' JSON, by which issuerFor compares.
	if err := h.Authorize.Provision(ctx); err != nil {
		return fmt.Errorf("issuer %s: authorize: %w", s.issuer, err)
	}
	return nil
}

// openStorage loads the block's own storage module, or takes Caddy's.
func (h *Handler) openStorage(ctx caddy.Context) (certmagic.Storage, error) {
	if h.StorageRaw == nil {
		return ctx.Storage(), nil
	}
	module, err := ctx.LoadModule(h, "StorageRaw")
	if err != nil {
		return nil, fmt.Errorf("loading storage module: %w", err)
	}
	store, err := module.(caddy.StorageConverter).CertMagicStorage()
	if err != nil {
		return nil, fmt.Errorf("creating storage: %w", err)
	}
	return store, nil
}

// Interface guards
var (
	_ caddy.Module                = (*Handler)(nil)
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)

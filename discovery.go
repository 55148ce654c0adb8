package oidctoken

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// The well-known paths: Discovery §4 appends its to the issuer's path, RFC
// 8414 §3 puts its before.
const (
	wellKnownOpenID = "/.well-known/openid-configuration"
	wellKnownOAuth  = "/.well-known/oauth-authorization-server"
)

// documents are the paths an issuer answers on and the metadata it publishes.
type documents struct {
	tokenEndpoint string // URL
	openIDPath    string
	oauthPath     string
	metadata      []byte
}

// metadata is OpenID Provider metadata (Discovery §3) and authorization server
// metadata (RFC 8414 §2). Only what is built is in it; what would default to
// something we do not do is stated.
type metadata struct {
	Issuer                            string            `json:"issuer"`
	AuthorizationEndpoint             string            `json:"authorization_endpoint,omitempty"`
	TokenEndpoint                     string            `json:"token_endpoint"`
	UserInfoEndpoint                  string            `json:"userinfo_endpoint"`
	JWKSURI                           string            `json:"jwks_uri"`
	ScopesSupported                   []string          `json:"scopes_supported,omitempty"`
	ResponseTypesSupported            []string          `json:"response_types_supported"`
	ResponseModesSupported            []string          `json:"response_modes_supported,omitempty"`
	GrantTypesSupported               []string          `json:"grant_types_supported"`
	SubjectTypesSupported             []string          `json:"subject_types_supported"`
	IDTokenSigningAlgValuesSupported  []token.Algorithm `json:"id_token_signing_alg_values_supported"`
	TokenEndpointAuthMethodsSupported []string          `json:"token_endpoint_auth_methods_supported"`
	CodeChallengeMethodsSupported     []string          `json:"code_challenge_methods_supported"`
	PromptValuesSupported             []string          `json:"prompt_values_supported,omitempty"`
	ClaimsSupported                   []string          `json:"claims_supported,omitempty"`
	ClaimsParameterSupported          bool              `json:"claims_parameter_supported"`
	RequestParameterSupported         bool              `json:"request_parameter_supported"`
	RequestURIParameterSupported      bool              `json:"request_uri_parameter_supported"` // defaults to true when absent
	ResponseISSParameterSupported     bool              `json:"authorization_response_iss_parameter_supported,omitempty"`
}

func newDocuments(s *settings, algs []token.Algorithm) (documents, error) {
	path := s.path()
	m := metadata{
		Issuer:                            s.issuer,
		AuthorizationEndpoint:             s.authorizationEndpoint,
		TokenEndpoint:                     s.url(s.tokenPath),
		UserInfoEndpoint:                  s.url(s.userinfoPath),
		JWKSURI:                           s.url(s.jwksPath),
		ScopesSupported:                   s.scopes(),
		ResponseTypesSupported:            []string{"code"},
		GrantTypesSupported:               []string{oauth.GrantAuthorizationCode},
		SubjectTypesSupported:             []string{"public"},
		IDTokenSigningAlgValuesSupported:  algs,
		TokenEndpointAuthMethodsSupported: s.authMethods(),
		CodeChallengeMethodsSupported:     []string{"S256"},
	}
	if s.authorizationPath != "" {
		m.describeAuthorization(s)
	}
	body, err := json.Marshal(m)
	return documents{
		tokenEndpoint: m.TokenEndpoint,
		openIDPath:    path + wellKnownOpenID,
		oauthPath:     wellKnownOAuth + path,
		metadata:      body,
	}, err
}

// describeAuthorization says what is true of our authorization endpoint, and of
// no other that is advertised.
func (m *metadata) describeAuthorization(s *settings) {
	m.ResponseModesSupported = oauth.ResponseModes()
	m.ResponseISSParameterSupported = true // RFC 9207 §3
	// Initiating User Registration 1.0 §4. The others are refused.
	m.PromptValuesSupported = []string{"none", "login"}
	m.ClaimsSupported = []string{"iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "at_hash"}
	released := token.ReleasedBy(s.scopes())
	for _, claim := range s.identity.claimNames() {
		if released(claim) {
			m.ClaimsSupported = append(m.ClaimsSupported, claim)
		}
	}
}

// path is the issuer's path without a terminating slash (Discovery §4.1).
func (s *settings) path() string { return strings.TrimSuffix(s.issuerURL.Path, "/") }

// url is the URL of a path on the issuer's host: from the config, never from
// a request.
func (s *settings) url(path string) string {
	return (&url.URL{Scheme: s.issuerURL.Scheme, Host: s.issuerURL.Host, Path: path}).String()
}

// scopes is every scope some client may be granted.
func (s *settings) scopes() []string {
	var scopes []string
	for _, c := range s.clients.All() {
		scopes = append(scopes, c.Scope...)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// authMethods is every method some client is registered for, in a fixed order.
// What no client may use is not advertised: a client that is not told its
// method takes one from the list, and would be refused.
func (s *settings) authMethods() []string {
	var methods []string
	for _, method := range []oauth.AuthMethod{oauth.ClientSecretBasic, oauth.ClientSecretPost, oauth.None} {
		if slices.ContainsFunc(s.clients.All(), func(c *oauth.Client) bool { return c.AuthMethod == method }) {
			methods = append(methods, string(method))
		}
	}
	return methods
}

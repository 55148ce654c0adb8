package token

import (
	"encoding/json"
	"fmt"
)

// accessTokenClaims are the protocol claims of an access token (RFC 9068
// §2.2).
type accessTokenClaims struct {
	Issuer    string   `json:"iss"`
	ExpiresAt int64    `json:"exp"`
	Audience  audience `json:"aud"`
	Subject   string   `json:"sub"`
	ClientID  string   `json:"client_id"`
	IssuedAt  int64    `json:"iat"`
	TokenID   string   `json:"jti"`
	Scope     string   `json:"scope,omitempty"`
	AuthTime  *int64   `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
}

// audience is a string where there is one (RFC 7519 §4.1.3).
type audience []string

// MarshalJSON writes one audience as a string, several as an array.
func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return encodeJSON(a[0])
	}
	return encodeJSON([]string(a))
}

// accessToken makes the JWT access token. Its typ and its audience tell it from
// an ID token, so that neither passes for the other (RFC 9068 §5).
func (i *Issuer) accessToken(a *Authorization, key *Key, now int64) (string, error) {
	claims, err := encodeClaims(accessTokenClaims{
		Issuer:    i.Issuer,
		ExpiresAt: now + seconds(i.AccessTokenLifetime),
		Audience:  audience(a.Audience),
		Subject:   a.Subject,
		ClientID:  a.ClientID,
		IssuedAt:  now,
		TokenID:   a.TokenID,
		Scope:     scopeValue(a.Scope),
		AuthTime:  a.authTime(),
		ACR:       a.ACR,
		AMR:       a.AMR,
	}, a.AccessTokenClaims, func(string) bool { return true })
	if err != nil {
		return "", fmt.Errorf("making the access token: %w", err)
	}
	return key.sign("at+jwt", claims)
}

// Interface guard.
var _ json.Marshaler = audience(nil)

package token

import "fmt"

// idTokenClaims are the protocol claims of an ID token (Core §2). aud is the
// client alone and so a plain string; azp is absent, since errata set 2 keeps
// it for extensions.
type idTokenClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	ExpiresAt int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	AuthTime  *int64   `json:"auth_time,omitempty"`
	Nonce     string   `json:"nonce,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	AtHash    string   `json:"at_hash"`
}

// idToken makes the ID token that goes with accessToken. User claims come in by
// the scope that covers them: nothing here serves a UserInfo endpoint, where
// Core §5.4 would put them.
func (i *Issuer) idToken(a *Authorization, key *Key, now int64, accessToken string) (string, error) {
	claims, err := encodeClaims(idTokenClaims{
		Issuer:    i.Issuer,
		Subject:   a.Subject,
		Audience:  a.ClientID,
		ExpiresAt: now + seconds(i.IDTokenLifetime),
		IssuedAt:  now,
		AuthTime:  a.authTime(),
		Nonce:     a.Nonce,
		ACR:       a.ACR,
		AMR:       a.AMR,
		AtHash:    atHash(key.Algorithm, accessToken),
	}, a.Claims, releasedBy(a.Scope))
	if err != nil {
		return "", fmt.Errorf("making the ID token: %w", err)
	}
	return key.sign("JWT", claims)
}

package token

import (
	"fmt"
	"slices"
)

// accessToken makes the JWT access token (RFC 9068 §2.2). Its typ and its
// audience tell it from an ID token, so that neither passes for the other (§5).
func (i *Issuer) accessToken(a *Authorization, key *Key, now int64) (string, error) {
	claims := newObject(claimsSize)
	claims.string("iss", i.Issuer)
	claims.number("exp", now+seconds(i.AccessTokenLifetime))
	if len(a.Audience) == 1 { // RFC 7519 §4.1.3
		claims.string("aud", a.Audience[0])
	} else {
		claims.strings("aud", a.Audience)
	}
	claims.string("sub", a.Subject)
	claims.string("client_id", a.ClientID)
	claims.number("iat", now)
	claims.string("jti", a.TokenID)
	claims.optional("scope", scopeValue(a.Scope))
	claims.authTime(a)
	claims.optional("acr", a.ACR)
	claims.optionalStrings("amr", a.AMR)
	// It opens the grant with a copy of the storage, so an API that is not our
	// UserInfo endpoint, or one that gets no answer there, is not told.
	if a.openID() && slices.Contains(a.Audience, i.Issuer) {
		claims.optional("grant_ref", a.GrantRef)
	}
	if err := claims.extra(a.AccessTokenClaims, func(string) bool { return true }); err != nil {
		return "", fmt.Errorf("making the access token: %w", err)
	}
	return key.sign("at+jwt", claims.end())
}

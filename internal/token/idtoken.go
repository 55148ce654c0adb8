package token

import "fmt"

// idToken makes the ID token that goes with accessToken (Core §2). aud is the
// client alone and so a plain string; azp is absent, since errata set 2 keeps
// it for extensions. User claims come in by the scope that covers them, beside
// the UserInfo endpoint, where Core §5.4 puts them: a static site needs them here.
func (i *Issuer) idToken(a *Authorization, key *Key, now int64, accessToken string) (string, error) {
	claims := newObject(claimsSize)
	claims.string("iss", i.Issuer)
	claims.string("sub", a.Subject)
	claims.string("aud", a.ClientID)
	claims.number("exp", now+seconds(i.IDTokenLifetime))
	claims.number("iat", now)
	claims.authTime(a)
	claims.optional("nonce", a.Nonce)
	claims.optional("acr", a.ACR)
	claims.optionalStrings("amr", a.AMR)
	claims.string("at_hash", atHash(key.Algorithm, accessToken))
	released, wanted := ReleasedBy(a.Scope), named(a.IDTokenClaims)
	err := claims.extra(a.Claims, func(claim string) bool { return released(claim) && wanted(claim) })
	if err != nil {
		return "", fmt.Errorf("making the ID token: %w", err)
	}
	return key.sign("JWT", claims.end())
}

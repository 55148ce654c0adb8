// Package token makes ID tokens (OpenID Connect Core §2) and JWT access tokens
// (RFC 9068). It knows no HTTP and no client secrets.
package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Issuer makes tokens. Immutable, safe for concurrent use.
type Issuer struct {
	Issuer              string        // issuer identifier, as configured, to the character
	Algorithm           Algorithm     // of access tokens
	AccessTokenLifetime time.Duration // whole seconds count
	IDTokenLifetime     time.Duration // whole seconds count
	Keys                Keys
	Now                 func() time.Time
}

// SigningKeys holds the keys one Issue will sign with, so that a key that is
// not at hand is known before a code is claimed.
type SigningKeys struct {
	AccessToken *Key
	IDToken     *Key // nil without openid
}

// SigningKeys gets the keys for a.
func (i *Issuer) SigningKeys(ctx context.Context, a *Authorization) (SigningKeys, error) {
	var keys SigningKeys
	var err error
	if keys.AccessToken, err = i.signingKey(ctx, i.Algorithm); err != nil {
		return SigningKeys{}, err
	}
	if !a.openID() {
		return keys, nil
	}
	if a.IDTokenAlgorithm == i.Algorithm {
		keys.IDToken = keys.AccessToken
		return keys, nil
	}
	if keys.IDToken, err = i.signingKey(ctx, a.IDTokenAlgorithm); err != nil {
		return SigningKeys{}, err
	}
	return keys, nil
}

func (i *Issuer) signingKey(ctx context.Context, alg Algorithm) (*Key, error) {
	key, err := i.Keys.SigningKey(ctx, alg)
	if err != nil {
		return nil, fmt.Errorf("getting the %s signing key: %w", string(alg), err)
	}
	return key, nil
}

// Issue signs the tokens (RFC 6749 §5.1, Core §3.1.3.3). Both carry the same
// iat: now, rounded down, so that no verifier's clock sees it in the future.
func (i *Issuer) Issue(a *Authorization, keys SigningKeys) (*Response, error) {
	if err := i.check(a, keys); err != nil {
		return nil, err
	}
	now := i.Now().Unix()
	accessToken, err := i.accessToken(a, keys.AccessToken, now)
	if err != nil {
		return nil, err
	}
	response := &Response{
		AccessToken: accessToken,
		TokenType:   "Bearer",
		ExpiresIn:   seconds(i.AccessTokenLifetime),
		Scope:       scopeValue(a.Scope),
	}
	if a.openID() {
		response.IDToken, err = i.idToken(a, keys.IDToken, now, accessToken)
		if err != nil {
			return nil, err
		}
	}
	return response, nil
}

// check refuses what would end in a token that lacks a required claim (Core
// §2, RFC 9068 §2.2) or that is dead when it is issued.
func (i *Issuer) check(a *Authorization, keys SigningKeys) error {
	switch {
	case i.Issuer == "":
		return errors.New("issuing tokens: no issuer")
	case a.ClientID == "":
		return errors.New("issuing tokens: no client id")
	case a.Subject == "":
		return errors.New("issuing tokens: no subject")
	case a.TokenID == "":
		return errors.New("issuing tokens: no token id")
	case len(a.Audience) == 0:
		return errors.New("issuing tokens: no audience")
	case seconds(i.AccessTokenLifetime) < 1:
		return errors.New("issuing tokens: the access token lifetime is below a second")
	case keys.AccessToken == nil:
		return errors.New("issuing tokens: no key for the access token")
	case a.openID() && keys.IDToken == nil:
		return errors.New("issuing tokens: no key for the ID token")
	case a.openID() && seconds(i.IDTokenLifetime) < 1:
		return errors.New("issuing tokens: the ID token lifetime is below a second")
	}
	return nil
}

func (a *Authorization) openID() bool { return slices.Contains(a.Scope, "openid") }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// scopeValue writes a scope as RFC 6749 §3.3 does, each value once.
func scopeValue(scope []string) string {
	var once []string
	for _, s := range scope {
		if s != "" && !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return strings.Join(once, " ")
}

package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Errors of a Verifier. Compare with errors.Is. Neither's text holds anything
// of the token.
var (
	// ErrInvalid: the token is not one of this issuer's, or not good any more.
	ErrInvalid = errors.New("token is not valid")
	// ErrAudience is an ErrInvalid: the access token is for other resource
	// servers only.
	ErrAudience = fmt.Errorf("%w: this issuer is not among its audience", ErrInvalid)
)

const (
	// maxTokenSize is more than any token of ours has: claims are at most 32 KiB.
	maxTokenSize = 64 << 10
	// maxAhead is how far the clocks of the nodes of one issuer may differ.
	maxAhead = time.Minute
)

// Verifier verifies what this issuer signed, with its published keys and
// nothing else: what a token's header says of keys is not looked at (RFC 8725
// §3.10). Immutable, safe for concurrent use.
type Verifier struct {
	Issuer string // issuer identifier
	Keys   VerificationKeys
	Now    func() time.Time
}

// AccessToken is what a verified access token says.
type AccessToken struct {
	ClientID string
	Subject  string
	Scope    []string
	TokenID  string // jti
	GrantRef string // a secret; empty: it has none
}

type accessClaims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	GrantRef string `json:"grant_ref"`
}

// AccessToken verifies an access token as a resource server does: RFC 9068 §4.
// Errors: ErrInvalid, ErrAudience; any other says that the keys are not at hand.
func (v *Verifier) AccessToken(ctx context.Context, jws string) (*AccessToken, error) {
	var claims accessClaims
	err := v.verify(ctx, jws, &claims, &expectation{types: []string{"at+jwt"}, options: []jwt.ParserOption{
		jwt.WithIssuer(v.Issuer), jwt.WithAudience(v.Issuer), jwt.WithExpirationRequired(), jwt.WithTimeFunc(v.Now),
	}})
	if err != nil {
		return nil, err
	}
	if err := v.plausible(&claims.RegisteredClaims); err != nil {
		return nil, err
	}
	return &AccessToken{
		ClientID: claims.ClientID,
		Subject:  claims.Subject,
		Scope:    strings.Fields(claims.Scope),
		TokenID:  claims.ID,
		GrantRef: claims.GrantRef,
	}, nil
}

// IDTokenHint returns whom an ID token of this issuer is about: Core §3.1.2.1
// id_token_hint. One that has expired will do, and so will one for another
// client. Errors: ErrInvalid; any other says that the keys are not at hand.
func (v *Verifier) IDTokenHint(ctx context.Context, jws string) (subject string, err error) {
	var claims jwt.RegisteredClaims
	err = v.verify(ctx, jws, &claims, &expectation{types: []string{"JWT", ""}, options: []jwt.ParserOption{
		jwt.WithoutClaimsValidation(),
	}})
	if err != nil {
		return "", err
	}
	if claims.Issuer != v.Issuer {
		return "", fmt.Errorf("%w: another issuer made it", ErrInvalid)
	}
	return claims.Subject, v.plausible(&claims)
}

// plausible checks what any token of ours has. Its iat is by the clock of
// another node, perhaps.
func (v *Verifier) plausible(claims *jwt.RegisteredClaims) error {
	switch {
	case claims.Subject == "":
		return fmt.Errorf("%w: it has no sub", ErrInvalid)
	case claims.IssuedAt == nil:
		return fmt.Errorf("%w: it has no iat", ErrInvalid)
	case claims.IssuedAt.After(v.Now().Add(maxAhead)):
		return fmt.Errorf("%w: it was issued in the future", ErrInvalid)
	}
	return nil
}

// expectation is what one kind of token must be. RFC 8725 §3.11: typ tells the
// kinds apart, so that none passes for another.
type expectation struct {
	types   []string // of the header; "": it may be absent
	options []jwt.ParserOption
}

func (v *Verifier) verify(ctx context.Context, jws string, claims jwt.Claims, want *expectation) error {
	if len(jws) > maxTokenSize {
		return fmt.Errorf("%w: it is larger than any", ErrInvalid)
	}
	var unavailable error
	options := append(want.options, jwt.WithValidMethods(methods()), jwt.WithStrictDecoding())
	_, err := jwt.NewParser(options...).ParseWithClaims(jws, claims, func(t *jwt.Token) (any, error) {
		kid, err := want.checkHeader(t.Header)
		if err != nil {
			return nil, err
		}
		key, err := v.Keys.VerificationKey(ctx, kid)
		if err != nil && !errors.Is(err, ErrUnknownKey) {
			unavailable = fmt.Errorf("getting the key of a token: %w", err)
		}
		if err != nil {
			return nil, err
		}
		// RFC 8725 §3.1: the key says the algorithm, not the token.
		if string(key.Algorithm) != t.Method.Alg() {
			return nil, errAlgorithm
		}
		return key.Key, nil
	})
	if unavailable != nil {
		return unavailable
	}
	return verdict(err)
}

// methods are the algorithms any key of ours can have. none and those with a
// shared secret are not among them.
func methods() []string {
	var names []string
	for _, alg := range Algorithms() {
		names = append(names, string(alg))
	}
	return names
}

var (
	errCritical  = errors.New("it has critical header parameters")
	errType      = errors.New("it is a token of another kind")
	errKeyID     = errors.New("it names no key")
	errAlgorithm = errors.New("its algorithm is not its key's")
)

// checkHeader returns the kid of a header that one of ours can have.
func (want *expectation) checkHeader(header map[string]any) (kid string, err error) {
	// RFC 7515 §4.1.11: we understand no extension.
	if _, critical := header["crit"]; critical {
		return "", errCritical
	}
	typ, present := header["typ"]
	if !present {
		typ = ""
	}
	if !want.allows(typ) {
		return "", errType
	}
	if kid, _ = header["kid"].(string); kid == "" {
		return "", errKeyID
	}
	return kid, nil
}

func (want *expectation) allows(typ any) bool {
	for _, allowed := range want.types {
		if typ == allowed {
			return true
		}
	}
	return false
}

// verdict says why a token is not valid in words of our own: the parser's quote
// the token.
func verdict(err error) error {
	if err == nil {
		return nil
	}
	for _, cause := range []error{errCritical, errType, errKeyID, errAlgorithm, ErrUnknownKey} {
		if errors.Is(err, cause) {
			return fmt.Errorf("%w: %w", ErrInvalid, cause)
		}
	}
	// The signature comes first: of one that does not verify nothing else is
	// known to be so.
	for _, cause := range []struct{ is, says error }{
		{jwt.ErrTokenMalformed, errors.New("it is malformed")},
		{jwt.ErrTokenSignatureInvalid, errors.New("its signature does not verify")},
		{jwt.ErrTokenUnverifiable, errors.New("its signature cannot be verified")},
		{jwt.ErrTokenInvalidIssuer, errors.New("another issuer made it")},
		{jwt.ErrTokenExpired, errors.New("it has expired")},
	} {
		if errors.Is(err, cause.is) {
			return fmt.Errorf("%w: %w", ErrInvalid, cause.says)
		}
	}
	if errors.Is(err, jwt.ErrTokenInvalidAudience) {
		return ErrAudience
	}
	return fmt.Errorf("%w: a claim is missing or impossible", ErrInvalid)
}

package keys

import (
	"context"
	"fmt"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// VerificationKey returns the published key with that kid from memory. One that
// is not there may have been made by another node a moment ago: then it is
// looked for as JWKS looks for keys, and no oftener. Errors:
// token.ErrUnknownKey; ErrUnavailable, also where the storage does not say
// whether there is such a key.
func (a *Automatic) VerificationKey(ctx context.Context, kid string) (*token.PublicKey, error) {
	current, err := a.ready(ctx)
	if err != nil {
		return nil, err
	}
	now := a.now()
	if key := a.view(current, now).verifies(kid); key != nil {
		return key, nil
	}
	latest := a.recent(ctx, current, now)
	if key := a.view(latest, now).verifies(kid); key != nil {
		return key, nil
	}
	if latest == current && current.dated(now) {
		return nil, fmt.Errorf("%w: the storage does not say whether another node has made the key of a token", ErrUnavailable)
	}
	return nil, token.ErrUnknownKey
}

func (v *view) verifies(kid string) *token.PublicKey {
	for _, r := range v.published {
		if r.key.ID == kid {
			return r.key.Public()
		}
	}
	return nil
}

// VerificationKey returns the key with that kid. Error: token.ErrUnknownKey.
func (f *Files) VerificationKey(_ context.Context, kid string) (*token.PublicKey, error) {
	for _, key := range f.keys {
		if key.ID == kid {
			return key.Public(), nil
		}
	}
	return nil, token.ErrUnknownKey
}

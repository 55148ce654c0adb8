package token

import (
	"encoding/json"
	"fmt"
)

// UserInfo makes the claims of a UserInfo response (Core §5.3.2): sub always,
// and the user claims that the granted scope releases, by the rule of ID tokens.
func UserInfo(subject string, scope []string, claims map[string]json.RawMessage) ([]byte, error) {
	o := newObject(claimsSize)
	o.string("sub", subject)
	if err := o.extra(claims, ReleasedBy(scope)); err != nil {
		return nil, fmt.Errorf("making the UserInfo response: %w", err)
	}
	return o.end(), nil
}

//go:build !oidc_token_clock_offset

package oidctoken

import "time"

// clock is what codes, keys and tokens go by. A build with the tag
// oidc_token_clock_offset can be made to run ahead or behind, as the nodes of a
// cluster do; this one cannot.
func clock() time.Time { return time.Now() }

//go:build oidc_token_clock_offset

package oidctoken

import (
	"os"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// clock is the system's clock, off by the duration in the environment variable
// OIDC_TOKEN_CLOCK_OFFSET. It is for tests of nodes whose clocks disagree, on
// one machine: nothing outside a process can give it another clock, for Go asks
// the kernel without the C library. It says so when it is first asked.
func clock() time.Time { return time.Now().Add(clockOffset()) }

var clockOffset = sync.OnceValue(func() time.Duration {
	value := os.Getenv("OIDC_TOKEN_CLOCK_OFFSET")
	if value == "" {
		return 0
	}
	offset, err := time.ParseDuration(value)
	if err != nil {
		panic("OIDC_TOKEN_CLOCK_OFFSET is not a duration: " + value)
	}
	if offset != 0 {
		caddy.Log().Warn("the clock of this build is off", zap.Duration("by", offset))
	}
	return offset
})

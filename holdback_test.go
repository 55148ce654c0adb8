package oidctoken

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestHolding(t *testing.T) {
	for _, row := range []struct {
		name    string
		major   int
		trusted bool
		ends    bool
	}{
		{"C11 whoever hangs up is held like anybody", 1, false, false},
		{"C11 over HTTP/2, too", 2, false, false},
		{"C11 and through a proxy, where it has a connection for each", 1, true, false},
		{"C12 where many share a connection, what was ended does not stay on it", 2, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			gone, cancel := context.WithCancel(context.WithValue(t.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.TrustedProxyVarKey: row.trusted}))
			cancel()
			r := httptest.NewRequest(http.MethodPost, "/token", nil).WithContext(gone)
			r.ProtoMajor = row.major
			if ended := holding(r).Err() != nil; ended != row.ends {
				t.Errorf("the answer is held no longer: %t", ended)
			}
		})
	}
}

package oidctoken

import (
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

func TestHostOfTheIssuer(t *testing.T) {
	for _, row := range []struct {
		name, issuer, host string
		want               bool
	}{
		{"itself", "https://id.example.com", "id.example.com", true},
		{"with the default port", "https://id.example.com", "id.example.com:443", true},
		{"without the default port", "https://id.example.com:443/", "ID.example.com", true},
		{"in other letters", "https://ID.example.com", "id.EXAMPLE.com", true},
		{"HTTP's default port", "http://localhost", "localhost:80", true},
		{"none, as in HTTP/1.0", "https://id.example.com", "", true},
		{"another port", "https://id.example.com", "id.example.com:80", false},
		{"another host", "https://id.example.com", "www.example.com", false},
		{"an IP address", "https://id.example.com", "192.0.2.1", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			u, err := parseIssuer(row.issuer)
			if err != nil {
				t.Fatal(err)
			}
			if got := (&issuer{settings: &settings{issuerURL: u}}).onHost(row.host); got != row.want {
				t.Errorf("%q on %s: %t", row.host, row.issuer, got)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	for _, row := range []struct {
		name string
		e    *oauth.Error
		want zapcore.Level
	}{
		{"a success", nil, zapcore.InfoLevel},
		{"a client's mistake", &oauth.Error{Kind: oauth.InvalidGrant, Reason: oauth.CodeExpired}, zapcore.InfoLevel},
		{"REQ-242 a security event", &oauth.Error{Kind: oauth.InvalidGrant, Reason: oauth.CodeReplayed, Security: true}, zapcore.WarnLevel},
		{"what the operator has to mend", &oauth.Error{Kind: oauth.InvalidGrant, Reason: oauth.CodeNotYetValid, Operating: true}, zapcore.WarnLevel},
		{"a fault", &oauth.Error{Kind: oauth.ServerError, Operating: true}, zapcore.ErrorLevel},
	} {
		t.Run("REQ-240 "+row.name, func(t *testing.T) {
			if got, _ := severity(row.e, "success", "request"); got != row.want {
				t.Errorf("a token request is logged at %s, want %s", got, row.want)
			}
			if got, _ := authorizationSeverity(row.e); got != row.want {
				t.Errorf("an authorization request is logged at %s, want %s", got, row.want)
			}
		})
	}
}

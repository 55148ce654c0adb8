package oidctoken

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// authenticationUnavailable: the routes that authenticate people failed.
const authenticationUnavailable oauth.Reason = "authentication_unavailable"

// log writes the request's one line and counts it, as a token request's. Of
// what the client sent there is nothing in it but the client_id, if that is
// registered, and what was granted.
func (x *authorization) log(e *oauth.Error) {
	took := x.now().Sub(x.start)
	metrics.observeAuthorization(e, took)
	level, message := authorizationSeverity(e)
	if c := x.logger.Check(level, message); c != nil {
		c.Write(x.fields(e, took)...)
	}
}

func authorizationSeverity(e *oauth.Error) (zapcore.Level, string) {
	if e != nil && e.Reason == oauth.NotAuthenticated {
		return zapcore.InfoLevel, "authorization request waits for a sign-in"
	}
	return severity(e, "authorization code issued", "authorization request")
}

// fields are the members of the line, with stable names.
func (x *authorization) fields(e *oauth.Error, took time.Duration) []zap.Field {
	fields := append(make([]zap.Field, 0, 14), // room for all there are
		zap.String("event", "code_issued"),
		zap.String("outcome", outcome(e)),
		zap.String("issuer", x.identifier),
		zap.String("request_id", x.id),
		zap.String("client_ip", clientIP(x.r).String()),
		zap.Duration("duration", took),
		zap.Int("status", x.status),
		zap.String("client_id", x.clientLabel(e)))
	if e != nil {
		fields[0] = zap.String("event", string(e.Reason))
	}
	if x.codeRef != "" {
		fields = append(fields, zap.String("scope", x.scope), zap.String("code_ref", x.codeRef))
	}
	if len(x.leftOut) > 0 {
		fields = append(fields, zap.Strings("claims_left_out", x.leftOut))
	}
	return append(fields, causes(e)...)
}

// clientLabel is the registered client whose request it is, also where the
// client is not answered.
func (x *authorization) clientLabel(e *oauth.Error) string {
	switch {
	case x.pending != nil:
		return x.pending.Client().ID
	case e != nil:
		return clientLabel(e.ClientID)
	}
	return clientLabel("")
}

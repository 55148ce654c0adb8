package oidctoken

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// log writes the request's one line and counts it. Level info for success and
// a client's mistake, warn for a security event and for what the operator has to
// mend, error for a fault. Nothing secret reaches it: the attempt has ids and
// hashes only.
func (x *responder) log(e *oauth.Error) {
	took := x.now().Sub(x.start)
	metrics.observeRequest(x.attempt, e, took)
	if x.attempt.Authenticated {
		if repl, ok := x.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			repl.Set("http.auth.user.id", x.attempt.ClientID) // user_id of the access log
		}
	}
	level, message := severity(e, "token issued", "token request")
	if c := x.logger.Check(level, message); c != nil {
		c.Write(x.fields(e, took)...)
	}
}

// severity returns the level and the message of a request that succeeded, or
// failed, or was refused.
func severity(e *oauth.Error, success, request string) (zapcore.Level, string) {
	switch {
	case e == nil:
		return zapcore.InfoLevel, success
	case e.Status() >= 500:
		return zapcore.ErrorLevel, request + " failed"
	case e.Security || e.Operating:
		return zapcore.WarnLevel, request + " refused"
	default:
		return zapcore.InfoLevel, request + " refused"
	}
}

// fields are the members of the line, with stable names.
func (x *responder) fields(e *oauth.Error, took time.Duration) []zap.Field {
	a := x.attempt
	fields := append(make([]zap.Field, 0, 19), // room for all there are
		zap.String("event", "token_issued"),
		zap.String("outcome", outcome(e)),
		zap.String("issuer", x.identifier),
		zap.String("request_id", x.id),
		zap.String("client_ip", clientIP(x.r).String()),
		zap.Duration("duration", took))
	if e != nil {
		fields[0] = zap.String("event", string(e.Reason))
		fields = append(fields, zap.Int("status", e.Status()))
	}
	for _, f := range []struct{ name, value string }{
		{"client_id", clientLabel(a.ClientID)}, {"auth_method", a.AuthMethod}, {"grant_type", a.GrantType},
		{"scope", a.Scope}, {"kid", a.KeyID}, {"jti", a.TokenID}, {"grant_id", a.GrantID}, {"code_ref", a.CodeRef},
	} {
		if f.value != "" {
			fields = append(fields, zap.String(f.name, f.value))
		}
	}
	return append(fields, causes(e)...)
}

// causes are the members that say what was wrong.
func causes(e *oauth.Error) (fields []zap.Field) {
	if e == nil {
		return nil
	}
	if e.Detail != "" {
		fields = append(fields, zap.String("detail", string(e.Detail)))
	}
	if e.Param != "" {
		fields = append(fields, zap.String("parameter", e.Param))
	}
	if e.Hint != "" {
		fields = append(fields, zap.String("hint", e.Hint))
	}
	if e.Err != nil {
		fields = append(fields, zap.Error(e.Err))
	}
	return fields
}

// clientLabel keeps what an unauthenticated stranger sent out of the log.
func clientLabel(id string) string {
	if id == "" {
		return "unknown"
	}
	return id
}

// hostWarnings are the issuers whose warnOfHost has said so, for the life of the
// process: whoever chooses the Host of a request must not fill the log.
var hostWarnings sync.Map

// warnOfHost says, once, that requests for the issuer come by another host than
// its URL names. They are answered: what clients are told to use does not go by
// it. But a site at another URL does not serve what discovery names.
func (i *issuer) warnOfHost(r *http.Request) {
	// In this order: most requests to a site of several hosts are none of ours.
	if r.Host == i.settings.issuerURL.Host || !i.answers(r.URL.Path) || i.onHost(r.Host) {
		return
	}
	if _, said := hostWarnings.LoadOrStore(i.identifier, true); said {
		return
	}
	i.logger.Warn("a request has another Host than the issuer", zap.String("event", "host_mismatch"),
		zap.String("issuer", i.identifier), zap.String("request_id", requestID(r)), zap.String("host", r.Host),
		zap.String("hint", "clients find the endpoints at the issuer's URL alone: serve oidc_token on that site, or correct issuer; "+
			"a balancer that rewrites Host may be why, and does no harm. This is said once"))
}

// onHost reports whether a Host field names the issuer's host. HTTP/1.0 has
// none.
func (i *issuer) onHost(host string) bool {
	own := i.settings.issuerURL
	if host == "" {
		return true
	}
	port := map[string]string{"https": ":443", "http": ":80"}[own.Scheme]
	plain := func(host string) string { return strings.TrimSuffix(strings.ToLower(host), port) }
	return plain(host) == plain(own.Host)
}

// answers reports whether a path is one of the issuer's.
func (i *issuer) answers(path string) bool {
	s := i.settings
	return path != "" && slices.Contains([]string{
		s.tokenPath, s.userinfoPath, s.jwksPath, s.authorizationPath, i.documents.openIDPath, i.documents.oauthPath,
	}, path)
}

// outcome is "success" or the public error code.
func outcome(e *oauth.Error) string {
	if e == nil {
		return "success"
	}
	return e.Code()
}

// reasonOf is why a request was refused; "": it was not.
func reasonOf(e *oauth.Error) string {
	if e == nil {
		return ""
	}
	return string(e.Reason)
}

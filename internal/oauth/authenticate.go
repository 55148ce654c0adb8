package oauth

import (
	"cmp"
	"context"
	"net/netip"
	"strings"
	"time"
)

// authenticate returns the client of a request: RFC 6749 §2.3 and §3.2.1. The
// method presented must be the registered one. Whatever is wrong, the answer
// is the same and costs the same work: an unknown client, a wrong secret and a
// wrong method cannot be told apart from outside (RFC 6749 §10.10).
func (e *Endpoint) authenticate(ctx context.Context, req *request, addr netip.Addr, a *Attempt) (*Client, error) {
	c := req.credentials
	r := e.Clients.stranger
	if c.fault == "" {
		r = e.Clients.find(c.id)
	}
	if r.client != nil {
		a.ClientID = r.client.ID
	}
	a.AuthMethod = string(c.method)
	s := e.throttle().source(e.Issuer, c.id, addr)
	ok, err := e.verify(ctx, r, c, s)
	if err != nil {
		return nil, &Error{
			Kind: TemporarilyUnavailable, Reason: HashingBusy, RetryAfter: time.Second, Err: err,
			Hint: "bcrypt and argon2id secrets take long to verify; a generated secret (`caddy oidc-token client-secret`) with its sha256: hash does not",
		}
	}
	if !ok {
		return nil, e.refuse(r, c, s)
	}
	a.Authenticated = true
	return r.client, nil
}

// verify compares the credentials with a registration. Secrets whose digests
// are fast to compare, and slow ones that this process has verified before,
// come first, so that right credentials pass whatever fails around them.
func (e *Endpoint) verify(ctx context.Context, r *registration, c *credentials, s source) (bool, error) {
	if c.fault != "" {
		// RFC 6749 appendix A: nobody has such credentials. That is so for
		// every client alike.
		return false, nil
	}
	registered := r.client != nil && r.client.AuthMethod == c.method
	if c.method == None {
		return registered, nil
	}
	if matched := e.knows(r, c.secret); matched && registered {
		return true, nil
	}
	if r.costliest == nil {
		return false, nil
	}
	if !registered {
		r = e.Clients.stranger
	}
	t, now := e.throttle(), e.now()
	return t.hashes.verify(ctx, r, c.secret, s.prefix, t.exhausted(s, now), now)
}

// knows reports whether a secret is right as far as can be said at once.
func (e *Endpoint) knows(r *registration, secret string) bool {
	fast := r.matchesFast(secret)
	return e.throttle().hashes.verified.any(r.slow, secret) || fast
}

// refuse counts the failure and returns its answer.
func (e *Endpoint) refuse(r *registration, c *credentials, s source) error {
	refusal := &Error{Kind: InvalidClient, Reason: ClientAuthFailed, Security: true}
	refusal.Detail, refusal.Hint = e.diagnose(r, c)
	if refusal.RetryAfter, refusal.late = e.throttle().fail(s, e.now()); refusal.RetryAfter > 0 {
		refusal.Kind, refusal.Reason = TooManyRequests, RateLimited
	}
	return refusal
}

// diagnose says for the operator what was presented, what is registered and
// what to change. It names registered clients only and nobody's secret. What
// it does before it knows the cause is the same work for all of them.
func (e *Endpoint) diagnose(r *registration, c *credentials) (detail Reason, hint string) {
	nearMiss := e.nearMiss(r, c)
	switch {
	case c.fault != "":
		return c.reason, c.fault + nearMiss
	case r.client == nil:
		hint = "no client has the presented client_id"
		if id, ok := e.Clients.folded[fold(c.id)]; ok {
			hint += "; it differs from " + id + " in case or white space only"
		}
		return ClientUnknown, hint
	case r.client.AuthMethod != c.method:
		return MethodMismatch, e.methodHint(r, c)
	}
	return SecretMismatch, "the client secret is wrong" + nearMiss
}

func (e *Endpoint) methodHint(r *registration, c *credentials) string {
	hint := "the client presented " + string(c.method) + " and is registered for " + string(r.client.AuthMethod)
	switch {
	case c.method == None:
		return hint + "; it sent its client_id and no secret: configure the secret in the client"
	case r.client.public():
		return hint + "; remove the secret from the client's configuration, or register one here"
	case e.knows(r, c.secret):
		hint += " (the secret is right)"
	}
	return hint + "; write token_endpoint_auth_method " + string(c.method) + " or change the client"
}

// nearMiss finds out whether another reading of a wrong secret would be right:
// the two mistakes that cost operators the most time. It never makes one pass.
func (e *Endpoint) nearMiss(r *registration, c *credentials) string {
	if c.fault != "" {
		r = e.Clients.find(cmp.Or(c.id, c.rawID))
	}
	hint := ""
	for _, reading := range []struct{ secret, hint string }{
		{c.rawSecret, "; it matches when it is not form-decoded: the client does not form-encode it as RFC 6749 §2.3.1 says. Have the client do so, or give it a secret without % and +"},
		{strings.TrimSpace(c.secret), "; it matches without the white space around it: remove that from the client's configuration"},
	} {
		if matched := r.matchesFast(reading.secret); matched && reading.secret != c.secret {
			hint = reading.hint
		}
	}
	return hint
}

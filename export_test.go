package oidctoken

import (
	"context"
	"net/netip"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// FillLiveCodes has a client of a running issuer have all codes but n that it
// may have, which expire in an hour, until they are forgotten.
func FillLiveCodes(issuer, client string, n int) (forget func()) {
	return fillCodes(codeOwner{issuer: issuer, client: client}, maxLiveCodes-n)
}

func fillCodes(owner codeOwner, n int) (forget func()) {
	now := time.Now()
	for range n {
		codeCounts.add(owner, now, now.Add(time.Hour), 0)
	}
	return func() {
		codeCounts.mu.Lock()
		defer codeCounts.mu.Unlock()
		delete(codeCounts.counts, owner)
	}
}

// FillPersonalCodes does so for one person at a client.
func FillPersonalCodes(issuer, client, subject string, n int) (forget func()) {
	return fillCodes(codeOwner{issuer, client, subject}, maxPersonalCodes-n)
}

// LiveCodes is how many codes of a client are counted as live.
func LiveCodes(issuer, client string) int {
	codeCounts.mu.Lock()
	defer codeCounts.mu.Unlock()
	if c := codeCounts.counts[codeOwner{issuer: issuer, client: client}]; c != nil {
		return c.total
	}
	return 0
}

// BodyTimeout is how long a body may take to arrive.
const BodyTimeout = bodyTimeout

// FillRefusals has an address be refused by a running issuer as often as it may
// be without being answered late. It takes no time itself.
func FillRefusals(issuer string, addr netip.Addr) {
	i, err := live.begin(issuer)
	if err != nil {
		panic(err)
	}
	defer i.end()
	for range oauth.RefusalLimit {
		i.endpoint.Refused(context.Background(), &oauth.Error{Kind: oauth.InvalidRequest}, addr)
	}
}

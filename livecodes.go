package oidctoken

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// maxLiveCodes is how many codes of one client may be neither redeemed nor
// expired. Each holds a record in the storage, and whoever is signed in can ask
// for as many as they like.
const maxLiveCodes = 10_000

// errCodesCapped: the client has maxLiveCodes.
var errCodesCapped = errors.New("the client has too many codes that are neither redeemed nor expired")

// codeCounts are the live codes that this process has minted, through whatever
// door. They outlive a config, as the codes do.
var codeCounts = &liveCodes{counts: make(map[codeOwner]*codeCount)}

// codeOwner is whom codes are counted for.
type codeOwner struct{ issuer, client string }

// liveCodes counts codes by the second they expire in: the memory it takes does
// not grow with their number. In a cluster a node counts what it mints and
// takes off what it redeems; over all nodes that is the same. Safe for
// concurrent use.
type liveCodes struct {
	mu     sync.Mutex // guards counts and what is in it
	counts map[codeOwner]*codeCount
}

type codeCount struct {
	total    int
	expiring map[int64]int // by Unix time
	swept    int64         // expiring has nothing up to here
}

// add counts a code, unless its owner has limit of them already. A limit of 0
// is none.
func (l *liveCodes) add(owner codeOwner, now, expiresAt time.Time, limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts[owner]
	if c == nil {
		c = &codeCount{expiring: make(map[int64]int)}
		l.counts[owner] = c
	}
	c.sweep(now.Unix())
	if limit > 0 && c.total >= limit {
		return false
	}
	c.total++
	c.expiring[expiresAt.Unix()]++
	return true
}

// remove takes a code off that was redeemed, or was not stored after all.
func (l *liveCodes) remove(owner codeOwner, expiresAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts[owner]
	if c == nil || c.expiring[expiresAt.Unix()] == 0 {
		return // minted elsewhere, or expired
	}
	c.take(expiresAt.Unix(), 1)
	if c.total == 0 {
		delete(l.counts, owner)
	}
}

// sweep takes off what has expired. It looks once at each second.
func (c *codeCount) sweep(now int64) {
	if now == c.swept {
		return
	}
	for second, n := range c.expiring {
		if second <= now {
			c.take(second, n)
		}
	}
	c.swept = now
}

func (c *codeCount) take(second int64, n int) {
	c.total -= n
	if c.expiring[second] -= n; c.expiring[second] == 0 {
		delete(c.expiring, second)
	}
}

// store stores a record that is valid and returns its code, counted until it is
// redeemed or expires. Where its client has limit such codes it stores nothing
// and returns errCodesCapped; a limit of 0 is none. It is the only way from a
// door to the storage.
func (i *issuer) store(ctx context.Context, record *storage.Record, limit int) (string, error) {
	owner := codeOwner{record.Issuer, record.ClientID}
	if !codeCounts.add(owner, i.now(), record.ExpiresAt, limit) {
		return "", errCodesCapped
	}
	code, err := i.codes.Store(ctx, record)
	if err != nil {
		codeCounts.remove(owner, record.ExpiresAt)
		return "", err
	}
	return code, nil
}

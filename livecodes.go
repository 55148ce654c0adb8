package oidctoken

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// How many codes may be neither redeemed nor expired. Each holds a record in the
// storage, and whoever is signed in can ask for as many as they like: one person
// shall not take the places of all others.
const (
	maxLiveCodes     = 10_000 // of one client
	maxPersonalCodes = 100    // of one person at one client
)

// errCodesCapped: the client or the person has as many.
var errCodesCapped = errors.New("too many codes are neither redeemed nor expired")

// codeCounts are the live codes that this process has minted, through whatever
// door. They outlive a config, as the codes do.
var codeCounts = &liveCodes{counts: make(map[codeOwner]*codeCount)}

// codeOwner is whom codes are counted for: a client, or one person at a client.
type codeOwner struct {
	issuer, client string
	subject        string // "": everybody
}

func ownersOf(r *storage.Record) (client, person codeOwner) {
	return codeOwner{r.Issuer, r.ClientID, ""}, codeOwner{r.Issuer, r.ClientID, r.Subject}
}

// liveCodes counts codes by the second they expire in: of a client, however many
// there are, it takes no more memory. In a cluster a node counts what it mints
// until that expires, or until it redeems it itself: what others redeem it does
// not hear of. Safe for concurrent use.
type liveCodes struct {
	mu     sync.Mutex // guards everything below
	counts map[codeOwner]*codeCount
	swept  int64 // Unix time: nothing is in counts that had expired then
}

type codeCount struct {
	total    int
	expiring map[int64]int // by Unix time
}

// add counts a code, unless its owner has limit of them already. A limit of 0
// is none.
func (l *liveCodes) add(owner codeOwner, now, expiresAt time.Time, limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now.Unix())
	c := l.counts[owner]
	switch {
	case c == nil:
		c = &codeCount{expiring: make(map[int64]int)}
		l.counts[owner] = c
	case limit > 0 && c.total >= limit:
		return false
	}
	c.total++
	c.expiring[expiresAt.Unix()]++
	return true
}

// remove takes a code off.
func (l *liveCodes) remove(owner codeOwner, expiresAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.counts[owner]; c != nil && c.expiring[expiresAt.Unix()] > 0 { // else minted elsewhere, or expired
		l.take(owner, c, expiresAt.Unix(), 1)
	}
}

// sweep takes off what has expired, once a second.
func (l *liveCodes) sweep(now int64) {
	if now == l.swept {
		return
	}
	for owner, c := range l.counts {
		for second, n := range c.expiring {
			if second <= now {
				l.take(owner, c, second, n)
			}
		}
	}
	l.swept = now
}

func (l *liveCodes) take(owner codeOwner, c *codeCount, second int64, n int) {
	c.total -= n
	if c.expiring[second] -= n; c.expiring[second] == 0 {
		delete(c.expiring, second)
	}
	if c.total == 0 {
		delete(l.counts, owner)
	}
}

// admit counts a code that is about to be stored. Where limits hold it fails with
// errCodesCapped.
func (l *liveCodes) admit(record *storage.Record, now time.Time, capped bool) error {
	client, person := ownersOf(record)
	if !capped {
		l.add(client, now, record.ExpiresAt, 0)
		return nil
	}
	if !l.add(person, now, record.ExpiresAt, maxPersonalCodes) {
		return fmt.Errorf("%w: the person has %d", errCodesCapped, maxPersonalCodes)
	}
	if !l.add(client, now, record.ExpiresAt, maxLiveCodes) {
		l.remove(person, record.ExpiresAt)
		return fmt.Errorf("%w: the client has %d", errCodesCapped, maxLiveCodes)
	}
	return nil
}

// release takes off a code that was redeemed, or was not stored.
func (l *liveCodes) release(record *storage.Record) {
	client, person := ownersOf(record)
	l.remove(client, record.ExpiresAt)
	l.remove(person, record.ExpiresAt)
}

// store stores a record that is valid and returns its code, counted until it is
// redeemed or expires. Where the door is capped it fails with errCodesCapped
// rather than store too many. It is the only way from a door to the storage.
func (i *issuer) store(ctx context.Context, record *storage.Record, capped bool) (string, error) {
	if err := codeCounts.admit(record, i.now(), capped); err != nil {
		return "", err
	}
	code, err := i.codes.Store(ctx, record)
	if err != nil && !errors.Is(err, storage.ErrLate) {
		codeCounts.release(record)
	}
	return code, err
}

package oauth

import (
	"context"
	"math"
	"net/netip"
	"sync"
	"time"
)

// Failures per minute.
const (
	clientAddressLimit = 10  // of one client id from one address; more are answered 429
	addressLimit       = 100 // of one address, whatever the client id; more are answered 429
	clientLimit        = 100 // of one client id from everywhere, but for those answered 429; more are answered late
)

const (
	maxDelay   = time.Second
	delayStep  = 10 * time.Millisecond // for each failure above clientLimit
	maxDelayed = 256                   // answers held back at a time
)

// Requests are refused for whatever reason, with right credentials or without.
const (
	// RefusalLimit is how many of one address at one issuer are in a minute
	// before the next is answered RefusalDelay late.
	RefusalLimit = 3000
	// IssuerRefusalLimit is how many of all addresses are: a flood may come from
	// thousands.
	IssuerRefusalLimit = 6000
	RefusalDelay       = 250 * time.Millisecond

	maxRefusals = 1024 // held back at a time
)

// Throttle bounds failed client authentications per presented client id and
// address prefix, and the slow hashes that authentication may cost. It only
// ever changes the answer to a failure: a request with the right credentials
// is never answered 429, so failing for somebody locks nobody out. Its table
// has a fixed size. It knows presented ids, not registered ones, so that both
// behave alike. Safe for concurrent use.
type Throttle struct {
	failures *table
	delayed  chan struct{} // a place for each answer held back
	refusals chan struct{} // likewise
	hashes   *hashLanes
}

// NewThrottle returns an empty throttle.
func NewThrottle() *Throttle {
	return &Throttle{
		failures: newTable(),
		delayed:  make(chan struct{}, maxDelayed),
		refusals: make(chan struct{}, maxRefusals),
		hashes:   newHashLanes(),
	}
}

// processThrottle is the throttle of the whole process. It outlives config
// reloads: failures of a minute ago and verified secrets stay known.
var processThrottle = sync.OnceValue(NewThrottle)

func (e *Endpoint) throttle() *Throttle {
	if e.Throttle != nil {
		return e.Throttle
	}
	return processThrottle()
}

// source is whom a failure counts for: the presented client id, registered or
// not, and the address.
type source struct {
	prefix                         netip.Prefix
	clientAddress, address, client uint64
}

func (t *Throttle) source(issuer, presentedID string, addr netip.Addr) source {
	prefix := addressPrefix(addr)
	return source{
		prefix:        prefix,
		clientAddress: t.failures.key('b', issuer, presentedID, prefix),
		address:       t.failures.key('a', "", "", prefix),
		client:        t.failures.key('c', issuer, presentedID, netip.Prefix{}),
	}
}

// exhausted reports whether the next failure of s would be answered 429.
func (t *Throttle) exhausted(s source, now time.Time) bool {
	return t.failures.exhausted(s.clientAddress, clientAddressLimit, now) ||
		t.failures.exhausted(s.address, addressLimit, now)
}

// fail counts a failure and returns the time after which to try again, or 0
// where the failure may have its own answer, and how late that is to be where
// the client id fails from everywhere at once.
func (t *Throttle) fail(s source, now time.Time) (retryAfter, late time.Duration) {
	_, wait := t.failures.fail(s.clientAddress, clientAddressLimit, now)
	_, addressWait := t.failures.fail(s.address, addressLimit, now)
	if wait = max(wait, addressWait); wait > 0 {
		return wait, 0
	}
	// Never a penalty for a client id alone: that would be a way to have the
	// answers to its owner's own mistakes withheld everywhere.
	count, _ := t.failures.fail(s.client, math.MaxInt64, now)
	return 0, min(time.Duration(max(count-clientLimit, 0))*delayStep, maxDelay)
}

// refused counts a request that was refused, for whatever reason, and holds its
// answer back where its address, or all addresses together, have had many
// refused: whoever sends such requests as fast as they are answered would take
// the processor from those whose requests are good. None of these is ever held
// back. What one address sends beyond its own limit does not count for all.
func (t *Throttle) refused(ctx context.Context, issuer string, addr netip.Addr, now time.Time) {
	count, _ := t.failures.fail(t.failures.key('r', issuer, "", addressPrefix(addr)), math.MaxInt64, now)
	late := count > RefusalLimit
	if !late {
		ofAll, _ := t.failures.fail(t.failures.key('i', issuer, "", netip.Prefix{}), math.MaxInt64, now)
		late = ofAll > IssuerRefusalLimit
	}
	if late {
		delay(ctx, t.refusals, RefusalDelay)
	}
}

// delay holds an answer back until ctx ends. Where too many are held back
// already it does not: a flood must not pile up requests.
func delay(ctx context.Context, places chan struct{}, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case places <- struct{}{}:
	default:
		return
	}
	defer func() { <-places }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

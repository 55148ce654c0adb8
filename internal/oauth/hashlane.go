package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

const (
	hashPatience    = 3 * time.Second // how long a request waits for its turn to hash
	penaltyInterval = time.Second     // between hashes for sources in a penalty
)

// errHashingBusy: the secret could not be verified now. It says nothing about
// the secret.
var errHashingBusy = errors.New("too many client secrets are being verified")

// hashLanes bounds the slow hashes in flight, so that wrong secrets cannot
// take the processors from other sites of this server: half of them may hash
// at a time. Whose failures are in a penalty has a lane of its own, with one
// place, no waiting and one hash per second: a flood stays there and costs
// next to nothing, while a right secret from the same address still has a
// chance, and is told to come again (503), not that it failed (429). Once
// right, a secret does not come here again.
//
// One address has one place, in which its requests wait for each other: whoever
// sends many at once, even if they fail too seldom for a penalty, is not before
// everybody else in the queue.
type hashLanes struct {
	normal   chan struct{}
	verified *verifiedSet

	mu        sync.Mutex // guards what follows
	penalty   bool       // the penalty lane is taken
	resumeAt  time.Time  // when it may be taken again
	addresses map[netip.Prefix]*addressLane
}

// addressLane is the place of an address of which requests hash or wait.
type addressLane struct {
	place chan struct{}
	users int
}

func newHashLanes() *hashLanes {
	return &hashLanes{
		normal:    make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		verified:  newVerifiedSet(),
		addresses: make(map[netip.Prefix]*addressLane),
	}
}

// enter waits for a place to hash in and returns how to leave it.
func (l *hashLanes) enter(ctx context.Context, addr netip.Prefix, exhausted bool, now time.Time) (leave func(), err error) {
	if exhausted {
		return l.enterPenalty(now)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, hashPatience, errHashingBusy)
	defer cancel()
	own, forget := l.address(addr)
	if err := enterLane(ctx, own); err != nil {
		forget()
		return nil, err
	}
	if err := enterLane(ctx, l.normal); err != nil {
		<-own
		forget()
		return nil, err
	}
	return func() {
		<-l.normal
		<-own
		forget()
	}, nil
}

// enterLane takes a place in the order of the calls.
func enterLane(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		if cause := context.Cause(ctx); cause != errHashingBusy {
			return fmt.Errorf("%w: %w", errHashingBusy, cause)
		}
		return errHashingBusy
	}
}

// address returns the place of an address, which is there until each user has
// called forget.
func (l *hashLanes) address(addr netip.Prefix) (place chan struct{}, forget func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.addresses[addr]
	if a == nil {
		a = &addressLane{place: make(chan struct{}, 1)}
		l.addresses[addr] = a
	}
	a.users++
	return a.place, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if a.users--; a.users == 0 {
			delete(l.addresses, addr)
		}
	}
}

func (l *hashLanes) enterPenalty(now time.Time) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A clock that was set back must not close the lane for long.
	ahead := l.resumeAt.Sub(now)
	if l.penalty || (ahead > 0 && ahead <= penaltyInterval) {
		return nil, errHashingBusy
	}
	l.penalty, l.resumeAt = true, now.Add(penaltyInterval)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.penalty = false
	}, nil
}

// verify compares a presented secret with a registration's slow hashes. It
// always computes as many as the client with the most has: for strangers, and
// where the client has fewer, the costliest one is computed for nothing.
func (l *hashLanes) verify(ctx context.Context, r *registration, presented string, addr netip.Prefix, exhausted bool, now time.Time) (bool, error) {
	leave, err := l.enter(ctx, addr, exhausted, now)
	if err != nil {
		return false, err
	}
	defer leave()
	// Somebody may have verified it while we waited: the first requests after
	// a start often come together.
	if l.verified.any(r.slow, presented) {
		return true, nil
	}
	matched := false
	for _, hash := range r.slow {
		if hash.matches(presented) {
			l.verified.add(hash, presented)
			matched = true
		}
	}
	for range r.padding {
		r.costliest.matches(presented) // for the time it takes
	}
	return matched, nil
}

package oauth

import (
	"context"
	"errors"
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
type hashLanes struct {
	normal   chan struct{}
	verified *verifiedSet

	mu       sync.Mutex // guards what follows
	penalty  bool       // the penalty lane is taken
	resumeAt time.Time  // when it may be taken again
}

func newHashLanes() *hashLanes {
	return &hashLanes{
		normal:   make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		verified: newVerifiedSet(),
	}
}

// enter waits for a place to hash in and returns how to leave it.
func (l *hashLanes) enter(ctx context.Context, exhausted bool, now time.Time) (leave func(), err error) {
	if exhausted {
		return l.enterPenalty(now)
	}
	patience := time.NewTimer(hashPatience)
	defer patience.Stop()
	select {
	case l.normal <- struct{}{}:
		return func() { <-l.normal }, nil
	case <-patience.C:
		return nil, errHashingBusy
	case <-ctx.Done():
		return nil, errors.Join(errHashingBusy, ctx.Err())
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
func (l *hashLanes) verify(ctx context.Context, r *registration, presented string, exhausted bool, now time.Time) (bool, error) {
	leave, err := l.enter(ctx, exhausted, now)
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

package keys

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/internal/bounded"
	"github.com/authentiq/caddy-oidc-token/internal/place"
	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

const (
	firstTimeout = 5 * time.Second        // that a request waits for an issuer's first keys
	firstPoll    = 100 * time.Millisecond // between its readings meanwhile
	jwksMaxAge   = 5 * time.Second        // of a reading that is published unasked
)

// Automatic is a Set that lives in storage: one immutable record per key, under
// its thumbprint. What a key is (pending, signing, retired) follows from all
// records and the time. Nodes that share a storage share the set, and none
// signs with a key that another does not publish:
//
//   - A new key is published at least 24 h (CacheLifetime where that is longer)
//     before it signs. Only an issuer's very first keys, and those of Rotate,
//     sign sooner.
//   - A process signs with a key only once it has held it for 10 s, or found it
//     two minutes old, unless no key has been held that long. It publishes no
//     reading of the storage that is older than 5 s, and none at all but a fresh
//     one while any key is younger than two minutes.
//   - A retired key is published until its successor has signed for
//     TokenLifetime, CacheLifetime and two minutes. A day later it is deleted.
//
// An algorithm that a client asks for by name signs for it 10 s after its first
// key was made: only that client verifies its ID tokens, and it looks for an
// unknown kid (Core §10.1.1). The default algorithm is different: when it
// changes, tokens for which no other was asked are signed with the former keys
// (RS256, else any) for as long as a new key waits. That includes a client that
// asks by name for the very algorithm that is becoming the default.
//
// Where the storage fails the last set goes on, also across a config reload if
// it is certain that the storage is the same and the encryption keys are. Records
// that do not open never lead to a new identity: the operator is told, and Rotate
// replaces them.
type Automatic struct {
	storage    certmagic.Storage
	vault      vault
	schedule   schedule
	algorithms []token.Algorithm // RS256 first
	now        func() time.Time
	logger     *slog.Logger
	generate   func(token.Algorithm) (crypto.Signer, error)
	calls      *bounded.Calls // of the storage
	known      *known         // what this process has known
	place      place.Place    // under which it does
	opens      ringID         // of the encryption keys
	certain    bool           // that this is the place known
	doubt      sync.Once      // says that it is not

	current   atomic.Pointer[snapshot] // the last reading with a key in it
	cached    atomic.Pointer[view]
	attempted chan struct{} // closed when Run has tried once to the end
	attempt   sync.Once

	mu       sync.Mutex // guards the next four
	busy     bool       // a reading is under way
	next     *reading   // the one after it
	failedAt time.Time  // of the last reading that failed
	lastErr  error      // why there may be no keys

	locking atomic.Bool // a call for the lock, or for its release, is out
	closed  atomic.Bool // the storage is used no more

	writing  chan struct{}   // one token: whoever writes holds it, and owns the next four
	storedAt time.Time       // of a key, while none is listed
	resealed map[string]bool // by storage key
	reported string          // what was last said of records that do not open
	warned   bool            // of a key from the future
}

// NewAutomatic does no I/O: Run creates and maintains the keys.
func NewAutomatic(o Options) (*Automatic, error) {
	if o.DefaultAlgorithm == "" {
		o.DefaultAlgorithm = token.RS256
	}
	ring, err := seal.NewRing(o.EncryptionKeys...)
	if err != nil {
		return nil, err
	}
	a := &Automatic{
		storage:   o.Storage,
		vault:     newVault(o.Issuer, ring),
		schedule:  newSchedule(o),
		now:       o.Now,
		logger:    o.Logger,
		generate:  generate,
		calls:     newCalls(),
		known:     o.known,
		opens:     newRingID(o.EncryptionKeys),
		attempted: make(chan struct{}),
		writing:   make(chan struct{}, 1),
		resealed:  map[string]bool{},
	}
	if a.known == nil {
		a.known = processKnown
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	if err := a.need(o.DefaultAlgorithm, o.Algorithms); err != nil {
		return nil, err
	}
	if err := check(o, a.schedule.lead); err != nil {
		return a, err
	}
	a.place, a.certain = place.Of(o.Storage, o.Issuer)
	return a, nil
}

// SigningKey returns the key that signs with alg now. For the default algorithm
// it is one of another algorithm as long as a new default waits. Errors:
// ErrUnavailable, ErrNotYet.
func (a *Automatic) SigningKey(ctx context.Context, alg token.Algorithm) (*token.Key, error) {
	current, err := a.ready(ctx)
	if err != nil {
		return nil, err
	}
	now := a.now()
	if current.young(now) && current.age(now) > time.Second || current.outlived(now) {
		current = a.fresh(ctx, pathTimeout, current, now)
	}
	v := a.view(current, now)
	r := v.signer(alg, now)
	if alg == a.schedule.defaultAlgorithm && now.Before(v.maturesAt) {
		r = a.former(v, now)
	}
	if r != nil {
		return r.key, nil
	}
	return nil, a.noSigner(v, alg)
}

// former returns the key that signs while the default algorithm waits.
func (a *Automatic) former(v *view, now time.Time) *record {
	for _, alg := range token.Algorithms() { // RS256 first
		if alg == a.schedule.defaultAlgorithm {
			continue
		}
		if r := v.signer(alg, now); r != nil {
			return r
		}
	}
	return v.signer(a.schedule.defaultAlgorithm, now)
}

func (a *Automatic) noSigner(v *view, alg token.Algorithm) error {
	if slices.ContainsFunc(v.states, func(s State) bool { return s.Algorithm == alg }) {
		return fmt.Errorf("%w: the %s key is new", ErrNotYet, alg)
	}
	return fmt.Errorf("%w: there is no %s key", ErrUnavailable, alg)
}

// JWKS returns the published set. Errors: ErrUnavailable.
//
// While an issuer is new it waits for a slow storage as long as for the first
// keys: one made a moment ago elsewhere signs already, and a client keeps for
// minutes a set that lacks it.
func (a *Automatic) JWKS(ctx context.Context) (json.RawMessage, error) {
	current, err := a.ready(ctx)
	if err != nil {
		return nil, err
	}
	now := a.now()
	return a.view(a.recent(ctx, current, now), now).jwks, nil
}

// recent returns a reading that no key can be missing from, or the same again
// where the storage does not answer.
func (a *Automatic) recent(ctx context.Context, current *snapshot, now time.Time) *snapshot {
	if current.dated(now) {
		patience := pathTimeout
		if current.allYoung(now) {
			patience = firstTimeout
		}
		return a.fresh(ctx, patience, current, now)
	}
	return current
}

// Algorithms lists what is or will be signed with, RS256 first.
func (a *Automatic) Algorithms() []token.Algorithm { return slices.Clone(a.algorithms) }

// States describes each published key, those that sign first. Nothing before
// the storage has been read.
func (a *Automatic) States() []State {
	current := a.current.Load()
	if current == nil {
		return nil
	}
	return slices.Clone(a.view(current, a.now()).states)
}

// ready returns the current set. Before this process has read the storage for
// the first time it waits for that; later it never waits.
func (a *Automatic) ready(ctx context.Context) (*snapshot, error) {
	a.takeOver()
	if current := a.current.Load(); current != nil {
		return current, nil
	}
	waiting, cancel := context.WithTimeoutCause(ctx, firstTimeout, errors.New("the storage has not answered yet"))
	defer cancel()
	err := a.await(waiting)
	if current := a.current.Load(); current != nil {
		return current, nil
	}
	if err == nil {
		err = errors.New("none could be made or opened")
	}
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// await waits until there is a set, or Run has tried once and the error says
// why there is none. It reads the storage itself: a request may come before Run
// does, or after Run ended because its config was replaced at once. Then the
// keys are there already, or the next config's Run is just making them.
func (a *Automatic) await(ctx context.Context) error {
	ticker := time.NewTicker(firstPoll)
	defer ticker.Stop()
	for a.fresh(ctx, pathTimeout, nil, a.now()) == nil {
		if a.closed.Load() {
			return errClosed
		}
		select {
		case <-a.attempted:
			err, _ := a.failure(a.now())
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	return nil
}

// fresh returns a reading that begins now, or current where the storage does
// not answer. After a failure it does not ask again for a second, so that a
// storage that hangs does not hang every request.
func (a *Automatic) fresh(ctx context.Context, patience time.Duration, current *snapshot, now time.Time) *snapshot {
	if _, recent := a.failure(now); recent || a.closed.Load() {
		return current
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := a.refresh(bounded)
	if err == nil && len(found.records) > 0 {
		return found
	}
	// A client that goes away says nothing about the storage. Were it taken for
	// a failure, whoever hangs up often enough would keep the set from being
	// refreshed.
	if bounded.Err() != nil && ctx.Err() == nil {
		a.failed(err)
	}
	return a.current.Load()
}

// Close lets nothing ask the storage for keys any more: the config is gone, and
// its storage module may close its client. What was read last goes on. A nil
// Automatic, that of an issuer with key files, has nothing to close.
func (a *Automatic) Close() {
	if a != nil {
		a.closed.Store(true)
	}
}

// view returns what the keys of current are at now.
func (a *Automatic) view(current *snapshot, now time.Time) *view {
	if v := a.cached.Load(); v.validAt(current, now) {
		return v
	}
	v := a.schedule.at(current, now)
	a.cached.Store(v)
	return v
}

// Interface guard.
var _ Set = (*Automatic)(nil)

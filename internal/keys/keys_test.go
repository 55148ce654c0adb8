package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

const testIssuer = "https://id.example.com"

var errFault = errors.New("injected fault")

// clock is a time that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rsaPool holds RSA keys, each made when it is first needed: that takes a
// while.
var rsaPool = func() (pool [5]func() *rsa.PrivateKey) {
	for i := range pool {
		pool[i] = sync.OnceValue(func() *rsa.PrivateKey {
			key, err := generate(token.RS256)
			if err != nil {
				panic(err)
			}
			return key.(*rsa.PrivateKey)
		})
	}
	return pool
}()

// pooled returns a generate that takes RSA keys from the pool, beginning with
// the one at from, and never the same twice.
func pooled(from int) func(token.Algorithm) (crypto.Signer, error) {
	var mu sync.Mutex
	return func(alg token.Algorithm) (crypto.Signer, error) {
		if !alg.RSA() {
			return generate(alg)
		}
		mu.Lock()
		defer mu.Unlock()
		if from >= len(rsaPool) {
			return nil, errors.New("the pool of RSA keys is used up")
		}
		from++
		return rsaPool[from-1](), nil
	}
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// fixture is one node: an Automatic whose clock and storage a test drives.
type fixture struct {
	*Automatic
	t     *testing.T
	clock *clock
	store *memory
	log   *logBuffer
}

// newFixture returns a node on store with ES256, the default, beside RS256. change may alter
// the options.
func newFixture(t *testing.T, store *memory, c *clock, change func(*Options)) *fixture {
	t.Helper()
	log := new(logBuffer)
	o := Options{
		Storage:          store,
		Issuer:           testIssuer,
		Algorithms:       []token.Algorithm{token.ES256},
		DefaultAlgorithm: token.ES256,
		Rotation:         90 * 24 * time.Hour,
		TokenLifetime:    time.Hour,
		CacheLifetime:    15 * time.Minute,
		Now:              c.Now,
		Logger:           slog.New(slog.NewTextHandler(log, nil)),
		known:            new(known), // as in a process of its own
	}
	if change != nil {
		change(&o)
	}
	a, err := NewAutomatic(o)
	if err != nil {
		t.Fatal(err)
	}
	a.generate = pooled(0)
	return &fixture{a, t, c, store, log}
}

// round does what Run does once.
func (f *fixture) round() {
	f.t.Helper()
	if err := f.tryRound(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) tryRound() error {
	err := f.maintain(context.Background())
	f.explain(err)
	f.attempt.Do(func() { close(f.attempted) })
	return err
}

func (f *fixture) signer(alg token.Algorithm) *token.Key {
	f.t.Helper()
	key, err := f.SigningKey(context.Background(), alg)
	if err != nil {
		f.t.Fatal(err)
	}
	return key
}

func (f *fixture) kids() []string {
	f.t.Helper()
	raw, err := f.JWKS(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	return kidsOf(f.t, raw)
}

func kidsOf(t *testing.T, raw json.RawMessage) (kids []string) {
	t.Helper()
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		kids = append(kids, key.KeyID)
	}
	return kids
}

// states describes the published keys as "ES256 signing", sorted.
func (f *fixture) states() (described []string) {
	for _, s := range f.States() {
		described = append(described, fmt.Sprintf("%s %s", s.Algorithm, s.State))
	}
	slices.Sort(described)
	return described
}

func (f *fixture) wantStates(want ...string) {
	f.t.Helper()
	if got := f.states(); !slices.Equal(got, want) {
		f.t.Fatalf("got %q, want %q", got, want)
	}
}

func (f *fixture) wantError(err error, want error) {
	f.t.Helper()
	if !errors.Is(err, want) {
		f.t.Fatalf("got %v, want %v", err, want)
	}
}

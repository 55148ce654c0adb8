package storage_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

const issuer = "https://id.example.com"

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

// noon is not the beginning of a minute, so that a bucket ends some time after
// the codes in it expire.
func noon() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 7, 5000, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// node returns the codes of one node: each has a used-set of its own.
func node(t testing.TB, s certmagic.Storage, c *clock, change ...func(*storage.Options)) *storage.Codes {
	t.Helper()
	o := storage.Options{Storage: s, Issuer: issuer, Retention: 10 * time.Minute, Used: storage.NewUsedSet()}
	if c != nil {
		o.Now = c.Now
	}
	for _, f := range change {
		f(&o)
	}
	codes, err := storage.New(o)
	if err != nil {
		t.Fatal(err)
	}
	codes.SetProcess(new(storage.Process))
	return codes
}

func record(now time.Time) *storage.Record {
	return &storage.Record{
		Issuer:              issuer,
		ClientID:            "grafana",
		Subject:             "alice",
		RedirectURI:         "https://grafana.example.com/login/generic_oauth",
		RedirectURISent:     true,
		Scope:               []string{"openid", "email"},
		Nonce:               "n-0S6_WzA2Mj",
		CodeChallenge:       "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		CodeChallengeMethod: "S256",
		AuthTime:            now.Add(-time.Minute).Truncate(time.Second),
		ACR:                 "urn:example:silver",
		AMR:                 []string{"pwd", "otp"},
		Claims:              map[string]json.RawMessage{"email": json.RawMessage(`"alice@example.com"`), "groups": json.RawMessage(`["<a&b>",7]`)},
		AccessTokenClaims:   map[string]json.RawMessage{"tenant": json.RawMessage(`9007199254740993`)},
		IssuedAt:            now,
		ExpiresAt:           now.Add(time.Minute),
	}
}

func mint(t testing.TB, c *storage.Codes, now time.Time) string {
	t.Helper()
	code, err := c.Store(t.Context(), record(now))
	if err != nil {
		t.Fatalf("Store: %v", err)
	}
	return code
}

func load(t testing.TB, c *storage.Codes, code string) *storage.Code {
	t.Helper()
	found, err := c.Load(t.Context(), code)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return found
}

// redeem loads and redeems, as a request does.
func redeem(ctx context.Context, c *storage.Codes, code string) error {
	found, err := c.Load(ctx, code)
	if err != nil {
		return err
	}
	return c.Redeem(ctx, found)
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// kinds are storages of every kind of claim, each empty.
var kinds = []struct {
	name string
	new  func(t *testing.T) certmagic.Storage
}{
	{"generic claim", func(*testing.T) certmagic.Storage { return storagetest.NewMemory() }},
	{"file claim", func(t *testing.T) certmagic.Storage { return &certmagic.FileStorage{Path: t.TempDir()} }},
	{"storage's own claim", func(*testing.T) certmagic.Storage { return newClaimer() }},
}

// claimer is a storage that can claim by itself.
type claimer struct {
	*storagetest.Memory
	mu   sync.Mutex
	kind string
	fail error // what Claim answers instead
}

func newClaimer() *claimer {
	return &claimer{Memory: storagetest.NewMemory(), kind: "memory-rename/v1"}
}

func (c *claimer) ClaimKind() string { return c.kind }

func (c *claimer) Claim(ctx context.Context, from, to string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return false, c.fail
	}
	value, err := c.Load(ctx, from)
	if err != nil {
		return false, nil
	}
	if _, err := c.Load(ctx, to); err == nil {
		return false, nil
	}
	return true, errors.Join(c.Store(ctx, to, value), c.Delete(ctx, from))
}

var _ storage.Claimer = (*claimer)(nil)

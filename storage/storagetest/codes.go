package storagetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

const issuer = "https://id.example.com"

// node returns the codes of one node of several on a storage: each opens it
// anew and has a used-set of its own.
func node(t *testing.T, s certmagic.Storage, change ...func(*storage.Options)) *storage.Codes {
	t.Helper()
	return nodeOn(t, again(s), change...)
}

// nodeOn is node on the storage as it is.
func nodeOn(t *testing.T, s certmagic.Storage, change ...func(*storage.Options)) *storage.Codes {
	t.Helper()
	o := storage.Options{Storage: s, Issuer: issuer, Retention: time.Minute, Used: storage.NewUsedSet()}
	for _, f := range change {
		f(&o)
	}
	codes, err := storage.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return codes
}

func nodes(t *testing.T, s certmagic.Storage, n int) (all []*storage.Codes) {
	t.Helper()
	for range n {
		all = append(all, node(t, s))
	}
	return all
}

func mint(t *testing.T, codes *storage.Codes, now time.Time) string {
	t.Helper()
	code, err := codes.Store(t.Context(), &storage.Record{Issuer: issuer, ClientID: "client", Subject: "alice", IssuedAt: now, ExpiresAt: now.Add(time.Minute)})
	if err != nil {
		t.Fatalf("Store: %v", err)
	}
	return code
}

func redeem(ctx context.Context, codes *storage.Codes, code string) error {
	found, err := codes.Load(ctx, code)
	if err != nil {
		return err
	}
	return codes.Redeem(ctx, found)
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// race redeems one code n times at once, on each node in turn, and returns how
// many won. All have found the code before the first claims it, so that the
// claim alone decides.
func race(t *testing.T, code string, n int, nodes ...*storage.Codes) int {
	t.Helper()
	claims := make([]func() (bool, error), n)
	for i := range claims {
		codes := nodes[i%len(nodes)]
		found, err := codes.Load(t.Context(), code)
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		claims[i] = func() (bool, error) {
			err := codes.Redeem(t.Context(), found)
			if errors.Is(err, storage.ErrUsed) || errors.Is(err, storage.ErrLost) {
				return false, nil
			}
			return err == nil, err
		}
	}
	return together(t, claims)
}

// together makes claims at once and returns how many won.
func together(t *testing.T, claims []func() (won bool, err error)) (winners int) {
	t.Helper()
	var mu sync.Mutex
	var done sync.WaitGroup
	start := make(chan struct{})
	for _, claim := range claims {
		done.Go(func() {
			<-start
			won, err := claim()
			if err != nil {
				t.Errorf("claiming: %v", err)
			}
			if won {
				mu.Lock()
				defer mu.Unlock()
				winners++
			}
		})
	}
	close(start)
	done.Wait()
	return winners
}

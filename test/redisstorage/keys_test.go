package redisstorage_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/keys"
	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/test/redisstorage"
)

func TestTwoNodesMakeKeysAtOnce(t *testing.T) {
	address := startRedis(t)
	rounds := 100
	if testing.Short() {
		rounds = 10 // each makes two RSA keys
	}
	t.Run("F43 F30 two nodes make one key set in Redis, whose lock locks nothing", func(t *testing.T) {
		for range rounds {
			again := opener(t, address)
			startTwo(t, again(), again())
		}
	})
}

// startTwo starts two nodes and has them sign and publish as soon as they can,
// until both sign with the same key. At no time may one sign with a key that the
// other does not publish.
func startTwo(t *testing.T, storageOfA, storageOfB *redisstorage.Storage) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	a, b := newKeys(t, storageOfA), newKeys(t, storageOfB)
	for _, node := range []*starting{a, b} {
		running.Go(func() { node.Run(ctx) })
	}
	for deadline := time.Now().Add(time.Minute); ; {
		x, y := a.signer(t, b), b.signer(t, a)
		if x != "" && x == y && slices.Equal(a.kids(t), b.kids(t)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("one signs with %q, the other with %q", x, y)
		}
	}
}

// starting is a node that may have no keys yet.
type starting struct {
	*keys.Automatic
	published bool
}

func newKeys(t *testing.T, s *redisstorage.Storage) *starting {
	t.Helper()
	node, err := keys.NewAutomatic(keys.Options{
		Storage:       s,
		Issuer:        "https://id.example.com",
		Rotation:      90 * 24 * time.Hour,
		TokenLifetime: time.Hour,
		CacheLifetime: 15 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &starting{Automatic: node}
}

// signer returns the key a node signs with, and asserts that the other
// publishes it once it publishes any. A node that has none says so after some
// seconds.
func (node *starting) signer(t *testing.T, other *starting) string {
	t.Helper()
	key, err := node.SigningKey(t.Context(), token.RS256)
	if errors.Is(err, keys.ErrUnavailable) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	published := other.kids(t)
	if !other.published {
		return ""
	}
	if !slices.Contains(published, key.ID) {
		t.Fatal("the other node does not publish the key that this one signs with")
	}
	return key.ID
}

// kids returns the keys a node publishes. That it has none is right only before
// it has had some.
func (node *starting) kids(t *testing.T) (ids []string) {
	t.Helper()
	raw, err := node.JWKS(t.Context())
	if errors.Is(err, keys.ErrUnavailable) && !node.published {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	node.published = true
	for _, key := range set.Keys {
		ids = append(ids, key.KeyID)
	}
	return ids
}

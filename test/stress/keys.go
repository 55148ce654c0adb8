//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyring holds what is known of the keys that tokens are signed with: the
// names of all, and a sample of the tokens.
type keyring struct {
	mu     sync.Mutex
	names  map[string]string // protected header → kid
	count  int
	sample []string
}

// sampleEvery is how many tokens there are for each whose signature is checked
// against the keys of every node.
const sampleEvery = 25

// note takes tokens that were issued. It fails where they name no key.
func (k *keyring) note(t tokens) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, token := range []string{t.AccessToken, t.IDToken} {
		header, _, _ := strings.Cut(token, ".")
		if _, ok := k.names[header]; ok {
			continue
		}
		var h struct {
			KeyID string `json:"kid"`
		}
		raw, err := base64.RawURLEncoding.DecodeString(header)
		if err != nil || json.Unmarshal(raw, &h) != nil || h.KeyID == "" {
			return errors.New("a token names no key")
		}
		if k.names == nil {
			k.names = make(map[string]string)
		}
		k.names[header] = h.KeyID
	}
	if k.count%sampleEvery == 0 {
		k.sample = append(k.sample, t.AccessToken, t.IDToken)
	}
	k.count++
	return nil
}

// verify holds all that was noted against the keys that a node publishes, and
// returns how many signatures it has checked.
func (k *keyring) verify(ctx context.Context, n *node) (int, error) {
	body, err := n.get(ctx, "/.well-known/jwks.json")
	if err != nil {
		return 0, err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		return 0, fmt.Errorf("reading the keys of node %d: %w", n.index, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range k.names {
		if len(set.Key(name)) != 1 {
			return 0, fmt.Errorf("tokens were signed with key %s, which node %d does not publish", name, n.index)
		}
	}
	for _, token := range k.sample {
		signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return 0, fmt.Errorf("reading a token: %w", err)
		}
		if _, err := signed.Verify(set.Key(signed.Signatures[0].Header.KeyID)[0]); err != nil {
			return 0, fmt.Errorf("verifying a token with the keys of node %d: %w", n.index, err)
		}
	}
	return len(k.sample), nil
}

// forget drops the sample; the names stay.
func (k *keyring) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sample = nil
}

// checkIssueTime makes sure that a node goes by the clock it is meant to.
func checkIssueTime(t tokens, want time.Time) error {
	parts := strings.Split(t.AccessToken, ".")
	if len(parts) != 3 {
		return errors.New("an access token has not three parts")
	}
	var claims struct {
		IssuedAt int64 `json:"iat"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		return err
	}
	if off := time.Unix(claims.IssuedAt, 0).Sub(want); off.Abs() > 10*time.Second {
		return fmt.Errorf("the node's clock is off by %v more than it should be", off)
	}
	return nil
}

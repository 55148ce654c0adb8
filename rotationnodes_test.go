package oidctoken_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/authentiq/caddy-oidc-token/internal/keys"
)

// TestRotationOnTwoNodes rotates the keys of two processes by hand, at one and
// then at the other, while both issue tokens all the time. Each token is
// verified, by another program's means, with what the other process publishes
// when the token has arrived, and nothing cached. A new key signs ten seconds
// after it was made, which the test has to wait for.
func TestRotationOnTwoNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("a new key signs after ten seconds")
	}
	s := newSite(t)
	s.makeOldKeys(t)
	a := s.node(t, nodeSite)
	b := s.node(t, nodeSite)
	kids := map[*site]map[string]bool{a: {}, b: {}} // that each has signed with
	rotated := 0
	tokens := 0
	t.Run("F46 T03 no token carries a kid that the other node does not publish, throughout rotations at both", func(t *testing.T) {
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for began := time.Now(); ; <-pace.C {
			tokens++
			signer, publisher := a, b
			if tokens%2 == 1 {
				signer, publisher = b, a
			}
			for _, raw := range s.issueAt(t, signer) {
				kids[signer][publisher.verifyAt(t, raw)] = true
			}
			switch since := time.Since(began); {
			case rotated == 0 && tokens > 10:
				a.rotateKeys(t)
				rotated++
			case rotated == 1 && since > 2*time.Second:
				b.rotateKeys(t)
				rotated++
			case len(kids[a]) > 2 && len(kids[b]) > 2, since > 40*time.Second:
				return
			}
		}
	})
	if len(kids[a]) < 2 || len(kids[b]) < 2 || rotated < 2 {
		t.Errorf("after %d tokens and %d rotations one has signed with %d keys, the other with %d", tokens, rotated, len(kids[a]), len(kids[b]))
	}
	t.Logf("verified %d tokens under %d keys", 2*tokens, len(kids[a]))
}

// makeOldKeys makes the keys of the issuer as of an hour ago: while any key is
// young a node looks at the storage each time it publishes.
func (s *site) makeOldKeys(t *testing.T) {
	t.Helper()
	old, err := keys.NewAutomatic(keys.Options{
		Storage:       &certmagic.FileStorage{Path: s.dir},
		Issuer:        s.issuer,
		TokenLifetime: time.Hour,
		CacheLifetime: time.Hour,
		Now:           func() time.Time { return time.Now().Add(-time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go old.Run(ctx)
	if _, err := old.JWKS(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// issueAt returns an ID token and an access token of a node, minted for there.
func (s *site) issueAt(t *testing.T, node *site) []string {
	t.Helper()
	code, status, answer := node.mintAt(t, map[string]any{"client_id": "web", "subject": "alice", "redirect_uri": redirect})
	if status != http.StatusCreated {
		t.Fatalf("minting: %d %s", status, answer)
	}
	at := s.at(node)
	tokens := at.send(at.redemption(code))
	tokens.wantTokens(t)
	return []string{fmt.Sprint(tokens.json["id_token"]), fmt.Sprint(tokens.json["access_token"])}
}

// verifyAt verifies a token with the keys that a node publishes now, and
// returns the kid that signed it.
func (s *site) verifyAt(t *testing.T, raw string) (kid string) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), s.client)
	if _, err := oidc.NewRemoteKeySet(ctx, "http://127.0.0.1:"+s.port+"/.well-known/jwks.json").VerifySignature(ctx, raw); err != nil {
		t.Fatalf("the other node does not publish the key of a token: %v", err)
	}
	return fmt.Sprint(header64(t, raw)["kid"])
}

// rotateKeys does what the rotate-key command does, at a node.
func (s *site) rotateKeys(t *testing.T) {
	t.Helper()
	r, err := http.Post("http://"+s.admin+"/oidc_token/keys/rotate", "application/json", bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if answer, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusOK {
		t.Fatalf("rotating: %d %s", r.StatusCode, answer)
	}
}

//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestKeyring(t *testing.T) {
	ours, others := newSigner(t, "ours"), newSigner(t, "others")
	impostor := newSigner(t, "ours")
	for _, row := range []struct {
		name      string
		signer    *signer
		published []*signer
		want      string
	}{
		{"a key that is published", ours, []*signer{others, ours}, ""},
		{"a key that is not published", ours, []*signer{others}, "which node 2 does not publish"},
		{"another key under its name", impostor, []*signer{ours}, "verifying a token with the keys of node 2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := &node{index: 2, site: serve(t, row.published)}
			var k keyring
			token := row.signer.sign(t, time.Unix(1000, 0))
			if err := k.note(tokens{token, token}); err != nil {
				t.Fatal(err)
			}
			checked, err := k.verify(t.Context(), n)
			if row.want == "" && (err != nil || checked != 2) || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("%d signatures checked: %v", checked, err)
			}
		})
	}
	t.Run("a token without a key's name", func(t *testing.T) {
		token := newSigner(t, "").sign(t, time.Now())
		if err := new(keyring).note(tokens{token, token}); err == nil {
			t.Error("it is accepted")
		}
	})
	t.Run("a node whose clock is not what it is meant to be is found", func(t *testing.T) {
		issuedAt := time.Unix(1_000_000, 0)
		token := tokens{AccessToken: ours.sign(t, issuedAt)}
		if err := checkIssueTime(token, issuedAt.Add(time.Second)); err != nil {
			t.Error(err)
		}
		if err := checkIssueTime(token, issuedAt.Add(time.Minute)); err == nil {
			t.Error("a minute makes no difference")
		}
	})
}

type signer struct {
	key  jose.JSONWebKey
	jose jose.Signer
}

func newSigner(t *testing.T, name string) *signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: name, Algorithm: "ES256"}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{key.Public(), s}
}

func (s *signer) sign(t *testing.T, issuedAt time.Time) string {
	t.Helper()
	signed, err := s.jose.Sign(fmt.Appendf(nil, `{"iat":%d}`, issuedAt.Unix()))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// serve publishes the keys and returns the address.
func serve(t *testing.T, signers []*signer) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, s := range signers {
		set.Keys = append(set.Keys, s.key)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

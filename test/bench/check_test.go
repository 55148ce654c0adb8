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

	"github.com/authentiq/caddy-oidc-token/test/bench/load"
)

// endpointOf is a token endpoint that may go wrong.
type endpointOf struct {
	signs, publishes *ecdsa.PrivateKey
	lifetime         time.Duration
	again            int // status for a code that was used
	used             map[string]bool
}

func (e *endpointOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/codes":
		fmt.Fprint(w, "one\n")
	case "/keys":
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: e.publishes.Public(), KeyID: "one"}}})
	default:
		if e.used[r.FormValue("code")] {
			w.WriteHeader(e.again)
			return
		}
		e.used[r.FormValue("code")] = true
		signer, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: e.signs, KeyID: "one"}}, nil)
		jws, _ := signer.Sign(fmt.Appendf(nil, `{"sub":"alice","exp":%d}`, time.Now().Add(e.lifetime).Unix()))
		token, _ := jws.CompactSerialize()
		json.NewEncoder(w).Encode(map[string]string{"access_token": token, "id_token": token})
	}
}

func TestCheck(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for _, row := range []struct {
		name    string
		change  func(*endpointOf)
		problem string
	}{
		{"an endpoint that does its work is measured", func(*endpointOf) {}, ""},
		{"one that takes a code twice is not", func(e *endpointOf) { e.again = http.StatusOK }, "to a code that was used"},
		{"one whose tokens do not verify is not", func(e *endpointOf) { e.signs = other }, "no published key"},
		{"one whose tokens have expired is not", func(e *endpointOf) { e.lifetime = -time.Hour }, "expired"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := &endpointOf{signs: key, publishes: key, lifetime: time.Hour, again: http.StatusBadRequest, used: make(map[string]bool)}
			row.change(e)
			web := httptest.NewServer(e)
			defer web.Close()
			s := &subject{name: "a peer", alg: "ES256", path: "/token", client: "web", mint: "/codes?", keys: "/keys"}
			s.server = &server{name: s.name, address: strings.TrimPrefix(web.URL, "http://")}
			s.server.openDoor(s.server.address)
			err := s.check()
			if row.problem == "" && err != nil {
				t.Fatal(err)
			}
			if row.problem != "" && (err == nil || !strings.Contains(err.Error(), row.problem)) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestAnsweredWantsOneStatus(t *testing.T) {
	s := &subject{name: "a peer", server: new(server)}
	if err := s.answered(http.StatusOK, &load.Result{Statuses: map[int]int{200: 10}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.answered(http.StatusOK, &load.Result{Statuses: map[int]int{200: 9, 503: 1}}, nil); err == nil {
		t.Fatal("one answer of ten was a fault, and nobody noticed")
	}
}

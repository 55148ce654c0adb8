package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"github.com/go-jose/go-jose/v4"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func TestMemoryIsAStorage(t *testing.T) {
	storagetest.Run(t, func(*testing.T) certmagic.Storage {
		return new(memory).CaddyModule().New().(certmagic.Storage)
	})
}

func TestLeanSignsTwoTokens(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		t.Run(alg+" tokens verify under the key that is published", func(t *testing.T) {
			l := &lean{Algorithm: alg, Issuer: "http://127.0.0.1:1", ClientID: "web"}
			if err := l.Provision(caddy.Context{}); err != nil {
				t.Fatal(err)
			}
			now := time.Now().Unix()
			body, err := l.response(now)
			if err != nil {
				t.Fatal(err)
			}
			var response struct {
				AccessToken string `json:"access_token"`
				IDToken     string `json:"id_token"`
			}
			if err := json.Unmarshal(body, &response); err != nil {
				t.Fatal(err)
			}
			access, id := verify(t, l, response.AccessToken), verify(t, l, response.IDToken)
			if access["client_id"] != "web" || id["aud"] != "web" || id["exp"] != float64(now+3600) {
				t.Fatalf("got %v and %v", access, id)
			}
			sum := l.key.digest([]byte(response.AccessToken))
			if want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]); id["at_hash"] != want {
				t.Fatalf("at_hash is %v, the access token's is %s", id["at_hash"], want)
			}
		})
	}
	if err := (&lean{Algorithm: "none"}).Provision(caddy.Context{}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Fatalf("an algorithm that there is not: got %v", err)
	}
}

func verify(t *testing.T, l *lean, token string) map[string]any {
	t.Helper()
	text, err := json.Marshal(l.key.jwk)
	if err != nil {
		t.Fatal(err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(text, &key); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(l.Algorithm)})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

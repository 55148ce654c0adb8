package oidctoken

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

const handedSecret = "hKq8n3VZ5cX1tR7wY2uB9sD4fG6jL0pM-handed"

// generation is the issuer of one config, which no Caddy runs. It signs with a
// key file, so that nothing runs in the background.
func generation(t *testing.T, store certmagic.Storage, key string, edit func(*Handler)) *issuer {
	t.Helper()
	h := &Handler{Issuer: "https://id.example", SigningAlg: "ES256", SigningKey: []string{key}, Clients: []*Client{{
		ClientID: "web", ClientSecret: []string{handedSecret}, RedirectURIs: []string{"https://app.example/callback"},
		AllowedOrigins: []string{"https://old.example"},
	}}}
	if edit != nil {
		edit(h)
	}
	s, err := h.settings(func(v string) (string, error) { return v, nil })
	if err != nil {
		t.Fatal(err)
	}
	i, err := newIssuer(s, store, zap.NewNop(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	i.endpoint.Throttle = oauth.NewThrottle()
	return i
}

// ask sends a request to the handler of i.
func ask(t *testing.T, i *issuer, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	if r.TLS != nil {
		r.TLS.HandshakeComplete = true
	}
	w := httptest.NewRecorder()
	if err := (&Handler{issuer: i}).ServeHTTP(w, r, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

func redemptionOf(code string) *http.Request {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://app.example/callback"}}
	r := httptest.NewRequest(http.MethodPost, "https://id.example/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", handedSecret)
	return r
}

// A request that comes to a config that was replaced, because its connection
// was made before or its form came slowly.
func TestRequestsThatComeLate(t *testing.T) {
	key := es256File(t)
	// replaced is an issuer whose config was replaced, over a storage that was
	// closed, and its successor, if there is one.
	replaced := func(t *testing.T, edit func(*Handler)) (old, now *issuer) {
		t.Helper()
		memory := storagetest.NewMemory()
		memory.Before(func(context.Context, storagetest.Call) error {
			t.Error("the storage was used")
			return errors.New("the client is closed")
		})
		old = generation(t, memory, key, nil)
		old.requests.close()
		old.claims.close()
		if edit == nil {
			return old, nil
		}
		now = generation(t, storagetest.NewMemory(), key, edit)
		live.add(now)
		t.Cleanup(func() { live.remove(now) })
		return old, now
	}
	mint := func(t *testing.T, i *issuer) string {
		t.Helper()
		minted, err := i.mint(t.Context(), &MintRequest{ClientID: "web", Subject: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		return minted.Code
	}
	t.Run("F36 F38 it is the next config's", func(t *testing.T) {
		old, now := replaced(t, func(*Handler) {})
		if w := ask(t, old, redemptionOf(mint(t, now))); w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if now.requests.count != 0 {
			t.Error("it is still counted")
		}
	})
	t.Run("F36 F38 it is the next config's where its path changed", func(t *testing.T) {
		old, now := replaced(t, func(h *Handler) { h.TokenEndpoint, h.JWKSEndpoint = "/oauth/token", "/oauth/keys" })
		if w := ask(t, old, redemptionOf(mint(t, now))); w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		for path, want := range map[string]string{"/.well-known/jwks.json": `"keys"`, "/.well-known/openid-configuration": "/oauth/token"} {
			if w := ask(t, old, httptest.NewRequest(http.MethodGet, "https://id.example"+path, nil)); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: got %d %s", path, w.Code, w.Body)
			}
		}
		if now.requests.count != 0 {
			t.Error("one is still counted")
		}
	})
	t.Run("F37 a client that was removed is none any more", func(t *testing.T) {
		old, _ := replaced(t, func(h *Handler) { h.Clients[0].ClientID = "other" })
		if w := ask(t, old, redemptionOf(strings.Repeat("A", 48))); w.Code != 401 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
	t.Run("F37 the origins are those of the config that answers", func(t *testing.T) {
		old, now := replaced(t, func(h *Handler) { h.Clients[0].AllowedOrigins = []string{"https://new.example"} })
		for origin, want := range map[string]string{"https://new.example": "https://new.example", "https://old.example": ""} {
			r := redemptionOf(mint(t, now))
			r.Header.Set("Origin", origin)
			w := ask(t, old, r)
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != want || (w.Code == 200) != (want != "") {
				t.Errorf("from %s: %d, allowed is %q", origin, w.Code, got)
			}
			r = redemptionOf("x")
			r.Header.Set("Origin", origin)
			r.Header.Set("Content-Type", "text/plain") // which is said before the origin is looked at
			if got := ask(t, old, r).Header().Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("from %s: %q may read an error", origin, got)
			}
			if vary := w.Header().Values("Vary"); len(vary) != 1 {
				t.Errorf("Vary is %q", vary)
			}
		}
	})
	t.Run("F37 F38 without a next config it is 503 before anything is touched", func(t *testing.T) {
		old, _ := replaced(t, nil)
		w := ask(t, old, redemptionOf(strings.Repeat("A", 48)))
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "temporarily_unavailable") {
			t.Errorf("got %d %s, Retry-After %q", w.Code, w.Body, w.Header().Get("Retry-After"))
		}
	})
	t.Run("F37 without a next config the documents are served from memory", func(t *testing.T) {
		old, _ := replaced(t, nil)
		for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"} {
			if w := ask(t, old, httptest.NewRequest(http.MethodGet, "https://id.example"+path, nil)); w.Code != 200 {
				t.Errorf("%s: got %d %s", path, w.Code, w.Body)
			}
		}
	})
	t.Run("F37 minting finds the next config, or none", func(t *testing.T) {
		replaced(t, func(*Handler) {})
		if _, err := Mint(t.Context(), "https://id.example", &MintRequest{ClientID: "web", Subject: "alice"}); err != nil {
			t.Error(err)
		}
		if i, err := live.begin("https://other.example"); !errors.Is(err, ErrNoIssuer) {
			t.Errorf("got %v, %v", i, err)
		}
	})
}

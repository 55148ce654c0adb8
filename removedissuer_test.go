package oidctoken

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func TestJWKSOfARemovedIssuer(t *testing.T) {
	t.Run("F37 F38 it is served from memory: the storage may be closed", func(t *testing.T) {
		key := es256File(t)
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			i := generation(t, memory, key, func(h *Handler) { h.SigningKey = nil })
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { i.run(ctx); close(ended) }()
			time.Sleep(time.Second) // of the bubble's clock: the first keys are made
			jwks := func() string {
				t.Helper()
				w := ask(t, i, httptest.NewRequest(http.MethodGet, "https://id.example/.well-known/jwks.json", nil))
				if w.Code != http.StatusOK {
					t.Fatalf("status %d", w.Code)
				}
				return w.Body.String()
			}
			want := jwks()
			cancel()
			<-ended
			<-stopping(t, i)
			memory.Before(func(_ context.Context, call storagetest.Call) error {
				t.Errorf("the closed storage is used: %s", call.Op)
				return errors.New("the client is closed")
			})
			if jwks() != want {
				t.Error("another set")
			}
		})
	})
}

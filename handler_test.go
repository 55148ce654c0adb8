package oidctoken

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// bareIssuer has a handler's parts but no endpoint: whatever asks it panics.
func bareIssuer() (*issuer, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return &issuer{
		identifier: "http://localhost",
		settings:   &settings{issuerURL: &url.URL{Scheme: "http", Host: "localhost"}},
		logger:     zap.New(core),
		now:        time.Now,
	}, logs
}

func TestPanicInTheEndpoint(t *testing.T) {
	i, logs := bareIssuer()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader("grant_type=authorization_code&code=a-code&client_id=web"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	i.serveToken(w, r)
	t.Run("REQ-168 H14 a panic is a 500 without a stack", func(t *testing.T) {
		if w.Code != 500 || strings.TrimSpace(w.Body.String()) != `{"error":"server_error","error_description":"The request could not be completed."}` {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
	t.Run("the log has the stack and the request", func(t *testing.T) {
		if logs.FilterMessageSnippet("panic").Len() != 1 || logs.FilterField(zap.String("event", "panic")).FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
			t.Errorf("logged %v", logs.All())
		}
	})
	t.Run("an aborted request stays aborted", func(t *testing.T) {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("recovered %v", p)
			}
		}()
		x := &responder{issuer: i, w: httptest.NewRecorder(), r: httptest.NewRequest(http.MethodPost, "/token", nil)}
		defer x.recover()
		panic(http.ErrAbortHandler)
	})
	t.Run("a panic after the answer writes no second one", func(t *testing.T) {
		w := httptest.NewRecorder()
		func() {
			x := &responder{issuer: i, w: w, r: httptest.NewRequest(http.MethodPost, "/token", nil)}
			defer x.recover()
			if err := x.write(http.StatusOK, []byte("{}")); err != nil {
				t.Error(err)
			}
			panic("late")
		}()
		if w.Body.String() != "{}" {
			t.Errorf("got %s", w.Body)
		}
	})
}

func TestCodesExpireAsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Handler{Issuer: "https://id.example", CodeLifetime: caddy.Duration(30 * time.Second), Clients: []*Client{{
			ClientID: "web", ClientSecret: []string{"a-secret-of-enough-characters"}, RedirectURIs: []string{"https://app.example/"},
		}}}
		s, err := h.settings(func(v string) (string, error) { return v, nil })
		if err != nil {
			t.Fatal(err)
		}
		i, err := newIssuer(s, storagetest.NewMemory(), zap.NewNop(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		minted, err := i.mint(t.Context(), &MintRequest{ClientID: "web", Subject: "alice"})
		if err != nil || minted.ExpiresIn != 30 {
			t.Fatalf("got %+v, %v", minted, err)
		}
		time.Sleep(29 * time.Second) // of the bubble's clock
		if _, err := i.codes.Load(t.Context(), minted.Code); err != nil {
			t.Errorf("REQ-086 a second before its end the code is %v", err)
		}
		time.Sleep(time.Second)
		if _, err := i.codes.Load(t.Context(), minted.Code); !errors.Is(err, storage.ErrExpired) {
			t.Errorf("REQ-086 at its end the code is %v", err)
		}
	})
}

// deaf is a client that went away.
type deaf struct{ http.ResponseWriter }

func (deaf) Write([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestUndeliveredTokens(t *testing.T) {
	i, logs := bareIssuer()
	x := &responder{issuer: i, w: deaf{httptest.NewRecorder()}, r: httptest.NewRequest(http.MethodPost, "/token", nil), start: time.Now()}
	x.writeToken(&token.Response{AccessToken: "an-access-token", TokenType: "Bearer", ExpiresIn: 1})
	t.Run("F13 tokens that did not arrive are reported as issued", func(t *testing.T) {
		if logs.Len() != 1 || logs.FilterField(zap.String("event", "issued_undelivered")).Len() != 1 {
			t.Errorf("logged %v", logs.All())
		}
	})
}

package oidctoken

import (
	"context"
	"encoding/base64"
	"encoding/json"
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

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func TestPanicInUserInfo(t *testing.T) {
	i, logs := bareIssuer()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"a-key"}`))
	r.Header.Set("Authorization", "Bearer "+header+".e30.AAAA")
	i.serveUserInfo(w, r)
	t.Run("REQ-168 H14 a panic is a 500 without a stack", func(t *testing.T) {
		if w.Code != 500 || strings.TrimSpace(w.Body.String()) != `{"error":"server_error","error_description":"The request could not be completed."}` {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
	t.Run("the log has the stack and the request's line", func(t *testing.T) {
		if logs.FilterMessageSnippet("panic").Len() != 1 || logs.FilterField(zap.String("event", "panic")).FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
			t.Errorf("logged %v", logs.All())
		}
	})
}

// TestUserInfoUntilTheTokenExpires runs an issuer with its sweeper by a clock of
// its own: a code that is redeemed in its last second yields an access token
// whose claims are there in its last second, too, and never after.
func TestUserInfoUntilTheTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lifetime = time.Hour
		h := &Handler{Issuer: "http://localhost", SigningAlg: "ES256", AccessTokenLifetime: caddy.Duration(lifetime), Clients: []*Client{{
			ClientID: "web", ClientSecret: []string{"a-secret-of-enough-characters"}, RedirectURIs: []string{"https://app.example/"},
		}}}
		s, err := h.settings(func(v string) (string, error) { return v, nil })
		if err != nil {
			t.Fatal(err)
		}
		memory := storagetest.NewMemory()
		i, err := newIssuer(s, memory, zap.NewNop(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		i.endpoint.Throttle = oauth.NewThrottle() // the process-wide one is not of this bubble
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go i.run(ctx)
		time.Sleep(time.Hour - time.Duration(time.Now().UnixNano())%time.Hour) // a whole second
		minted, err := i.mint(t.Context(), &MintRequest{ClientID: "web", Subject: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		accessToken := redeemed(t, i, minted.Code)
		time.Sleep(lifetime - time.Nanosecond)
		if status := userInfoStatus(i, accessToken); status != http.StatusOK {
			t.Errorf("REQ-106 in the token's last moment the answer is %d", status)
		}
		time.Sleep(time.Nanosecond)
		if status := userInfoStatus(i, accessToken); status != http.StatusUnauthorized {
			t.Errorf("at its end the answer is %d", status)
		}
		time.Sleep(10 * time.Minute)
		for key := range memory.Snapshot() {
			if strings.Contains(key, "/used/") {
				t.Errorf("REQ-106 ten minutes later the marker is still there")
			}
		}
	})
}

func redeemed(t *testing.T, i *issuer, code string) (accessToken string) {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}}
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", "a-secret-of-enough-characters")
	w := httptest.NewRecorder()
	i.serveToken(w, r)
	var response struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &response); err != nil || w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	return response.AccessToken
}

func userInfoStatus(i *issuer, accessToken string) int {
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+accessToken)
	w := httptest.NewRecorder()
	i.serveUserInfo(w, r)
	return w.Code
}

// A UserInfo request that comes to a config that was replaced.
func TestUserInfoThatComesLate(t *testing.T) {
	key, memory := es256File(t), storagetest.NewMemory()
	now := generation(t, memory, key, func(h *Handler) { h.Clients[0].AllowedOrigins = []string{"https://new.example"} })
	minted, err := now.mint(t.Context(), &MintRequest{ClientID: "web", Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(ask(t, now, redemptionOf(minted.Code)).Body.Bytes(), &tokens); err != nil {
		t.Fatal(err)
	}
	late := func(t *testing.T) *httptest.ResponseRecorder {
		closed := storagetest.NewMemory()
		closed.Before(func(context.Context, storagetest.Call) error {
			t.Error("the storage was used")
			return errors.New("the client is closed")
		})
		old := generation(t, closed, key, nil)
		old.requests.close()
		r := httptest.NewRequest(http.MethodGet, "https://id.example/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		r.Header.Set("Origin", "https://new.example")
		return ask(t, old, r)
	}
	t.Run("F37 F38 without a next config it is 503 before anything is touched", func(t *testing.T) {
		if w := late(t); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("got %d %s, Retry-After %q", w.Code, w.Body, w.Header().Get("Retry-After"))
		}
	})
	t.Run("F36 F38 it is the next config's, and so are the origins", func(t *testing.T) {
		live.add(now)
		t.Cleanup(func() { live.remove(now) })
		w := late(t)
		if w.Code != 200 || w.Body.String() != `{"sub":"alice"}` || w.Header().Get("Access-Control-Allow-Origin") != "https://new.example" {
			t.Errorf("got %d %s for %q", w.Code, w.Body, w.Header().Get("Access-Control-Allow-Origin"))
		}
		if now.requests.count != 0 {
			t.Error("it is still counted")
		}
	})
}

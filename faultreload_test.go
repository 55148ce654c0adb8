package oidctoken_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// stopAt has the first call of an operation on codes wait. reached is closed
// when it has come, and release lets it go on.
func stopAt(memory *storagetest.Memory, op storagetest.Op) (reached <-chan struct{}, release func()) {
	came, free := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	memory.Before(onCodes(func(_ context.Context, call storagetest.Call) error {
		if call.Op == op && first.CompareAndSwap(false, true) {
			close(came)
			<-free
		}
		return nil
	}))
	return came, func() { close(free) }
}

// inFlight sends a request and returns its answer to come.
func (s *site) inFlight(r *http.Request) <-chan *answer {
	answers := make(chan *answer, 1)
	go func() {
		a, err := s.try(r)
		if err != nil {
			s.t.Error(err)
			a = &answer{Response: new(http.Response)}
		}
		answers <- a
	}()
	return answers
}

// reloadDuring loads site blocks while a request waits in the storage, which
// goes on once the config is up and the reload has had time to go wrong. It
// returns the request's answer.
func (s *site) reloadDuring(t *testing.T, load func() error, release func(), answers <-chan *answer) *answer {
	t.Helper()
	before := closings.Load()
	loaded := make(chan error, 1)
	go func() { loaded <- load() }()
	select {
	case err := <-loaded:
		t.Errorf("the reload did not wait: %v", err)
		loaded <- err
	case <-time.After(300 * time.Millisecond):
	}
	if n := closings.Load(); n != before {
		t.Error("the storage was closed under the request")
	}
	release()
	a := <-answers
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	return a
}

const (
	otherSite = "http://127.0.0.1:PORT {\nrespond \"no issuer\" 404\n}"
	otherPath = `
http://127.0.0.1:PORT {
	oidc_token {
		issuer ISSUER
		token_endpoint /oauth/token
		CLIENTS
	}
	respond "no endpoint" 404
}`
)

// withoutWeb is oneSite without client web.
var withoutWeb = strings.Replace(oneSite, "CLIENTS", "client other {\nclient_secret "+webSecret+"\nredirect_uris https://app.example/callback\n}", 1)

func TestAReloadTakesAwayWhatARequestUses(t *testing.T) {
	for _, row := range []struct {
		name   string
		reload func(*site) error
		after  int // what the token endpoint answers then
	}{
		{"F37 a client is removed", func(s *site) error { return s.loadOn(withoutWeb, "test_closing") }, 401},
		{"F37 an issuer is removed", func(s *site) error { return s.load(otherSite) }, 404},
		{"F37 a path is changed", func(s *site) error { return s.loadOn(otherPath, "test_closing") }, 404},
	} {
		for _, at := range []storagetest.Op{storagetest.OpLoad, storagetest.OpStore} {
			t.Run(row.name+" while its request is at "+string(at), func(t *testing.T) {
				s, memory := closingSite(t)
				code := s.mint(oidctoken.MintRequest{ClientID: "web"})
				reached, release := stopAt(memory, at)
				answers := s.inFlight(s.redemption(code))
				await(t, "a call of the storage", reached)
				wantEnd(t, s.reloadDuring(t, func() error { return row.reload(s) }, release, answers))
				if a := s.send(s.redemption(code)); a.StatusCode != row.after {
					t.Errorf("then a request is answered %d", a.StatusCode)
				}
			})
		}
	}
}

// wantEnd asserts that a request finished under the config it came with.
func wantEnd(t *testing.T, a *answer) {
	t.Helper()
	if a == nil {
		t.Fatal("the request got no answer")
	}
	a.wantTokens(t)
}

// closingStorage is a Caddy storage module that closes its client when its
// config goes, as those of databases do.
type closingStorage struct {
	Name string `json:"name"`

	closed atomic.Bool
}

func init() { caddy.RegisterModule(new(closingStorage)) }

func (*closingStorage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.test_closing", New: func() caddy.Module { return new(closingStorage) }}
}

func (s *closingStorage) Cleanup() error {
	s.closed.Store(true)
	closings.Add(1)
	return nil
}

// closings counts the storages that were closed.
var closings atomic.Int64

// closingSite is a memorySite whose reloads close the storage.
func closingSite(t testing.TB) (*site, *storagetest.Memory) {
	t.Helper()
	memory := storagetest.NewMemory()
	memories[t.Name()] = memory
	s := newSite(t)
	if err := s.loadOn(oneSite, "test_closing"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { caddy.Stop() })
	// The keys are there and the storage was probed once a code was redeemed.
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	memory.Reset()
	return s, memory
}

func (s *closingStorage) CertMagicStorage() (certmagic.Storage, error) {
	w := storagetest.Wrap(memories[s.Name])
	closed := func(context.Context, storagetest.Call) error {
		switch {
		case !s.closed.Load():
			return nil
		case strings.HasSuffix(s.Name, "panics"):
			panic("use of a closed client")
		}
		return errors.New("the client is closed")
	}
	w.Before(closed)
	w.After(closed)
	return w, nil
}

// redeemingCalls are the calls of the storage that redeem a code.
func (s *site) redeemingCalls(memory *storagetest.Memory) (calls []storagetest.Call) {
	code := s.mint(oidctoken.MintRequest{ClientID: "web"})
	memory.Reset()
	s.send(s.redemption(code)).wantTokens(s.t)
	for _, call := range memory.Calls() {
		if strings.Contains(call.Key, "/codes/") || strings.Contains(call.Key, "/used/") {
			calls = append(calls, call)
		}
	}
	memory.Reset()
	return calls
}

func TestAReloadClosesTheStorage(t *testing.T) {
	s, memory := closingSite(t)
	t.Run("F38 it waits for a key that is being made", func(t *testing.T) {
		reached, free := make(chan struct{}), make(chan struct{})
		var first atomic.Bool
		memory.Before(func(_ context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpStore && strings.Contains(call.Key, "/keys/") && first.CompareAndSwap(false, true) {
				close(reached)
				<-free
			}
			return nil
		})
		defer memory.Reset()
		rotated := make(chan int, 1)
		go func() {
			status, _ := s.adminRequest(http.MethodPost, "/oidc_token/keys/rotate", "{}", "Content-Type", "application/json")
			rotated <- status
		}()
		await(t, "a call of the storage", reached)
		none := make(chan *answer, 1)
		none <- nil
		s.reloadDuring(t, s.reload, func() { close(free) }, none)
		if status := <-rotated; status != 200 {
			t.Errorf("rotating is answered %d", status)
		}
	})
	calls := s.redeemingCalls(memory)
	if len(calls) < 6 {
		t.Errorf("a redemption makes the calls %v", calls)
	}
	for n, call := range calls {
		t.Run(fmt.Sprintf("F36 F38 it waits for a request at call %d (%s)", n+1, call.Op), func(t *testing.T) {
			code := s.mint(oidctoken.MintRequest{ClientID: "web"})
			reached, free := make(chan struct{}), make(chan struct{})
			var i atomic.Int64
			memory.Before(onCodes(func(context.Context, storagetest.Call) error {
				if i.Add(1) == int64(n+1) {
					close(reached)
					<-free
				}
				return nil
			}))
			defer memory.Reset()
			answers := s.inFlight(s.redemption(code))
			await(t, "a call of the storage", reached)
			wantEnd(t, s.reloadDuring(t, s.reload, func() { close(free) }, answers))
			s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
		})
	}
	t.Run("F36 F38 it waits for a code that is being minted, which is good", func(t *testing.T) {
		reached, release := stopAt(memory, storagetest.OpStore)
		defer memory.Reset()
		minted := make(chan error, 1)
		var code string
		go func() {
			response, err := oidctoken.Mint(t.Context(), s.issuer, &oidctoken.MintRequest{ClientID: "web", Subject: "alice", RedirectURI: redirect})
			if err == nil {
				code = secret("code", response.Code)
			}
			minted <- err
		}()
		await(t, "a call of the storage", reached)
		none := make(chan *answer, 1)
		none <- nil
		s.reloadDuring(t, s.reload, release, none)
		if err := <-minted; err != nil {
			t.Fatal(err)
		}
		s.send(s.redemption(code)).wantTokens(t)
	})
}

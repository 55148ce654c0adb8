package oidctoken_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

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
		}
		answers <- a
	}()
	return answers
}

func TestAReloadTakesAwayWhatARequestUses(t *testing.T) {
	const otherSite = "http://127.0.0.1:PORT {\nrespond \"no issuer\" 404\n}"
	withoutClient := strings.Replace(oneSite, "CLIENTS", "client other {\nclient_secret "+webSecret+"\nredirect_uris https://app.example/callback\n}", 1)
	for _, at := range []storagetest.Op{storagetest.OpLoad, storagetest.OpStore} {
		t.Run("F37 a client is removed while its request is at "+string(at), func(t *testing.T) {
			s, memory := memorySite(t)
			code, later := s.mint(oidctoken.MintRequest{ClientID: "web"}), s.mint(oidctoken.MintRequest{ClientID: "web"})
			reached, release := stopAt(memory, at)
			answers := s.inFlight(s.redemption(code))
			<-reached
			err := s.loadOn(withoutClient, "test_memory")
			release()
			if err != nil {
				t.Fatal(err)
			}
			wantEnd(t, <-answers)
			s.send(s.redemption(later)).wantError(t, 401, "invalid_client")
		})
		t.Run("F37 an issuer is removed while its request is at "+string(at), func(t *testing.T) {
			s, memory := memorySite(t)
			code := s.mint(oidctoken.MintRequest{ClientID: "web"})
			reached, release := stopAt(memory, at)
			answers := s.inFlight(s.redemption(code))
			<-reached
			err := s.load(otherSite)
			release()
			if err != nil {
				t.Fatal(err)
			}
			wantEnd(t, <-answers)
			if a := s.send(s.redemption(code)); a.StatusCode != 404 {
				t.Errorf("the issuer that is gone answers %d", a.StatusCode)
			}
		})
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
	closings <- struct{}{}
	return nil
}

// closings tells of each storage that was closed.
var closings = make(chan struct{}, 100)

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

func TestAReloadClosesTheStorage(t *testing.T) {
	for _, how := range []string{"fails", "panics"} {
		for _, row := range []struct {
			at     storagetest.Op
			status int
			code   string
			spent  bool
		}{
			{storagetest.OpLoad, 503, "temporarily_unavailable", false},
			{storagetest.OpStore, 500, "server_error", true},
		} {
			t.Run(fmt.Sprintf("F38 its storage is closed while a request is at %s and from then on %s", row.at, how), func(t *testing.T) {
				memory := storagetest.NewMemory()
				memories[t.Name()] = memory
				s := newSite(t)
				if err := s.loadOn(oneSite, "test_closing"); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { caddy.Stop() })
				s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
				code := s.mint(oidctoken.MintRequest{ClientID: "web"})
				for len(closings) > 0 {
					<-closings // of configs before
				}
				reached, release := stopAt(memory, row.at)
				answers := s.inFlight(s.redemption(code))
				<-reached
				err := s.loadOn(strings.Replace(oneSite, "the site", "the site again", 1), "test_closing")
				<-closings
				release()
				if err != nil {
					t.Fatal(err)
				}
				a := <-answers
				if a == nil {
					t.Fatal("the request got no answer")
				}
				a.wantError(t, row.status, row.code)
				if row.spent {
					s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
				} else {
					s.send(s.redemption(code)).wantTokens(t)
				}
			})
		}
	}
}

package oidctoken_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// generations numbers the configs that reload loads.
var generations atomic.Int64

// reload loads oneSite again, with a difference, on a storage that closes.
func (s *site) reload() error {
	return s.loadOn(strings.Replace(oneSite, "the site", fmt.Sprint("the site ", generations.Add(1)), 1), "test_closing")
}

func TestReloadsUnderLoad(t *testing.T) {
	s, memory := closingSite(t)
	// A storage that takes its time has requests in it whenever a config goes.
	memory.Before(func(context.Context, storagetest.Call) error { time.Sleep(2 * time.Millisecond); return nil })
	reloads, clients := 40, 8
	if testing.Short() {
		reloads = 10
	}
	ended := make(chan struct{})
	var tokens, lost atomic.Int64
	var load sync.WaitGroup
	for range clients {
		load.Go(func() {
			for !isClosed(ended) {
				switch won, ok := s.redeemAcrossReloads(t); {
				case !ok:
					lost.Add(1)
				case won:
					tokens.Add(1)
				}
			}
		})
	}
	before := closings.Load()
	for range reloads {
		if err := s.reload(); err != nil {
			t.Error(err)
			break
		}
	}
	close(ended)
	load.Wait()
	t.Run("F36 F38 no answer but tokens, however often the storage is closed", func(t *testing.T) {
		if n := closings.Load() - before; n < int64(reloads) {
			t.Errorf("the storage was closed %d times", n)
		}
		if tokens.Load() < int64(reloads) {
			t.Errorf("only %d codes were redeemed over %d reloads; %d answers were lost with their connections", tokens.Load(), reloads, lost.Load())
		}
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// redeemAcrossReloads mints and redeems a code. A reload may end a connection:
// then ok is false.
func (s *site) redeemAcrossReloads(t *testing.T) (won, ok bool) {
	minted, err := oidctoken.Mint(t.Context(), s.issuer, &oidctoken.MintRequest{ClientID: "web", Subject: "alice", RedirectURI: redirect})
	if err != nil {
		t.Error("minting: ", err)
		return false, true
	}
	a, err := s.try(s.redemption(secret("code", minted.Code)))
	if err != nil {
		return false, false
	}
	if a.StatusCode != 200 {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
	return a.StatusCode == 200, true
}

// slow sends half of a redemption, and returns what sends the rest and reads
// the answer.
func (s *site) slow(t *testing.T, code string) func() *answer {
	t.Helper()
	c := s.dial(t)
	c.SetDeadline(time.Now().Add(20 * time.Second))
	head, body := s.written(code)
	fmt.Fprintf(c, "%sConnection: close\r\nExpect: 100-continue\r\n\r\n%s", head, body[:len(body)/2])
	in := bufio.NewReader(c)
	// It comes once the handler reads the body.
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, %v", line, err)
	}
	in.ReadString('\n')
	return func() *answer {
		fmt.Fprint(c, body[len(body)/2:])
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return read(r, b)
	}
}

func TestReloadsWhileAFormArrives(t *testing.T) {
	for _, row := range []struct {
		name   string
		load   func(*site) error
		status int
	}{
		{"F36 F38 the storage is another", (*site).reload, 200},
		{"F37 the path of the endpoint is another", func(s *site) error { return s.loadOn(otherPath, "test_closing") }, 200},
		{"F37 the client is gone, which is the answer", func(s *site) error { return s.loadOn(withoutWeb, "test_closing") }, 401},
		{"F37 the issuer is gone, and the code stays good", func(s *site) error { return s.load(otherSite) }, 503},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, _ := closingSite(t)
			code := s.mint(oidctoken.MintRequest{ClientID: "web"})
			finish := s.slow(t, code)
			began := time.Now()
			if err := row.load(s); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("the reload waited %s for a client", took)
			}
			a := finish()
			if a.StatusCode != row.status {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
			if row.status == 503 && a.Header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
			}
			if row.status != 200 {
				if err := s.reload(); err != nil {
					t.Fatal(err)
				}
				s.send(s.redemption(code)).wantTokens(t)
			}
		})
	}
}

// Caddy stops its apps in any order: in some rounds this one before its servers.
func TestExitWhileAFormArrives(t *testing.T) {
	s := newSite(t)
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	t.Run("F36 a process that ends finishes what has come to it", func(t *testing.T) {
		for range rounds {
			n := newSite(t)
			n.dir = s.dir
			file := filepath.Join(t.TempDir(), "Caddyfile")
			if err := os.WriteFile(file, []byte(n.caddyfile(oneSite)), 0o600); err != nil {
				t.Fatal(err)
			}
			process := n.run(t, file).Process
			code, status, text := n.mintAt(t, map[string]any{"client_id": "web", "subject": "alice", "redirect_uri": redirect})
			if status != 201 {
				t.Fatalf("minting: %d %s", status, text)
			}
			finish := n.slow(t, code)
			if err := process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the servers are not being stopped", func() bool {
				c, err := net.Dial("tcp", "127.0.0.1:"+n.port)
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			finish().wantTokens(t)
		}
	})
}

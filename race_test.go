package oidctoken_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// racers is how many requests present one code at once.
const racers = 64

// tlsSite is a site with an https issuer, Caddy's own CA and HTTP/2.
func tlsSite(t testing.TB) *site { return tlsSiteWith(t, oneSite) }

// tlsSiteWith is tlsSite with another block for its site.
func tlsSiteWith(t testing.TB, block string) *site {
	s := newSite(t)
	s.issuer = "https://localhost:" + s.port
	s.start(strings.Replace(block, "http://127.0.0.1:PORT {", "https://localhost:PORT {\n\tbind 127.0.0.1\n\ttls internal", 1))
	s.client.Transport = forwarded{s.transport(t), s.clientIP}
	// The certificate is issued in the background.
	eventually(t, "no TLS handshake succeeds", func() bool {
		r, err := s.client.Get(s.issuer)
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	return s
}

// transport trusts Caddy's CA and speaks HTTP/2.
func (s *site) transport(t testing.TB) *http.Transport {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(s.dir, "pki", "authorities", "local", "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+s.port)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// overHTTP3 has the client of a tlsSite speak HTTP/3.
func overHTTP3(t testing.TB, s *site) *site {
	t.Helper()
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.transport(t).TLSClientConfig.RootCAs},
		Dial: func(ctx context.Context, _ string, config *tls.Config, quicConfig *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, "127.0.0.1:"+s.port, config, quicConfig)
		},
	}
	t.Cleanup(func() { transport.Close() })
	s.client.Transport = transport
	return s
}

// race sends one request per site of nodes, n times, all at once, and returns
// the answers.
func race(t testing.TB, n int, nodes []*site, request func(*site) *http.Request) []*answer {
	t.Helper()
	answers := make([]*answer, n)
	errs := make([]error, n)
	barrier := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		node := nodes[i%len(nodes)]
		r := request(node)
		wg.Go(func() {
			<-barrier
			answers[i], errs[i] = node.try(r)
		})
	}
	close(barrier)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// count sorts answers: successes, invalid_grant, and a description of others.
func count(answers []*answer) (won, refused int, other string) {
	for _, a := range answers {
		switch {
		case a.StatusCode == 200:
			won++
		case a.StatusCode == 400 && a.json["error"] == "invalid_grant":
			refused++
		default:
			other = fmt.Sprintf("%d %s", a.StatusCode, a.body)
		}
	}
	return
}

func TestOneCodeOneSuccess(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for _, row := range []struct {
		name  string
		start func(t *testing.T) *site
		proto int
	}{
		{"REQ-101 REQ-104 A02 64 requests with one code over HTTP/1.1", func(t *testing.T) *site { return newSite(t).start(oneSite) }, 1},
		{"REQ-101 REQ-104 A03 64 streams with one code over HTTP/2", func(t *testing.T) *site { return tlsSite(t) }, 2},
		{"REQ-101 REQ-104 A03 64 streams with one code over HTTP/3", func(t *testing.T) *site { return overHTTP3(t, tlsSite(t)) }, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := row.start(t)
			for range rounds {
				code := s.mint(oidctoken.MintRequest{ClientID: "web"})
				answers := race(t, racers, []*site{s}, func(s *site) *http.Request { return s.redemption(code) })
				if won, refused, other := count(answers); won != 1 || refused != racers-1 {
					t.Fatalf("%d succeeded, %d were refused; another: %s", won, refused, other)
				}
				if got := answers[0].ProtoMajor; got != row.proto {
					t.Fatalf("spoke HTTP/%d", got)
				}
			}
		})
	}
}

func TestOneCodeOneSuccessAcrossReloads(t *testing.T) {
	s := newSite(t).start(oneSite)
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	t.Run("REQ-104 REQ-107 A05 F36 32 requests with one code while the config is swapped", func(t *testing.T) {
		before := s.value(t, wonRedemptions)
		swapping := s.keepReloading(t)
		for range rounds {
			code := s.mint(oidctoken.MintRequest{ClientID: "web"})
			won, refused, other, lost := s.raceAcrossReloads(code)
			if won > 1 || other != "" {
				t.Fatalf("%d succeeded, %d were refused; another: %s", won, refused, other)
			}
			if lost == 0 && won != 1 {
				t.Fatalf("nobody succeeded, %d were refused", refused)
			}
		}
		if reloads := swapping(); reloads < 3 {
			t.Errorf("only %d reloads took place", reloads)
		}
		// A success whose answer got lost with its connection counts as well.
		if got := s.value(t, wonRedemptions) - before; got > float64(rounds) {
			t.Errorf("%d codes were redeemed %v times", rounds, got)
		}
	})
}

const wonRedemptions = `caddy_oidc_token_redemptions_total{result="won"}`

// keepReloading swaps the config until the returned func is called, which
// says how often.
func (s *site) keepReloading(t *testing.T) func() int {
	stop, done := make(chan struct{}), make(chan struct{})
	reloads := 0
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			reloads++
			if err := s.load(strings.Replace(oneSite, "the site", fmt.Sprint("the site ", reloads), 1)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	end := sync.OnceFunc(func() { close(stop); <-done })
	t.Cleanup(end)
	return func() int { end(); return reloads }
}

// raceAcrossReloads races one code. A reload may reset a connection that was
// not accepted yet, or close one that was idle: lost counts those.
func (s *site) raceAcrossReloads(code string) (won, refused int, other string, lost int) {
	answers := make([]*answer, racers/2)
	var wg sync.WaitGroup
	for i := range answers {
		r := s.redemption(code)
		wg.Go(func() { answers[i], _ = s.try(r) })
	}
	wg.Wait()
	answers = slices.DeleteFunc(answers, func(a *answer) bool { return a == nil })
	won, refused, other = count(answers)
	return won, refused, other, racers/2 - len(answers)
}

func TestCodesSurviveReloads(t *testing.T) {
	s := newSite(t).start(oneSite)
	t.Run("REQ-107 a code survives a reload", func(t *testing.T) {
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		if err := s.load(strings.Replace(oneSite, "the site", "another site", 1)); err != nil {
			t.Fatal(err)
		}
		s.send(s.redemption(code)).wantTokens(t)
	})
	t.Run("REQ-107 A01 a used code stays used across a reload", func(t *testing.T) {
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		s.send(s.redemption(code)).wantTokens(t)
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
		if err := s.load(oneSite); err != nil {
			t.Fatal(err)
		}
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
	})
	t.Run("a request in flight finishes on a reload", func(t *testing.T) {
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		r := s.redemption(code)
		body, _ := io.ReadAll(r.Body)
		c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(c, "POST /token HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\nExpect: 100-continue\r\n"+
			"Content-Type: application/x-www-form-urlencoded\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s",
			s.port, r.Header.Get("Authorization"), len(body), body[:len(body)/2])
		in := bufio.NewReader(c)
		// It comes once the handler reads the body.
		if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
			t.Fatalf("got %q, %v", line, err)
		}
		if err := s.load(strings.Replace(oneSite, "the site", "a third site", 1)); err != nil {
			t.Fatal(err)
		}
		c.Write(body[len(body)/2:])
		if got, err := io.ReadAll(in); err != nil || !strings.Contains(string(got), "HTTP/1.1 200 ") {
			t.Errorf("got %.200s, %v", got, err)
		}
	})
}

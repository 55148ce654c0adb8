package oidctoken_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// storagePlaces is how many storage calls may be under way.
const storagePlaces = 256

// dial opens a connection to the site.
func (s *site) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// written is the redemption of a code as it goes over a connection.
func (s *site) written(code string) (head, body string) {
	r := s.redemption(code)
	b, _ := io.ReadAll(r.Body)
	return fmt.Sprintf("POST /token HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nContent-Type: application/x-www-form-urlencoded\r\nAuthorization: %s\r\nContent-Length: %d\r\n",
		s.port, r.Header.Get("Authorization"), len(b)), string(b)
}

func TestSlowClients(t *testing.T) {
	t.Run("F47 clients that stop in the middle of their requests hold no place at the storage", func(t *testing.T) {
		s, memory := memorySite(t)
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		memory.Reset()
		for range storagePlaces + 44 {
			c := s.dial(t)
			head, body := s.written(code)
			fmt.Fprintf(c, "%sExpect: 100-continue\r\n\r\n%s", head, body[:len(body)/2])
			// It comes once the handler reads the body.
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
				t.Fatalf("got %q, %v", line, err)
			}
		}
		if calls := memory.Calls(); len(calls) != 0 {
			t.Errorf("the storage was called: %v", calls)
		}
		s.send(s.redemption(code)).wantTokens(t)
	})
	t.Run("F47 a client that does not read its answers holds no place at the storage", func(t *testing.T) {
		s, memory := memorySite(t)
		stall(t, s, memory)
		// Every place can be taken by others.
		waiting, release := holdCodes(memory)
		defer release()
		var answers []<-chan *answer
		for range storagePlaces {
			answers = append(answers, s.inFlight(s.redemption(unknownCode())))
		}
		eventually(t, "not all requests come to the storage", func() bool { return waiting.Load() == storagePlaces })
		release()
		for _, a := range answers {
			if <-a == nil {
				t.Fatal("a request got no answer")
			}
		}
		s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	})
}

// unknownCode has the form of a code, so that it is looked for in the storage,
// and is none.
func unknownCode() string {
	raw := make([]byte, 36)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// stall sends requests that come to the storage over a connection whose answers
// it does not read, until the server waits for room to write the next.
func stall(t *testing.T, s *site, memory *storagetest.Memory) {
	t.Helper()
	memory.Reset()
	c := s.dial(t)
	go func() {
		for { // good ones: thousands of refusals would be answered late
			minted, err := oidctoken.Mint(t.Context(), s.issuer, &oidctoken.MintRequest{ClientID: "web", Subject: "alice", RedirectURI: redirect})
			if err != nil {
				return // the test has ended
			}
			head, body := s.written(secret("code", minted.Code))
			if _, err := io.WriteString(c, head+"\r\n"+body); err != nil {
				return // the connection is closed at the end of the test
			}
		}
	}()
	looks := time.NewTicker(250 * time.Millisecond)
	defer looks.Stop()
	deadline := time.After(time.Minute)
	for before, same := 0, 0; same < 2; {
		select {
		case <-deadline:
			t.Fatalf("the server goes on after %d requests", before)
		case <-looks.C:
		}
		now := memory.Count(storagetest.OpLoad)
		if now > 0 && now == before && writing() {
			same++
		} else {
			before, same = now, 0
		}
	}
	t.Logf("the server waits after %d requests", memory.Count(storagetest.OpLoad))
}

// writing reports whether a server waits for room to write an answer.
func writing() bool {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 2)
	for _, stack := range strings.Split(profile.String(), "\n\n") {
		if strings.Contains(stack, "[IO wait") && strings.Contains(stack, "net.(*conn).Write(") && strings.Contains(stack, "net/http.(*conn).serve(") {
			return true
		}
	}
	return false
}

// holdCodes makes every call for a code wait until release. waiting counts them.
func holdCodes(memory *storagetest.Memory) (waiting *atomic.Int64, release func()) {
	free := make(chan struct{})
	waiting = new(atomic.Int64)
	memory.Before(onCodes(func(context.Context, storagetest.Call) error {
		waiting.Add(1)
		<-free
		return nil
	}))
	return waiting, sync.OnceFunc(func() { close(free) })
}

func TestStorageThatHangs(t *testing.T) {
	s, memory := memorySite(t)
	var codes []string
	for range storagePlaces {
		codes = append(codes, s.mint(oidctoken.MintRequest{ClientID: "web"}))
	}
	fresh := s.mint(oidctoken.MintRequest{ClientID: "web"})
	waiting, release := holdCodes(memory)
	defer release()
	var answers []<-chan *answer
	for _, code := range codes {
		answers = append(answers, s.inFlight(s.redemption(code)))
	}
	eventually(t, "not all requests come to the storage", func() bool { return waiting.Load() >= storagePlaces })
	shortest := time.Hour
	for start := time.Now(); time.Since(start) < 3*time.Second && shortest > 50*time.Millisecond; {
		began := time.Now()
		a := s.send(s.redemption(fresh))
		shortest = min(shortest, time.Since(began))
		a.wantError(t, 503, "temporarily_unavailable")
		if a.Header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
		}
	}
	documents, _ := http.NewRequest(http.MethodGet, s.issuer+"/.well-known/jwks.json", nil)
	site, _ := http.NewRequest(http.MethodGet, s.issuer+"/", nil)
	ofDocuments, ofSite := s.send(documents).StatusCode, s.send(site).StatusCode
	release()
	var again []string // whose requests waited for their five seconds
	for i, answers := range answers {
		switch a := <-answers; {
		case a == nil:
			t.Fatal("a request got no answer")
		case a.StatusCode == 500: // a claim that took five seconds, on a machine that is busy
			s.send(s.redemption(codes[i])).wantError(t, 400, "invalid_grant")
		case a.StatusCode != 200:
			a.wantError(t, 503, "temporarily_unavailable")
			again = append(again, codes[i])
		}
	}
	t.Run("REQ-113 F48 past the bound a request is answered 503 in less than 50 ms", func(t *testing.T) {
		if shortest > 50*time.Millisecond {
			t.Errorf("the fastest of many took %s", shortest)
		}
	})
	t.Run("F48 the documents and the rest of the site are served meanwhile", func(t *testing.T) {
		if ofDocuments != 200 || ofSite != 200 {
			t.Errorf("they answer %d and %d", ofDocuments, ofSite)
		}
	})
	t.Run("F48 F02 when the storage answers again every request is served, and every code that was refused is good", func(t *testing.T) {
		for _, code := range append(again, fresh) {
			s.send(s.redemption(code)).wantTokens(t)
		}
	})
}

// brokenLog is a log writer that fails or blocks.
type brokenLog struct{}

// logSink says what brokenLog does.
var logSink struct {
	sync.Mutex
	fail  bool
	block chan struct{}
}

func init() { caddy.RegisterModule(brokenLog{}) }

func (brokenLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.test_broken", New: func() caddy.Module { return new(brokenLog) }}
}

func (brokenLog) String() string                        { return "broken" }
func (brokenLog) WriterKey() string                     { return "test_broken" }
func (s brokenLog) OpenWriter() (io.WriteCloser, error) { return s, nil }
func (brokenLog) Close() error                          { return nil }

func (brokenLog) Write(p []byte) (int, error) {
	logSink.Lock()
	fail, block := logSink.fail, logSink.block
	logSink.Unlock()
	if block != nil {
		<-block
	}
	if fail {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func setLog(fail bool, block chan struct{}) {
	logSink.Lock()
	defer logSink.Unlock()
	logSink.fail, logSink.block = fail, block
}

func TestBrokenLogSink(t *testing.T) {
	s := newSite(t)
	adapted, err := caddyJSON(s.caddyfile(oneSite))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	config["logging"] = map[string]any{"logs": map[string]any{"default": map[string]any{"writer": map[string]any{"output": "test_broken"}}}}
	if adapted, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		setLog(false, nil)
		caddy.Stop()
	})
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	t.Run("F55 a log that cannot be written keeps no tokens back", func(t *testing.T) {
		setLog(true, nil)
		defer setLog(false, nil)
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		s.send(s.redemption(code)).wantTokens(t)
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
	})
	t.Run("F55 a log that blocks loses no tokens and makes no second success", func(t *testing.T) {
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		before := s.value(t, wonRedemptions)
		free := make(chan struct{})
		release := sync.OnceFunc(func() { close(free) })
		defer release()
		setLog(false, free)
		first, second := s.inFlight(s.redemption(code)), s.inFlight(s.redemption(code))
		eventually(t, "the code is not redeemed", func() bool { return s.value(t, wonRedemptions) > before })
		setLog(false, nil)
		release()
		var answers []*answer
		for _, a := range []*answer{<-first, <-second} {
			if a != nil {
				answers = append(answers, a)
			}
		}
		if won, refused, other := count(answers); won != 1 || refused != 1 {
			t.Errorf("%d succeeded, %d were refused; another: %s", won, refused, other)
		}
	})
}

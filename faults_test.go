package oidctoken_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// memoryStorage is a Caddy storage module whose storage a test holds.
type memoryStorage struct {
	Name string `json:"name"`
}

// memories are the storages of memoryStorage by name.
var memories = map[string]*storagetest.Memory{}

func init() { caddy.RegisterModule(memoryStorage{}) }

func (memoryStorage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.test_memory", New: func() caddy.Module { return new(memoryStorage) }}
}

func (m *memoryStorage) CertMagicStorage() (certmagic.Storage, error) { return memories[m.Name], nil }

// memorySite is a site whose issuer keeps its codes and keys in memory, behind
// hooks.
func memorySite(t testing.TB) (*site, *storagetest.Memory) {
	t.Helper()
	memory := storagetest.NewMemory()
	memories[t.Name()] = memory
	s := newSite(t)
	if err := s.loadOn(oneSite, "test_memory"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { caddy.Stop() })
	// The keys are there and the storage was probed once a code was redeemed.
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	memory.Reset()
	return s, memory
}

// loadOn loads site blocks with the storage of the running test in that module.
func (s *site) loadOn(blocks, module string) error {
	config, err := caddyJSON(s.caddyfile(blocks))
	if err != nil {
		return err
	}
	with := strings.ReplaceAll(string(config), `"handler":"oidc_token"`, fmt.Sprintf(`"handler":"oidc_token","storage":{"module":%q,"name":%q}`, module, s.t.Name()))
	if with == string(config) {
		return fmt.Errorf("the adapted config has no oidc_token handler: %s", config)
	}
	return s.replace([]byte(with))
}

// onCodes applies a hook to the calls that concern codes only.
func onCodes(hook storagetest.Hook) storagetest.Hook {
	return func(ctx context.Context, call storagetest.Call) error {
		if strings.Contains(call.Key, "/codes/") || strings.Contains(call.Key, "/used/") {
			return hook(ctx, call)
		}
		return nil
	}
}

// Every storage call of a redemption fails in turn: before the claim the
// answer is 503 and the code stays good, after it 500 and the code is gone.
func TestEveryStorageCallFailsInTurn(t *testing.T) {
	s, memory := memorySite(t)
	code := s.mint(oidctoken.MintRequest{ClientID: "web"})
	memory.Reset()
	s.send(s.redemption(code)).wantTokens(t)
	var calls []storagetest.Call
	for _, call := range memory.Calls() {
		if strings.Contains(call.Key, "/codes/") || strings.Contains(call.Key, "/used/") {
			calls = append(calls, call)
		}
	}
	claimed := false // once the used-marker was to be written
	for n, call := range calls {
		claimed = claimed || call.Op == storagetest.OpStore
		before := !claimed
		whens := []string{"without effect"}
		if call.Op != storagetest.OpLoad { // which has none
			whens = append(whens, "after its effect")
		}
		for _, when := range whens {
			t.Run(fmt.Sprintf("REQ-105 REQ-113 F01 F05 F07 F08 call %d (%s) fails %s", n+1, call.Op, when), func(t *testing.T) {
				code := s.mint(oidctoken.MintRequest{ClientID: "web"})
				memory.Reset()
				failing := 0 // the number of the call to fail
				i := 0
				memory.Before(onCodes(func(_ context.Context, call storagetest.Call) error {
					if i++; i != n+1 {
						return nil
					}
					if failing = call.N; when == "after its effect" {
						return nil
					}
					return errors.New("injected fault")
				}))
				memory.After(func(_ context.Context, call storagetest.Call) error {
					if call.N == failing {
						return errors.New("injected fault")
					}
					return nil
				})
				a := s.send(s.redemption(code))
				memory.Reset()
				if before {
					a.wantError(t, 503, "temporarily_unavailable")
					if a.Header.Get("Retry-After") != "1" {
						t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
					}
					s.send(s.redemption(code)).wantTokens(t)
					return
				}
				a.wantError(t, 500, "server_error")
				if a.Header.Get("Retry-After") != "" {
					t.Error("a spent code is offered for another try")
				}
				s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
			})
		}
	}
	if len(calls) < 6 || !claimed {
		t.Errorf("a redemption made the calls %v", calls)
	}
}

func TestStorageFaults(t *testing.T) {
	s, memory := memorySite(t)
	t.Run("REQ-168 F53 H14 a panicking storage is a 503 without a stack, and the process lives", func(t *testing.T) {
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		memory.Before(onCodes(func(context.Context, storagetest.Call) error { panic("injected panic /secret/path") }))
		a := s.send(s.redemption(code))
		memory.Reset()
		a.wantError(t, 503, "temporarily_unavailable")
		if strings.Contains(string(a.body), "panic") || strings.Contains(string(a.body), "/secret/path") {
			t.Errorf("the answer shows the cause: %s", a.body)
		}
		s.send(s.redemption(code)).wantTokens(t)
	})
	t.Run("REQ-113 F16 the documents are served while the storage is away", func(t *testing.T) {
		memory.Before(func(context.Context, storagetest.Call) error { return errors.New("injected fault") })
		defer memory.Reset()
		for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"} {
			r, _ := http.NewRequest(http.MethodGet, s.issuer+path, nil)
			if a := s.send(r); a.StatusCode != 200 {
				t.Errorf("%s answers %d %s", path, a.StatusCode, a.body)
			}
		}
	})
	t.Run("A16 no unauthenticated request touches the storage of codes", func(t *testing.T) {
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		memory.Reset()
		for _, e := range []edit{
			header("Authorization"), header("Authorization", "Basic d2ViOndyb25n"), method("GET"), set("code", "a", "b"),
			func(r *http.Request, _ url.Values) { r.SetBasicAuth("nobody", webSecret) },
		} {
			s.send(s.request(code, e))
		}
		if calls := memory.Calls(); len(calls) > 0 {
			t.Errorf("the storage was called: %v", calls)
		}
	})
}

// holdDeletion makes the next deletion of a code's record wait: the claim is
// under way then.
func holdDeletion(memory *storagetest.Memory) (reached, release chan struct{}) {
	reached, release = make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	memory.Before(onCodes(func(_ context.Context, call storagetest.Call) error {
		if call.Op == storagetest.OpDelete && held.CompareAndSwap(false, true) {
			close(reached)
			<-release
		}
		return nil
	}))
	return reached, release
}

func TestRedemptionsMeanwhile(t *testing.T) {
	s, memory := memorySite(t)
	code, another := s.mint(oidctoken.MintRequest{ClientID: "web"}), s.mint(oidctoken.MintRequest{ClientID: "web"})
	reached, release := holdDeletion(memory)
	first := s.inFlight(s.redemption(code))
	await(t, "a claim", reached)
	t.Run("A06 a second redemption while the first is under way is refused at once", func(t *testing.T) {
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
	})
	t.Run("F02 no request waits behind the redemption of another code", func(t *testing.T) {
		s.send(s.redemption(another)).wantTokens(t)
	})
	close(release)
	t.Run("the first gets its tokens", func(t *testing.T) {
		a := <-first
		if a == nil {
			t.Fatal("no answer")
		}
		a.wantTokens(t)
	})
}

// tellingSite tells of requests to the token endpoint that end.
var tellingSite = strings.Replace(oneSite, "oidc_token {", "route {\ntest_unruly tell go\noidc_token {", 1) + "\n}"

func TestTheClientIsGone(t *testing.T) {
	for _, row := range []struct {
		name  string
		leave func(*net.TCPConn) error
		reads bool
	}{
		{"F13 tokens for a client that closed its connection are reported as not delivered", (*net.TCPConn).Close, false},
		{"F13 so are those for one whose connection was reset", func(c *net.TCPConn) error {
			_ = c.SetLinger(0)
			return c.Close()
		}, false},
		{"F13 one that has only ended its sending, and reads on, gets none", (*net.TCPConn).CloseWrite, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			const undelivered = `caddy_oidc_token_requests_total{grant="authorization_code",outcome="server_error",reason="issued_undelivered"}`
			s, memory := memorySite(t)
			if err := s.loadOn(tellingSite, "test_memory"); err != nil {
				t.Fatal(err)
			}
			before := s.value(t, undelivered)
			code := s.mint(oidctoken.MintRequest{ClientID: "web"})
			reached, release := holdDeletion(memory)
			c := s.dial(t)
			head, body := s.written(code)
			if _, err := fmt.Fprintf(c, "%sTest-Tell: yes\r\n\r\n%s", head, body); err != nil {
				t.Fatal(err)
			}
			await(t, "a claim", reached)
			if err := row.leave(c); err != nil {
				t.Fatal(err)
			}
			await(t, "the server to notice", requestEnded)
			close(release)
			if row.reads {
				if answer, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 500 ")) || !bytes.Contains(answer, []byte(`"server_error"`)) || bytes.Contains(answer, []byte("access_token")) {
					t.Fatalf("it reads an answer of %d bytes that begins with %.15q, %v", len(answer), answer, err)
				}
			}
			eventually(t, "it is not reported", func() bool { return s.value(t, undelivered) == before+1 })
			s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
		})
	}
}

package oidctoken_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// signInOn is a site where people sign in, on a storage that the test holds.
func signInOn(t testing.TB, module, authorize string) (*site, *storagetest.Memory) {
	t.Helper()
	memory := storagetest.NewMemory()
	memories[t.Name()] = memory
	s := newSite(t)
	if err := s.loadOn(authorizeSite(authorize, ""), module); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { caddy.Stop() })
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	memory.Reset()
	return s, memory
}

// writes are the calls that change the storage.
func writes(memory *storagetest.Memory) (calls []storagetest.Call) {
	for _, call := range memory.Calls() {
		switch call.Op {
		case storagetest.OpStore, storagetest.OpDelete, storagetest.OpLock, storagetest.OpUnlock:
			calls = append(calls, call)
		}
	}
	return calls
}

func TestWhatASignInCosts(t *testing.T) {
	s, memory := signInOn(t, "test_memory", strings.Replace(basicAuth, "alice "+aliceHash, "alice "+aliceHash+"\nbob "+aliceHash, 1))
	t.Run("a sign-in is one write, and the storage is asked nothing else", func(t *testing.T) {
		memory.Reset()
		s.send(s.authorization()).wantCode(t, s.issuer)
		calls := memory.Calls()
		if len(calls) != 1 || calls[0].Op != storagetest.OpStore || !strings.Contains(calls[0].Key, "/codes/") {
			t.Errorf("it makes the calls %v", calls)
		}
	})
	a := s.send(s.redemption(s.send(s.authorization()).wantCode(t, s.issuer)))
	a.wantTokens(t)
	hint, _ := a.json["id_token"].(string)
	for _, row := range []struct {
		name   string
		r      *http.Request
		status int
		code   string // at the redirect URI
	}{
		{"nobody who has not signed in", s.authorizationBy(http.MethodGet), 401, ""},
		{"nobody, silently", s.authorizationBy(http.MethodGet, with("prompt", "none")), 303, "login_required"},
		{"nobody by a request that fails", s.authorization(with("scope", "nothing")), 303, "invalid_scope"},
		{"nobody for an unknown client", s.authorization(with("client_id", "nobody")), 400, ""},
		{"nobody by a PUT", func() *http.Request {
			r := s.authorization()
			r.Method = http.MethodPut
			return r
		}(), 405, ""},
		{"nobody who is another than the hint says", func() *http.Request {
			r := s.authorizationBy(http.MethodPost, with("id_token_hint", hint)) // a URI is in the access log
			r.SetBasicAuth("bob", alicePassword)
			return r
		}(), 303, "login_required"},
		{"nobody with a hint that is none", s.authorization(with("id_token_hint", strings.Repeat("x", 5000))), 303, "invalid_request"},
	} {
		t.Run(row.name+" makes it write, or ask", func(t *testing.T) {
			memory.Reset()
			a := s.send(row.r)
			if calls := memory.Calls(); len(calls) != 0 {
				t.Errorf("it makes the calls %v", calls)
			}
			if a.StatusCode != row.status {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
			if row.code != "" {
				a.wantRefusal(t, s.issuer, row.code)
			}
		})
	}
}

func TestStorageFailsDuringASignIn(t *testing.T) {
	s, memory := signInOn(t, "test_memory", basicAuth)
	memory.Before(onCodes(func(context.Context, storagetest.Call) error { return errors.New("the disk is gone") }))
	mark := logSize(t)
	live := oidctoken.LiveCodes(s.issuer, "web")
	s.send(s.authorization()).wantRefusal(t, s.issuer, "temporarily_unavailable")
	if line := lastEvent(t, mark); line["event"] != "storage_unavailable" || line["level"] != "error" || line["client_id"] != "web" {
		t.Errorf("the log says %v", line)
	}
	if n := oidctoken.LiveCodes(s.issuer, "web"); n != live {
		t.Errorf("%d codes are counted, %d were", n, live)
	}
	memory.Reset()
	s.send(s.redemption(s.send(s.authorization()).wantCode(t, s.issuer))).wantTokens(t)
}

// Before the first keys are there, nobody knows whether a hint is one of ours.
func TestHintWithoutKeys(t *testing.T) {
	memory := storagetest.NewMemory()
	memories[t.Name()] = memory
	memory.Before(func(context.Context, storagetest.Call) error { return errors.New("the disk is gone") })
	s := newSite(t)
	if err := s.loadOn(authorizeSite(basicAuth, ""), "test_memory"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { caddy.Stop() })
	encoded := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	hint := encoded(`{"alg":"ES256","typ":"JWT","kid":"a"}`) + "." + encoded(`{"iss":"`+s.issuer+`","sub":"alice"}`) + "." + strings.Repeat("A", 86)
	mark := logSize(t)
	s.send(s.authorization(with("id_token_hint", hint))).wantRefusal(t, s.issuer, "temporarily_unavailable")
	if line := lastEvent(t, mark); line["event"] != "keys_unavailable" {
		t.Errorf("the log says %v", line)
	}
}

func TestTooManyLiveCodes(t *testing.T) {
	s, memory := signInOn(t, "test_memory", "route {\n"+basicAuth+"\ntest_unruly tell go\n}")
	defer oidctoken.FillLiveCodes(s.issuer, "web", 2)()
	code := s.send(s.authorization()).wantCode(t, s.issuer)
	minted := s.mint(oidctoken.MintRequest{ClientID: "web"}) // every door counts
	memory.Reset()
	mark := logSize(t)
	s.send(s.authorization()).wantRefusal(t, s.issuer, "temporarily_unavailable")
	if calls := writes(memory); len(calls) != 0 {
		t.Errorf("it makes the calls %v", calls)
	}
	if line := lastEvent(t, mark); line["event"] != "codes_capped" || line["level"] != "error" {
		t.Errorf("the log says %v", line)
	}
	t.Run("another client's are", func(t *testing.T) {
		s.send(s.authorization(with("client_id", "web2"))).wantCode(t, s.issuer)
	})
	t.Run("the other doors are open", func(t *testing.T) {
		s.mint(oidctoken.MintRequest{ClientID: "web"})
	})
	t.Run("F50 a browser that goes away leaves what is counted", func(t *testing.T) {
		reached, release := stopAt(memory, storagetest.OpStore)
		live := oidctoken.LiveCodes(s.issuer, "web2")
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := s.try(s.authorization(with("client_id", "web2", "login_hint", "tell")).WithContext(ctx))
			gone <- err
		}()
		await(t, "a call of the storage", reached)
		leave()
		<-gone
		await(t, "the server to notice", requestEnded)
		release()
		eventually(t, "the code is not counted", func() bool { return lastEvent(t, mark)["event"] == "code_issued" })
		if n := oidctoken.LiveCodes(s.issuer, "web2"); n != live+1 {
			t.Errorf("%d codes are counted, want %d", n, live+1)
		}
	})
	t.Run("F50 one person has not all of them", func(t *testing.T) {
		defer oidctoken.FillPersonalCodes(s.issuer, "post", "alice", 1)()
		s.send(s.authorization(with("client_id", "post"))).wantCode(t, s.issuer)
		s.send(s.authorization(with("client_id", "post"))).wantRefusal(t, s.issuer, "temporarily_unavailable")
	})
	t.Run("F50 a reload does not open it", func(t *testing.T) {
		if err := s.loadOn(authorizeSite(basicAuth, "")+"\n# again", "test_memory"); err != nil {
			t.Fatal(err)
		}
		s.send(s.authorization()).wantRefusal(t, s.issuer, "temporarily_unavailable")
	})
	t.Run("a code that is redeemed makes room", func(t *testing.T) {
		s.send(s.redemption(code)).wantTokens(t)
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
		// The other doors have taken one more than the limit.
		s.send(s.authorization()).wantRefusal(t, s.issuer, "temporarily_unavailable")
		s.send(s.redemption(minted)).wantTokens(t)
		s.send(s.authorization()).wantCode(t, s.issuer)
		s.send(s.authorization()).wantRefusal(t, s.issuer, "temporarily_unavailable")
	})
}

// A reload in the middle of a sign-in.
func TestReloadDuringASignIn(t *testing.T) {
	signIn := func(s *site, changes ...change) <-chan *answer { return s.inFlight(s.authorization(changes...)) }
	t.Run("F36 F38 it waits for a code that is being stored, which is good", func(t *testing.T) {
		s, memory := signInOn(t, "test_closing", basicAuth)
		reached, release := stopAt(memory, storagetest.OpStore)
		answers := signIn(s)
		await(t, "a call of the storage", reached)
		a := s.reloadDuring(t, func() error { return s.loadOn(authorizeSite(basicAuth, "")+"\n# again", "test_closing") }, release, answers)
		code := a.wantCode(t, s.issuer)
		s.send(s.redemption(code)).wantTokens(t)
	})
	elsewhere := strings.Replace(authorizeSite(basicAuth, ""), "CLIENTS", `
			client web {
				client_secret `+webSecret+`
				redirect_uris https://app.example/elsewhere
			}
			client web2 {
				client_secret `+webSecret+`2
				redirect_uris https://app.example/elsewhere
			}`, 1)
	for _, row := range []struct {
		name    string
		block   string // loaded while the person signs in
		changes []change
		check   func(*testing.T, *site, *answer)
		nobody  bool // signs in
	}{
		{"F36 F38 the code is the next config's", authorizeSite(basicAuth, "") + "\n# again", nil, func(t *testing.T, s *site, a *answer) {
			s.send(s.redemption(a.wantCode(t, s.issuer))).wantTokens(t)
		}, false},
		{"F37 L13 a client that was removed is not redirected to", strings.Replace(authorizeSite(basicAuth, ""), "CLIENTS", `
			client other {
				client_secret `+webSecret+`
				redirect_uris https://app.example/callback
			}`, 1), nil, func(t *testing.T, _ *site, a *answer) { a.wantPage(t, 400) }, false},
		{"F37 L13 a redirect_uri that was removed is not redirected to", elsewhere, nil, func(t *testing.T, _ *site, a *answer) { a.wantPage(t, 400) }, false},
		{"F37 L13 nor one that the request left out", elsewhere, []change{without("redirect_uri"), with("client_id", "web2", "scope", "profile")}, func(t *testing.T, _ *site, a *answer) { a.wantPage(t, 400) }, false},
		{"F37 an issuer that was removed is temporarily unavailable", otherSite, nil, func(t *testing.T, s *site, a *answer) {
			a.wantRefusal(t, s.issuer, "temporarily_unavailable")
		}, false},
		{"F37 L13 one that was removed is not told either that nobody signed in", elsewhere, nil, func(t *testing.T, _ *site, a *answer) { a.wantPage(t, 400) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, login := forwardSite(t)
			asked, free := make(chan struct{}), make(chan struct{})
			login.answers(func(w http.ResponseWriter, _ *http.Request) {
				close(asked)
				<-free
				if !row.nobody {
					w.Header().Set("Remote-User", "alice")
				}
			})
			answers := s.inFlight(s.authorizationBy(http.MethodGet, row.changes...))
			select {
			case <-asked:
			case a := <-answers:
				t.Fatalf("nobody was asked to sign in: %d %s", a.StatusCode, a.body)
			}
			// It does not wait for a login service.
			if err := s.load(row.block); err != nil {
				t.Fatal(err)
			}
			close(free)
			row.check(t, s, <-answers)
		})
	}
}

func TestEveryOneOfManySignInsIsItsOwn(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	answers := make([]<-chan *answer, 16)
	for n := range answers {
		answers[n] = s.inFlight(s.authorization(with("nonce", fmt.Sprint("nonce-", n))))
	}
	codes := map[string]bool{}
	for n, one := range answers {
		code := (<-one).wantCode(t, s.issuer)
		if codes[storage.Ref(code)] {
			t.Error("two have one code")
		}
		codes[storage.Ref(code)] = true
		a := s.send(s.redemption(code))
		a.wantTokens(t)
		if got := payload(t, a.json["id_token"])["nonce"]; got != fmt.Sprint("nonce-", n) {
			t.Errorf("the nonce is %v, want nonce-%d", got, n)
		}
	}
}

package oidctoken_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

func TestValidateCreatesNothing(t *testing.T) {
	s := newSite(t)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(s.caddyfile(oneSite)), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "validate", "--config", file, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), runAsCaddy+"=1")
	if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output), "Valid configuration") {
		t.Fatalf("%v\n%s", err, output)
	}
	filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if strings.Contains(path, "oidc_token") {
			t.Errorf("caddy validate made %s", path)
		}
		return err
	})
}

// backgroundWork counts the goroutines that do this module's work.
func backgroundWork() int { return len(workStacks()) }

func workStacks() (stacks []string) {
	var profile bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&profile, 2)
	for _, stack := range strings.Split(profile.String(), "\n\n") {
		if strings.Contains(stack, "caddy-oidc-token.(*issuer).run") || strings.Contains(stack, "keys.(*Automatic)") || strings.Contains(stack, "storage.(*Codes)") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// settledWork is backgroundWork once all of one issuer's runs: the issuer, its
// codes, its keys.
func settledWork(t *testing.T) int {
	t.Helper()
	work := []string{"caddy-oidc-token.(*issuer).run(", "keys.(*Automatic).Run(", "storage.(*Codes).Run("}
	eventually(t, "background work does not start, or does not settle", func() bool {
		stacks := strings.Join(workStacks(), "")
		missing := func(of string) bool { return !strings.Contains(stacks, of) }
		return !slices.ContainsFunc(work, missing) && backgroundWork() == len(work)
	})
	return len(work)
}

// eventually polls a condition that another goroutine brings about.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		time.Sleep(time.Millisecond)
	}
}

// await waits for something that a goroutine of the server says, and fails the
// test where it does not.
func await[T any](t testing.TB, what string, said <-chan T) {
	t.Helper()
	select {
	case <-said:
	case <-time.After(10 * time.Second):
		t.Fatal("waited 10 s in vain for ", what)
	}
}

func TestNothingOutlivesItsConfig(t *testing.T) {
	s := newSite(t).start(oneSite)
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	before := settledWork(t)
	for n := range 10 {
		if err := s.load(strings.Replace(oneSite, "the site", fmt.Sprint("the site ", n), 1)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "background work of old configs goes on", func() bool { return backgroundWork() <= before })
	if err := s.load("http://127.0.0.1:PORT {\nrespond ok\n}"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "background work goes on without a config", func() bool { return backgroundWork() == 0 })
	if _, err := oidctoken.Mint(t.Context(), s.issuer, &oidctoken.MintRequest{ClientID: "web", Subject: "alice", RedirectURI: redirect}); !errors.Is(err, oidctoken.ErrNoIssuer) {
		t.Errorf("the removed issuer answers %v", err)
	}
}

func TestAFailedLoadLeavesTheRunningConfigAlone(t *testing.T) {
	s := newSite(t).start(oneSite)
	code := s.mint(oidctoken.MintRequest{ClientID: "web"})
	before := settledWork(t)
	for name, blocks := range map[string]string{
		"REQ-209 a signing key file is missing":       strings.Replace(oneSite, "CLIENTS", "signing_key /does/not/exist.pem\nCLIENTS", 1),
		"REQ-087 a code lifetime is too long":         strings.Replace(oneSite, "CLIENTS", "code_lifetime 1h\nCLIENTS", 1),
		"REQ-035 a secret resolves to nothing":        strings.Replace(oneSite, "CLIENTS", "client x {\nclient_secret {env.OIDC_TOKEN_TEST_UNSET}\nredirect_uris https://x.example\n}\nCLIENTS", 1),
		"REQ-051 a short secret hides behind a brace": strings.Replace(oneSite, "CLIENTS", "client x {\nclient_secret \"sho\\{rt\"\nredirect_uris https://x.example\n}\nCLIENTS", 1),
		"another app cannot start":                    oneSite + "\nhttp://127.0.0.1:PORT2 {\nbind 192.0.2.1\nrespond ok\n}",
	} {
		t.Run(name, func(t *testing.T) {
			err := s.load(strings.Replace(blocks, "PORT2", freePort(t), 1))
			if err == nil {
				t.Fatal("it loads")
			}
			// The old config serves and mints, and nothing of the new one runs.
			fresh := s.mint(oidctoken.MintRequest{ClientID: "web"})
			s.send(s.redemption(fresh)).wantTokens(t)
			eventually(t, "background work of the failed config goes on", func() bool { return backgroundWork() <= before })
		})
	}
	s.send(s.redemption(code)).wantTokens(t)
}

func (s *site) metrics() string {
	s.t.Helper()
	r, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// value is the value of one series, 0 where there is none.
func (s *site) value(t *testing.T, series string) (v float64) {
	t.Helper()
	for line := range strings.Lines(s.metrics()) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			if _, err := fmt.Sscan(rest, &v); err != nil {
				t.Fatal(err)
			}
		}
	}
	return v
}

// Caddy does not stop the apps of a config that fails once they have all
// started: it only cleans them up.
func TestALoadThatFailsAfterItStarted(t *testing.T) {
	s := newSite(t).start(oneSite)
	before := settledWork(t)
	config, err := caddyJSON(s.caddyfile(strings.Replace(oneSite, "client web {", "client other {", 1)))
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(config), `"config":{"persist":false`, `"config":{"load":{"module":"nonesuch"},"persist":false`, 1)
	if err := caddy.Load([]byte(broken), true); err == nil || !strings.Contains(err.Error(), "nonesuch") {
		t.Fatalf("loading says %v", err)
	}
	eventually(t, "background work of the failed config goes on", func() bool { return backgroundWork() <= before })
	if _, err := oidctoken.Mint(t.Context(), s.issuer, &oidctoken.MintRequest{ClientID: "other", Subject: "alice", RedirectURI: redirect}); err == nil {
		t.Error("the failed config mints")
	}
	s.mint(oidctoken.MintRequest{ClientID: "web"})
}

// Caddy's admin API is that of a config which fails before any of its apps is
// there, and its metrics with it.
func TestALoadThatFailsKeepsTheMetrics(t *testing.T) {
	s := newSite(t).start(oneSite)
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	won := s.value(t, wonRedemptions)
	if err := s.load(strings.Replace(oneSite, "CLIENTS", "CLIENTS\nclient other {\nclient_secret {env.OIDC_TOKEN_TEST_UNSET}\nredirect_uris "+redirect+"\n}", 1)); err == nil || !strings.Contains(err.Error(), "OIDC_TOKEN_TEST_UNSET") {
		t.Fatalf("loading says %v", err)
	}
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	if got := s.value(t, wonRedemptions); got != won+1 {
		t.Errorf("%v redemptions were counted before, %v after a failed load and another", won, got)
	}
	if !strings.Contains(s.metrics(), `caddy_oidc_token_signing_key{`) {
		t.Error("no key is counted")
	}
}

func TestMetrics(t *testing.T) {
	s := newSite(t).start(oneSite)
	redeem := func() { s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t) }
	const issued = `caddy_oidc_token_requests_total{grant="authorization_code",outcome="success",reason=""}`
	value := func(metric string) float64 { return s.value(t, metric) }
	redeem()
	before := value(issued)
	t.Run("counts survive a reload", func(t *testing.T) {
		if err := s.load(strings.Replace(oneSite, "the site", "another site", 1)); err != nil {
			t.Fatal(err)
		}
		redeem()
		if got := value(issued); got != before+1 {
			t.Errorf("%v before, %v after a reload and a success", before, got)
		}
	})
	t.Run("won and replayed redemptions are told apart", func(t *testing.T) {
		won, replayed := value(wonRedemptions), value(`caddy_oidc_token_redemptions_total{result="replayed"}`)
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		s.send(s.redemption(code)).wantTokens(t)
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
		if w, r := value(wonRedemptions), value(`caddy_oidc_token_redemptions_total{result="replayed"}`); w != won+1 || r != replayed+1 {
			t.Errorf("won %v → %v, replayed %v → %v", won, w, replayed, r)
		}
	})
	t.Run("REQ-241 unknown clients add no series", func(t *testing.T) {
		unknown := func(n int) {
			s.send(s.request("x", func(r *http.Request, _ url.Values) {
				r.SetBasicAuth(fmt.Sprint("stranger-", n), "wrong-wrong-wrong-wrong")
			}))
		}
		for n := range 120 { // throttled in the end, which is an outcome of its own
			unknown(n)
		}
		before := strings.Count(s.metrics(), "\ncaddy_oidc_token_")
		for n := range 200 {
			unknown(1000 + n)
		}
		if after := strings.Count(s.metrics(), "\ncaddy_oidc_token_"); after != before {
			t.Errorf("%d series before, %d after", before, after)
		}
	})
	t.Run("requests for the documents are not counted as token requests", func(t *testing.T) {
		before := strings.Count(s.metrics(), "method_not_allowed")
		r, _ := http.NewRequest(http.MethodPut, s.issuer+"/.well-known/jwks.json", nil)
		if a := s.send(r); a.StatusCode != 405 {
			t.Fatalf("got %d", a.StatusCode)
		}
		if after := strings.Count(s.metrics(), "method_not_allowed"); after != before {
			t.Error("they are")
		}
	})
	t.Run("the keys are reported", func(t *testing.T) {
		if m := s.metrics(); !strings.Contains(m, `caddy_oidc_token_signing_key{alg="RS256",issuer="`+s.issuer+`",kid="`) || !strings.Contains(m, `state="signing"`) {
			t.Error("the metrics have no signing key")
		}
	})
}

// logLines returns what was logged since mark with that logger.
func logLines(t *testing.T, mark int64) []map[string]any {
	t.Helper()
	f, err := os.Open(logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(mark, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for d := json.NewDecoder(f); ; {
		var line map[string]any
		if err := d.Decode(&line); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // the last is being written
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		if line["logger"] == "oidc_token" {
			lines = append(lines, line)
		}
	}
}

func logSize(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(logFile)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestLogLines(t *testing.T) {
	s := newSite(t).start(oneSite)
	code := s.mint(oidctoken.MintRequest{ClientID: "web"})
	used := s.mint(oidctoken.MintRequest{ClientID: "web"})
	s.send(s.redemption(used)).wantTokens(t)
	for _, row := range []struct {
		name, event, level string
		edits              []edit
		fields             map[string]string // "*": anything
	}{
		{"REQ-240 REQ-243 a success says who got what, under the response's request id", "token_issued", "info", nil, map[string]string{
			"client_id": "web", "auth_method": "client_secret_basic", "grant_type": "authorization_code", "scope": "openid",
			"outcome": "success", "code_ref": "*", "kid": "*", "jti": "*", "client_ip": s.clientIP, "issuer": s.issuer, "request_id": "*"}},
		{"REQ-242 A21 a replay is a security event", "code_replayed", "warn", []edit{set("code", used)}, map[string]string{"client_id": "web", "outcome": "invalid_grant"}},
		{"REQ-242 a wrong secret is a security event", "client_auth_failed", "warn", []edit{header("Authorization", "Basic d2ViOndyb25nLXdyb25nLXdyb25n")}, map[string]string{"outcome": "invalid_client", "detail": "secret_mismatch"}},
		{"REQ-241 an unknown client is not named", "client_auth_failed", "warn", []edit{func(r *http.Request, _ url.Values) { r.SetBasicAuth("a\nERROR b", "wrong-wrong-wrong-wrong") }}, map[string]string{"client_id": "unknown"}},
		{"a client's mistake names what to change", "redirect_mismatch", "info", []edit{set("redirect_uri", "https://app.example/other")}, map[string]string{"hint": "*", "client_id": "web"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			mark := logSize(t)
			a := s.send(s.request(code, row.edits...))
			if row.event == "token_issued" {
				code = s.mint(oidctoken.MintRequest{ClientID: "web"})
			}
			lines := logLines(t, mark)
			var line map[string]any
			for _, l := range lines {
				if l["request_id"] == a.Header.Get("X-Request-Id") {
					if line != nil {
						t.Fatal("one request has two lines")
					}
					line = l
				}
			}
			if line == nil {
				t.Fatalf("no line has the response's X-Request-Id: %v", lines) // REQ-243
			}
			if line["event"] != row.event || line["level"] != row.level {
				t.Errorf("event %v at %v, want %s at %s: %v", line["event"], line["level"], row.event, row.level, line)
			}
			for name, want := range row.fields {
				if got, _ := line[name].(string); got != want && (want != "*" || got == "") {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestAdminAPIOff(t *testing.T) {
	s := newSite(t)
	mark := int64(0)
	if info, err := os.Stat(logFile); err == nil {
		mark = info.Size()
	}
	s.admin = "off"
	s.start(oneSite)
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	said := 0
	for _, line := range logLines(t, mark) {
		if msg, _ := line["msg"].(string); strings.Contains(msg, "admin API is off") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the log says %d times that the admin API is off", said)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
}

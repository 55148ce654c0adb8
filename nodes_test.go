package oidctoken_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

const runWithParent = "OIDC_TOKEN_TEST_RUN_WITH_PARENT"

// A test binary that is ended by its timeout, or killed, cleans nothing up. Its
// end of a node's standard input is closed then.
func init() {
	if os.Getenv(runWithParent) != "" {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
	}
}

// node starts this test binary as a Caddy of its own on the storage and the
// issuer of s, listening on another port.
func (s *site) node(t testing.TB, blocks string) *site {
	t.Helper()
	n := newSite(t)
	n.dir = s.dir
	n.issuer = s.issuer
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(n.caddyfile(blocks)), 0o600); err != nil {
		t.Fatal(err)
	}
	n.run(t, file)
	n.issuer = s.issuer
	return n
}

// run starts the process and waits until its admin API answers.
func (s *site) run(t testing.TB, file string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "run", "--config", file, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), runAsCaddy+"=1", runWithParent+"=1")
	if _, err := cmd.StdinPipe(); err != nil { // open until this process or cmd ends
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
	})
	for deadline := time.Now().Add(60 * time.Second); ; {
		r, err := http.Get("http://" + s.admin + "/oidc_token/issuers")
		if err == nil {
			var issuers []any
			err = json.NewDecoder(r.Body).Decode(&issuers)
			r.Body.Close()
			if err == nil && len(issuers) > 0 {
				return cmd
			}
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("caddy ended: %v\n%s", err, output.Bytes())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("caddy did not come up: %v\n%s", err, output.Bytes())
		}
	}
}

// at is s seen through another address: requests go to the node's port.
func (s *site) at(node *site) *site {
	n := *node
	n.issuer = "http://127.0.0.1:" + node.port
	return &n
}

// mintAt mints over a node's admin API.
func (s *site) mintAt(t testing.TB, q map[string]any) (string, int, string) {
	t.Helper()
	b, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.Post("http://"+s.admin+"/oidc_token/codes", "application/json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	answer, _ := io.ReadAll(r.Body)
	var minted oidctoken.MintResponse
	json.Unmarshal(answer, &minted)
	return secret("code", minted.Code), r.StatusCode, string(answer)
}

// nodeSite is oneSite for a node whose issuer is another's address.
const nodeSite = `
http://127.0.0.1:PORT {
	oidc_token {
		issuer ISSUER
		CLIENTS
	}
}`

func TestTwoNodesOnOneStorage(t *testing.T) {
	s := newSite(t).start(oneSite)
	node := s.at(s.node(t, nodeSite))
	rounds := 30
	if testing.Short() {
		rounds = 3
	}
	t.Run("REQ-104 REQ-245 A04 F24 two nodes race one code on the file storage", func(t *testing.T) {
		for round := range rounds {
			var code string
			if round%2 == 0 {
				code = s.mint(oidctoken.MintRequest{ClientID: "web"})
			} else {
				var status int
				if code, status, _ = node.mintAt(t, map[string]any{"client_id": "web", "subject": "alice", "redirect_uri": redirect}); status != 201 {
					t.Fatal("minting at the node: ", status)
				}
			}
			answers := race(t, 16, []*site{s, node}, func(s *site) *http.Request { return s.redemption(code) })
			if won, refused, other := count(answers); won != 1 || refused != 15 {
				t.Fatalf("%d succeeded, %d were refused; another: %s", won, refused, other)
			}
		}
	})
	t.Run("a token of one node verifies with the keys the other publishes", func(t *testing.T) {
		kids := func(s *site) string {
			r, _ := http.NewRequest(http.MethodGet, s.issuer+"/.well-known/jwks.json", nil)
			return fmt.Sprint(s.send(r).json["keys"])
		}
		if a, b := kids(s), kids(node); a != b {
			t.Errorf("one publishes %s, the other %s", a, b)
		}
	})
	t.Run("A23 a used code stays used after the node that used it was killed", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "Caddyfile")
		third := newSite(t)
		third.dir, third.issuer = s.dir, s.issuer
		if err := os.WriteFile(file, []byte(third.caddyfile(nodeSite)), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := third.run(t, file)
		at := s.at(third)
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		at.send(at.redemption(code)).wantTokens(t)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
		again := newSite(t)
		again.dir, again.issuer = s.dir, s.issuer
		at = s.at(s.node(t, nodeSite))
		at.send(at.redemption(code)).wantError(t, 400, "invalid_grant")
	})
}

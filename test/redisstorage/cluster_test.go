package redisstorage_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"golang.org/x/crypto/bcrypt"

	_ "github.com/authentiq/caddy-oidc-token"
)

const runAsCaddy = "OIDC_TOKEN_TEST_RUN_CADDY"

// A node of the cluster is this test binary, started again.
func TestMain(m *testing.M) {
	if os.Getenv(runAsCaddy) != "" {
		caddycmd.Main()
		return
	}
	os.Exit(m.Run())
}

const grafanaCallback = "https://grafana.example.com/login/generic_oauth"

// clusterSecrets are what the recipe reads from the environment, as every node
// of a cluster has it.
type clusterSecrets struct{ password, client string }

func setClusterSecrets(t *testing.T) clusterSecrets {
	t.Helper()
	made := clusterSecrets{password: rand.Text(), client: rand.Text()}
	hash, err := bcrypt.GenerateFromPassword([]byte(made.password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32)
	rand.Read(key)
	t.Setenv("ALICE_HASH", string(hash))
	t.Setenv("GRAFANA_SECRET", made.client)
	t.Setenv("ENCRYPTION_KEY", base64.StdEncoding.EncodeToString(key))
	return made
}

// README's recipe of a cluster, with two nodes and a real Redis.
func TestRecipeCluster(t *testing.T) {
	address := startRedis(t)
	secrets := setClusterSecrets(t)
	a := startNode(t, address)
	b := startNode(t, address)
	for _, row := range []struct {
		name             string
		issuer, redeemer *node
	}{{"the first node", a, b}, {"the second node", b, a}} {
		t.Run("a code of "+row.name+" is redeemed once, at the other, and UserInfo is at either", func(t *testing.T) {
			verifier := rand.Text() + rand.Text()
			code := row.issuer.signIn(t, secrets.password, verifier)
			status, tokens := row.redeemer.redeem(t, secrets.client, code, verifier)
			if status != http.StatusOK {
				t.Fatalf("%d %v", status, tokens)
			}
			for _, at := range []*node{a, b} {
				r, _ := http.NewRequest(http.MethodGet, "https://id.example.com/userinfo", nil)
				r.Header.Set("Authorization", fmt.Sprint("Bearer ", tokens["access_token"]))
				if response, body := at.send(t, r); response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"sub":"alice"`)) {
					t.Errorf("UserInfo: %d %s", response.StatusCode, body)
				}
				if status, answer := at.redeem(t, secrets.client, code, verifier); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
					t.Errorf("REQ-101 A01 a second time: %d %v", status, answer)
				}
			}
		})
	}
}

// signIn has a node issue a code for alice.
func (n *node) signIn(t *testing.T, password, verifier string) (code string) {
	t.Helper()
	digest := sha256.Sum256([]byte(verifier))
	r, _ := http.NewRequest(http.MethodGet, "https://id.example.com/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {"grafana"}, "redirect_uri": {grafanaCallback}, "scope": {"openid email"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil)
	r.SetBasicAuth("alice", password)
	response, body := n.send(t, r)
	to, err := response.Location()
	if err != nil || response.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), grafanaCallback+"?") || to.Query().Get("code") == "" {
		t.Fatalf("signing in: %d %s", response.StatusCode, body)
	}
	return to.Query().Get("code")
}

// redeem presents a code at a node.
func (n *node) redeem(t *testing.T, clientSecret, code, verifier string) (status int, answer map[string]any) {
	t.Helper()
	r, _ := http.NewRequest(http.MethodPost, "https://id.example.com/token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {grafanaCallback}, "code_verifier": {verifier},
	}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("grafana", clientSecret)
	response, body := n.send(t, r)
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("redeeming a code: %d, no JSON", response.StatusCode)
	}
	return response.StatusCode, answer
}

func clusterRecipe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### A cluster on Redis\n")
	m := regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindStringSubmatch(section)
	if m == nil {
		t.Fatal("README has no such recipe")
	}
	return m[1]
}

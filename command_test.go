//go:build unix

package oidctoken_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// caddyCommand runs a command of Caddy's and returns what it prints, and
// whether it ended well.
func caddyCommand(t testing.TB, arguments ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	cmd.Env = append(os.Environ(), runAsCaddy+"=1")
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	err := cmd.Run()
	return out.String(), errors.String(), err == nil
}

func TestClientSecretCommand(t *testing.T) {
	printed := make(map[string]bool)
	for range 2 {
		out, _, ok := caddyCommand(t, "oidc-token", "client-secret")
		lines := regexp.MustCompile(`^secret: ([A-Za-z0-9._~-]{43})\nhash:   (sha256:[0-9a-f]{64})\n$`).FindStringSubmatch(out)
		if !ok || lines == nil {
			t.Fatalf("got %q", out)
		}
		if want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(lines[1]))); lines[2] != want {
			t.Error("the hash is not the secret's")
		}
		if printed[lines[1]] {
			t.Error("the same secret was printed twice")
		}
		printed[lines[1]] = true
	}
}

func TestAdaptCommandWarnsOfSecrets(t *testing.T) {
	const written = "a+secret+of+enough+characters"
	file := filepath.Join(t.TempDir(), "Caddyfile")
	config := "id.example.com {\n\toidc_token {\n\t\tissuer {env.ISSUER}\n\t\tclient web {\n\t\t\tclient_secret " + written +
		"\n\t\t\tredirect_uris " + redirect + "\n\t\t}\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr, ok := caddyCommand(t, "adapt", "--config", file)
	if !ok {
		t.Fatalf("standard error is %q", stderr)
	}
	for _, want := range []string{"oidc_token", "client web: client_secret: it contains % or +", `"issuer":"{env.ISSUER}"`} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not in %q", want, stderr)
		}
	}
	if strings.Contains(out+stderr, written) {
		t.Error("the secret is shown")
	}
}

func TestCommandMistakes(t *testing.T) {
	site := newSite(t).start(oneSite)
	free := freePort(t)
	for _, row := range []struct {
		name      string
		arguments string
		want      string
	}{
		{"an unknown subcommand", "client-secrets", `unknown subcommand "client-secrets"`},
		{"no subcommand", "", "a subcommand is missing"},
		{"a stray argument", "client-secret extra", "unknown command"},
		{"no Caddy there", "code --client spa --subject alice --address 127.0.0.1:" + free, "is Caddy running there? --address"},
		{"no subject", "code --client spa --address ADMIN", "--client and --subject are required"},
		{"no client", "code --subject alice --address ADMIN", "--client and --subject are required"},
		{"an unknown client", "code --client none --subject alice --address ADMIN", "client none is not registered with ISSUER; registered: post, spa, web, web2"},
		{"an unknown issuer", "code --client spa --subject alice --issuer https://other.example --address ADMIN", "issuer https://other.example is not running there; running: ISSUER"},
		{"a claim without a value", "code --client spa --subject alice --claim email --address ADMIN", "write --claim email=alice@example.com"},
		{"a claim given twice", "code --client spa --subject alice --claim a=1 --claim a=2 --address ADMIN", "--claim a is there twice"},
		{"a scope the client may not have", "code --client spa --subject alice --scope admin --address ADMIN", "invalid_scope"},
		{"several redirect URIs and none chosen", "code --client web --subject alice --address ADMIN", "choose one with --redirect-uri: https://app.example/callback, https://app.example/other"},
		{"keys of an unknown issuer", "rotate-key --issuer https://other.example --address ADMIN", "https://other.example"},
	} {
		t.Run(row.name, func(t *testing.T) {
			replace := strings.NewReplacer("ADMIN", site.admin, "ISSUER", site.issuer)
			_, stderr, ok := caddyCommand(t, append([]string{"oidc-token"}, strings.Fields(replace.Replace(row.arguments))...)...)
			if ok {
				t.Error("it ended with status 0")
			}
			if want := replace.Replace(row.want); !strings.Contains(stderr, want) {
				t.Errorf("standard error is %q, want %q in it", stderr, want)
			}
			if strings.Contains(stderr, `{"error"`) {
				t.Errorf("standard error shows raw JSON: %q", stderr)
			}
		})
	}
}

func TestCodeCommandPrintsTheCodeAlone(t *testing.T) {
	site := newSite(t).start(oneSite)
	out, stderr, ok := caddyCommand(t, "oidc-token", "code", "--address", site.admin, "--client", "web",
		"--redirect-uri", redirect, "--subject", "alice", "--scope", "openid email", "--nonce", "n-1",
		"--claim", "email=alice@example.com", "--claim", "email_verified=true", "--claim", `groups=["a","b"]`)
	if !ok || stderr != "" {
		t.Fatalf("standard error is %q", stderr)
	}
	answer := site.send(site.redemption(secret("code", strings.TrimSuffix(out, "\n"))))
	answer.wantTokens(t)
	claims := joseClaims(t, answer.json["id_token"].(string))
	for name, want := range map[string]any{"sub": "alice", "nonce": "n-1", "email": "alice@example.com", "email_verified": true} {
		if claims[name] != want {
			t.Errorf("%s is %#v, want %#v", name, claims[name], want)
		}
	}
	if groups, ok := claims["groups"].([]any); !ok || len(groups) != 2 {
		t.Errorf("groups is %#v, want an array", claims["groups"])
	}
}

func TestCodeCommandMakesAVerifier(t *testing.T) {
	site := newSite(t).start(oneSite)
	form := func(code, verifier string) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "client_id": {"spa"},
			"code": {secret("code", strings.TrimSpace(code))}, "code_verifier": {secret("verifier", verifier)}}
	}

	t.Run("for a client that needs PKCE", func(t *testing.T) {
		code, stderr, _ := caddyCommand(t, "oidc-token", "code", "--address", site.admin, "--client", "spa", "--subject", "alice")
		verifier, ok := strings.CutPrefix(strings.TrimSpace(stderr), "code_verifier: ")
		if !ok {
			t.Fatalf("standard error is %q", stderr)
		}
		site.send(site.tokenRequest(form(code, verifier))).wantTokens(t)
	})
	t.Run("but not where a challenge is given", func(t *testing.T) {
		verifier, challenge := pkce()
		code, stderr, _ := caddyCommand(t, "oidc-token", "code", "--address", site.admin, "--client", "spa", "--subject", "alice", "--code-challenge", challenge)
		if stderr != "" {
			t.Errorf("standard error is %q", stderr)
		}
		site.send(site.tokenRequest(form(code, verifier))).wantTokens(t)
	})
}

// strange is a client_id that a shell, a form and Basic credentials each read
// something into.
const strange = "it's $(a):`b` \"100%\" + \\c & d!"

func TestCurlCommandRedeemsTheCode(t *testing.T) {
	verifier, challenge := pkce()
	site := newSite(t).start(strings.ReplaceAll(oneSite, "CLIENTS", clients+`
	client "`+strings.ReplaceAll(strange, `"`, `\"`)+`" {
		client_secret `+webSecret+`
		redirect_uris "https://app.example/call%20back?a='b'&c=$d"
	}
	client "strange post $(x)" {
		token_endpoint_auth_method client_secret_post
		client_secret `+webSecret+`
		redirect_uris https://app.example/callback
		require_pkce
	}
`))
	for _, row := range []struct {
		name        string
		arguments   []string
		environment []string
	}{
		{"of a public client", []string{"--client", "spa"}, nil},
		{"of a client_secret_basic client with several redirect URIs", []string{"--client", "web", "--redirect-uri", redirect},
			[]string{"CLIENT_SECRET=" + webSecret}},
		{"of a client_secret_post client", []string{"--client", "post"}, []string{"CLIENT_SECRET=" + postSecret}},
		{"of a client whose id is full of traps", []string{"--client", strange}, []string{"CLIENT_SECRET=" + webSecret}},
		{"of a confidential client that needs PKCE", []string{"--client", "strange post $(x)"}, []string{"CLIENT_SECRET=" + webSecret}},
		{"with a challenge of the caller's", []string{"--client", "spa", "--code-challenge", challenge}, []string{"CODE_VERIFIER=" + verifier}},
	} {
		t.Run(row.name, func(t *testing.T) {
			arguments := append([]string{"oidc-token", "code", "--address", site.admin, "--subject", "alice", "--curl"}, row.arguments...)
			command, stderr, ok := caddyCommand(t, arguments...)
			if !ok || stderr != "" {
				t.Fatalf("standard error is %q", stderr)
			}
			for _, value := range []string{webSecret, postSecret, verifier} {
				if strings.Contains(command, value) {
					t.Error("the command holds a secret")
				}
			}
			if len(row.environment) > 0 {
				if _, err := curl(t, command, nil); err == nil {
					t.Error("without the variable, the shell ran the command anyway")
				}
			}
			request, err := curl(t, command, row.environment)
			if err != nil {
				t.Fatal(err)
			}
			site.send(request).wantTokens(t)
		})
	}
}

// curl runs a command in a shell where curl is a function that shows its
// arguments, and makes of them the request curl would.
func curl(t *testing.T, command string, environment []string) (*http.Request, error) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", `curl() { for a in "$@"; do printf '%s\0' "$a"; done; }`+"\n"+command)
	shell.Env = environment
	out, err := shell.Output()
	if err != nil {
		return nil, err
	}
	arguments := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	form := make(url.Values)
	var endpoint, user string
	for i := 0; i < len(arguments); i++ {
		switch argument := arguments[i]; argument {
		case "-sS", "--fail-with-body":
		case "-w":
			i++
			if arguments[i] != `\n` {
				t.Errorf("after the answer it writes %q", arguments[i])
			}
		case "-u":
			i++
			user = arguments[i]
		case "--data-urlencode":
			i++
			name, value, _ := strings.Cut(arguments[i], "=")
			form.Add(name, value)
		default:
			endpoint += argument
		}
	}
	secret("code", form.Get("code"))
	secret("verifier", form.Get("code_verifier"))
	request, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
	}
	return request, nil
}

func TestRotateKeyCommand(t *testing.T) {
	site := newSite(t).start(oneSite)
	before := site.send(site.redemption(site.mint(mintWeb)))
	before.wantTokens(t)
	out, stderr, ok := caddyCommand(t, "oidc-token", "rotate-key", "--drop-old", "--address", site.admin)
	if !ok {
		t.Fatalf("standard error is %q", stderr)
	}
	after := site.send(site.redemption(site.mint(mintWeb)))
	after.wantTokens(t)
	kid := joseHeader(t, after.json["id_token"].(string))["kid"].(string)
	if kid == joseHeader(t, before.json["id_token"].(string))["kid"] {
		t.Error("the key before still signs")
	}
	if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(kid) + `\s+RS256\s+\w+\s+\d{4}-\d\d-\d\dT[\d:]+Z$`).MatchString(out) {
		t.Errorf("the key that signs now is not in %q", out)
	}
}

// TestCommandPassesEnforceOrigin: an admin API that wants an Origin gets what
// it is content with, and the codes endpoint still sees no browser.
func TestCommandPassesEnforceOrigin(t *testing.T) {
	site := newSite(t)
	config := site.caddyfile(oneSite)
	config = strings.Replace(config, "admin "+site.admin, "admin "+site.admin+" {\nenforce_origin\n}", 1)
	adapted, err := caddyJSON(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	_, stderr, ok := caddyCommand(t, "oidc-token", "code", "--address", site.admin, "--client", "spa", "--subject", "alice")
	if !ok {
		t.Errorf("standard error is %q", stderr)
	}
}

var mintWeb = oidctoken.MintRequest{ClientID: "web"}

func joseClaims(t testing.TB, jwt string) map[string]any { return jwtPart(t, jwt, 1) }
func joseHeader(t testing.TB, jwt string) map[string]any { return jwtPart(t, jwt, 0) }

func jwtPart(t testing.TB, jwt string, i int) (part map[string]any) {
	t.Helper()
	decoded, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(decoded, &part); err != nil {
		t.Fatal(err)
	}
	return part
}

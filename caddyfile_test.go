package oidctoken_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// TestAdapt runs testdata/adapt: a Caddyfile, a line of dashes, and the JSON
// it becomes or a part of the error it is refused with.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(content), "\r\n", "\n")
			input, want, ok := strings.Cut(text, "\n----------\n")
			if !ok {
				t.Fatal("the fixture has no line of dashes")
			}
			got, err := adapted(t, input+"\n")
			want = strings.TrimSpace(want)
			if strings.HasPrefix(want, "{") {
				if err != nil {
					t.Fatalf("adapting: %v", err)
				}
				if got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				return
			}
			if err == nil {
				t.Fatalf("it was accepted; want an error with %q", want)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not contain %q", err, want)
			}
		})
	}
}

// adapted turns a Caddyfile into indented JSON. A warning, such as of a file
// that is not formatted, fails the test.
func adapted(t *testing.T, caddyfile string) (string, error) {
	t.Helper()
	result, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", err
	}
	for _, w := range warnings {
		t.Errorf("warning: %s", w)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, result, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String(), nil
}

// validOptions are the lines of a block that is accepted. Each row of
// TestCaddyfileMistakes replaces or adds to them.
const (
	validIssuer = "issuer https://id.example.com"
	validSecret = "client_secret {env.SECRET}"
	validURIs   = "redirect_uris https://app.example.com/callback"
)

func TestCaddyfileMistakes(t *testing.T) {
	// Line 1 is the site, line 2 the directive: the options begin at line 3.
	outer := func(lines ...string) []string {
		return append(slices.Clone(lines), validIssuer, "client web {", validSecret, validURIs, "}")
	}
	inner := func(lines ...string) []string {
		return slices.Concat([]string{validIssuer, "client web {", validSecret, validURIs}, lines, []string{"}"})
	}
	bare := func(lines ...string) []string {
		return slices.Concat([]string{validIssuer, "client web {"}, lines, []string{"}"})
	}
	issuer := func(value string) []string {
		return []string{"issuer " + value, "client web {", validSecret, validURIs, "}"}
	}
	key := "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for _, row := range []struct {
		name  string
		lines []string
		line  int
		want  string
	}{
		// The grammar.
		{"an unknown option lists what is allowed", outer("issue_tokens yes"), 3, "unrecognized option issue_tokens: allowed here are issuer, storage,"},
		{"an unknown option of a client lists what is allowed", inner("password hunter2"), 7, "allowed here are client_name, client_secret,"},
		{"a misspelt option is recognised", outer("acess_token_lifetime 5m"), 3, "did you mean access_token_lifetime?"},
		{"a misspelt option of a client is recognised", inner("allowed_origin https://app.example.com"), 7, "did you mean allowed_origins?"},
		{"an option of a client belongs into its block", outer("redirect_uris https://app.example.com/callback"), 3, "redirect_uris is an option of a client: write it inside"},
		{"an option of the issuer belongs outside the client", inner("code_lifetime 30s"), 7, "code_lifetime is an option of the issuer: write it outside"},
		{"an option is given once", outer("signing_alg ES256", "signing_alg RS256"), 4, "signing_alg is there twice"},
		{"an option of a client is given once", inner("redirect_uris https://app.example.com/other"), 7, "redirect_uris is there twice: leave one out, or put all values of a list on one line"},
		{"a flag is given once", inner("require_pkce", "require_pkce"), 8, "require_pkce is there twice"},
		{"a client is given once", outer("client web {", "}"), 6, "client web is there twice"},
		{"a client has one client_id", outer("client", ""), 3, "write client <client_id> { ... }"},
		{"a client has only one client_id", outer("client one two"), 3, "write client <client_id> { ... }"},
		{"a client_id is not empty", outer(`client "" {`, "}"), 3, "write client <client_id> { ... }"},
		{"an option without its value", outer("signing_alg"), 3, "wrong number of values: write signing_alg <alg>"},
		{"an option with too many values", outer("signing_alg RS256 ES256"), 3, "wrong number of values: write signing_alg <alg>"},
		{"a list without a value", inner("allowed_origins"), 7, "write allowed_origins <origin>..."},
		{"an empty value", outer(`token_endpoint ""`), 3, "write token_endpoint <path>"},
		{"REQ-035 an empty secret", bare(`client_secret ""`, validURIs), 5, "write client_secret <secret>..."},
		{"REQ-035 a secret from a variable that is not set at parse time", bare(`client_secret {$OIDC_TEST_NOT_SET}`, validURIs), 5, "write client_secret <secret>..."},
		{"a flag takes no value", inner("require_pkce off"), 7, "require_pkce takes no value"},
		{"an option takes no block", outer("signing_key {", "a.pem", "}"), 3, "write signing_key <file>..."},
		{"an option with a value takes no block", outer("signing_key a.pem {", "b.pem", "}"), 3, "signing_key <file>... takes no block"},
		{"a placeholder is no option", outer("{env.OPTION} yes"), 3, "unrecognized option {env.OPTION}"},
		{"the directive takes no value beside a matcher", nil, 2, `not "https://id.example.com"`},
		{"a storage has a name", outer("storage"), 3, "write storage <module> ..."},
		{"a storage is known", outer("storage no_such_storage"), 3, "caddy.storage.no_such_storage"},
		{"a duration has a unit", outer("code_lifetime 60"), 3, `"60" is not a duration: write a number with its unit`},
		{"a duration is no placeholder", outer("code_lifetime {env.LIFETIME}"), 3, "is not a duration"},
		{"a duration of zero is not taken for the default", outer("code_lifetime 0s"), 3, "would mean the default: leave the line out"},
		{"a rotation of zero is not taken for the default", outer("key_rotation 0"), 3, "would mean the default"},

		// The issuer.
		{"an issuer is required", []string{"client web {", validSecret, validURIs, "}"}, 2, "issuer: is missing"},
		{"REQ-183 an issuer is an absolute URL", issuer("id.example.com"), 3, "issuer: is not an absolute URL"},
		{"REQ-183 an issuer is not of another scheme", issuer("ldap://id.example.com"), 3, "issuer: is not an absolute URL"},
		{"REQ-001 an issuer is not plain HTTP", issuer("http://id.example.com"), 3, "issuer: is plain HTTP: write https://"},
		{"REQ-032 an issuer does not come from the request", issuer("https://{host}"), 3, "issuer: a placeholder in it is empty or not one of the config's"},
		{"REQ-183 an issuer has no query", issuer("https://id.example.com/?tenant=1"), 3, "issuer: an issuer has no query"},

		// Endpoints.
		{"an endpoint is a path", outer("token_endpoint https://id.example.com/token"), 3, "token_endpoint: is not a path on this site"},
		{"an endpoint is in its shortest form", outer("token_endpoint /oauth/../token"), 3, "token_endpoint: is not in its shortest form"},
		{"endpoints differ", outer("jwks_endpoint /token"), 3, "jwks_endpoint: /token is token_endpoint's path"},
		{"an endpoint is not the discovery document", outer("token_endpoint /.well-known/openid-configuration"), 3, "discovery document's path"},
		{"an authorization endpoint is https", outer("authorization_endpoint http://login.example.com"), 3, "authorization_endpoint: is plain HTTP"},

		// Keys.
		{"an encryption key is base64", outer("encryption_key not-base64!"), 3, "encryption_key: key 1 is not base64: make one with: openssl rand -base64 32"},
		{"an encryption key has 32 bytes", outer("encryption_key " + key + " AAECAwQFBgcICQoLDA0ODw=="), 3, "encryption_key: key 2 has 16 bytes, not 32"},
		{"an encryption key is there once", outer("encryption_key " + key + " " + key), 3, "encryption_key: key 2 is there twice"},
		{"REQ-209 the algorithm none is refused", outer("signing_alg none"), 3, "signing_alg: none is not an algorithm this module signs with: write one of RS256"},
		{"REQ-209 a symmetric algorithm is refused", outer("signing_alg HS256"), 3, "signing_alg: HS256 is not an algorithm this module signs with"},
		{"an algorithm is spelt as registered", outer("signing_alg rs256"), 3, "signing_alg: rs256 is not an algorithm: write RS256"},
		{"key files do not rotate", outer("signing_key a.pem", "key_rotation 30d"), 4, "key_rotation: is for automatic keys"},
		{"a key file is there once", outer("signing_key a.pem a.pem"), 3, "signing_key: a.pem is there twice"},
		{"a rotation of -1ns is not taken for off", outer("key_rotation -1ns"), 3, "key_rotation -1ns is negative: write off for keys that sign forever"},
		{"a negative rotation", outer("key_rotation -90d"), 3, "key_rotation -90d is negative: write off"},
		{"keys live long enough to be published first", outer("key_rotation 24h"), 3, "key_rotation: is shorter than 48h"},

		// Lifetimes.
		{"REQ-087 a code lifetime above ten minutes", outer("code_lifetime 601s"), 3, "code_lifetime: is longer than 10m"},
		{"a negative lifetime", outer("code_lifetime -1s"), 3, "code_lifetime: is negative"},
		{"a lifetime below a second", outer("access_token_lifetime 10ms"), 3, "access_token_lifetime: is shorter than a second"},
		{"REQ-117 a lifetime that is no whole number of seconds", outer("id_token_lifetime 1500ms"), 3, "id_token_lifetime: is not a whole number of seconds: write for example 1s"},
		{"an access token lifetime above a day", outer("access_token_lifetime 25h"), 3, "access_token_lifetime: is longer than 24h"},

		// Clients.
		{"an issuer has clients", []string{validIssuer}, 2, "no client is registered"},
		{"a confidential client has a secret", bare(validURIs), 4, "client web: client_secret: is missing; write one"},
		{"REQ-037 a client without a method has a secret", bare(validURIs, "scope openid"), 4, "client web: client_secret: is missing"},
		{"REQ-035 a public client has no secret", inner("token_endpoint_auth_method none"), 5, "client web: client_secret: a client with token_endpoint_auth_method none has no secret"},
		{"REQ-051 a short secret", bare("client_secret short", validURIs), 5, "client web: client_secret: secret 1 has 5 characters, which is less than 128 bits"},
		{"REQ-051 a short second secret", bare("client_secret {env.SECRET} short", validURIs), 5, "client web: client_secret: secret 2 has 5 characters"},
		{"REQ-051 a short secret with a brace that nothing closes", bare("client_secret {short", validURIs), 5, "client web: client_secret: secret 1 has 6 characters"},
		{"REQ-051 a short secret with a brace that is escaped", bare(`client_secret \{abcdefghijklmnopqrst`, validURIs), 5, "client web: client_secret: secret 1 has 21 characters"},
		{"an issuer with a brace that nothing closes", issuer("https://{host"), 3, "issuer: is not"},
		{"a secret is there once", bare("client_secret {env.SECRET} {env.SECRET}", validURIs), 5, "client_secret: a secret is there twice"},
		{"a method that is not built", inner("token_endpoint_auth_method private_key_jwt"), 7, "client web: token_endpoint_auth_method: \"private_key_jwt\" is not supported"},
		{"a grant that is not built", inner("grant_types authorization_code client_credentials"), 7, "client web: grant_types: \"client_credentials\" is not a grant type"},
		{"REQ-209 an ID token is signed", inner("id_token_signed_response_alg none"), 7, "id_token_signed_response_alg: none is not an algorithm"},
		{"a client has a redirect URI", bare(validSecret), 4, "redirect_uris"},
		{"a redirect URI has no fragment", bare(validSecret, "redirect_uris https://app.example.com/#x"), 6, "redirect_uris"},
		{"an origin is no URL with a path", inner("allowed_origins https://app.example.com/path"), 7, "allowed_origins"},
		{"a scope is made of scope characters", inner(`scope open"id`), 7, "scope"},
		{"a client_id is printable ASCII", []string{validIssuer, "client wéb {", validSecret, validURIs, "}"}, 4, `client "wéb": client_id: write 1 to 256`},
		{"an audience is a URI", inner("access_token_audience api"), 7, "client web: access_token_audience: \"api\" is not an absolute URI"},
		{"REQ-145 an audience is no client's", append(inner("access_token_audience https://rp.example.com"),
			"client https://rp.example.com {", validSecret, validURIs, "}"), 7, "client web: access_token_audience: \"https://rp.example.com\" is a client_id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			directive := "oidc_token {"
			if row.lines == nil {
				directive = "oidc_token https://id.example.com {"
			}
			_, err := adapted(t, fmt.Sprintf("id.example.com {\n%s\n%s\n}\n}\n", directive, strings.Join(row.lines, "\n")))
			if err == nil {
				t.Fatalf("it was accepted; want an error with %q", row.want)
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %q does not contain %q", err, row.want)
			}
			if at := fmt.Sprintf(", at Caddyfile:%d", row.line); !strings.Contains(err.Error(), at) {
				t.Errorf("error %q is not%s", err, at)
			}
		})
	}
}

// Whatever is wrong with a secret, the error does not show it.
func TestCaddyfileErrorsHideSecrets(t *testing.T) {
	for _, line := range []string{
		"client_secret hunter2",
		"client_secret {env.SECRET} hunter2",
		"client_secret hunter2 hunter2",
		"client_secret sha256:hunter2",
		"client_secret $2a$hunter2",
		"client_secret $argon2id$hunter2",
	} {
		for _, rest := range []string{"", "\ntoken_endpoint_auth_method none"} {
			_, err := adapted(t, "id.example.com {\noidc_token {\n"+validIssuer+"\nclient web {\n"+validURIs+"\n"+line+rest+"\n}\n}\n}\n")
			if err == nil {
				t.Fatalf("%q was accepted", line)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the secret: %v", err)
			}
		}
	}
	_, err := adapted(t, "id.example.com {\noidc_token {\nissuer https://id.example.com\nencryption_key aHVudGVyMg==\n}\n}\n")
	if err == nil || strings.Contains(err.Error(), "aHVudGVyMg") {
		t.Errorf("the error shows the encryption key, or there is none: %v", err)
	}
}

// TestGrammarIsComplete: an option that JSON has and the Caddyfile lacks, or
// the reverse, or that the documentation lacks, fails here.
func TestGrammarIsComplete(t *testing.T) {
	source, err := os.ReadFile("caddyfile.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []struct {
		name   string
		config any
		rename map[string]string // JSON name → Caddyfile name
		indent string
		begins string // what its lines follow in the doc comment
	}{
		{"oidc_token", oidctoken.Handler{}, map[string]string{"clients": "client"}, "\t\t", "oidc_token [<matcher>] {"},
		{"client", oidctoken.Client{}, map[string]string{"client_id": ""}, "\t\t\t", "client <client_id> {"},
		{"identity", oidctoken.Identity{}, map[string]string{"claims": "claim"}, "\t\t\t", "identity {"},
	} {
		t.Run(block.name, func(t *testing.T) {
			var want []string
			for _, field := range reflect.VisibleFields(reflect.TypeOf(block.config)) {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if other, ok := block.rename[name]; ok {
					name = other
				}
				if name != "" {
					want = append(want, name)
				}
			}
			if got := allowedIn(t, block.name); !slices.Equal(got, want) {
				t.Errorf("the Caddyfile has %v, JSON has %v", got, want)
			}
			documented := regexp.MustCompile(`(?m)^//`+block.indent+`([a-z_]+)( |$)`).FindAllStringSubmatch(blockIn(t, string(source), block.begins), -1)
			var got []string
			for _, match := range documented {
				got = append(got, match[1])
			}
			if !slices.Equal(got, want) {
				t.Errorf("the doc comment of UnmarshalCaddyfile has %v, JSON has %v", got, want)
			}
		})
	}
}

// blockIn returns the lines of a block in a doc comment, from its first to the
// brace that ends it.
func blockIn(t *testing.T, source, begins string) string {
	t.Helper()
	start := strings.Index(source, begins+"\n")
	if start < 0 {
		t.Fatalf("the doc comment has no %s", begins)
	}
	line := source[strings.LastIndexByte(source[:start], '\n')+1:]
	indent := line[:strings.Index(line, begins)]
	_, block, _ := strings.Cut(line, "\n")
	block, _, _ = strings.Cut(block, "\n"+indent+"}")
	return block + "\n"
}

// allowedIn returns the options that the error about an unknown one lists.
func allowedIn(t *testing.T, block string) []string {
	t.Helper()
	line := "zzzzzzzzzzzz"
	switch block {
	case "client":
		line = "client web {\nzzzzzzzzzzzz\n}"
	case "identity":
		line = "identity {\nzzzzzzzzzzzz\n}"
	}
	_, err := adapted(t, "id.example.com {\noidc_token {\n"+line+"\n}\n}\n")
	if err == nil {
		t.Fatal("an unknown option was accepted")
	}
	_, list, _ := strings.Cut(err.Error(), "allowed here are ")
	list, _, _ = strings.Cut(list, ", at Caddyfile")
	return strings.Split(list, ", ")
}

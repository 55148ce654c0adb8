package oidctoken_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestAuthorizeMistakes(t *testing.T) {
	// Line 1 is the site, line 2 the directive, and a client follows: what is
	// tried begins at line 8.
	const before = "id.example.com {\noidc_token {\n" + validIssuer + "\nclient web {\n" + validSecret + "\n" + validURIs + "\n}\n"
	login := func(lines ...string) []string {
		return append([]string{"authorize {", "basic_auth {", "alice " + aliceHash, "}", "}"}, lines...)
	}
	for _, row := range []struct {
		name  string
		lines []string
		line  int
		want  string
	}{
		{"identity without authorize", []string{"identity {", "subject {http.auth.user.id}", "}"}, 8, "there is no authorize"},
		{"an empty authorize", []string{"authorize {", "}"}, 8, "is empty, so nobody is ever signed in"},
		{"an authorize without a block", []string{"authorize"}, 8, "is empty, so nobody is ever signed in"},
		{"an authorize with a value", []string{"authorize everybody {", "}"}, 8, "authorize: wrong argument count"},
		{"authorize twice", login("authorize {", "}"), 13, "authorize is there twice"},
		{"a directive that is none", []string{"authorize {", "basic_oauth {", "}", "}"}, 11, "unrecognized directive: basic_oauth"},
		{"a directive with a mistake", []string{"authorize {", "basic_auth {", "alice", "}", "}"}, 10, "basic_auth"},
		{"an oidc_token inside", []string{"authorize {", "oidc_token {", validIssuer, "client web {", validSecret, validURIs, "}", "}", "}"}, 8, "there is an oidc_token inside"},
		{"an oidc_token deep inside", []string{"authorize {", "handle /x {", "route {", "oidc_token {", validIssuer, "client web {", validSecret, validURIs, "}", "}", "}", "}", "}"}, 8, "there is an oidc_token inside"},
		{"identity twice", login("identity {", "}", "identity {", "}"), 15, "identity is there twice"},
		{"identity with a value", login("identity alice {", "}"), 13, "write identity { ... }"},
		{"an option of identity outside", login("subject {http.auth.user.id}"), 13, "subject is an option of identity: write it inside"},
		{"an option of the issuer inside", login("identity {", "code_lifetime 30s", "}"), 14, "code_lifetime is an option of the issuer: write it outside"},
		{"an option of a client inside", login("identity {", "scope openid", "}"), 14, "scope is an option of a client"},
		{"a misspelt option", login("identity {", "subjct {http.auth.user.id}", "}"), 14, "did you mean subject?"},
		{"a subject twice", login("identity {", "subject {http.auth.user.id}", "subject {http.auth.user.id}", "}"), 15, "subject is there twice"},
		{"a subject that everybody has", login("identity {", "subject alice", "}"), 14, "identity subject: is the same for everybody"},
		{"a subject from the query", login("identity {", "subject {query.user}", "}"), 14, "is whatever the client sends"},
		{"a subject from a cookie", login("identity {", "subject {http.request.cookie.user}", "}"), 14, "is whatever the client sends"},
		{"a subject that is partly from the path", login("identity {", "subject {http.auth.user.id}/{path}", "}"), 14, "is whatever the client sends"},
		{"a subject that is partly from the host", login("identity {", "subject {http.auth.user.id}@{host}", "}"), 14, "is whatever the client sends"},
		{"a subject that nobody has proved", login("identity {", "subject {http.auth.candidate.user.id}", "}"), 14, "is whatever the client sends"},
		{"a claim from the name of the TLS handshake", login("identity {", "claim org {http.request.tls.server_name}", "}"), 14, "is whatever the client sends"},
		{"a claim from the query", login("identity {", "claim email {query.email}", "}"), 14, "identity claim email: {http.request.uri.query.email} is whatever the client sends"},
		{"an acr from the query", login("identity {", "acr {query.acr_values}", "}"), 14, "is whatever the client sends"},
		{"an amr from the query", login("identity {", "amr pwd {query.amr}", "}"), 14, "is whatever the client sends"},
		{"an auth_time from the query", login("identity {", "auth_time {query.t}", "}"), 14, "is whatever the client sends"},
		{"a subject from the credentials", login("identity {", "subject {header.Authorization}", "}"), 14, "is what the client sends to authenticate"},
		{"a claim from the cookies", login("identity {", "claim x {header.cookie}", "}"), 14, "is what the client sends to authenticate"},
		{"a claim without a value", login("identity {", "claim email", "}"), 14, "write claim <name> <value> [string|list|boolean|number|json]"},
		{"a claim with too many values", login("identity {", "claim a b list c", "}"), 14, "write claim <name> <value>"},
		{"a claim of an unknown type", login("identity {", "claim groups {http.auth.user.groups} array", "}"), 14, "array is not a type: write one of string, list, boolean, number, json"},
		{"a claim twice", login("identity {", "claim a {http.auth.user.a}", "claim a {http.auth.user.b}", "}"), 15, "identity claim a: is there twice"},
		{"a claim that the issuer sets", login("identity {", "claim email {http.auth.user.email}", "claim aud other", "}"), 15, "identity claim aud: is set by the issuer alone"},
		{"a standard claim of another type", login("identity {", "claim email_verified true string", "}"), 14, "is a boolean (OpenID Connect Core §5.1), not a string"},
		{"a standard claim that is a string, as a list", login("identity {", "claim email {http.auth.user.emails} list", "}"), 14, "is a string (OpenID Connect Core §5.1), not a list"},
		{"a standard claim of another type in a language", login("identity {", "claim address#ja {http.auth.user.address} string", "}"), 14, "is a json (OpenID Connect Core §5.1), not a string"},
		{"a URL beside authorize", login("authorization_endpoint https://login.example.com/authorize"), 13, "is not a path on this site"},
		{"a path without authorize", []string{"authorization_endpoint /authorize"}, 8, "is not an absolute URL"},
		{"the token endpoint's path", login("authorization_endpoint /token"), 13, "/token is token_endpoint's path"},
		{"UserInfo at the authorization endpoint's path", login("userinfo_endpoint /authorize"), 13, "/authorize is authorization_endpoint's path"},
		{"a path that is none", login("userinfo_endpoint userinfo"), 13, "is not a path on this site"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := adapted(t, before+strings.Join(row.lines, "\n")+"\n}\n}\n")
			if err == nil {
				t.Fatalf("it was accepted; want an error with %q", row.want)
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %q does not contain %q", err, row.want)
			}
			if at := fmt.Sprintf("Caddyfile:%d", row.line); !strings.Contains(err.Error(), at) {
				t.Errorf("error %q is not at %s", err, at)
			}
		})
	}
	t.Run("id_token_claims none beside another", func(t *testing.T) {
		_, err := adapted(t, strings.Replace(before, validURIs, validURIs+"\nid_token_claims none email", 1)+"\n}\n}\n")
		if err == nil || !strings.Contains(err.Error(), "none stands alone") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAuthorizeAccepted(t *testing.T) {
	const block = "id.example.com {\noidc_token {\n" + validIssuer + "\nclient web {\n" + validSecret + "\n" + validURIs + "\n}\n%s\n}\n}\n"
	for name, lines := range map[string]string{
		"nothing in authorize where the subject is a certificate's": "authorize {\n}\nidentity {\nsubject {tls_client_subject}\n}",
		"a path from a placeholder":                                 "authorization_endpoint {env.PATH}\nauthorize {\nbasic_auth {\nalice " + aliceHash + "\n}\n}",
		"matchers, groups and imports":                              "authorize {\n@a path /a\nhandle @a {\nrespond 403\n}\nhandle {\nbasic_auth {\nalice " + aliceHash + "\n}\n}\n}",
		"a claim that is a constant":                                "authorize {\nbasic_auth {\nalice " + aliceHash + "\n}\n}\nidentity {\nclaim email_verified true\nclaim org \"ACME\"\n}",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := caddyJSON(fmt.Sprintf(block, lines)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("an empty list in JSON is authorize", func(t *testing.T) {
		got, err := caddyJSON(fmt.Sprintf(block, "authorize {\n}\nidentity {\nsubject {tls_client_subject}\n}"))
		if err != nil || !bytes.Contains(got, []byte(`"authorize":[]`)) {
			t.Errorf("got %s, %v", got, err)
		}
	})
	t.Run("no ID token claims is an empty list in JSON", func(t *testing.T) {
		got, err := caddyJSON(strings.Replace(fmt.Sprintf(block, ""), validURIs, validURIs+"\nid_token_claims none", 1))
		if err != nil || !bytes.Contains(got, []byte(`"id_token_claims":[]`)) {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

// What JSON can say and a Caddyfile cannot.
func TestAuthorizeMistakesInJSON(t *testing.T) {
	s := newSite(t)
	config, err := caddyJSON(s.caddyfile(authorizeSite(basicAuth, "identity {\nclaim email {http.auth.user.email}\n}")))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, old, new, want string }{
		{"an oidc_token inside", `"authorize":[`, `"authorize":[{"handle":[{"handler":"subroute","routes":[{"handle":[{"handler":"oidc_token","issuer":"https://x.example"}]}]}]},`, "there is an oidc_token inside"},
		{"a claim without a name", `"name":"email",`, ``, "entry 1 has no name"},
		{"a claim without a value", `"value":"{http.auth.user.email}"`, `"type":"list"`, "identity claim email: has no value"},
		{"a claim that is null", `"claims":[`, `"claims":[null,`, "entry 1 has no name"},
		{"a handler that is none", `"authorize":[`, `"authorize":[{"handle":[{"handler":"none_such"}]},`, "authorize: route 0: loading handler modules"},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := strings.Replace(string(config), row.old, row.new, 1)
			if changed == string(config) {
				t.Fatal("the config has no such member")
			}
			if err := caddy.Load([]byte(changed), true); err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "issuer "+s.issuer) {
				t.Errorf("error %q does not contain %q, or not the issuer", err, row.want)
			}
		})
	}
}

func TestAuthorizeWarnings(t *testing.T) {
	login := newWhoAreYou(t)
	for _, row := range []struct {
		name, authorize, identity string
		warns                     bool
	}{
		{"forward_auth without a subject", login.directive(), "", true},
		{"forward_auth in a handle, with claims only", "handle {\n" + login.directive() + "\n}", "identity {\nclaim email {header.Remote-Email}\n}", true},
		{"forward_auth with a subject", login.directive(), forwardedIdentity, false},
		{"basic_auth", basicAuth, "", false},
		{"forward_auth and basic_auth", login.directive() + "\n" + basicAuth, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			mark := logSize(t)
			newSite(t).start(authorizeSite(row.authorize, row.identity))
			logs, err := os.ReadFile(logFile)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(logs[mark:]), "which nothing in authorize sets (forward_auth does not)"); got != row.warns {
				t.Errorf("it is warned of: %v", got)
			}
		})
	}
}

// One snippet in two sites is one config, whatever Caddy calls its groups.
func TestOneIssuerInTwoSites(t *testing.T) {
	s := newSite(t)
	second := freePort(t)
	authorize := "handle /never {\nrespond 403\n}\nhandle {\n" + basicAuth + "\n}"
	block := strings.NewReplacer("AUTHORIZE", authorize, "IDENTITY", "").Replace(authorizeBlock)
	two := func(other string) string {
		return "(issuer) {" + block + "\n}\nhttp://127.0.0.1:PORT {\nhandle /x {\nrespond x\n}\nhandle /y {\nrespond y\n}\nimport issuer\n}\nhttp://127.0.0.1:" + second + " {\n" + other + "\n}"
	}
	s.start(two("import issuer"))
	s.send(s.redemption(s.send(s.authorization()).wantCode(t, s.issuer))).wantTokens(t)
	r := s.authorization()
	r.URL.Host = "127.0.0.1:" + second
	s.send(s.redemption(s.send(r).wantCode(t, s.issuer))).wantTokens(t)
	t.Run("two that differ are refused", func(t *testing.T) {
		err := s.load(two(strings.Replace(block, "alice ", "bob ", 1)))
		if err == nil || !strings.Contains(err.Error(), "configured twice") {
			t.Errorf("got %v", err)
		}
	})
}

package oidctoken_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// The plugin sits in any site without an order line. Each block is loaded, a
// code is redeemed through it, and what the site served before it still does.
func TestItSitsInAnySite(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte("the page"), 0o644); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("the upstream")) }))
	defer upstream.Close()

	const endpoint = `
	oidc_token {
		issuer ISSUER
		CLIENTS
	}`
	for _, row := range []struct {
		name, site string
		status     int    // of GET /anything
		body       string // in it
	}{
		{"beside file_server", endpoint + `
	root * ROOT
	file_server`, 404, ""},
		{"beside try_files of a single-page application", endpoint + `
	root * ROOT
	try_files {path} /index.html
	file_server`, 200, "the page"},
		{"beside site-wide basic_auth", endpoint + `
	basic_auth {
		alice $2a$04$tZiyjaHU4VwVDFpMwKlKMeZ/pmSChTJeQpEpb1PQRjOJ0eOBVV9BK
	}
	respond "the site"`, 401, ""},
		{"REQ-179 beside encode", endpoint + `
	encode gzip zstd
	respond "the site"`, 200, "the site"},
		{"REQ-179 inside one route with encode", `
	route {
		encode gzip zstd {
			minimum_length 1
		}` + endpoint + `
		respond "the site"
	}`, 200, "the site"},
		{"beside reverse_proxy", endpoint + `
	reverse_proxy UPSTREAM`, 200, "the upstream"},
		{"beside handle blocks", endpoint + `
	handle /api/* {
		respond "the api"
	}
	handle {
		respond "the rest"
	}`, 200, "the rest"},
		{"inside a handle block", `
	handle /token {` + endpoint + `
	}
	handle /.well-known/* {` + endpoint + `
	}
	handle {
		respond "the rest"
	}`, 200, "the rest"},
		{"inside a route block", `
	route {` + endpoint + `
		respond "the site"
	}`, 200, "the site"},
		{"with a path matcher", strings.Replace(endpoint, "oidc_token {", "oidc_token /token {", 1) + `
	respond "the site"`, 200, "the site"},
		{"with a named matcher", `
	@mine path /token /.well-known/*` + strings.Replace(endpoint, "oidc_token {", "oidc_token @mine {", 1) + `
	respond "the site"`, 200, "the site"},
		{"with handle_errors", endpoint + `
	handle_errors {
		respond "the error page"
	}
	error 418`, 418, "the error page"},
		{"with a header directive", endpoint + `
	header Cache-Control "public, max-age=3600"
	respond "the site"`, 200, "the site"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t)
			block := strings.NewReplacer("ROOT", root, "UPSTREAM", upstream.Listener.Addr().String()).Replace(row.site)
			s.start("http://127.0.0.1:PORT {\n" + block + "\n}")

			code := s.mint(oidctoken.MintRequest{ClientID: "web"})
			r := s.redemption(code)
			r.Header.Set("Accept-Encoding", "gzip, zstd")
			a := s.send(r)
			a.wantTokens(t)
			if got := a.Header.Get("Content-Encoding"); got != "" {
				t.Errorf("REQ-179: the token response is encoded: %s", got)
			}
			if got := a.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
				t.Errorf("Cache-Control is %q", got)
			}
			s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")

			r, _ = http.NewRequest(http.MethodGet, s.issuer+"/anything", nil)
			if a := s.send(r); a.StatusCode != row.status || !strings.Contains(string(a.body), row.body) {
				t.Errorf("the site answers %d %q, want %d with %q", a.StatusCode, a.body, row.status, row.body)
			}
		})
	}
}

func TestSeveralIssuersInOneProcess(t *testing.T) {
	s, other := newSite(t), newSite(t)
	block := `
	oidc_token {
		issuer http://127.0.0.1:%
		CLIENTS
	}
	respond "the site"`
	tenant := strings.Replace(block, "http://127.0.0.1:%", "ISSUER/t1", 1)
	s.start("http://127.0.0.1:PORT {" + strings.Replace(block, "%", s.port, 1) + tenant + "\n}\n" +
		"http://127.0.0.1:" + other.port + " {" + strings.Replace(block, "%", other.port, 1) + "\n}")

	t.Run("each redeems its own codes", func(t *testing.T) {
		s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
		other.send(other.redemption(other.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
		at := *s
		at.issuer += "/t1"
		at.send(at.redemption(at.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	})
	t.Run("REQ-085 A13 a code of one issuer is unknown to another on the same storage", func(t *testing.T) {
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		other.send(other.redemption(code)).wantError(t, 400, "invalid_grant")
		s.send(s.redemption(code)).wantTokens(t)
	})
	t.Run("REQ-182 an issuer with a path has both well-known documents", func(t *testing.T) {
		for _, path := range []string{"/t1/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/t1"} {
			r, _ := http.NewRequest(http.MethodGet, s.issuer+path, nil)
			a := s.send(r)
			if a.StatusCode != 200 || a.json["issuer"] != s.issuer+"/t1" {
				t.Errorf("%s answers %d %s", path, a.StatusCode, a.body)
			}
		}
	})
	t.Run("T08 one subject at two issuers is two identities", func(t *testing.T) {
		a := s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web", Subject: "alice"})))
		b := other.send(other.redemption(other.mint(oidctoken.MintRequest{ClientID: "web", Subject: "alice"})))
		x, y := payload(t, a.json["id_token"]), payload(t, b.json["id_token"])
		if x["sub"] != y["sub"] || x["iss"] != s.issuer || y["iss"] != other.issuer {
			t.Errorf("got %v and %v", x, y)
		}
	})
	t.Run("T09 each issuer has keys of its own", func(t *testing.T) {
		kids := map[any]bool{}
		for _, jwks := range []string{s.issuer, s.issuer + "/t1", other.issuer} {
			r, _ := http.NewRequest(http.MethodGet, jwks+"/.well-known/jwks.json", nil)
			for _, k := range s.send(r).json["keys"].([]any) {
				kids[k.(map[string]any)["kid"]] = true
			}
		}
		if len(kids) != 3 {
			t.Errorf("three issuers publish %d keys", len(kids))
		}
	})
}

func TestTwoBlocksWithOneIssuer(t *testing.T) {
	s := newSite(t)
	block := "\noidc_token {\nissuer ISSUER\nclient web {\nclient_secret " + webSecret + "\nredirect_uris " + redirect + "\nOPTION\n}\n}\n"
	second := freePort(t)
	t.Run("identical ones share", func(t *testing.T) {
		same := strings.Replace(block, "OPTION", "", 1)
		s := newSite(t).start("http://127.0.0.1:PORT {" + same + "}\nhttp://127.0.0.1:" + second + " {" + same + "}")
		code := s.mint(oidctoken.MintRequest{ClientID: "web"})
		s.send(s.redemption(code)).wantTokens(t)
	})
	t.Run("different ones are refused and the old config stays", func(t *testing.T) {
		s.start(oneSite)
		err := s.load("http://127.0.0.1:PORT {" + strings.Replace(block, "OPTION", "", 1) + "}\nhttp://127.0.0.1:" + second + " {" +
			strings.Replace(block, "OPTION", "require_pkce", 1) + "}")
		if err == nil || !strings.Contains(err.Error(), s.issuer) || !strings.Contains(err.Error(), "configured twice") {
			t.Fatalf("loading them: %v", err)
		}
		s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	})
}

func TestPathsAreConfigured(t *testing.T) {
	s := newSite(t).start(strings.Replace(oneSite, "CLIENTS", `
		token_endpoint /oauth/token
		jwks_endpoint /oauth/keys
		authorization_endpoint https://login.example/authorize
		CLIENTS`, 1))
	t.Run("REQ-008 the endpoint answers only on its path", func(t *testing.T) {
		form := url.Values{"grant_type": {"authorization_code"}}
		for path, status := range map[string]int{"/oauth/token": 401, "/token": 200, "/oauth/token/": 200, "/oauth/token/x": 200} {
			r := s.tokenRequest(form)
			r.URL.Path = path
			if a := s.send(r); a.StatusCode != status {
				t.Errorf("POST %s answers %d, want %d", path, a.StatusCode, status)
			}
		}
	})
	t.Run("REQ-184 the metadata has the configured endpoints", func(t *testing.T) {
		r, _ := http.NewRequest(http.MethodGet, s.issuer+"/.well-known/openid-configuration", nil)
		m := s.send(r).json
		for name, want := range map[string]string{
			"token_endpoint": s.issuer + "/oauth/token", "jwks_uri": s.issuer + "/oauth/keys",
			"authorization_endpoint": "https://login.example/authorize",
		} {
			if m[name] != want {
				t.Errorf("%s is %v, want %s", name, m[name], want)
			}
		}
	})
}

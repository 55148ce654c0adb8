package oidctoken_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// The same site for an issuer that is https, reached over plain HTTP.
var plainSignInSite = strings.Replace(authorizeSite(basicAuth, ""), "issuer ISSUER", "issuer https://id.example", 1)

func TestAuthorizationOverPlainHTTP(t *testing.T) {
	for _, row := range []struct {
		name, servers, proto string
		status               int
	}{
		{"REQ-001 a plain request is refused and not redirected", "", "", 400},
		{"REQ-001 H08 a stranger cannot say that it was TLS", "", "https", 400},
		{"REQ-001 a trusted proxy says it was plain", "trusted_proxies static 127.0.0.1/32", "http", 400},
		{"a trusted proxy terminated TLS", "trusted_proxies static 127.0.0.1/32", "https", 303},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t)
			s.servers = row.servers
			s.start(plainSignInSite)
			r := s.authorization()
			if row.proto != "" {
				r.Header.Set("X-Forwarded-Proto", row.proto)
			}
			a := s.send(r)
			if row.status == 400 {
				a.wantPage(t, 400)
				return
			}
			a.wantCode(t, "https://id.example")
		})
	}
}

func TestAuthorizationInEarlyData(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	for name, status := range map[bool]int{false: http.StatusTooEarly, true: http.StatusSeeOther} {
		t.Run(fmt.Sprint("REQ-003 the handshake is complete: ", name), func(t *testing.T) {
			r := s.authorization()
			r.RemoteAddr, r.RequestURI = "127.0.0.1:1", r.URL.RequestURI()
			r.TLS = &tls.ConnectionState{HandshakeComplete: name}
			w := inProcess(t, r)
			secret("code", regexp.MustCompile(`code=([^&]*)|$`).FindStringSubmatch(w.Header().Get("Location"))[1])
			if w.Code != status {
				t.Errorf("got %d", w.Code)
			}
		})
	}
}

// Whatever the browser and what is between says of hosts: the issuer and where
// the browser goes come from the config.
func TestHostsOfAuthorizationRequests(t *testing.T) {
	s := newSite(t)
	// Every host is this site's.
	s.start(strings.Replace(authorizeSite(basicAuth, ""), "http://127.0.0.1:PORT {", "http://:PORT {", 1))
	for _, row := range []struct{ host, header, value string }{
		{"evil.example", "", ""}, {"EVIL.example:81", "", ""}, {"", "X-Forwarded-Host", "evil.example"}, {"", "X-Forwarded-Proto", "https"},
		{"", "Forwarded", "host=evil.example;proto=https"}, {"", "X-Original-Url", "/evil"}, {"", "X-Rewrite-Url", "/evil"}, {"", "Origin", "https://evil.example"},
		{"", "Referer", "https://evil.example/"},
	} {
		t.Run("H08 iss and Location are those of the config with "+row.host+row.header, func(t *testing.T) {
			for _, changes := range [][]change{nil, {with("response_type", "token")}} {
				r := s.authorization(changes...)
				if row.host != "" {
					r.Host = row.host
				} else {
					r.Header.Set(row.header, row.value)
				}
				a := s.send(r)
				if len(changes) == 0 {
					a.wantCode(t, s.issuer)
				} else {
					a.wantRefusal(t, s.issuer, "unsupported_response_type")
				}
				if strings.Contains(fmt.Sprint(a.Header), "evil") {
					t.Errorf("the headers are %v", a.Header)
				}
			}
		})
	}
}

func TestIssuersSideBySide(t *testing.T) {
	s := newSite(t)
	issuer := func(path, user string) string {
		return "oidc_token {\nissuer ISSUER" + path + "\nCLIENTS\nauthorize {\n" + strings.Replace(basicAuth, "alice", user, 1) + "\n}\n}\n"
	}
	s.start("http://127.0.0.1:PORT {\n" + issuer("", "alice") + issuer("/realm", "bob") + "}")
	at := func(path, user string, changes ...change) *http.Request {
		r := s.authorizationBy(http.MethodGet, changes...)
		r.URL.Path = path
		r.SetBasicAuth(user, alicePassword)
		return r
	}
	t.Run("L11 each says who it is", func(t *testing.T) {
		s.send(at("/authorize", "alice")).wantCode(t, s.issuer)
		s.send(at("/realm/authorize", "bob")).wantCode(t, s.issuer+"/realm")
		s.send(at("/realm/authorize", "bob", with("response_type", "x"))).wantRefusal(t, s.issuer+"/realm", "unsupported_response_type")
	})
	t.Run("L11 a code of one is none of the other's", func(t *testing.T) {
		code := s.send(at("/realm/authorize", "bob")).wantCode(t, s.issuer+"/realm")
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
	})
	t.Run("each has its own people", func(t *testing.T) {
		for path, user := range map[string]string{"/authorize": "bob", "/realm/authorize": "alice"} {
			if a := s.send(at(path, user)); a.StatusCode != 401 {
				t.Errorf("%s at %s is answered %d", user, path, a.StatusCode)
			}
		}
	})
	t.Run("REQ-184 each says where its endpoint is", func(t *testing.T) {
		for path, want := range map[string]string{"": "/authorize", "/realm": "/realm/authorize"} {
			r, _ := http.NewRequest(http.MethodGet, s.issuer+path+"/.well-known/openid-configuration", nil)
			m := s.send(r).json
			if m["authorization_endpoint"] != s.issuer+want || fmt.Sprint(m["response_modes_supported"]) != "[query fragment form_post]" ||
				m["authorization_response_iss_parameter_supported"] != true || fmt.Sprint(m["prompt_values_supported"]) != "[none login]" {
				t.Errorf("the metadata is %v", m)
			}
		}
	})
}

// Nothing is kept between the login and the answer, so there is nothing to
// guess: the browser brings the whole request again.
func TestNothingIsKeptOfARequest(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	challenged := s.send(s.authorizationBy(http.MethodGet))
	for name, a := range map[string]*answer{"a challenge": challenged, "an answer": s.send(s.authorization()), "an error": s.send(s.authorization(with("scope", "x")))} {
		t.Run("L08 there is no cookie, no id and no way to go on with "+name, func(t *testing.T) {
			if len(a.Header.Values("Set-Cookie")) > 0 {
				t.Error("a cookie is set")
			}
		})
	}
	t.Run("L08 the id of a request that was challenged is worth nothing", func(t *testing.T) {
		id := challenged.Header.Get("X-Request-Id")
		for _, query := range []string{"req=" + id, "state=" + id, "id=" + id + "&client_id=web"} {
			r := s.authorization()
			r.URL.RawQuery = query
			s.send(r).wantPage(t, 400)
		}
	})
}

func TestRoutesInAuthorize(t *testing.T) {
	t.Run("the site's handle_errors shows the login's errors", func(t *testing.T) {
		s := newSite(t).start(strings.Replace(authorizeSite(basicAuth, ""), "respond \"the site\" 200",
			"respond \"the site\" 200\nhandle_errors {\nheader Content-Type text/html\nrespond \"<h1>{err.status_code}: sign in</h1>\" {err.status_code}\n}", 1))
		a := s.send(s.authorizationBy(http.MethodGet))
		if a.StatusCode != 401 || string(a.body) != "<h1>401: sign in</h1>" || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		s.send(s.authorization()).wantCode(t, s.issuer)
		s.send(s.authorization(without("client_id"))).wantPage(t, 400)
	})
	t.Run("what answers itself lets nobody through", func(t *testing.T) {
		for _, directive := range []string{"respond \"no\" 403", "redir https://login.example/?rd={uri} 302", "error 403", "abort"} {
			s := newSite(t).start(authorizeSite(basicAuth+"\n"+directive, ""))
			a, err := s.try(s.authorization())
			if directive == "abort" {
				if err == nil {
					t.Errorf("%s: got %d", directive, a.StatusCode)
				}
				continue
			}
			if err != nil || a.Header.Get("Location") != "" && !strings.HasPrefix(a.Header.Get("Location"), "https://login.example/?rd=/authorize") || a.StatusCode == 303 {
				t.Errorf("%s: got %v", directive, err)
			}
			if err := s.load(otherSite); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a rewrite inside changes nothing of the request", func(t *testing.T) {
		s := newSite(t).start(authorizeSite("rewrite * /elsewhere?client_id=web2&redirect_uri=https://evil.example&scope=x\n"+basicAuth, ""))
		s.send(s.redemption(s.send(s.authorization()).wantCode(t, s.issuer))).wantTokens(t)
	})
	t.Run("headers that a route sets do not replace ours", func(t *testing.T) {
		s := newSite(t).start(authorizeSite("header Cache-Control public\nheader Referrer-Policy unsafe-url\nheader Content-Security-Policy \"default-src *\"\n"+basicAuth, ""))
		s.send(s.authorization()).wantCode(t, s.issuer)
		page := s.send(s.authorization(with("response_mode", "form_post"))).wantPage(t, 200)
		secret("code", formOf(t, page, redirect).Get("code"))
	})
	t.Run("the site's other directives do not come in between", func(t *testing.T) {
		s := newSite(t).start(strings.Replace(authorizeSite(basicAuth, ""), "\tlog", "\tlog\n\ttry_files {path} /index.html\n\tbasic_auth {\n\tcarol "+aliceHash+"\n\t}\n\trewrite * /x", 1))
		s.send(s.authorization()).wantCode(t, s.issuer)
	})
	t.Run("a path of its own", func(t *testing.T) {
		s := newSite(t).start(strings.Replace(authorizeSite(basicAuth, ""), "authorize {", "authorization_endpoint /oauth/authorize\nauthorize {", 1))
		r := s.authorization()
		r.URL.Path = "/oauth/authorize"
		s.send(r).wantCode(t, s.issuer)
		if a := s.send(s.authorization()); string(a.body) != "the site" {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
	})
	t.Run("a named route that leads back is refused, not followed for ever", func(t *testing.T) {
		s := newSite(t)
		s.start("&(loop) {" + strings.NewReplacer("AUTHORIZE", "invoke loop", "IDENTITY", "").Replace(authorizeBlock) + "\n}\nhttp://127.0.0.1:PORT {\ninvoke loop\n}")
		s.send(s.authorization()).wantPage(t, 500)
	})
	t.Run("without authorize there is no endpoint, nor one without a path", func(t *testing.T) {
		s := newSite(t).start(oneSite)
		if a := s.send(s.authorization()); string(a.body) != "the site" {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		got := s.raw(t, "GET "+s.issuer+" HTTP/1.1\r\nHost: 127.0.0.1:"+s.port+"\r\nConnection: close\r\n\r\n")
		if !strings.HasSuffix(got, "\r\n\r\nthe site") {
			t.Errorf("without a path got %s", got)
		}
	})
}

// Caddy's access log has the headers of responses, and the code is in one.
func TestNoCodeIsInTheAccessLog(t *testing.T) {
	for name, around := range map[string][2]string{
		"plain":                {"", ""},
		"behind header -X":     {"header -Server\n", ""},
		"behind encode":        {"route {\nencode gzip\n", "}\n"},
		"behind a template":    {"route {\ntemplates\n", "}\n"},
		"behind an intercept":  {"route {\nintercept {\nhandle_response {\nrespond x\n}\n}\n", "}\n"},
		"with the credentials": {"", ""},
	} {
		t.Run("REQ-239 "+name, func(t *testing.T) {
			s := newSite(t)
			if name == "with the credentials" {
				s.servers += "\nlog_credentials"
			}
			blocks := strings.Replace(authorizeSite(basicAuth, ""), "\tlog\n", "\tlog\n"+around[0], 1)
			blocks = strings.Replace(blocks, "\trespond \"the site\" 200", around[1]+"\trespond \"the site\" 200", 1)
			s.start(blocks)
			mark := logSize(t)
			for _, mode := range []string{"query", "fragment"} {
				a := s.send(s.authorization(with("response_mode", mode)))
				if name == "behind an intercept" {
					secret("code", regexp.MustCompile(`code=([^&]*)|$`).FindStringSubmatch(a.Header.Get("Location"))[1])
					continue
				}
				s.send(s.redemption(a.wantCode(t, s.issuer))).wantTokens(t)
			}
			logs, err := os.ReadFile(logFile)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(logs[mark:], []byte("code=")) || !bytes.Contains(logs[mark:], []byte(`"event":"code_issued"`)) {
				t.Error("a code is in the log, or the log says nothing")
			}
			if (name == "plain" || name == "behind header -X") && !bytes.Contains(logs[mark:], []byte(`"Location":["`+redirect+`"]`)) {
				t.Error("the access log does not say where the browser went")
			}
		})
	}
}

// Over HTTP/2 and HTTP/3 headers are sent by other means than over HTTP/1.
func TestAuthorizationOverOtherVersions(t *testing.T) {
	for _, row := range []struct {
		version int
		start   func(*testing.T) *site
	}{
		{2, func(t *testing.T) *site {
			s := newSite(t)
			s.servers += "\nprotocols h1 h2c"
			s.start(authorizeSite(basicAuth, ""))
			transport := http.DefaultTransport.(*http.Transport).Clone()
			transport.Protocols = new(http.Protocols)
			transport.Protocols.SetUnencryptedHTTP2(true)
			t.Cleanup(transport.CloseIdleConnections)
			s.client.Transport = transport
			return s
		}},
		{3, func(t *testing.T) *site {
			return overHTTP3(t, tlsSiteWith(t, authorizeSite(basicAuth, "")))
		}},
	} {
		t.Run(fmt.Sprint("REQ-239 no code is in the access log over HTTP/", row.version), func(t *testing.T) {
			s := row.start(t)
			mark := logSize(t)
			a := s.send(s.authorization())
			code := a.wantCode(t, s.issuer)
			if a.ProtoMajor != row.version {
				t.Errorf("the answer came by %s", a.Proto)
			}
			s.send(s.redemption(code)).wantTokens(t)
			logs, err := os.ReadFile(logFile)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(logs[mark:], []byte(code)) || !bytes.Contains(logs[mark:], []byte(`"Location":["`+redirect+`"]`)) {
				t.Error("the code is in the access log, or it does not say where the browser went")
			}
		})
	}
}

// A site may allow any origin what it has itself; a code is none of that.
func TestNoOtherOriginReadsACode(t *testing.T) {
	for _, where := range []string{"the site", "authorize"} {
		t.Run("REQ-200 H13 headers of "+where, func(t *testing.T) {
			headers := "header Access-Control-Allow-Origin {header.Origin}\nheader Access-Control-Allow-Credentials true\n"
			blocks := authorizeSite(headers+basicAuth, "")
			if where == "the site" {
				blocks = strings.Replace(authorizeSite(basicAuth, ""), "\tlog\n", "\tlog\n"+headers, 1)
			}
			s := newSite(t).start(blocks)
			for _, change := range []change{with("response_mode", "form_post"), with("response_mode", "form_post", "prompt", "none"), without("client_id")} {
				r := s.authorization(change)
				r.Header.Set("Origin", "https://evil.example")
				a := s.send(r)
				if a.StatusCode == http.StatusOK {
					secret("code", formOf(t, string(a.body), redirect).Get("code"))
				}
				for name := range a.Header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%d has %s", a.StatusCode, name)
					}
				}
			}
		})
	}
}

// Whoever is refused all the time waits, at every endpoint.
func TestFloodOfRefusals(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	late := func(r *http.Request) bool {
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		shortest := time.Hour // the machine may be slow once
		for range 3 {
			again, began := r.Clone(r.Context()), time.Now()
			if r.GetBody != nil {
				again.Body, _ = r.GetBody()
			}
			if a := s.send(again); a.StatusCode < 400 {
				t.Errorf("got %d", a.StatusCode)
			}
			shortest = min(shortest, time.Since(began))
		}
		return shortest >= oauth.RefusalDelay
	}
	userInfo, _ := http.NewRequest(http.MethodGet, s.issuer+"/userinfo", nil)
	byGet, _ := http.NewRequest(http.MethodGet, s.issuer+"/token", nil)
	spent := s.mint(oidctoken.MintRequest{ClientID: "web"})
	s.send(s.redemption(spent)).wantTokens(t)
	oidctoken.FillRefusals(s.issuer, netip.MustParseAddr("203.0.113.9"))
	for name, request := range map[string]*http.Request{
		"token endpoint":                          s.tokenRequest(url.Values{}),
		"token endpoint, by HTTP itself,":         byGet,
		"token endpoint, with right credentials,": s.redemption(spent),
		"authorization endpoint":                  s.authorization(without("client_id")),
		"UserInfo endpoint":                       userInfo,
	} {
		t.Run("C11 a refusal of the "+name+" is late", func(t *testing.T) {
			if !late(request) {
				t.Error("it is answered at once")
			}
		})
	}
}

func TestLogOfAuthorizationRequests(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	state, nonce := secret("state", "a-state-that-is-nobodys-business"), secret("nonce", "a-nonce-that-is-nobodys-business")
	for _, row := range []struct {
		event, outcome, level, client string
		r                             *http.Request
	}{
		{"code_issued", "success", "info", "web", s.authorizationBy(http.MethodPost, with("state", state, "nonce", nonce))},
		{"not_authenticated", "login_required", "info", "web", s.authorizationBy(http.MethodGet)},
		{"parameter_malformed", "invalid_request", "info", "unknown", s.authorization(with("client_id", "somebody-else"))},
		{"parameter_malformed", "invalid_request", "info", "web", s.authorization(with("redirect_uri", "https://app.example/elsewhere"))},
		{"parameter_missing", "invalid_request", "info", "web", s.authorization(without("redirect_uri"))},
		{"scope_not_allowed", "invalid_scope", "info", "web", s.authorization(with("scope", "x"))},
	} {
		t.Run("REQ-240 one line says "+row.event, func(t *testing.T) {
			if row.event == "code_issued" {
				row.r.SetBasicAuth("alice", alicePassword)
			}
			series := fmt.Sprintf(`caddy_oidc_token_authorizations_total{outcome=%q,reason=%q}`, row.outcome, strings.TrimPrefix(row.event, "code_issued"))
			before := s.value(t, series)
			mark := logSize(t)
			a := s.send(row.r)
			if to, err := a.Location(); err == nil {
				secret("code", to.Query().Get("code"))
			}
			var lines []map[string]any
			for _, line := range logLines(t, mark) {
				if line["event"] != nil {
					lines = append(lines, line)
				}
			}
			if len(lines) != 1 {
				t.Fatalf("the lines are %v", lines)
			}
			line := lines[0]
			for name, want := range map[string]string{"event": row.event, "outcome": row.outcome, "level": row.level, "client_id": row.client,
				"issuer": s.issuer, "client_ip": s.clientIP, "request_id": a.Header.Get("X-Request-Id")} {
				if line[name] != want {
					t.Errorf("%s is %v, want %s", name, line[name], want)
				}
			}
			if line["status"] != float64(a.StatusCode) {
				t.Errorf("status is %v, want %d", line["status"], a.StatusCode)
			}
			if strings.Contains(fmt.Sprint(line), "somebody-else") {
				t.Error("it shows what a stranger sent")
			}
			if row.event == "code_issued" && (line["code_ref"] == nil || line["scope"] != "openid profile email") {
				t.Errorf("code_ref %v, scope %v", line["code_ref"], line["scope"])
			}
			if got := s.value(t, series); got != before+1 {
				t.Errorf("%s went from %v to %v", series, before, got)
			}
		})
	}
	if a := s.value(t, `caddy_oidc_token_authorization_duration_seconds_count{outcome="success"}`); a == 0 {
		t.Error("no duration was observed")
	}
}

// Caddy takes early data over HTTP/3 unless it is told not to. Anybody who saw
// it can send it again.
func TestEarlyDataOverHTTP3(t *testing.T) {
	s := overHTTP3(t, tlsSiteWith(t, authorizeSite(basicAuth, "")))
	transport := s.client.Transport.(*http3.Transport)
	transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	early := func() *answer {
		r := s.authorization()
		r.Method = http3.MethodGet0RTT
		return s.send(r)
	}
	early().wantCode(t, s.issuer) // there was no session yet, so it is no early data
	// Where the handshake is complete before the request is looked at, it is none.
	for range 20 {
		s.client.CloseIdleConnections()
		a := early()
		if a.StatusCode == http.StatusTooEarly {
			return
		}
		a.wantCode(t, s.issuer)
	}
	t.Error("REQ-003 early data was processed each time")
}

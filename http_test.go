package oidctoken_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// edit changes one thing about a valid request.
type edit func(r *http.Request, form url.Values)

// request is the valid redemption of client web with edits applied.
func (s *site) request(code string, edits ...edit) *http.Request {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}
	r := s.tokenRequest(form)
	r.SetBasicAuth("web", webSecret)
	for _, e := range edits {
		e(r, form)
	}
	if r.Body != nil && r.Header.Get("X-Test-Body") == "" {
		setBody(r, form.Encode())
	}
	r.Header.Del("X-Test-Body")
	return r
}

func setBody(r *http.Request, body string) {
	r.Body = io.NopCloser(strings.NewReader(body))
	r.ContentLength = int64(len(body))
}

// body replaces the form by a body as given.
func body(b string) edit {
	return func(r *http.Request, _ url.Values) {
		r.Header.Set("X-Test-Body", "set")
		setBody(r, b)
	}
}

func header(name string, values ...string) edit {
	return func(r *http.Request, _ url.Values) { r.Header[name] = values }
}

func method(m string) edit {
	return func(r *http.Request, _ url.Values) { r.Method = m }
}

func query(q string) edit {
	return func(r *http.Request, _ url.Values) { r.URL.RawQuery = q }
}

func set(name string, values ...string) edit {
	return func(_ *http.Request, form url.Values) { form[name] = values }
}

// Each row changes one thing about a valid request. A refused request leaves
// the code intact: the valid request with the same code succeeds afterwards.
func TestRequestsThroughCaddy(t *testing.T) {
	s := newSite(t).start(oneSite)
	const form = "application/x-www-form-urlencoded"
	for _, row := range []struct {
		name   string
		status int
		code   string
		edits  []edit
	}{
		{"REQ-004 H01 GET is not processed", 405, "invalid_request", []edit{method("GET"), query("grant_type=authorization_code")}},
		{"REQ-004 PUT is not processed", 405, "invalid_request", []edit{method("PUT")}},
		{"REQ-004 PATCH is not processed", 405, "invalid_request", []edit{method("PATCH")}},
		{"REQ-004 DELETE is not processed", 405, "invalid_request", []edit{method("DELETE")}},
		{"REQ-004 an unknown method is not processed", 405, "invalid_request", []edit{method("BREW")}},
		{"REQ-007 X-HTTP-Method-Override does not make a GET a POST", 405, "invalid_request", []edit{method("GET"), header("X-Http-Method-Override", "POST")}},
		{"REQ-007 an override does not make a POST a GET", 200, "", []edit{header("X-Http-Method-Override", "GET"), header("X-Method-Override", "GET"), set("_method", "GET")}},
		{"REQ-009 H02 JSON is refused", 400, "invalid_request", []edit{header("Content-Type", "application/json"), body(`{"grant_type":"authorization_code"}`)}},
		{"REQ-009 H02 multipart is refused", 400, "invalid_request", []edit{header("Content-Type", "multipart/form-data; boundary=x")}},
		{"REQ-009 a body without a type is refused", 400, "invalid_request", []edit{header("Content-Type")}},
		{"REQ-009 the type is compared in any case", 200, "", []edit{header("Content-Type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")}},
		{"REQ-010 another charset is refused", 400, "invalid_request", []edit{header("Content-Type", form+"; charset=ISO-8859-1")}},
		{"REQ-011 two Content-Type fields are refused", 400, "invalid_request", []edit{header("Content-Type", form, form)}},
		{"REQ-012 H05 a declared body over the cap is refused", 413, "invalid_request", []edit{set("x", strings.Repeat("x", 1<<17))}},
		{"REQ-015 a compressed body is refused", 415, "invalid_request", []edit{header("Content-Encoding", "gzip"), body(compressed("grant_type=authorization_code"))}},
		{"REQ-015 compressed bytes without the header are refused", 400, "invalid_request", []edit{body(compressed("grant_type=authorization_code"))}},
		{"REQ-018 H04 malformed percent-encoding is refused", 400, "invalid_request", []edit{body("grant_type=authorization_code&code=%zz")}},
		{"REQ-018 invalid UTF-8 is refused", 400, "invalid_request", []edit{body("grant_type=authorization_code&code=%ff")}},
		{"REQ-019 H11 a line break in a parameter is refused and not reflected", 400, "invalid_request", []edit{set("grant_type", "authorization_code\r\nX: y")}},
		{"REQ-020 parameters are read from the body only", 400, "unsupported_grant_type", []edit{set("grant_type", "x"), query("grant_type=authorization_code")}},
		{"REQ-021 C14 a secret in the URI is refused", 400, "invalid_request", []edit{query("client_secret=x")}},
		{"REQ-022 other query components are harmless", 200, "", []edit{query("tenant=a")}},
		{"REQ-023 an empty parameter equals an absent one", 200, "", []edit{set("client_secret", ""), set("code_verifier", "")}},
		{"REQ-024 unrecognised parameters are ignored, repeated too", 200, "", []edit{set("foo", "1", "2"), set("audience", "x")}},
		{"REQ-025 H03 a repeated parameter is refused", 400, "invalid_request", []edit{set("grant_type", "authorization_code", "authorization_code")}},
		{"REQ-030 Accept does not change the format", 200, "", []edit{header("Accept", "text/html")}},
		{"REQ-031 a cookie changes nothing", 200, "", []edit{header("Cookie", "session=1")}},
		{"REQ-032 H08 forwarded hosts change nothing", 200, "", []edit{header("X-Forwarded-Host", "evil.example"), header("Forwarded", "host=evil.example;proto=http")}},
		{"REQ-033 a placeholder in a client id stays text", 401, "invalid_client", []edit{func(r *http.Request, _ url.Values) { r.SetBasicAuth("{env.HOME}", "x") }}},
		{"REQ-033 a placeholder in a code stays text", 400, "invalid_grant", []edit{set("code", "{file./etc/passwd}")}},
		{"REQ-034 C01 no credentials", 401, "invalid_client", []edit{header("Authorization"), set("client_id", "web")}},
		{"REQ-039 C03 two auth mechanisms are refused", 400, "invalid_request", []edit{set("client_secret", webSecret)}},
		{"REQ-045 an unknown client", 401, "invalid_client", []edit{func(r *http.Request, _ url.Values) { r.SetBasicAuth("nobody", webSecret) }}},
		{"REQ-045 A16 a wrong secret", 401, "invalid_client", []edit{func(r *http.Request, _ url.Values) { r.SetBasicAuth("web", "wrong-wrong-wrong-wrong") }}},
		{"REQ-036 C02 another method than the registered one", 401, "invalid_client", []edit{header("Authorization"), set("client_id", "web"), set("client_secret", webSecret)}},
		{"REQ-078 an empty POST lacks its grant type", 400, "invalid_request", []edit{body("")}},
		{"REQ-079 A33 an unsupported grant", 400, "unsupported_grant_type", []edit{set("grant_type", "password")}},
		{"REQ-082 A26 no code", 400, "invalid_request", []edit{set("code", "")}},
		{"REQ-083 A25 a code that is a path", 400, "invalid_grant", []edit{set("code", "../../../etc/passwd")}},
		{"REQ-084 A07 another client's credentials", 400, "invalid_grant", []edit{func(r *http.Request, _ url.Values) { r.SetBasicAuth("web2", webSecret+"2") }}},
		{"REQ-089 A14 no redirect_uri", 400, "invalid_grant", []edit{set("redirect_uri", "")}},
		{"REQ-089 A17 another registered redirect_uri", 400, "invalid_grant", []edit{set("redirect_uri", "https://app.example/other")}},
		{"REQ-096 B02 a verifier without a challenge", 400, "invalid_grant", []edit{set("code_verifier", strings.Repeat("v", 43))}},
		{"REQ-109 A32 scope is ignored", 200, "", []edit{set("scope", "admin")}},
		{"REQ-169 the method beats everything", 405, "invalid_request", []edit{method("PUT"), header("Content-Type", "application/json"), header("Authorization", "Bearer x")}},
		{"REQ-170 structure beats authentication", 400, "invalid_request", []edit{set("code", "a", "b"), header("Authorization", "Basic d2ViOndyb25n")}},
		{"REQ-171 authentication beats the grant", 401, "invalid_client", []edit{set("grant_type", "foo"), header("Authorization", "Basic d2ViOndyb25n")}},
		{"REQ-203 a foreign Origin is refused", 400, "invalid_request", []edit{header("Origin", "https://evil.example")}},
		{"REQ-203 the issuer's own Origin is served", 200, "", []edit{func(r *http.Request, _ url.Values) { r.Header.Set("Origin", s.issuer) }}},
	} {
		t.Run(row.name, func(t *testing.T) {
			code := s.mint(oidctoken.MintRequest{ClientID: "web", Scope: "openid profile"})
			a := s.send(s.request(code, row.edits...))
			wantHeaders(t, a)
			if row.status == 200 {
				a.wantTokens(t)
				if a.json["scope"] != "openid profile" {
					t.Errorf("scope is %v", a.json["scope"])
				}
				return
			}
			a.wantError(t, row.status, row.code)
			if allow := a.Header.Get("Allow"); (row.status == 405) != (allow == "POST, OPTIONS") {
				t.Errorf("Allow is %q with status %d", allow, row.status)
			}
			s.send(s.request(code)).wantTokens(t)
		})
	}
}

func compressed(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

// wantHeaders asserts what every response of the endpoint carries.
func wantHeaders(t testing.TB, a *answer) {
	t.Helper()
	for name, want := range map[string]string{ // REQ-175 REQ-176 REQ-177 REQ-180
		"Cache-Control": "no-store, no-transform", "Pragma": "no-cache",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"ETag", "Last-Modified", "Expires", "Age", "Location", "Set-Cookie", "Access-Control-Allow-Credentials"} {
		if a.Header.Get(name) != "" { // REQ-178 REQ-031 REQ-199
			t.Errorf("the response has %s", name)
		}
	}
	if a.Header.Get("Date") == "" || a.Header.Get("X-Request-Id") == "" { // REQ-181 REQ-243
		t.Errorf("the response lacks Date or X-Request-Id: %v", a.Header)
	}
	if !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") { // REQ-201
		t.Errorf("Vary is %q", a.Header.Values("Vary"))
	}
}

// Rows about headers whose check is in wantHeaders, so that each has a name.
func TestHeadersOnEveryStatus(t *testing.T) {
	s := newSite(t).start(oneSite)
	for _, row := range []struct {
		name  string
		edits []edit
	}{
		{"REQ-175 REQ-176 REQ-177 REQ-178 H12 a success is not cached", nil},
		{"REQ-175 REQ-180 REQ-181 a 401 is not cached", []edit{header("Authorization", "Bearer x")}},
		{"REQ-175 REQ-167 a 405 is not cached", []edit{method("GET")}},
		{"REQ-175 REQ-167 a 413 is not cached", []edit{set("x", strings.Repeat("x", 1<<17))}},
		{"REQ-175 REQ-167 a 415 is not cached", []edit{header("Content-Encoding", "br")}},
		{"REQ-006 REQ-175 an OPTIONS is not cached", []edit{method("OPTIONS")}},
		{"REQ-199 REQ-201 no credentials are allowed to any origin", []edit{header("Origin", "https://app.example")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			wantHeaders(t, s.send(s.request(s.mint(oidctoken.MintRequest{ClientID: "web"}), row.edits...)))
		})
	}
}

func TestOptions(t *testing.T) {
	s := newSite(t).start(oneSite)
	options := func(headers ...string) *answer {
		r, _ := http.NewRequest(http.MethodOptions, s.issuer+"/token", nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return s.send(r)
	}
	t.Run("REQ-006 a plain one needs no authentication", func(t *testing.T) {
		if a := options(); a.StatusCode != 204 || a.Header.Get("Allow") != "POST, OPTIONS" || len(a.body) != 0 {
			t.Errorf("got %d, Allow %q, %q", a.StatusCode, a.Header.Get("Allow"), a.body)
		}
	})
	t.Run("REQ-197 a preflight of an allowed origin", func(t *testing.T) {
		a := options("Origin", "https://app.example", "Access-Control-Request-Method", "POST")
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "https://app.example", "Access-Control-Allow-Methods": "POST",
			"Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP", "Access-Control-Max-Age": "600",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if a.StatusCode != 204 {
			t.Errorf("status is %d", a.StatusCode)
		}
	})
	for _, origin := range []string{"https://app.example.evil", "http://app.example", "null", "https://evil.example", "https://app.example:444"} {
		t.Run("REQ-200 H13 a preflight of "+origin, func(t *testing.T) {
			a := options("Origin", origin, "Access-Control-Request-Method", "POST")
			if got := a.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("Access-Control-Allow-Origin is %q", got)
			}
		})
	}
}

func TestCORSOnAnswers(t *testing.T) {
	s := newSite(t).start(oneSite)
	verifier, challenge := pkce()
	spa := func(origin, code string) *answer {
		r := s.tokenRequest(url.Values{"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
		r.Header.Set("Origin", origin)
		return s.send(r)
	}
	code := s.mint(oidctoken.MintRequest{ClientID: "spa", CodeChallenge: challenge, CodeChallengeMethod: "S256"})
	t.Run("REQ-200 the origin of another client cannot read the answer", func(t *testing.T) {
		r := s.redemption("nope")
		r.Header.Set("Origin", "https://app.example")
		a := s.send(r)
		a.wantError(t, 400, "invalid_request")
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("Access-Control-Allow-Origin is %q", got)
		}
	})
	t.Run("REQ-198 errors are readable by an allowed origin", func(t *testing.T) {
		a := spa("https://app.example", "nope")
		a.wantError(t, 400, "invalid_grant")
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "https://app.example" {
			t.Errorf("Access-Control-Allow-Origin is %q", got)
		}
		if got := a.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(got, "WWW-Authenticate") || !strings.Contains(got, "Retry-After") || !strings.Contains(got, "DPoP-Nonce") {
			t.Errorf("REQ-202 Access-Control-Expose-Headers is %q", got)
		}
	})
	t.Run("REQ-202 the headers a script needs are exposed", func(t *testing.T) {
		if got := spa("https://app.example", "nope").Header.Get("Access-Control-Expose-Headers"); !strings.Contains(got, "Retry-After") {
			t.Errorf("Access-Control-Expose-Headers is %q", got)
		}
	})
	t.Run("REQ-203 a foreign origin cannot spend a code", func(t *testing.T) {
		a := spa("https://evil.example", code)
		a.wantError(t, 400, "invalid_request")
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("Access-Control-Allow-Origin is %q", got)
		}
		a = spa("https://app.example", code)
		a.wantTokens(t)
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "https://app.example" {
			t.Errorf("Access-Control-Allow-Origin is %q", got)
		}
	})
}

// raw sends bytes on a fresh connection and returns what comes back.
func (s *site) raw(t *testing.T, chunks ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	for _, chunk := range chunks {
		if _, err := io.WriteString(c, chunk); err != nil {
			break // it was closed on us
		}
	}
	if tcp := c.(*net.TCPConn); strings.HasPrefix(chunks[0], "HALF ") {
		tcp.CloseWrite()
	}
	got, _ := io.ReadAll(c)
	return string(got)
}

func TestRawConnections(t *testing.T) {
	s := newSite(t).start(authorizeSite("route {\n"+basicAuth+"\ntest_unruly wait go\n}", ""))
	basic := "Authorization: " + s.redemption("").Header.Get("Authorization") + "\r\n"
	formType := "Content-Type: application/x-www-form-urlencoded\r\n"
	form := func(code string) string {
		return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}.Encode()
	}
	mint := func() string { return s.mint(oidctoken.MintRequest{ClientID: "web"}) }

	t.Run("REQ-013 a chunked body of one-byte chunks is served", func(t *testing.T) {
		var chunked strings.Builder
		for _, c := range []byte(form(mint())) {
			fmt.Fprintf(&chunked, "1\r\n%c\r\n", c)
		}
		got := s.raw(t, "POST /token HTTP/1.1\r\nHost: 127.0.0.1:"+s.port+"\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"+basic+formType+"\r\n"+chunked.String()+"0\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Errorf("got %.200s", got)
		}
	})
	t.Run("REQ-012 H05 a chunked body over the cap is refused and the connection closed", func(t *testing.T) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		chunk := "10000\r\n" + strings.Repeat("x", 0x10000) + "\r\n"
		got := s.raw(t, "POST /token HTTP/1.1\r\nHost: 127.0.0.1:"+s.port+"\r\nTransfer-Encoding: chunked\r\n"+basic+formType+"\r\n", chunk, chunk)
		runtime.ReadMemStats(&after)
		if !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.Contains(got, `"error":"invalid_request"`) || !strings.Contains(got, "Connection: close") {
			t.Errorf("got %.500s", got)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
	})
	t.Run("REQ-014 HTTP/1.0 is answered with a length", func(t *testing.T) {
		b := form(mint())
		got := s.raw(t, fmt.Sprintf("POST /token HTTP/1.0\r\nHost: 127.0.0.1:%s\r\nContent-Length: %d\r\n%s%s\r\n%s", s.port, len(b), basic, formType, b))
		if !strings.HasPrefix(got, "HTTP/1.0 200 ") || !strings.Contains(got, "Content-Length: ") || strings.Contains(got, "chunked") {
			t.Errorf("got %.300s", got)
		}
	})
	t.Run("REQ-014 Expect: 100-continue works", func(t *testing.T) {
		b := form(mint())
		c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(c, "POST /token HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n%s%s\r\n", s.port, len(b), basic, formType)
		in := bufio.NewReader(c)
		if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
			t.Fatalf("got %q, %v", line, err)
		}
		io.WriteString(c, b)
		if got, _ := io.ReadAll(in); !strings.Contains(string(got), "HTTP/1.1 200 ") {
			t.Errorf("got %.300s", got)
		}
	})
	t.Run("REQ-016 a truncated body spends nothing", func(t *testing.T) {
		code := mint()
		b := form(code)
		c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /token HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nContent-Length: %d\r\n%s%s\r\n%s", s.port, len(b)+10, basic, formType, b)
		c.(*net.TCPConn).CloseWrite()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if got, _ := io.ReadAll(c); strings.Contains(string(got), " 200 ") {
			t.Errorf("got %.300s", got)
		}
		c.Close()
		s.send(s.redemption(code)).wantTokens(t)
	})
	t.Run("REQ-017 H06 a body sent slowly is cut off", func(t *testing.T) {
		t.Parallel()
		code := mint()
		b := form(code)
		start := time.Now()
		got := s.raw(t, fmt.Sprintf("POST /token HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nContent-Length: %d\r\n%s%s\r\n%s", s.port, len(b)+10, basic, formType, b))
		if took := time.Since(start); took > 15*time.Second || !strings.HasPrefix(got, "HTTP/1.1 408 ") {
			t.Errorf("after %v got %.200s", took, got)
		}
		s.send(s.redemption(code)).wantTokens(t)
	})
	t.Run("REQ-017 a refused body that drips is not waited for", func(t *testing.T) {
		t.Parallel() // with the other that waits
		c, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		c.SetDeadline(start.Add(30 * time.Second))
		fmt.Fprintf(c, "PUT /token HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nContent-Length: 100000\r\n%s\r\nx", s.port, formType)
		if got, _ := io.ReadAll(c); !strings.HasPrefix(string(got), "HTTP/1.1 405 ") {
			t.Errorf("got %.200s", got)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("the connection was open for %v", took)
		}
	})
	for _, path := range []string{"/authorize", "/userinfo"} {
		t.Run("H06 nor is a slow one to "+path, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			got := s.raw(t, "POST "+path+" HTTP/1.1\r\nHost: 127.0.0.1:"+s.port+"\r\nContent-Length: 100\r\n"+formType+"\r\nx=")
			if took := time.Since(start); took > 15*time.Second || !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "Connection: close") {
				t.Errorf("after %v got %.300s", took, got)
			}
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run("a person may take longer to sign in than a body to arrive, by "+method, func(t *testing.T) {
			t.Parallel()
			r := s.authorizationBy(method, with("login_hint", "wait"))
			r.SetBasicAuth("alice", alicePassword)
			s.send(r).wantCode(t, s.issuer)
		})
	}
	t.Run("REQ-005 HEAD is not an alias of POST", func(t *testing.T) {
		got := s.raw(t, "HEAD /token HTTP/1.1\r\nHost: 127.0.0.1:"+s.port+"\r\nConnection: close\r\n\r\n")
		head, rest, _ := strings.Cut(got, "\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 405 ") || !strings.Contains(head, "Allow: POST, OPTIONS") || rest != "" {
			t.Errorf("got %.500s", got)
		}
	})
	t.Run("REQ-042 two Authorization fields are refused", func(t *testing.T) {
		code := mint()
		b := form(code)
		got := s.raw(t, fmt.Sprintf("POST /token HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\nContent-Length: %d\r\n%s%s%s\r\n%s", s.port, len(b), basic, basic, formType, b))
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("got %.300s", got)
		}
		s.send(s.redemption(code)).wantTokens(t)
	})
}

func TestDocuments(t *testing.T) {
	s := newSite(t).start(oneSite)
	get := func(method, path string) *answer {
		r, _ := http.NewRequest(method, s.issuer+path, nil)
		return s.send(r)
	}
	paths := []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"}
	for _, path := range paths {
		t.Run("REQ-192 REQ-195 "+path+" is public and cacheable", func(t *testing.T) {
			a := get(http.MethodGet, path)
			if a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/json" ||
				a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Cache-Control") != "public, max-age=900" {
				t.Errorf("got %d %v", a.StatusCode, a.Header)
			}
			if a := get(http.MethodHead, path); a.StatusCode != 200 || len(a.body) != 0 {
				t.Errorf("HEAD got %d", a.StatusCode)
			}
			if a := get(http.MethodPost, path); a.StatusCode != 405 || a.Header.Get("Allow") != "GET, HEAD" || a.json["error"] != "invalid_request" {
				t.Errorf("POST got %d %s", a.StatusCode, a.body)
			}
		})
	}
	m := get(http.MethodGet, paths[0]).json
	t.Run("REQ-183 REQ-126 the issuer is the configured string", func(t *testing.T) {
		if m["issuer"] != s.issuer {
			t.Errorf("issuer is %v", m["issuer"])
		}
	})
	for name, want := range map[string]string{
		"token_endpoint_auth_methods_supported": "[client_secret_basic client_secret_post none]", // REQ-185
		"grant_types_supported":                 "[authorization_code]",                          // REQ-187
		"code_challenge_methods_supported":      "[S256]",                                        // REQ-188
		"response_types_supported":              "[code]",
		"subject_types_supported":               "[public]",
		"id_token_signing_alg_values_supported": "[RS256]",
		"request_uri_parameter_supported":       "false",
	} {
		t.Run("REQ-184 REQ-185 REQ-187 REQ-188 "+name, func(t *testing.T) {
			if got := fmt.Sprint(m[name]); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	t.Run("REQ-186 REQ-189 REQ-190 REQ-191 nothing unbuilt is advertised", func(t *testing.T) {
		for _, name := range []string{
			"authorization_endpoint", "revocation_endpoint", "introspection_endpoint", "registration_endpoint",
			"token_endpoint_auth_signing_alg_values_supported", "dpop_signing_alg_values_supported",
			"tls_client_certificate_bound_access_tokens", "mtls_endpoint_aliases", "authorization_response_iss_parameter_supported",
			"response_modes_supported", "prompt_values_supported", "claims_supported",
		} {
			if _, ok := m[name]; ok {
				t.Errorf("the metadata has %s", name)
			}
		}
		for name, v := range m {
			if list, ok := v.([]any); ok && len(list) == 0 {
				t.Errorf("%s is an empty list", name)
			}
		}
	})
}

package oidctoken_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	alicePassword = "wonderland-of-alice"
	// aliceHash is bcrypt of it, as cheap as it can be.
	aliceHash = "$2a$04$yn4mzH7818sZ7GbKseJ6../ZX.3exS/JuRkAVNIkS/kXYW.sRVTue"
)

// authorizeBlock is an oidc_token where people sign in with a password. AUTHORIZE
// and IDENTITY are for authorizeSite to replace.
const authorizeBlock = `
	oidc_token {
		issuer ISSUER
		CLIENTS
		authorize {
			AUTHORIZE
		}
		IDENTITY
	}`

const basicAuth = `basic_auth {
				alice ` + aliceHash + `
			}`

// authorizeSite is the site of most of these tests.
func authorizeSite(authorize, identity string) string {
	return "http://127.0.0.1:PORT {\n\tlog" +
		strings.NewReplacer("AUTHORIZE", authorize, "IDENTITY", identity).Replace(authorizeBlock) +
		"\n\trespond \"the site\" 200\n}"
}

// change edits the valid authorization request of a test.
type change func(url.Values)

func with(pairs ...string) change {
	return func(q url.Values) {
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
	}
}

func without(names ...string) change {
	return func(q url.Values) {
		for _, name := range names {
			q.Del(name)
		}
	}
}

// authorization is the valid authorization request of client web, changed. It
// is alice's, who sends her password at once.
func (s *site) authorization(changes ...change) *http.Request {
	r := s.authorizationBy(http.MethodGet, changes...)
	r.SetBasicAuth("alice", secret("password", alicePassword))
	return r
}

// authorizationBy is a request of nobody's.
func (s *site) authorizationBy(method string, changes ...change) *http.Request {
	q := url.Values{
		"client_id": {"web"}, "redirect_uri": {redirect}, "response_type": {"code"},
		"scope": {"openid profile email"}, "state": {"a b+c&d=é"}, "nonce": {"n-0S6_WzA2Mj"},
	}
	for _, change := range changes {
		change(q)
	}
	var r *http.Request
	var err error
	if method == http.MethodPost {
		r, err = http.NewRequest(method, s.issuer+"/authorize", strings.NewReader(q.Encode()))
	} else {
		r, err = http.NewRequest(method, s.issuer+"/authorize?"+q.Encode(), nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// wantBack asserts that an answer sends the browser back to uri, and returns
// the parameters it takes along.
func (a *answer) wantBack(t testing.TB, uri string) url.Values {
	t.Helper()
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %d %s, want 303", a.StatusCode, a.body)
	}
	a.wantAuthorizationHeaders(t)
	location := a.Header.Get("Location")
	before, query, _ := strings.Cut(location, "?")
	if strings.Contains(location, "#") {
		before, query, _ = strings.Cut(location, "#")
	}
	if before != uri {
		t.Fatalf("L13 it leads to %s, want %s", before, uri)
	}
	sent, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	secret("code", sent.Get("code"))
	return sent
}

// wantCode asserts an answer with a code and the request's state.
func (a *answer) wantCode(t testing.TB, issuer string) string {
	t.Helper()
	sent := a.wantBack(t, redirect)
	if len(sent) != 3 || sent.Get("state") != "a b+c&d=é" || sent.Get("iss") != issuer || len(sent.Get("code")) < 43 {
		t.Fatalf("L11 the parameters are %v, their iss is %s", namesOf(sent), sent.Get("iss"))
	}
	return sent.Get("code")
}

// wantRefusal asserts an answer with an error at the client's redirect URI.
func (a *answer) wantRefusal(t testing.TB, issuer, code string) {
	t.Helper()
	sent := a.wantBack(t, redirect)
	if sent.Get("error") != code || sent.Get("state") != "a b+c&d=é" || sent.Get("iss") != issuer || sent.Has("code") {
		t.Fatalf("it says %s of %s (%s) with %v, want %s", sent.Get("error"), sent.Get("iss"), sent.Get("error_description"), namesOf(sent), code)
	}
}

func namesOf(values url.Values) (names []string) {
	for name := range values {
		names = append(names, name)
	}
	return names
}

// wantAuthorizationHeaders asserts what every answer of the endpoint carries.
func (a *answer) wantAuthorizationHeaders(t testing.TB) {
	t.Helper()
	h := a.Header
	for name, want := range map[string]string{
		"Cache-Control": "no-store, no-transform", "Pragma": "no-cache", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if h.Get("X-Request-Id") == "" {
		t.Error("there is no X-Request-Id")
	}
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} {
		if h.Get(name) != "" {
			t.Errorf("%s is %q", name, h.Get(name))
		}
	}
}

// wantPage asserts a page of ours, which cannot be framed, runs nothing else,
// and leads nowhere.
func (a *answer) wantPage(t testing.TB, status int) string {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Location") != "" {
		t.Fatalf("L13 got %d to %q, want %d", a.StatusCode, a.Header.Get("Location"), status)
	}
	a.wantAuthorizationHeaders(t)
	policy := a.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy has no %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "form-action") {
		t.Errorf("the policy is %s", policy)
	}
	if a.Header.Get("X-Frame-Options") != "DENY" || a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("X-Frame-Options %q, Content-Type %q", a.Header.Get("X-Frame-Options"), a.Header.Get("Content-Type"))
	}
	return string(a.body)
}

func TestSignIn(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	t.Run("the right password yields a code, and the code tokens", func(t *testing.T) {
		before := time.Now().Unix()
		code := s.send(s.authorization()).wantCode(t, s.issuer)
		a := s.send(s.redemption(code))
		a.wantTokens(t)
		claims := payload(t, a.json["id_token"])
		for name, want := range map[string]any{"sub": "alice", "iss": s.issuer, "aud": "web", "nonce": "n-0S6_WzA2Mj"} {
			if claims[name] != want {
				t.Errorf("%s is %v, want %v", name, claims[name], want)
			}
		}
		if at, _ := claims["auth_time"].(float64); int64(at) < before || int64(at) > time.Now().Unix() {
			t.Errorf("auth_time is %v", claims["auth_time"])
		}
		s.send(s.redemption(code)).wantError(t, 400, "invalid_grant")
	})
	t.Run("a public client signs people in with PKCE", func(t *testing.T) {
		verifier, challenge := pkce()
		a := s.send(s.authorization(with("client_id", "spa", "code_challenge", challenge, "code_challenge_method", "S256")))
		form := url.Values{"grant_type": {"authorization_code"}, "code": {a.wantCode(t, s.issuer)}, "redirect_uri": {redirect},
			"client_id": {"spa"}, "code_verifier": {verifier}}
		s.send(s.tokenRequest(form)).wantTokens(t)
	})
	t.Run("without a password it is Caddy's challenge", func(t *testing.T) {
		a := s.send(s.authorizationBy(http.MethodGet))
		if a.StatusCode != 401 || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") || a.Header.Get("Location") != "" {
			t.Fatalf("got %d, %q", a.StatusCode, a.Header)
		}
		a.wantAuthorizationHeaders(t)
	})
	t.Run("a wrong password is the same challenge", func(t *testing.T) {
		r := s.authorizationBy(http.MethodGet)
		r.SetBasicAuth("alice", "wonderland-of-bob")
		if a := s.send(r); a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") == "" || a.Header.Get("Location") != "" {
			t.Fatalf("got %d, %q", a.StatusCode, a.Header)
		}
	})
	t.Run("a path that resembles the endpoint's is the site's", func(t *testing.T) {
		for _, path := range []string{"/authorize/", "/Authorize", "/authorize/x", "//authorize"} {
			r := s.authorization()
			r.URL.Path = path
			if a := s.send(r); string(a.body) != "the site" {
				t.Errorf("%s answers %d %s", path, a.StatusCode, a.body)
			}
		}
	})
}

func TestResponseModes(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	t.Run("query is the default", func(t *testing.T) {
		for _, mode := range []change{with(), with("response_mode", "query")} {
			a := s.send(s.authorization(mode))
			a.wantCode(t, s.issuer)
			if strings.Contains(a.Header.Get("Location"), "#") {
				t.Error("there is a fragment")
			}
		}
	})
	t.Run("fragment", func(t *testing.T) {
		a := s.send(s.authorization(with("response_mode", "fragment")))
		a.wantCode(t, s.issuer)
		if !strings.HasPrefix(a.Header.Get("Location"), redirect+"#") {
			t.Error("there is no fragment")
		}
	})
	t.Run("form_post", func(t *testing.T) {
		page := s.send(s.authorization(with("response_mode", "form_post"))).wantPage(t, 200)
		sent := formOf(t, page, redirect)
		secret("code", sent.Get("code"))
		if len(sent) != 3 || sent.Get("state") != "a b+c&d=é" || sent.Get("iss") != s.issuer {
			t.Errorf("the form has %v", namesOf(sent))
		}
		s.send(s.redemption(sent.Get("code"))).wantTokens(t)
	})
	t.Run("form_post of an error", func(t *testing.T) {
		page := s.send(s.authorization(with("response_mode", "form_post", "scope", "nothing"))).wantPage(t, 200)
		if sent := formOf(t, page, redirect); sent.Get("error") != "invalid_scope" || sent.Has("code") {
			t.Errorf("the form has %v", sent)
		}
	})
	t.Run("a state that is HTML stays a value in form_post", func(t *testing.T) {
		state := `"><script>alert(1)</script><b x='`
		page := s.send(s.authorization(with("response_mode", "form_post", "state", state))).wantPage(t, 200)
		sent := formOf(t, page, redirect)
		secret("code", sent.Get("code"))
		if sent.Get("state") != state || strings.Count(page, "<script") != 1 {
			t.Errorf("state is %q among %d scripts", sent.Get("state"), strings.Count(page, "<script"))
		}
	})
	t.Run("H11 a state that is a template stays a value in form_post", func(t *testing.T) {
		blocks := strings.Replace(authorizeSite(basicAuth, ""), "\tlog\n", "\tlog\nroute {\ntemplates\n", 1)
		s := newSite(t).start(strings.Replace(blocks, "\trespond", "}\n\trespond", 1))
		for _, state := range []string{`{{.Req.UserAgent}}`, `{{env .Req.UserAgent}}`, `{{"{{"}}`, `[[.Req.UserAgent]] <% x %>`} {
			r := s.authorization(with("response_mode", "form_post", "scope", "nothing", "state", state))
			r.Header.Set("User-Agent", "PATH")
			if sent := formOf(t, s.send(r).wantPage(t, 200), redirect); sent.Get("state") != state {
				t.Errorf("state %q came back as %q", state, sent.Get("state"))
			}
		}
	})
}

// formOf returns the values of the one form on a page.
func formOf(t testing.TB, page, action string) url.Values {
	t.Helper()
	form := regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`).FindAllStringSubmatch(page, -1)
	if len(form) != 1 || html.UnescapeString(form[0][1]) != action {
		t.Fatalf("the forms of the page are %d, want one to %s", len(form), action)
	}
	values := make(url.Values)
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(form[0][2], -1) {
		values.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return values
}

func TestAuthorizationByPost(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	post := func(edits ...func(*http.Request)) *http.Request {
		r := s.authorizationBy(http.MethodPost)
		r.SetBasicAuth("alice", alicePassword)
		for _, edit := range edits {
			edit(r)
		}
		return r
	}
	t.Run("L10 after a POST the browser is sent back with 303", func(t *testing.T) {
		s.send(s.redemption(s.send(post()).wantCode(t, s.issuer))).wantTokens(t)
	})
	t.Run("L10 an error after a POST is a 303, too", func(t *testing.T) {
		r := s.authorizationBy(http.MethodPost, with("response_type", "token"))
		r.SetBasicAuth("alice", alicePassword)
		s.send(r).wantRefusal(t, s.issuer, "unsupported_response_type")
	})
	t.Run("a form that is no form is an error page", func(t *testing.T) {
		for _, mediaType := range []string{"application/json", "multipart/form-data; boundary=x", "text/plain", ""} {
			s.send(post(func(r *http.Request) { r.Header.Set("Content-Type", mediaType) })).wantPage(t, 400)
		}
	})
	t.Run("a parameter in the URI of a POST is an error page", func(t *testing.T) {
		for _, query := range []string{"client_id=web", "redirect_uri=https://app.example/other", "state=x", "foo=1&%73cope=x"} {
			s.send(post(func(r *http.Request) { r.URL.RawQuery = query })).wantPage(t, 400)
		}
	})
	t.Run("other parameters in the URI of a POST do no harm", func(t *testing.T) {
		s.send(post(func(r *http.Request) { r.URL.RawQuery = "lang=de" })).wantCode(t, s.issuer)
	})
	t.Run("a form that is too large is an error page", func(t *testing.T) {
		r := s.authorizationBy(http.MethodPost, with("login_hint", strings.Repeat("x", 70<<10)))
		s.send(r).wantPage(t, 413)
	})
}

func TestMethodsOfTheAuthorizationEndpoint(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "get"} {
		t.Run(method+" is not allowed", func(t *testing.T) {
			r := s.authorization()
			r.Method = method
			a := s.send(r)
			a.wantPage(t, 405)
			if a.Header.Get("Allow") != "GET, POST" {
				t.Errorf("Allow is %q", a.Header.Get("Allow"))
			}
		})
	}
}

// What is not known to be the client's is never redirected to.
func TestErrorPage(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	rows := []struct {
		name string
		change
	}{
		{"no client_id", without("client_id")},
		{"an unknown client", with("client_id", "nobody")},
		{"a client_id that is HTML", with("client_id", "<script>alert(1)</script>")},
		{"no redirect_uri", without("redirect_uri")},
		{"client_id twice", func(q url.Values) { q.Add("client_id", "web") }},
		{"redirect_uri twice", func(q url.Values) { q.Add("redirect_uri", redirect) }},
		{"another error beside a bad redirect_uri", with("redirect_uri", "https://evil.example", "response_type", "token")},
		{"a raw semicolon", func(q url.Values) { q.Set("state", "x") }},
	}
	for _, uri := range []string{
		"https://evil.example/callback", "https://app.example/callback/", "https://app.example/callback?x", "https://app.example/callback#x",
		"https://app.example", "http://app.example/callback", "https://app.example:443/callback", "https://app.example@evil.example/callback",
		"//app.example/callback", "javascript:alert(1)", "https://app.example/Callback", "https://app.example/%63allback", `https://app.example\callback`,
		"data:text/html,x", " https://app.example/callback", "https://app.example/callback\r\nSet-Cookie: x=y",
	} {
		rows = append(rows, struct {
			name string
			change
		}{"the redirect_uri " + uri, with("redirect_uri", uri)})
	}
	for _, row := range rows {
		t.Run("L13 an error page and no redirect for "+row.name, func(t *testing.T) {
			for _, mode := range []string{"", "query", "fragment", "form_post"} {
				r := s.authorization(row.change, with("response_mode", mode))
				if row.name == "a raw semicolon" {
					r.URL.RawQuery += "&a;b=c"
				}
				page := s.send(r).wantPage(t, 400)
				if strings.Contains(page, "evil.example") || strings.Contains(page, "alert(1)") || strings.Contains(page, "<form") {
					t.Error("the page has something of the request")
				}
			}
		})
	}
}

// The HTTP side of what goes back: each error once, in the three modes of
// answering. Which request is refused how is internal/oauth's.
func TestErrorsAtTheRedirectURI(t *testing.T) {
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	for _, row := range []struct {
		name, code string
		change
	}{
		{"another response_type", "unsupported_response_type", with("response_type", "id_token")},
		{"no scope that the client may have", "invalid_scope", with("scope", "nothing")},
		{"a parameter twice", "invalid_request", func(q url.Values) { q.Add("scope", "openid") }},
		{"an unknown response_mode", "invalid_request", with("response_mode", "web_message")},
		{"a request object", "request_not_supported", with("request", "eyJ")},
		{"a request_uri", "request_uri_not_supported", with("request_uri", "https://app.example/r")},
		{"a registration", "registration_not_supported", with("registration", "{}")},
		{"a public client without PKCE", "invalid_request", with("client_id", "spa")},
		{"plain PKCE", "invalid_request", with("code_challenge", strings.Repeat("x", 43))},
		{"prompt=consent", "consent_required", with("prompt", "consent")},
		{"prompt=select_account", "account_selection_required", with("prompt", "select_account")},
		{"an unknown prompt", "invalid_request", with("prompt", "create")},
		{"a negative max_age", "invalid_request", with("max_age", "-1")},
		{"a hint that is no ID token", "invalid_request", with("id_token_hint", "x.y.z")},
	} {
		t.Run(row.name+" is "+row.code, func(t *testing.T) {
			s.send(s.authorization(row.change)).wantRefusal(t, s.issuer, row.code)
			// RFC 9700 §4.11.2: nobody is sent on by a link alone.
			if a := s.send(s.authorizationBy(http.MethodGet, row.change)); a.StatusCode != 401 || a.Header.Get("Location") != "" {
				t.Errorf("without a sign-in got %d to %q", a.StatusCode, a.Header.Get("Location"))
			}
		})
	}
}

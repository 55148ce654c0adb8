package oauth

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
)

// validParameters are those of a valid authorization request.
func validParameters(client string) url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {redirectOf(client)}, "scope": {"openid profile"},
		"state": {"s 1"}, "nonce": {"n"}, "code_challenge": {testChallenge}, "code_challenge_method": {"S256"},
	}
}

// testHints knows one ID token, alice's, of any length.
func testHints(_ context.Context, idToken string) (string, error) {
	switch strings.TrimRight(idToken, "=") {
	case "alice":
		return "alice", nil
	case "nobody":
		return "", nil
	case "away":
		return "", &Error{Kind: TemporarilyUnavailable, Reason: KeysUnavailable}
	}
	return "", errors.New("verifying ID token: signature is invalid")
}

// authorizationWant is how a request is refused.
type authorizationWant struct {
	page         bool   // an error page; else the redirect URI
	code         string // error
	description  string
	reason, hint string
}

func page(description, reason, hint string) authorizationWant {
	return authorizationWant{true, "invalid_request", description, reason, hint}
}

func redirected(code, description, reason, hint string) authorizationWant {
	return authorizationWant{false, code, description, reason, hint}
}

func malformedParameter(name, hint string) authorizationWant {
	return redirected("invalid_request", "malformed parameter: "+name, "parameter_malformed", hint)
}

func missingParameter(name, hint string) authorizationWant {
	return redirected("invalid_request", "missing parameter: "+name, "parameter_missing", hint)
}

func repeatedParameter(name string) authorizationWant {
	return redirected("invalid_request", "parameter repeated: "+name, "parameter_repeated", "")
}

// escaped is a text of ours in a URI, by other means than the code's own.
var escaped = strings.NewReplacer(" ", "%20", ":", "%3A", ",", "%2C")

// location is where the browser goes.
func (w authorizationWant) location(redirectURI, state string) string {
	location := redirectURI + "?error=" + w.code + "&error_description=" + escaped.Replace(w.description)
	if state != "" {
		location += "&state=" + url.PathEscape(state)
	}
	return location + "&iss=https%3A%2F%2Fid.example"
}

// refusedAuthorization is one change of a valid authorization request and what
// comes of it.
type refusedAuthorization struct {
	name, client string // client "": web
	change       func(url.Values)
	want         authorizationWant
}

func setting(pairs ...string) func(url.Values) {
	return func(v url.Values) {
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
	}
}

func adding(pairs ...string) func(url.Values) {
	return func(v url.Values) {
		for i := 0; i < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
	}
}

func leavingOut(names ...string) func(url.Values) {
	return func(v url.Values) {
		for _, name := range names {
			v.Del(name)
		}
	}
}

// refuseAuthorizations tries each row.
func refuseAuthorizations(t *testing.T, rows []refusedAuthorization) {
	t.Helper()
	f := newFixture(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.client == "" {
				row.client = "web"
			}
			sent := validParameters(row.client)
			row.change(sent)
			p, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints)
			e, typed := errors.AsType[*Error](err)
			if !typed {
				t.Fatalf("answered %v", err)
			}
			got := authorizationWant{p == nil, e.Code(), e.Description(), string(e.Reason), row.want.hint}
			if got != row.want || !strings.Contains(e.Hint, row.want.hint) {
				t.Fatalf("refused with %+v, want %+v: %v", got, row.want, e)
			}
			f.t = t
			f.checkPublic(e)
			if strings.Contains(e.Error(), testChallenge[1:]) || strings.Contains(e.Error(), "s 1") || strings.Contains(e.Error(), "a-stranger") {
				t.Error("the error shows the challenge, the state or a stranger's client_id")
			}
			if p == nil {
				if e.Status() != 400 {
					t.Errorf("the error page has status %d", e.Status())
				}
				return
			}
			state := sent.Get("state")
			if len(sent["state"]) > 1 {
				state = "" // whichever it was, it is not known
			}
			if got, want := p.Refuse(testIssuer, err).Location(), row.want.location(redirectOf(row.client), state); got != want {
				t.Errorf("goes to %s\nwant    %s", got, want)
			}
		})
	}
}

// What follows goes through the request in the order of RFC 6749 §4.1.1 and
// OpenID Connect Core §3.1.2.1; whose answer it is comes first.
func TestAuthorizationRequestsWithoutARightRedirectURI(t *testing.T) {
	unregistered := page("This redirect_uri is not registered for the client.", "parameter_malformed", "https://rp.example/other")
	refuseAuthorizations(t, []refusedAuthorization{
		{"REQ-018 a value that is not percent-encoded", "", func(v url.Values) { v.Set("x", "\xff") }, page("The request is malformed.", "form_malformed", "")},
		{"REQ-029 more than 64 parameters", "", func(v url.Values) { v["x"] = make([]string, 60) }, page("The request is malformed.", "form_malformed", "")},
		{"REQ-029 a state above 4 KiB", "", setting("state", strings.Repeat("s", 4<<10+1)), page("The request is malformed.", "form_malformed", "")},
		{"REQ-029 an ID token hint above 16 KiB", "", setting("id_token_hint", strings.Repeat("s", 16<<10+1)), page("The request is malformed.", "form_malformed", "")},
		{"REQ-029 more than 64 KiB", "", func(v url.Values) {
			v["x"] = []string{strings.Repeat("x", 4000)}
			for range 16 {
				v["x"] = append(v["x"], v["x"][0])
			}
		}, page("The request is malformed.", "form_malformed", "65536 bytes")},
		{"no client_id", "", leavingOut("client_id"), page("missing parameter: client_id", "parameter_missing", "")},
		{"REQ-023 an empty client_id", "", setting("client_id", ""), page("missing parameter: client_id", "parameter_missing", "")},
		{"REQ-025 H03 client_id twice", "", adding("client_id", "web"), page("parameter repeated: client_id", "parameter_repeated", "")},
		{"an unknown client", "", setting("client_id", "a-stranger"), page("No client has this client_id.", "parameter_malformed", "registered are")},
		{"REQ-026 the client_id in other case", "", setting("client_id", "Web"), page("No client has this client_id.", "parameter_malformed", "web2")},
		{"no redirect_uri where several are registered", "", leavingOut("redirect_uri"), page("missing parameter: redirect_uri", "parameter_missing", "several")},
		{"REQ-023 an empty redirect_uri", "", setting("redirect_uri", ""), page("missing parameter: redirect_uri", "parameter_missing", "several")},
		{"no redirect_uri where several are registered, without openid", "", func(v url.Values) {
			v.Del("redirect_uri")
			v.Set("scope", "profile")
		}, page("missing parameter: redirect_uri", "parameter_missing", "several")},
		{"REQ-025 H03 redirect_uri twice", "", adding("redirect_uri", "https://rp.example/other"), page("parameter repeated: redirect_uri", "parameter_repeated", "")},
		{"L13 another client's redirect_uri", "", setting("redirect_uri", redirectOf("spa")), unregistered},
		{"L13 the redirect_uri of a stranger", "", setting("redirect_uri", "https://evil.example/callback"), unregistered},
		{"A15 REQ-090 another path", "", setting("redirect_uri", redirectOf("web")+"/x"), unregistered},
		{"A15 REQ-090 a trailing slash", "", setting("redirect_uri", redirectOf("web")+"/"), unregistered},
		{"A15 REQ-090 a query", "", setting("redirect_uri", redirectOf("web")+"?x=1"), unregistered},
		{"A15 REQ-090 a fragment", "", setting("redirect_uri", redirectOf("web")+"#"), unregistered},
		{"A15 REQ-090 the default port", "", setting("redirect_uri", "https://rp.example:443/callback"), unregistered},
		{"A15 REQ-090 another port", "", setting("redirect_uri", "https://rp.example:444/callback"), unregistered},
		{"A15 REQ-090 http", "", setting("redirect_uri", "http://rp.example/callback"), unregistered},
		{"A15 REQ-090 upper case", "", setting("redirect_uri", "HTTPS://rp.example/callback"), unregistered},
		{"A15 REQ-090 percent-encoded", "", setting("redirect_uri", "https://rp.example/%63allback"), unregistered},
		{"A15 REQ-090 dot segments", "", setting("redirect_uri", "https://rp.example/x/../callback"), unregistered},
		{"A15 user information", "", setting("redirect_uri", "https://rp.example@evil.example/callback"), unregistered},
		{"A15 a backslash", "", setting("redirect_uri", `https://rp.example\@evil.example/callback`), unregistered},
		{"A15 a space in front", "", setting("redirect_uri", " "+redirectOf("web")), unregistered},
		{"A15 a control character", "", setting("redirect_uri", redirectOf("web")+"\r\n"), unregistered},
		{"A15 a script", "", setting("redirect_uri", "javascript:alert(1)"), unregistered},
		{"it is the page's also where more is wrong", "", setting("redirect_uri", "https://evil.example", "response_type", "token", "prompt", "x"), unregistered},
	})
}

func TestAuthorizationRequestsThatAreSentBack(t *testing.T) {
	prompt := malformedParameter("prompt", "none, login, consent or select_account")
	rows := []refusedAuthorization{
		{"no response_type", "", leavingOut("response_type"), missingParameter("response_type", "")},
		{"REQ-023 an empty response_type", "", setting("response_type", ""), missingParameter("response_type", "")},
		{"the implicit flow", "", setting("response_type", "id_token token"), redirected("unsupported_response_type", "The response type is not supported. Use code.", "response_type_unknown", "authorization code flow")},
		{"the hybrid flow", "", setting("response_type", "code id_token"), redirected("unsupported_response_type", "The response type is not supported. Use code.", "response_type_unknown", "")},
		{"REQ-026 response_type in other case", "", setting("response_type", "Code"), redirected("unsupported_response_type", "The response type is not supported. Use code.", "response_type_unknown", "")},
		{"an unknown response_mode", "", setting("response_mode", "web_message"), malformedParameter("response_mode", "form_post")},
		{"a signed response", "", setting("response_mode", "query.jwt"), malformedParameter("response_mode", "form_post")},
		{"a request object", "", setting("request", "e30.e30."), redirected("request_not_supported", "The parameter request is not supported.", "parameter_unsupported", "by itself")},
		{"a request object above 4 KiB", "", setting("request", strings.Repeat("e", 5<<10)), redirected("request_not_supported", "The parameter request is not supported.", "parameter_unsupported", "by itself")},
		{"a request object by reference", "", setting("request_uri", "https://rp.example/request"), redirected("request_uri_not_supported", "The parameter request_uri is not supported.", "parameter_unsupported", "by itself")},
		{"a self-issued registration", "", setting("registration", "{}"), redirected("registration_not_supported", "The parameter registration is not supported.", "parameter_unsupported", "by itself")},
		{"REQ-081 a client that may not use codes", "off", setting(), redirected("unauthorized_client", "The client may not use this grant type.", "grant_type_not_allowed", "grant_types")},
		{"no scope", "", leavingOut("scope"), redirected("invalid_scope", answers[InvalidScope].description, "parameter_missing", "openid")},
		{"REQ-023 an empty scope", "", setting("scope", ""), redirected("invalid_scope", answers[InvalidScope].description, "parameter_missing", "openid")},
		{"a scope with a quote", "", setting("scope", `openid "`), redirected("invalid_scope", answers[InvalidScope].description, "scope_malformed", "printable")},
		{"a scope with two spaces", "", setting("scope", "openid  profile"), redirected("invalid_scope", answers[InvalidScope].description, "scope_malformed", "one space")},
		{"a scope of which nothing can be granted", "", setting("scope", "offline_access admin"), redirected("invalid_scope", answers[InvalidScope].description, "scope_not_allowed", "openid profile email")},
		{"REQ-061 B08 a public client without a challenge", "spa", leavingOut("code_challenge", "code_challenge_method"), missingParameter("code_challenge", "PKCE")},
		{"REQ-100 a client with require_pkce without a challenge", "strict", leavingOut("code_challenge", "code_challenge_method"), missingParameter("code_challenge", "PKCE")},
		{"a method without a challenge", "", leavingOut("code_challenge"), missingParameter("code_challenge", "")},
		{"REQ-099 B03 plain", "", setting("code_challenge_method", "plain"), malformedParameter("code_challenge_method", "S256")},
		{"REQ-099 B03 a challenge without a method", "", leavingOut("code_challenge_method"), malformedParameter("code_challenge_method", "S256")},
		{"a challenge of 42 characters", "", setting("code_challenge", testChallenge[1:]), malformedParameter("code_challenge", "43")},
		{"an unknown prompt", "", setting("prompt", "create"), prompt},
		{"REQ-026 a prompt in other case", "", setting("prompt", "None"), prompt},
		{"a prompt with two spaces", "", setting("prompt", "login  consent"), prompt},
		{"prompt none with another", "", setting("prompt", "none login"), malformedParameter("prompt", "alone")},
		{"prompt consent with none", "", setting("prompt", "consent none"), malformedParameter("prompt", "alone")},
		{"prompt consent", "", setting("prompt", "consent"), redirected("consent_required", "This provider cannot ask for consent.", "prompt_unsupported", "consent")},
		{"prompt login and consent", "", setting("prompt", "login consent"), redirected("consent_required", "This provider cannot ask for consent.", "prompt_unsupported", "consent")},
		{"prompt select_account", "", setting("prompt", "select_account"), redirected("account_selection_required", "This provider cannot ask which account to use.", "prompt_unsupported", "accounts")},
		{"a negative max_age", "", setting("max_age", "-1"), malformedParameter("max_age", "seconds")},
		{"a max_age with a sign", "", setting("max_age", "+1"), malformedParameter("max_age", "seconds")},
		{"a max_age with a fraction", "", setting("max_age", "1.5"), malformedParameter("max_age", "seconds")},
		{"a max_age with a letter inside", "", setting("max_age", "1e3"), malformedParameter("max_age", "seconds")},
		{"a max_age with a space", "", setting("max_age", " 1"), malformedParameter("max_age", "seconds")},
		{"an ID token hint that is not ours", "", setting("id_token_hint", "x"), malformedParameter("id_token_hint", "ID token of this issuer")},
		{"an ID token hint about nobody", "", setting("id_token_hint", "nobody"), malformedParameter("id_token_hint", "ID token of this issuer")},
		{"an ID token hint that cannot be verified now", "", setting("id_token_hint", "away"), redirected("temporarily_unavailable", answers[TemporarilyUnavailable].description, "keys_unavailable", "")},
		{"REQ-019 a state with a control character", "", setting("state", "a\x00b"), malformedParameter("state", "control")},
		{"REQ-019 a state with a line break", "", setting("state", "a\r\nb"), malformedParameter("state", "control")},
	}
	for name := range authorizationParameters {
		if name == "client_id" || name == "redirect_uri" {
			continue
		}
		rows = append(rows, refusedAuthorization{"REQ-025 H03 twice: " + name, "", func(v url.Values) { v[name] = []string{"a", "a"} }, repeatedParameter(name)})
	}
	rows = append(rows, refusedAuthorization{"REQ-025 with a value and without one", "", adding("nonce", ""), repeatedParameter("nonce")})
	refuseAuthorizations(t, rows)
}

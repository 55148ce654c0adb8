package oauth

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzAuthorize: whatever is sent, an answer goes to a redirect URI that is
// registered for the client it names, and what is accepted can be recorded. The
// request is read again by net/url.
func FuzzAuthorize(f *testing.F) {
	valid := validParameters("web")
	for _, change := range []func(url.Values){setting(), leavingOut("redirect_uri"), setting("redirect_uri", "https://evil.example"), adding("state", "x"),
		setting("response_mode", "fragment"), setting("response_mode", "form_post"), setting("prompt", "none"), setting("prompt", "login consent"),
		setting("max_age", "0", "id_token_hint", "alice"), setting("scope", "openid x"), setting("request", "x"), setting("client_id", "spa"),
		setting("client_id", "app", "redirect_uri", "http://127.0.0.1:51004/callback"), setting("client_id", "app", "redirect_uri", "http://[::1]:1?x"),
		setting("client_id", "app", "redirect_uri", "http://127.0.0.1:1@evil.example/callback"), setting("client_id", "app", "redirect_uri", "app:/x", "response_mode", "form_post")} {
		sent := validParameters("web")
		change(sent)
		f.Add(sent.Encode())
	}
	f.Add("client_id=web;redirect_uri=x")
	f.Add(valid.Encode() + "&%zz=1")
	fx := newFixture(f)
	app := testClients(f)[3]
	app.ID, app.RedirectURIs = "app", []string{"http://127.0.0.1/callback", "http://[::1]:4000?x", "app:/x"}
	clients, err := NewClients(testIssuer, append(testClients(f), app))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, parameters string) {
		fx.t = t
		p, err := clients.Authorize(t.Context(), parameters, testHints)
		e := AsError(err)
		if e != nil {
			fx.checkPublic(e)
			if e.Param != "" && !nameable(e.Param) {
				t.Errorf("refused with %v", e)
			}
		}
		if p == nil {
			if e == nil || e.Status() != 400 {
				t.Errorf("neither an answer nor an error page: %v", err)
			}
			return
		}
		sent, parseErr := url.ParseQuery(parameters)
		if parseErr != nil {
			t.Fatalf("net/url does not accept it: %v", parseErr)
		}
		checkDestination(t, p, sent, e)
		if e == nil {
			checkAccepted(t, clients, p, sent, fx.time)
		}
	})
}

// checkDestination looks at where the answer goes and what it says.
func checkDestination(t *testing.T, p *Pending, sent url.Values, e *Error) {
	t.Helper()
	if !slices.Equal(sent["client_id"], []string{p.Client().ID}) || len(sent["redirect_uri"]) > 1 {
		t.Errorf("%s is not who asks, once", p.Client().ID)
	}
	response := p.Grant(testIssuer, "c")
	if e != nil {
		response = p.Refuse(testIssuer, e)
	}
	registered := slices.ContainsFunc(p.Client().RedirectURIs, func(uri string) bool {
		return uri == response.RedirectURI || portless(t, uri) != "" && portless(t, uri) == portless(t, response.RedirectURI)
	})
	if !registered || sent.Get("redirect_uri") != "" && sent.Get("redirect_uri") != response.RedirectURI {
		t.Errorf("goes to %q", response.RedirectURI)
	}
	separator := map[string]string{ModeQuery: "?", ModeFragment: "#"}[response.Mode]
	if strings.Contains(response.RedirectURI, "?") && response.Mode == ModeQuery {
		separator = "&"
	}
	location := response.Location()
	rest, ok := strings.CutPrefix(location, response.RedirectURI+separator)
	if response.Mode == ModeFormPost {
		ok = location == "" && (strings.HasPrefix(response.RedirectURI, "https://") || strings.HasPrefix(response.RedirectURI, "http://"))
	}
	if !ok || !printableASCII(location) || strings.ContainsAny(location, ` "<>\`) {
		t.Errorf("goes to %q", location)
	}
	want := url.Values{"iss": {testIssuer}, "code": {"c"}}
	if e != nil {
		want = url.Values{"iss": {testIssuer}, "error": {e.Code()}, "error_description": {e.Description()}}
	}
	if state := sent["state"]; len(state) == 1 && state[0] != "" {
		want["state"] = state
	}
	got := url.Values{}
	for _, parameter := range response.Parameters {
		got.Add(parameter.Name, parameter.Value)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("answers %v, want %v", got, want)
	}
	if decoded, err := url.ParseQuery(rest); response.Mode != ModeFormPost && (err != nil || !reflect.DeepEqual(decoded, want)) {
		t.Errorf("decoded as %v, want %v", decoded, want)
	}
}

// portless is a URI of a loopback IP address without its port, as net/url sees
// it; "" for any other.
func portless(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || (u.Hostname() != "127.0.0.1" && u.Hostname() != "::1") {
		return ""
	}
	return u.Hostname() + " " + strings.TrimPrefix(uri, "http://"+u.Host)
}

// checkAccepted holds a request that was accepted to what the token endpoint
// relies on.
func checkAccepted(t *testing.T, clients *Clients, p *Pending, sent url.Values, now time.Time) {
	t.Helper()
	for name := range authorizationParameters {
		if len(sent[name]) > 1 {
			t.Errorf("%s is there %d times", name, len(sent[name]))
		}
	}
	if sent.Get("response_type") != "code" || sent.Get("request")+sent.Get("request_uri")+sent.Get("registration") != "" {
		t.Error("it asks for something else")
	}
	q, err := p.Request(Person{Subject: "alice", AuthTime: now}, now)
	if err != nil {
		if sent.Get("id_token_hint") == "" || AsError(err).Kind != LoginRequired {
			t.Errorf("refused for alice: %v", err)
		}
		return
	}
	record, err := clients.Record(testIssuer, q, now, time.Minute)
	switch {
	case err != nil:
		t.Errorf("not recorded: %v", err)
	case record.Nonce != sent.Get("nonce"), record.CodeChallenge != sent.Get("code_challenge"), record.Subject != "alice", record.RedirectURISent != (sent.Get("redirect_uri") != ""):
		t.Errorf("recorded as %+v", record)
	case p.Client().needsPKCE() && record.CodeChallenge == "":
		t.Error("recorded without a challenge")
	}
	asked := strings.Split(sent.Get("scope"), " ")
	for _, part := range record.Scope {
		if !slices.Contains(asked, part) || !slices.Contains(p.Client().Scope, part) {
			t.Errorf("granted %q", part)
		}
	}
}

// FuzzRedirectURI: an answer goes to a registered URI or to one that a URI
// parser, too, sees on the same loopback address and the same but for the port.
func FuzzRedirectURI(f *testing.F) {
	app := testClients(f)[3]
	app.RedirectURIs = []string{"http://127.0.0.1/callback", "http://[::1]:4000?x", "http://127.0.0.1", "https://rp.example/callback", "http://localhost/callback"}
	for _, seed := range append([]string{"", "http://127.0.0.1:51004/callback", "http://127.0.0.1:1@evil.example/callback", "http://[::1]?x", "http://[::1]:+1?x",
		"http://127.0.0.1:00080/callback", "http://127.0.0.1:65536", `http://127.0.0.1:1\@evil.example/callback`, "http://localhost:1/callback"}, app.RedirectURIs...) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		got, err := app.redirectTo(sent)
		if err != nil {
			if got != "" || slices.Contains(app.RedirectURIs, sent) || AsError(err).Kind != InvalidRequest {
				t.Errorf("refused with %q and %v", got, err)
			}
			return
		}
		same := func(uri string) bool {
			return uri == sent || portless(t, uri) != "" && portless(t, uri) == portless(t, sent)
		}
		if got != sent || !slices.ContainsFunc(app.RedirectURIs, same) || strings.Contains(sent, "#") {
			t.Errorf("goes to %q", got)
		}
	})
}

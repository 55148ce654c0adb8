package oauth

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// registerRedirects gives web these redirect URIs and no others.
func (f *fixture) registerRedirects(uris ...string) {
	client := testClients(f.t)[0]
	client.RedirectURIs = uris
	f.register(client)
}

func TestAuthorizationResponse(t *testing.T) {
	f := newFixture(t)
	plain, query, app := "https://rp.example/callback", "https://rp.example/callback?tenant=a%20b&x", "com.example.app:/callback"
	bare, open := "https://rp.example/callback?", "https://rp.example/callback?a=1&"
	f.registerRedirects(plain, query, app, bare, open)
	for _, row := range []struct{ name, redirectURI, mode, answered, want string }{
		{"the default is query", plain, "", ModeQuery, plain + "?code=c%2Bd%2F&state=s%201&iss=https%3A%2F%2Fid.example"},
		{"query", plain, ModeQuery, ModeQuery, plain + "?code=c%2Bd%2F&state=s%201&iss=https%3A%2F%2Fid.example"},
		{"a redirect URI keeps its own query", query, ModeQuery, ModeQuery, query + "&code=c%2Bd%2F&state=s%201&iss=https%3A%2F%2Fid.example"},
		{"a redirect URI with an empty query", bare, ModeQuery, ModeQuery, bare + "code=c%2Bd%2F&state=s%201&iss=https%3A%2F%2Fid.example"},
		{"a redirect URI whose query is open", open, ModeQuery, ModeQuery, open + "code=c%2Bd%2F&state=s%201&iss=https%3A%2F%2Fid.example"},
		{"fragment", plain, ModeFragment, ModeFragment, plain + "#code=c%2Bd%2F&state=s%201&iss=https%3A%2F%2Fid.example"},
		{"fragment behind a query", query, ModeFragment, ModeFragment, query + "#code=c%2Bd%2F&state=s%201&iss=https%3A%2F%2Fid.example"},
		{"a form is in no URI", plain, ModeFormPost, ModeFormPost, ""},
		{"an app by its own scheme", app, ModeQuery, ModeQuery, app + "?code=c%2Bd%2F&state=s%201&iss=https%3A%2F%2Fid.example"},
	} {
		t.Run(row.name, func(t *testing.T) {
			sent := validParameters("web")
			sent.Set("redirect_uri", row.redirectURI)
			sent.Set("response_mode", row.mode)
			response := f.authorize(t, sent).Grant(testIssuer, "c+d/")
			if response.Mode != row.answered || response.RedirectURI != row.redirectURI {
				t.Errorf("by %s to %s", response.Mode, response.RedirectURI)
			}
			if want := []Parameter{{"code", "c+d/"}, {"state", "s 1"}, {"iss", testIssuer}}; !slices.Equal(response.Parameters, want) {
				t.Errorf("answers %v", response.Parameters)
			}
			if got := response.Location(); got != row.want {
				t.Errorf("goes to %s\nwant    %s", got, row.want)
			}
		})
	}
}

// An error goes back in the mode that the request asks for, if that is one.
func TestAuthorizationErrorsByMode(t *testing.T) {
	f := newFixture(t)
	f.registerRedirects("https://rp.example/callback", "com.example.app:/callback")
	for _, row := range []struct {
		name, redirectURI string
		modes             []string
		want              string
	}{
		{"fragment", "https://rp.example/callback", []string{ModeFragment}, ModeFragment},
		{"form_post", "https://rp.example/callback", []string{ModeFormPost}, ModeFormPost},
		{"an unknown one is answered by query", "https://rp.example/callback", []string{"x"}, ModeQuery},
		{"two are answered by query", "https://rp.example/callback", []string{ModeFragment, ModeFragment}, ModeQuery},
		{"no form is posted to an app", "com.example.app:/callback", []string{ModeFormPost}, ModeQuery},
	} {
		t.Run(row.name, func(t *testing.T) {
			sent := validParameters("web")
			sent.Set("redirect_uri", row.redirectURI)
			sent["response_mode"] = row.modes
			sent.Set("prompt", "x")
			p, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints)
			if p == nil || err == nil {
				t.Fatalf("answered %v", err)
			}
			if response := p.Refuse(testIssuer, err); response.Mode != row.want || response.RedirectURI != row.redirectURI {
				t.Errorf("answered by %s to %s", response.Mode, response.RedirectURI)
			}
		})
	}
	t.Run("a form_post to an app is an error by itself", func(t *testing.T) {
		sent := validParameters("web")
		sent.Set("redirect_uri", "com.example.app:/callback")
		sent.Set("response_mode", ModeFormPost)
		if _, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints); AsError(err).Param != "response_mode" {
			t.Errorf("answered %v", err)
		}
	})
}

func TestAuthorizationErrorsSayNothingElse(t *testing.T) {
	f := newFixture(t)
	p := f.authorize(t, validParameters("web"))
	t.Run("REQ-168 what has no type is a server_error", func(t *testing.T) {
		response := p.Refuse(testIssuer, errors.New("pq: relation oidc does not exist"))
		want := []Parameter{{"error", "server_error"}, {"error_description", "The request could not be completed."}, {"state", "s 1"}, {"iss", testIssuer}}
		if !slices.Equal(response.Parameters, want) {
			t.Errorf("answers %v", response.Parameters)
		}
	})
	t.Run("REQ-163 nothing of the request but its state", func(t *testing.T) {
		const marker = "marker"
		for name := range authorizationParameters {
			if name == "client_id" || name == "redirect_uri" || name == "state" {
				continue
			}
			sent := validParameters("web")
			sent.Set(name, marker)
			p, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints)
			if err == nil {
				continue
			}
			if location := p.Refuse(testIssuer, err).Location(); strings.Contains(location, marker) || strings.Contains(err.Error(), marker) {
				t.Errorf("%s is in %s or %v", name, location, err)
			}
		}
	})
}

// RFC 6749 §4.1.2: the exact value. What the client decodes is what it sent.
func TestStateGoesBackUnmodified(t *testing.T) {
	f := newFixture(t)
	for _, row := range []struct{ name, state string }{
		{"plain", "abc"},
		{"REQ-027 a plus and a space", "a+b c"},
		{"what separates parameters", "a&iss=https://evil.example#x?y=z;w"},
		{"percent-encoded once more", "%26code%3Dx"},
		{"quotes and markup", `"'><script>{}</script>`},
		{"other scripts", "é٥漢🙂"},
		{"4 KiB", strings.Repeat("s", 4<<10)},
	} {
		t.Run(row.name, func(t *testing.T) {
			sent := validParameters("web")
			sent.Set("state", row.state)
			for _, mode := range ResponseModes() {
				sent.Set("response_mode", mode)
				response := f.authorize(t, sent).Grant(testIssuer, "c")
				if !slices.Contains(response.Parameters, Parameter{"state", row.state}) {
					t.Errorf("%s: answers %v", mode, response.Parameters)
				}
				if mode == ModeFormPost {
					continue
				}
				_, encoded, _ := strings.Cut(response.Location(), map[string]string{ModeQuery: "?", ModeFragment: "#"}[mode])
				decoded, err := url.ParseQuery(encoded)
				if err != nil || len(decoded) != 3 || !slices.Equal(decoded["state"], []string{row.state}) || decoded.Get("iss") != testIssuer || decoded.Get("code") != "c" {
					t.Errorf("%s: decoded as %v: %v", mode, decoded, err)
				}
			}
		})
	}
	t.Run("REQ-023 none goes back where none or an empty one was sent", func(t *testing.T) {
		sent := validParameters("web")
		for _, values := range [][]string{nil, {""}} {
			sent["state"] = values
			if location := f.authorize(t, sent).Grant(testIssuer, "c").Location(); strings.Contains(location, "state") {
				t.Errorf("goes to %s", location)
			}
		}
	})
}

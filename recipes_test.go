package oidctoken_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

const (
	wikiCallback    = "https://wiki.example.com/callback"
	grafanaCallback = "https://grafana.example.com/login/generic_oauth"
)

func TestRecipeStaticSite(t *testing.T) {
	const heading = "### A static site that signs its visitors in"
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte("the page"), 0o644); err != nil {
		t.Fatal(err)
	}
	people := setRecipeSecrets(t)
	s := startRecipe(t, heading, "/srv/site", root)
	callback := s.issuer + "/callback"
	rp := s.relyingParty(t, s.issuer, "spa", "", callback)

	t.Run("the page is served to everybody", func(t *testing.T) {
		for _, address := range []string{s.issuer, callback} {
			if _, a := s.visitor(t, "", "").open(address, ""); a.StatusCode != 200 || string(a.body) != "the page" {
				t.Errorf("%s: %d %q", address, a.StatusCode, a.body)
			}
		}
	})
	t.Run("its visitors sign in with their passwords", func(t *testing.T) {
		back, _ := s.visitor(t, "alice", people.alice).open(rp.request(), callback)
		rp.finish(t, back).wantClaims(t, "alice", "Alice Liddell", "alice@example.com", "staff", "admin")
		back, _ = s.visitor(t, "bob", people.bob).open(rp.request(), callback)
		rp.finish(t, back).wantClaims(t, "bob", "Bob Dodgson", "bob@example.com", "staff")
	})
	t.Run("nobody does with another's", func(t *testing.T) {
		back, a := s.visitor(t, "alice", people.bob).open(rp.request(), callback)
		if back != nil || a.StatusCode != 401 {
			t.Errorf("got %d, %v", a.StatusCode, back)
		}
	})
	t.Run("the settings in JavaScript are those of the client", func(t *testing.T) {
		script := recipe(t, heading, "js")
		for name, want := range map[string]string{"authority": s.issuer, "client_id": rp.ClientID, "redirect_uri": rp.RedirectURL, "scope": strings.Join(rp.Scopes, " ")} {
			if !strings.Contains(script, name+": '"+want+"'") {
				t.Errorf("%s is not %s in\n%s", name, want, script)
			}
		}
	})
}

func TestRecipeGrafana(t *testing.T) {
	const heading = "### Grafana, and other applications with a server"
	people := setRecipeSecrets(t)
	s := startRecipe(t, heading)
	ini := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^(\w+) = (.*)$`).FindAllStringSubmatch(recipe(t, heading, "ini"), -1) {
		ini[m[1]] = m[2]
	}
	rp := s.relyingParty(t, s.issuer, ini["client_id"], people.grafana, grafanaCallback)
	t.Run("its settings are what discovery says", func(t *testing.T) {
		for setting, want := range map[string]string{"auth_url": rp.Endpoint.AuthURL, "token_url": rp.Endpoint.TokenURL, "api_url": rp.provider.UserInfoEndpoint(), "scopes": strings.Join(rp.Scopes, " ")} {
			if got := ini[setting]; got != want {
				t.Errorf("%s is %q, want %q", setting, got, want)
			}
		}
	})
	t.Run("it signs people in and knows their groups", func(t *testing.T) {
		// Grafana, too, finds out by itself how the client authenticates.
		rp.Endpoint = oauth2.Endpoint{AuthURL: ini["auth_url"], TokenURL: ini["token_url"], AuthStyle: oauth2.AuthStyleAutoDetect}
		back, _ := s.visitor(t, "alice", people.alice).open(rp.request(), grafanaCallback)
		rp.finish(t, back).wantClaims(t, "alice", "Alice Liddell", "alice@example.com", "staff", "admin")
		if role := ini["role_attribute_path"]; !strings.Contains(role, "groups[*], 'admin'") {
			t.Errorf("role_attribute_path is %s", role)
		}
	})
}

// behindLogin is the recipe with a login service behind it.
type behindLogin struct {
	*relyingParty
	site            *site
	service         *loginService
	password, wrong string
}

func startBehindLogin(t *testing.T) behindLogin {
	t.Helper()
	people := setRecipeSecrets(t)
	service := newLoginService(t, "alice", people.alice)
	s := startRecipe(t, "### A login service by `forward_auth`", "localhost:9091", service.address)
	return behindLogin{s.relyingParty(t, s.issuer, "grafana", people.grafana, grafanaCallback), s, service, people.alice, people.bob}
}

// wantAlice asserts that a callback signs alice in, as the service describes
// her.
func (b behindLogin) wantAlice(t *testing.T, callback *url.URL) {
	t.Helper()
	b.finish(t, callback).wantClaims(t, "alice", "Alice Liddell", "alice@example.com", "staff", "admin")
}

func TestRecipeForwardAuth(t *testing.T) {
	b := startBehindLogin(t)
	t.Run("the login page leads back to the authorization request", func(t *testing.T) {
		v := b.site.visitor(t, "", "")
		_, page := v.open(b.request(), grafanaCallback)
		callback, _ := v.logIn(page, b.password, grafanaCallback)
		b.wantAlice(t, callback)
	})
	t.Run("also to one that was sent by POST", func(t *testing.T) {
		v := b.site.visitor(t, "", "")
		request, _ := url.Parse(b.request())
		_, page := v.submit(b.site.issuer+request.Path, request.Query(), grafanaCallback)
		callback, _ := v.logIn(page, b.password, grafanaCallback)
		b.wantAlice(t, callback)
	})
	t.Run("a wrong password does not, and the right one after it does", func(t *testing.T) {
		v := b.site.visitor(t, "", "")
		_, page := v.open(b.request(), grafanaCallback)
		callback, page := v.logIn(page, b.wrong, grafanaCallback)
		if callback != nil {
			t.Fatal("signed in with a wrong password")
		}
		callback, _ = v.logIn(page, b.password, grafanaCallback)
		b.wantAlice(t, callback)
	})
	t.Run("whoever is signed in is not asked again", func(t *testing.T) {
		v := b.site.visitor(t, "", "")
		_, page := v.open(b.request(), grafanaCallback)
		v.logIn(page, b.password, grafanaCallback)
		callback, _ := v.open(b.request(oauth2.SetAuthURLParam("prompt", "none")), grafanaCallback)
		b.wantAlice(t, callback)
	})
	t.Run("prompt=none of a stranger is login_required, not a login page", func(t *testing.T) {
		callback, a := b.site.visitor(t, "", "").open(b.request(oauth2.SetAuthURLParam("prompt", "none")), grafanaCallback)
		b.wantRefusal(t, callback, "login_required")
		if len(a.Header.Values("Set-Cookie")) > 0 {
			t.Error("a cookie of the refusal gets through")
		}
	})
}

func TestRecipeForwardAuthAndForgedHeaders(t *testing.T) {
	b := startBehindLogin(t)
	forged := func() *visitor {
		v := b.site.visitor(t, "", "")
		v.header = http.Header{"Remote-User": {"alice"}, "remote-user": {"alice"}, "Remote_user": {"alice"}, "X-Forwarded-User": {"alice"}, "Remote-Groups": {"admin"}, "Remote-Email": {"alice@example.com"}}
		return v
	}
	t.Run("a Remote-User that the browser sends signs nobody in", func(t *testing.T) {
		_, page := forged().open(b.request(), grafanaCallback)
		if page == nil || page.StatusCode != 200 || !strings.Contains(string(page.body), "name=password") {
			t.Error("it leads past the login page")
		}
	})
	t.Run("nor where the service lets everybody through", func(t *testing.T) {
		b.service.letEverybodyThrough.Store(true)
		defer b.service.letEverybodyThrough.Store(false)
		callback, _ := forged().open(b.request(), grafanaCallback)
		b.wantRefusal(t, callback, "access_denied")
		callback, _ = b.site.visitor(t, "", "").open(b.request(), grafanaCallback)
		b.wantRefusal(t, callback, "access_denied")
	})
	t.Run("and a forged group is not added to what the service says", func(t *testing.T) {
		v := forged()
		_, page := v.open(b.request(), grafanaCallback)
		callback, _ := v.logIn(page, b.password, grafanaCallback)
		b.wantAlice(t, callback)
	})
}

func TestRecipeSeveralIssuers(t *testing.T) {
	people := setRecipeSecrets(t)
	s := startRecipe(t, "### Several issuers in one Caddy")
	type tenant struct{ issuer, user, password string }
	tenants := []tenant{
		{"https://id.example.com/staff", "alice", people.alice},
		{"https://id.example.com/guests", "bob", people.bob},
		{"https://id.example.org", "carol", people.carol},
	}
	at := func(t *testing.T, issuer string) *relyingParty {
		return s.relyingParty(t, issuer, "wiki", people.wiki, wikiCallback)
	}
	for n, own := range tenants {
		t.Run(own.issuer+" signs its own people in", func(t *testing.T) {
			rp := at(t, own.issuer)
			callback, _ := s.visitor(t, own.user, own.password).open(rp.request(), wikiCallback)
			if in := rp.finish(t, callback); in.Subject != own.user || in.Issuer != own.issuer {
				t.Errorf("sub %q of %q", in.Subject, in.Issuer)
			}
		})
		other := tenants[(n+1)%len(tenants)]
		t.Run("REQ-085 A13 L11 no code nor access token of "+own.issuer+" at "+other.issuer, func(t *testing.T) {
			rp, elsewhere := at(t, own.issuer), at(t, other.issuer)
			elsewhere.Endpoint.AuthStyle = oauth2.AuthStyleInHeader // one attempt, not two
			callback, _ := s.visitor(t, own.user, own.password).open(rp.request(), wikiCallback)
			code, _ := rp.outcome(t, callback)
			if _, err := elsewhere.Exchange(elsewhere.ctx, code, oauth2.VerifierOption(rp.verifier)); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
				t.Errorf("the other issuer says %v", err)
			}
			in := rp.finish(t, callback)
			if _, err := elsewhere.provider.UserInfo(elsewhere.ctx, oauth2.StaticTokenSource(in.tokens)); err == nil {
				t.Error("the other issuer's UserInfo answers")
			}
		})
	}
	t.Run("people of one are nobody at another, also on the same host", func(t *testing.T) {
		callback, a := s.visitor(t, "bob", people.bob).open(at(t, tenants[0].issuer).request(), wikiCallback)
		if callback != nil || a.StatusCode != 401 {
			t.Errorf("got %d, %v", a.StatusCode, callback)
		}
	})
}

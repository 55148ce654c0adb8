package oidctoken_test

import (
	"context"
	"crypto/rand"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// relyingParty is an application on golang.org/x/oauth2 and coreos/go-oidc that
// knows the issuer's URL and its own registration; all else it discovers.
type relyingParty struct {
	oauth2.Config
	provider               *oidc.Provider
	ctx                    context.Context
	issuer                 string
	state, nonce, verifier string
}

// relyingParty discovers an issuer as an application does when it starts.
func (s *site) relyingParty(t testing.TB, issuer, clientID, clientSecret, redirectURI string) *relyingParty {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), s.client)
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &relyingParty{
		Config: oauth2.Config{
			ClientID: clientID, ClientSecret: secret("client secret", clientSecret), RedirectURL: redirectURI,
			Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
		},
		provider: provider, ctx: ctx, issuer: issuer,
	}
}

// request returns the URL of a new authorization request.
func (rp *relyingParty) request(options ...oauth2.AuthCodeOption) string {
	rp.state, rp.nonce = `a+b &<"%2F `+rand.Text(), rand.Text()
	rp.verifier = secret("code verifier", oauth2.GenerateVerifier())
	return rp.AuthCodeURL(rp.state, append(options, oidc.Nonce(rp.nonce), oauth2.S256ChallengeOption(rp.verifier))...)
}

// outcome asserts that a callback answers the last request, and that it comes
// from this issuer (RFC 9207 §2.4). It returns the code or the error.
func (rp *relyingParty) outcome(t testing.TB, callback *url.URL) (code, refusal string) {
	t.Helper()
	if callback == nil {
		t.Fatal("the browser did not come back to the application")
	}
	q := callback.Query()
	if q.Get("state") != rp.state || !slices.Equal(q["iss"], []string{rp.issuer}) {
		t.Fatalf("state %q, iss %q", q.Get("state"), q["iss"])
	}
	if q.Has("code") == q.Has("error") {
		t.Fatalf("the callback has neither or both of code and error: %v", q)
	}
	return q.Get("code"), q.Get("error")
}

// wantRefusal asserts the error a callback has.
func (rp *relyingParty) wantRefusal(t testing.TB, callback *url.URL, want string) {
	t.Helper()
	if _, got := rp.outcome(t, callback); got != want {
		t.Errorf("the application is told %q, want %q", got, want)
	}
}

// signedIn is what an application knows after it has verified everything.
type signedIn struct {
	*oidc.IDToken
	claims, userInfo map[string]any
	tokens           *oauth2.Token
}

// finish redeems the code of a callback, verifies the ID token and asks the
// UserInfo endpoint.
func (rp *relyingParty) finish(t testing.TB, callback *url.URL) signedIn {
	t.Helper()
	code, refusal := rp.outcome(t, callback)
	if refusal != "" {
		t.Fatalf("refused: %v", callback.Query())
	}
	tokens, err := rp.Exchange(rp.ctx, code, oauth2.VerifierOption(rp.verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	secret("access_token", tokens.AccessToken)
	secret("id_token", raw)
	id, err := rp.provider.VerifierContext(rp.ctx, &oidc.Config{ClientID: rp.ClientID}).Verify(rp.ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
		t.Error("REQ-134 at_hash: ", err)
	}
	if id.Nonce != rp.nonce {
		t.Errorf("nonce is %q", id.Nonce)
	}
	info, err := rp.provider.UserInfo(rp.ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		t.Fatal("UserInfo: ", err)
	}
	if info.Subject != id.Subject {
		t.Errorf("Core §5.3.2: UserInfo says sub %q, the ID token %q", info.Subject, id.Subject)
	}
	in := signedIn{IDToken: id, tokens: tokens}
	if err := id.Claims(&in.claims); err != nil {
		t.Fatal(err)
	}
	if err := info.Claims(&in.userInfo); err != nil {
		t.Fatal(err)
	}
	return in
}

// wantClaims asserts claims in the ID token and at the UserInfo endpoint.
func (in signedIn) wantClaims(t testing.TB, subject, name, email string, groups ...any) {
	t.Helper()
	if in.Subject != subject {
		t.Errorf("sub is %q, want %q", in.Subject, subject)
	}
	for where, claims := range map[string]map[string]any{"the ID token": in.claims, "UserInfo": in.userInfo} {
		got, _ := claims["groups"].([]any)
		if claims["name"] != name || claims["email"] != email || !slices.Equal(got, groups) {
			t.Errorf("%s says %v", where, claims)
		}
	}
}

// The provider that the tests below discover.
const signInSite = `
http://127.0.0.1:PORT {
	oidc_token {
		issuer ISSUER
		CLIENTS
		authorize {
			basic_auth {
				alice HASH
			}
			map {http.auth.user.id} {name} {email} {groups} {
				alice "Alice Liddell" alice@example.com "staff, admin"
			}
		}
		identity {
			claim name {name}
			claim email {email}
			claim groups {groups} list
			acr urn:example:password
			amr pwd
		}
	}
}`

func startSignInSite(t *testing.T) (s *site, password string) {
	t.Helper()
	password = secret("password", rand.Text())
	return newSite(t).start(strings.ReplaceAll(signInSite, "HASH", passwordHash(t, password))), password
}

func TestRelyingPartiesByDiscoveryAlone(t *testing.T) {
	s, password := startSignInSite(t)
	for _, row := range []struct{ name, client, secret string }{
		{"REQ-038 client_secret_basic", "web", webSecret},
		{"REQ-038 client_secret_post", "post", postSecret},
		{"REQ-059 none with PKCE", "spa", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			rp := s.relyingParty(t, s.issuer, row.client, row.secret, redirect)
			callback, _ := s.visitor(t, "alice", password).open(rp.request(), redirect)
			in := rp.finish(t, callback)
			in.wantClaims(t, "alice", "Alice Liddell", "alice@example.com", "staff", "admin")
			if in.claims["acr"] != "urn:example:password" || in.claims["auth_time"] == nil {
				t.Errorf("the ID token says %v", in.claims)
			}
			if got := in.tokens.Extra("scope"); got != "openid profile email" {
				t.Errorf("scope is %q", got)
			}
		})
	}
}

func TestWhatARelyingPartyIsTold(t *testing.T) {
	s, password := startSignInSite(t)
	rp := s.relyingParty(t, s.issuer, "spa", "", redirect)
	t.Run("REQ-184 REQ-190 discovery names the endpoints, and says that answers name their issuer", func(t *testing.T) {
		var metadata struct {
			UserInfo string `json:"userinfo_endpoint"`
			ISS      bool   `json:"authorization_response_iss_parameter_supported"`
		}
		if err := rp.provider.Claims(&metadata); err != nil {
			t.Fatal(err)
		}
		if rp.Endpoint.AuthURL != s.issuer+"/authorize" || metadata.UserInfo != s.issuer+"/userinfo" || !metadata.ISS {
			t.Errorf("%s, %+v", rp.Endpoint.AuthURL, metadata)
		}
	})
	t.Run("the wrong password ends at the provider", func(t *testing.T) {
		callback, a := s.visitor(t, "alice", password+"x").open(rp.request(), redirect)
		if callback != nil || a.StatusCode != 401 {
			t.Errorf("got %d, %v", a.StatusCode, callback)
		}
	})
	t.Run("prompt=none tells the application whether somebody is signed in", func(t *testing.T) {
		silently := oauth2.SetAuthURLParam("prompt", "none")
		v := s.visitor(t, "alice", password)
		v.user = ""
		callback, a := v.open(rp.request(silently), redirect)
		rp.wantRefusal(t, callback, "login_required")
		if a.Header.Get("WWW-Authenticate") != "" {
			t.Error("the browser is asked for a password")
		}
		v.user = "alice"
		v.open(rp.request(), redirect)
		callback, _ = v.open(rp.request(silently), redirect)
		rp.finish(t, callback)
	})
	t.Run("max_age and prompt=login are satisfied by a password of this request", func(t *testing.T) {
		callback, _ := s.visitor(t, "alice", password).open(rp.request(oauth2.SetAuthURLParam("max_age", "0"), oauth2.SetAuthURLParam("prompt", "login")), redirect)
		rp.finish(t, callback)
	})
	t.Run("an ID token of before names who is expected", func(t *testing.T) {
		v := s.visitor(t, "alice", password)
		callback, _ := v.open(rp.request(), redirect)
		raw, _ := rp.finish(t, callback).tokens.Extra("id_token").(string)
		callback, _ = v.open(rp.request(oauth2.SetAuthURLParam("id_token_hint", raw)), redirect)
		rp.finish(t, callback)
	})
	t.Run("a scope that is not the client's is left out, and the token response says so", func(t *testing.T) {
		wide := *rp
		wide.Scopes = append(slices.Clone(rp.Scopes), "offline_access")
		callback, _ := s.visitor(t, "alice", password).open(wide.request(), redirect)
		if got := wide.finish(t, callback).tokens.Extra("scope"); got != "openid profile email" {
			t.Errorf("scope is %q", got)
		}
	})
	t.Run("L13 a redirect URI that is not registered is an error page", func(t *testing.T) {
		wrong := *rp
		wrong.RedirectURL = "https://attacker.example/callback"
		callback, a := s.visitor(t, "alice", password).open(wrong.request(), wrong.RedirectURL)
		if callback != nil || a.StatusCode != 400 {
			t.Errorf("got %d, %v", a.StatusCode, callback)
		}
	})
}

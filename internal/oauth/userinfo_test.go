package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// publishedKeys are those of testKeys, or fail.
type publishedKeys struct {
	keys *testKeys
	err  error
}

func (p publishedKeys) VerificationKey(_ context.Context, kid string) (*token.PublicKey, error) {
	if p.err != nil {
		return nil, p.err
	}
	if kid != p.keys.key.ID {
		return nil, token.ErrUnknownKey
	}
	return p.keys.key.Public(), nil
}

// otherGrants answers what a row says instead of what is stored.
type otherGrants struct {
	Grants
	change func(r *storage.Record)
	err    error
}

func (g otherGrants) Grant(ctx context.Context, ref string) (*storage.Record, error) {
	if g.err != nil {
		return nil, g.err
	}
	r, err := g.Grants.Grant(ctx, ref)
	if err == nil && g.change != nil {
		g.change(r)
	}
	return r, err
}

func (f *fixture) userInfo() *UserInfo {
	return &UserInfo{Endpoint: f.endpoint, Grants: f.codes, Tokens: &token.Verifier{
		Issuer: testIssuer, Keys: publishedKeys{keys: f.keys}, Now: func() time.Time { return f.time },
	}}
}

// issued redeems a code for client and returns the access token.
func (f *fixture) issued(client string, change ...func(*storage.Record)) string {
	f.t.Helper()
	return f.succeeds(f.valid(client, change...)).AccessToken
}

func bearing(accessToken string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+accessToken)
	return r
}

func withClaims(r *storage.Record) {
	r.Claims = map[string]json.RawMessage{"name": json.RawMessage(`"Alice"`), "email": json.RawMessage(`"alice@example.com"`), "groups": json.RawMessage(`["g"]`)}
}

func TestUserInfoIsOfTheGrant(t *testing.T) {
	f := newFixture(t)
	claims, a, err := f.userInfo().Respond(bearing(f.issued("web", withClaims)), "")
	if err != nil || string(claims) != `{"sub":"alice","groups":["g"],"name":"Alice"}` {
		t.Fatalf("got %s, %v", claims, err)
	}
	if a.ClientID != "web" || a.Scope != "openid profile" || a.TokenID == "" || a.Authenticated {
		t.Errorf("attempt %+v", a)
	}
}

// Each row changes one thing beneath a request that is right.
func TestUserInfoRefuses(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(f *fixture, u *UserInfo)
		kind   Kind
		reason Reason
		warns  bool
	}{
		{"REQ-148 an expired token", func(f *fixture, _ *UserInfo) { f.time = f.time.Add(10 * time.Minute) }, InvalidToken, TokenInvalid, false},
		{"a token while the keys are away", func(f *fixture, u *UserInfo) {
			u.Tokens.Keys = publishedKeys{err: errors.New("no keys")}
		}, TemporarilyUnavailable, KeysUnavailable, false},
		{"a token of a client that was removed", func(f *fixture, u *UserInfo) {
			clients, err := NewClients(testIssuer, testClients(f.t)[1:])
			if err != nil {
				f.t.Fatal(err)
			}
			u.Endpoint.Clients = clients
		}, InvalidToken, ClientRemoved, false},
		{"F01 a token while the storage is away", func(_ *fixture, u *UserInfo) {
			u.Grants = otherGrants{Grants: u.Grants, err: storage.ErrUnavailable}
		}, TemporarilyUnavailable, StorageUnavailable, false},
		{"a token whose grant is not in storage", func(_ *fixture, u *UserInfo) {
			u.Grants = otherGrants{Grants: u.Grants, err: storage.ErrUnknown}
		}, InvalidToken, GrantUnknown, false},
		{"F03 a token whose grant does not open", func(_ *fixture, u *UserInfo) {
			u.Grants = otherGrants{Grants: u.Grants, err: storage.ErrCorrupt}
		}, InvalidToken, RecordCorrupt, true},
		{"a token whose grant is another client's", func(_ *fixture, u *UserInfo) {
			u.Grants = otherGrants{Grants: u.Grants, change: func(r *storage.Record) { r.ClientID = "web2" }}
		}, InvalidToken, GrantMismatch, true},
		{"a token whose grant is another person's", func(_ *fixture, u *UserInfo) {
			u.Grants = otherGrants{Grants: u.Grants, change: func(r *storage.Record) { r.Subject = "mallory" }}
		}, InvalidToken, GrantMismatch, true},
		{"a token when something fails that has no name", func(_ *fixture, u *UserInfo) {
			u.Grants = otherGrants{Grants: u.Grants, err: errors.New("fault")}
		}, ServerError, Internal, false},
		{"a grant with a claim that is not JSON", func(_ *fixture, u *UserInfo) {
			u.Grants = otherGrants{Grants: u.Grants, change: func(r *storage.Record) { r.Claims = map[string]json.RawMessage{"x": json.RawMessage("{")} }}
		}, ServerError, Internal, false},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			f := newFixture(t)
			u := f.userInfo()
			accessToken := f.issued("web", withClaims)
			row.change(f, u)
			claims, _, err := u.Respond(bearing(accessToken), "")
			e := AsError(err)
			if e == nil || e.Kind != row.kind || e.Reason != row.reason || e.Security != row.warns || claims != nil {
				t.Fatalf("got %s, %v", claims, err)
			}
			if (e.RetryAfter > 0) != (row.kind == TemporarilyUnavailable) {
				t.Errorf("to be repeated after %s", e.RetryAfter)
			}
			if strings.Contains(e.Error(), accessToken) || strings.Contains(e.Error(), strings.Split(accessToken, ".")[2]) {
				t.Error("the error shows the token")
			}
		})
	}
}

func TestUserInfoWithoutOpenID(t *testing.T) {
	f := newFixture(t)
	accessToken := f.issued("web", withClaims, func(r *storage.Record) { r.Scope = []string{"profile"} })
	claims, _, err := f.userInfo().Respond(bearing(accessToken), "")
	t.Run("REQ-148 a token that was not granted openid is refused", func(t *testing.T) {
		if e := AsError(err); e == nil || e.Kind != InsufficientScope || e.Reason != ScopeInsufficient || claims != nil {
			t.Errorf("got %s, %v", claims, err)
		}
	})
}

// A token of this issuer that no grant goes with, as one of a version before
// this.
func TestUserInfoWithoutAGrant(t *testing.T) {
	f := newFixture(t)
	a := &token.Authorization{ClientID: "web", Subject: "alice", Scope: []string{"openid"}, Audience: []string{testIssuer},
		IDTokenAlgorithm: token.ES256, TokenID: "1"}
	keys, err := f.endpoint.Tokens.SigningKeys(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	response, err := f.endpoint.Tokens.Issue(a, keys)
	if err != nil {
		t.Fatal(err)
	}
	claims, _, err := f.userInfo().Respond(bearing(response.AccessToken), "")
	if e := AsError(err); e == nil || e.Kind != InvalidToken || e.Reason != GrantUnknown || claims != nil {
		t.Errorf("got %s, %v", claims, err)
	}
}

func TestAccessTokenOnTheWay(t *testing.T) {
	f := newFixture(t)
	const form = "application/x-www-form-urlencoded"
	for _, row := range []struct {
		name   string
		fields []string
		body   Body
		target string
		kind   Kind
		reason Reason
	}{
		{"REQ-148 none", nil, "", "/userinfo", NoToken, TokenMissing},
		{"REQ-148 another scheme is none", []string{"DPoP abc"}, "", "/userinfo", NoToken, TokenMissing},
		{"an empty parameter is none", nil, "access_token=", "/userinfo", NoToken, TokenMissing},
		{"REQ-148 both ways", []string{"Bearer abc"}, "access_token=abc", "/userinfo", InvalidRequest, SeveralTransports},
		{"REQ-148 the query, whatever else there is", []string{"Bearer abc"}, "", "/userinfo?access_token=abc", InvalidRequest, SecretInURI},
		{"REQ-148 the query, in another spelling", nil, "", "/userinfo?%61ccess_token=abc", InvalidRequest, SecretInURI},
		{"two fields", []string{"Bearer abc", "Bearer abc"}, "", "/userinfo", InvalidRequest, AuthorizationHeader},
		{"Bearer and nothing", []string{"Bearer "}, "", "/userinfo", InvalidRequest, TokenMalformed},
		{"Bearer and padding alone", []string{"Bearer =="}, "", "/userinfo", InvalidRequest, TokenMalformed},
		{"Bearer and a comma", []string{"Bearer a,b"}, "", "/userinfo", InvalidRequest, TokenMalformed},
		{"Bearer, a tab and a token", []string{"Bearer\tabc"}, "", "/userinfo", NoToken, TokenMissing},
		{"two parameters, one of them empty", nil, "access_token=&access_token=abc", "/userinfo", InvalidRequest, ParameterRepeated},
		{"a form with a raw semicolon", nil, "access_token=abc;x=y", "/userinfo", InvalidRequest, FormMalformed},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, row.target, nil)
			r.Header["Authorization"], r.Header["Content-Type"] = row.fields, []string{form}
			claims, _, err := f.userInfo().Respond(r, row.body)
			if e := AsError(err); e == nil || e.Kind != row.kind || e.Reason != row.reason || claims != nil {
				t.Errorf("got %s, %v", claims, err)
			}
		})
	}
	t.Run("a token in a form may be as long as tokens with claims are", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, "/userinfo", nil)
		r.Header.Set("Content-Type", form)
		long := f.issued("web", func(r *storage.Record) {
			r.AccessTokenClaims = map[string]json.RawMessage{"x": json.RawMessage(`"` + strings.Repeat("x", 8<<10) + `"`)}
		})
		if _, _, err := f.userInfo().Respond(r, Body(url.Values{"access_token": {long}}.Encode())); err != nil {
			t.Error(err)
		}
	})
}

func TestIDTokenClaimsOfAClient(t *testing.T) {
	for _, row := range []struct {
		name  string
		names []string
		want  string
	}{
		{"REQ-135 all, where the client has no list", nil, "groups name"},
		{"REQ-135 none, where its list is empty", []string{}, ""},
		{"REQ-135 those that it lists, and that the scope releases", []string{"name", "email"}, "name"},
	} {
		t.Run(row.name+", are in its ID tokens; UserInfo has them all", func(t *testing.T) {
			f := newFixture(t)
			clients := testClients(t)
			clients[0].IDTokenClaims = row.names
			var err error
			if f.endpoint.Clients, err = NewClients(testIssuer, clients); err != nil {
				t.Fatal(err)
			}
			response := f.succeeds(f.valid("web", withClaims))
			var got []string
			for _, name := range []string{"email", "groups", "name"} {
				if claimsOf(t, response.IDToken)[name] != nil {
					got = append(got, name)
				}
			}
			if strings.Join(got, " ") != row.want {
				t.Errorf("got %v, want %q", got, row.want)
			}
			claims, _, err := f.userInfo().Respond(bearing(response.AccessToken), "")
			if err != nil || string(claims) != `{"sub":"alice","groups":["g"],"name":"Alice"}` {
				t.Errorf("UserInfo is %s, %v", claims, err)
			}
		})
	}
}

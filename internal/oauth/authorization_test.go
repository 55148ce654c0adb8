package oauth

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func validAuthorization(client string) *AuthorizationRequest {
	return &AuthorizationRequest{
		ClientID: client, RedirectURI: redirectOf(client), Subject: "alice", Scope: "openid email", Nonce: "n",
		CodeChallenge: testChallenge, CodeChallengeMethod: "S256",
	}
}

func TestAuthorizationRequestsThatAreRefused(t *testing.T) {
	claims := func(pairs ...string) map[string]json.RawMessage {
		m := map[string]json.RawMessage{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = json.RawMessage(pairs[i+1])
		}
		return m
	}
	f := newFixture(t)
	for _, row := range []struct {
		name, client string
		change       func(*AuthorizationRequest)
		kind         Kind
		param, hint  string
	}{
		{"no client", "web", func(q *AuthorizationRequest) { q.ClientID = "" }, InvalidRequest, "client_id", ""},
		{"an unknown client", "web", func(q *AuthorizationRequest) { q.ClientID = "nobody" }, InvalidRequest, "client_id", `it is "nobody"; registered are https://rp.example/x, listed, off`},
		{"REQ-081 a client that may not use codes", "off", nil, UnauthorizedClient, "", "grant_types"},
		{"a redirect URI that is not registered", "web", func(q *AuthorizationRequest) { q.RedirectURI += "/" }, InvalidRequest, "redirect_uri", "https://rp.example/other"},
		{"no redirect URI where several are registered", "web", func(q *AuthorizationRequest) { q.RedirectURI = "" }, InvalidRequest, "redirect_uri", "several"},
		{"a scope the client may not have", "web", func(q *AuthorizationRequest) { q.Scope = "openid admin" }, InvalidScope, "scope", `"admin"`},
		{"a scope with two spaces", "web", func(q *AuthorizationRequest) { q.Scope = "openid  email" }, InvalidScope, "scope", "one space"},
		{"a scope with a quote", "web", func(q *AuthorizationRequest) { q.Scope = `openid "` }, InvalidScope, "scope", "printable"},
		{"REQ-061 B08 a public client without a challenge", "spa", func(q *AuthorizationRequest) { q.CodeChallenge, q.CodeChallengeMethod = "", "" }, InvalidRequest, "code_challenge", "PKCE"},
		{"REQ-100 a client with require_pkce without a challenge", "strict", func(q *AuthorizationRequest) { q.CodeChallenge, q.CodeChallengeMethod = "", "" }, InvalidRequest, "code_challenge", "PKCE"},
		{"a method without a challenge", "web", func(q *AuthorizationRequest) { q.CodeChallenge = "" }, InvalidRequest, "code_challenge", ""},
		{"REQ-099 B03 plain", "web", func(q *AuthorizationRequest) { q.CodeChallengeMethod = "plain" }, InvalidRequest, "code_challenge_method", "S256"},
		{"REQ-099 B03 a challenge without a method", "web", func(q *AuthorizationRequest) { q.CodeChallengeMethod = "" }, InvalidRequest, "code_challenge_method", "S256"},
		{"a challenge of 42 characters", "web", func(q *AuthorizationRequest) { q.CodeChallenge = testChallenge[1:] }, InvalidRequest, "code_challenge", "43"},
		{"a challenge with padding", "web", func(q *AuthorizationRequest) { q.CodeChallenge += "=" }, InvalidRequest, "code_challenge", "43"},
		{"a challenge in the other alphabet", "web", func(q *AuthorizationRequest) { q.CodeChallenge = "+" + testChallenge[1:] }, InvalidRequest, "code_challenge", "43"},
		{"a challenge with a line break", "web", func(q *AuthorizationRequest) { q.CodeChallenge += "\n" }, InvalidRequest, "code_challenge", "43"},
		{"REQ-127 no subject", "web", func(q *AuthorizationRequest) { q.Subject = "" }, InvalidRequest, "subject", ""},
		{"REQ-127 a subject of 256 characters", "web", func(q *AuthorizationRequest) { q.Subject = strings.Repeat("a", 256) }, InvalidRequest, "subject", "255"},
		{"REQ-127 a subject that is not ASCII", "web", func(q *AuthorizationRequest) { q.Subject = "älice" }, InvalidRequest, "subject", "ASCII"},
		{"a nonce that is not UTF-8", "web", func(q *AuthorizationRequest) { q.Nonce = "\xff" }, InvalidRequest, "nonce", "UTF-8"},
		{"a nonce above 4 KiB", "web", func(q *AuthorizationRequest) { q.Nonce = strings.Repeat("a", maxNonceSize+1) }, InvalidRequest, "nonce", "4096"},
		{"an auth_time in the future", "web", func(q *AuthorizationRequest) { q.AuthTime = f.time.Add(61 * time.Second) }, InvalidRequest, "auth_time", "future"},
		{"an auth_time before 1970", "web", func(q *AuthorizationRequest) { q.AuthTime = time.Unix(-1, 0) }, InvalidRequest, "auth_time", "1970"},
		{"REQ-133 an empty amr member", "web", func(q *AuthorizationRequest) { q.AMR = []string{"pwd", ""} }, InvalidRequest, "amr", "not empty"},
		{"an acr that is not UTF-8", "web", func(q *AuthorizationRequest) { q.ACR = "\xff" }, InvalidRequest, "acr", "UTF-8"},
		{"a protocol claim", "web", func(q *AuthorizationRequest) { q.Claims = claims("aud", `"other"`) }, InvalidRequest, "claims", "aud"},
		{"a protocol claim of the access token", "web", func(q *AuthorizationRequest) { q.AccessTokenClaims = claims("client_id", `"x"`) }, InvalidRequest, "access_token_claims", "client_id"},
		{"a claim that is not JSON", "web", func(q *AuthorizationRequest) { q.Claims = claims("name", `{`) }, InvalidRequest, "claims", `"name"`},
		{"a claim whose value is not UTF-8", "web", func(q *AuthorizationRequest) { q.Claims = claims("name", "\"a\xffb\"") }, InvalidRequest, "claims", "UTF-8"},
		{"a claim of the access token whose value is not UTF-8", "web", func(q *AuthorizationRequest) { q.AccessTokenClaims = claims("team", "[\"\xc0\xaf\"]") }, InvalidRequest, "access_token_claims", `claim "team" is not UTF-8`},
		{"a claim without a value", "web", func(q *AuthorizationRequest) { q.Claims = claims("name", "") }, InvalidRequest, "claims", `"name"`},
		{"a claim without a name", "web", func(q *AuthorizationRequest) { q.Claims = claims("", "1") }, InvalidRequest, "claims", "names"},
		{"claims above 32 KiB together", "web", func(q *AuthorizationRequest) {
			q.Claims = claims("a", `"`+strings.Repeat("a", maxClaimsSize/2)+`"`)
			q.AccessTokenClaims = claims("b", `"`+strings.Repeat("a", maxClaimsSize/2)+`"`)
		}, InvalidRequest, "claims", "32 KiB"},
	} {
		t.Run(row.name, func(t *testing.T) {
			q := validAuthorization(row.client)
			if row.change != nil {
				row.change(q)
			}
			_, err := f.endpoint.Clients.Record(testIssuer, q, f.time, time.Minute)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("answered %v", err)
			}
			if e.Kind != row.kind || e.Param != row.param || !strings.Contains(e.Hint, row.hint) {
				t.Errorf("kind %d about %q with hint %q", e.Kind, e.Param, e.Hint)
			}
			if strings.Contains(e.Error(), testChallenge[1:]) {
				t.Error("the error shows the challenge")
			}
		})
	}
}

func TestRecord(t *testing.T) {
	t.Run("REQ-092 it says what was asked for and whether the redirect URI was sent", func(t *testing.T) {
		f := newFixture(t)
		q := validAuthorization("spa")
		q.Scope = "email openid email"
		q.AuthTime, q.ACR, q.AMR = f.time.Add(-time.Minute), "a", []string{"pwd"}
		q.Claims = map[string]json.RawMessage{"name": json.RawMessage(`"A"`)}
		r, err := f.endpoint.Clients.Record(testIssuer, q, f.time, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		q.AMR[0], q.Claims["name"] = "x", json.RawMessage("1")
		if r.Issuer != testIssuer || r.ClientID != "spa" || r.Subject != "alice" || r.RedirectURI != redirectOf("spa") || !r.RedirectURISent ||
			!slices.Equal(r.Scope, []string{"email", "openid"}) || r.Nonce != "n" || r.CodeChallenge != testChallenge || r.CodeChallengeMethod != "S256" ||
			!r.AuthTime.Equal(f.time.Add(-time.Minute)) || r.ACR != "a" || !slices.Equal(r.AMR, []string{"pwd"}) || string(r.Claims["name"]) != `"A"` ||
			!r.IssuedAt.Equal(f.time) || !r.ExpiresAt.Equal(f.time.Add(30*time.Second)) {
			t.Errorf("the record says %+v", r)
		}
	})
	t.Run("REQ-092 the only redirect URI and openid are the defaults", func(t *testing.T) {
		f := newFixture(t)
		client := testClients(t)[0]
		client.RedirectURIs = client.RedirectURIs[:1]
		f.register(client)
		r, err := f.endpoint.Clients.Record(testIssuer, &AuthorizationRequest{ClientID: "web", Subject: "alice"}, f.time, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if r.RedirectURI != redirectOf("web") || r.RedirectURISent || !slices.Equal(r.Scope, []string{"openid"}) || !r.AuthTime.IsZero() {
			t.Errorf("the record says %+v", r)
		}
	})
	t.Run("what it makes is redeemed", func(t *testing.T) {
		f := newFixture(t)
		r, err := f.endpoint.Clients.Record(testIssuer, validAuthorization("spa"), f.time, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		code, err := f.codes.Store(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if response := f.succeeds(f.redeeming("spa", code)); response.Scope != "openid email" {
			t.Errorf("granted %q", response.Scope)
		}
	})
}

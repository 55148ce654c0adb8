package oauth

import (
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

func TestS256(t *testing.T) {
	t.Run("REQ-098 S256 matches the RFC 7636 vector", func(t *testing.T) {
		if !matchesS256(testChallenge, testVerifier) {
			t.Error("it does not")
		}
		for _, challenge := range []string{"", testChallenge + "=", strings.ToLower(testChallenge), testVerifier, testChallenge[1:]} {
			if matchesS256(challenge, testVerifier) {
				t.Errorf("it also matches %q", challenge)
			}
		}
	})
}

func TestPKCE(t *testing.T) {
	method := func(challenge, method string) func(*storage.Record) {
		return func(r *storage.Record) { r.CodeChallenge, r.CodeChallengeMethod = challenge, method }
	}
	failed := func(detail Reason) want { return invalidGrant(PKCEFailed, detail) }
	withoutVerifier := func(q *tokenRequest) { q.form.Del("code_verifier") }
	last := testVerifier[:42] + "l"
	run(t, []row{
		{name: "REQ-094 B01 a verifier that is left out is invalid_grant", change: del("code_verifier"), want: failed(VerifierMissing)},
		{name: "REQ-094 B01 a verifier without a value is left out", change: set("code_verifier", ""), want: failed(VerifierMissing)},
		{name: "REQ-094 B01 a public client must send its verifier", client: "spa", change: del("code_verifier"), want: failed(VerifierMissing)},
		{name: "REQ-095 another verifier is invalid_grant", change: set("code_verifier", strings.Repeat("a", 43)), want: failed(VerifierMismatch)},
		{name: "REQ-095 B09 a verifier that differs in its last character is another", change: set("code_verifier", last), want: failed(VerifierMismatch)},
		{name: "REQ-098 a verifier in another case is another", change: set("code_verifier", strings.ToUpper(testVerifier)), want: failed(VerifierMismatch)},
		{name: "B04 the challenge is not its verifier", change: set("code_verifier", testChallenge), want: failed(VerifierMismatch)},
		{name: "REQ-096 B02 a verifier without a challenge is refused", mint: noChallenge, both: withoutVerifier,
			change: set("code_verifier", testVerifier), want: failed(VerifierUnexpected)},
		{name: "REQ-100 a confidential client may do without PKCE by default", mint: noChallenge, both: withoutVerifier},
		{name: "REQ-097 B05 42 characters are malformed", change: set("code_verifier", testVerifier[:42]), want: invalidRequest(ParameterMalformed)},
		{name: "REQ-097 B05 129 characters are malformed", change: set("code_verifier", strings.Repeat("a", 129)), want: invalidRequest(ParameterMalformed)},
		{name: "REQ-097 B05 128 characters are well-formed", change: set("code_verifier", strings.Repeat("a", 128)), want: failed(VerifierMismatch)},
		{name: "REQ-097 every unreserved character is well-formed", change: set("code_verifier", "-._~"+testVerifier), want: failed(VerifierMismatch)},
		{name: "REQ-097 a plus sign is malformed", change: set("code_verifier", "+"+testVerifier), want: invalidRequest(ParameterMalformed)},
		{name: "REQ-097 padding is malformed", change: set("code_verifier", testVerifier+"="), want: invalidRequest(ParameterMalformed)},
		{name: "REQ-097 an umlaut is malformed", change: set("code_verifier", "é"+testVerifier), want: invalidRequest(ParameterMalformed)},
	})
	// These codes are good for nobody.
	for _, row := range []struct {
		name, client string
		mint         func(*storage.Record)
		verifier     string
		want         want
	}{
		{"REQ-099 B03 a challenge without a method is not plain", "web", method(testVerifier, ""), testVerifier, failed(ChallengeMethod)},
		{"REQ-099 B03 plain is off", "web", method(testVerifier, "plain"), testVerifier, failed(ChallengeMethod)},
		{"REQ-099 an unknown method fails closed", "web", method(testChallenge, "S512"), testVerifier, failed(ChallengeMethod)},
		{"REQ-099 a method in another case is unknown", "web", method(testChallenge, "s256"), testVerifier, failed(ChallengeMethod)},
		{"REQ-098 a padded challenge never matches", "web", method(testChallenge+"=", "S256"), testVerifier, failed(VerifierMismatch)},
		{"REQ-061 B08 a public client's code needs a challenge", "spa", noChallenge, "", failed(ChallengeMissing)},
		{"REQ-061 B08 a verifier does not stand in for it", "spa", noChallenge, testVerifier, failed(ChallengeMissing)},
		{"REQ-100 require_pkce holds for a confidential client", "strict", noChallenge, "", failed(ChallengeMissing)},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			q := f.valid(row.client, row.mint)
			q.form.Set("code_verifier", row.verifier)
			if e := f.fails(q, row.want); !e.Security {
				t.Error("it is no security event")
			}
		})
	}
	t.Run("REQ-100 require_pkce is met by a challenge", func(t *testing.T) {
		f := newFixture(t)
		if r := f.succeeds(f.valid("strict")); r.AccessToken == "" {
			t.Error("there is no access token")
		}
	})
}

package oauth

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

func basicAuth(id, secret string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) { q.basic(id, secret) }
}

func rawBasicAuth(pair string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) { q.rawBasic(pair) }
}

func authorization(values ...string) func(*tokenRequest, *fixture) {
	return header("Authorization", values...)
}

// only presents nothing but these form parameters.
func only(pairs ...string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) {
		q.header.Del("Authorization")
		q.form.Del("client_id")
		q.form.Del("client_secret")
		for i := 0; i < len(pairs); i += 2 {
			q.form.Set(pairs[i], pairs[i+1])
		}
	}
}

// instead presents Basic credentials and nothing else.
func instead(id, secret string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, f *fixture) {
		only()(q, f)
		q.basic(id, secret)
	}
}

func TestAuthentication(t *testing.T) {
	malformed, wrong := invalidClient(CredentialsMalformed), invalidClient(SecretMismatch)
	ok := secretOf("web")
	run(t, []row{
		{name: "REQ-034 REQ-035 C01 B07 a confidential client that only says its name is refused, PKCE or not",
			change: only("client_id", "web"), want: invalidClient(MethodMismatch)},
		{name: "REQ-034 C01 a client_secret without a value is none", change: only("client_id", "web", "client_secret", ""), want: invalidClient(MethodMismatch)},
		{name: "REQ-034 no credentials at all are refused", change: only(), want: invalidClient(CredentialsMissing)},
		{name: "REQ-043 Bearer is not a way to authenticate", change: authorization("Bearer x"), want: malformed},
		{name: "REQ-043 Digest is not a way to authenticate", change: authorization(`Digest username="web"`), want: malformed},
		{name: "REQ-043 an empty Authorization field is no credentials", change: authorization(""), want: malformed},
		{name: "REQ-043 a public client with another scheme is refused", client: "spa", change: authorization("Bearer x"), want: malformed},
		{name: "an unknown client is refused", change: basicAuth("nobody", ok), want: invalidClient(ClientUnknown)},
		{name: "an unknown public client is refused", change: only("client_id", "nobody"), want: invalidClient(ClientUnknown)},
		{name: "a client id is compared with case", change: basicAuth("WEB", ok), want: invalidClient(ClientUnknown)},
		{name: "REQ-048 a client_id with an umlaut is nobody's", client: "post", change: set("client_id", "wéb"), want: malformed},
		{name: "REQ-048 a full-width client_id is not folded", client: "post", change: set("client_id", "ｐost"), want: malformed},
		{name: "REQ-048 a client_id with NUL is nobody's, not malformed", client: "post", change: set("client_id", "post\x00"), want: malformed},
		{name: "REQ-048 DEL in a client_id is nobody's", client: "post", change: set("client_id", "post\x7f"), want: malformed},
		{name: "REQ-048 a client_id above the length cap is nobody's", client: "post", change: set("client_id", strings.Repeat("a", maxClientIDSize+1)), want: malformed},
		{name: "REQ-048 a secret above the length cap is nobody's", client: "post", change: set("client_secret", strings.Repeat("a", maxSecretSize+1)), want: malformed},
		{name: "REQ-049 a wrong secret is refused", change: basicAuth("web", "wrong"), want: wrong},
		{name: "REQ-049 a secret with NUL appended is another", change: basicAuth("web", ok+"\x00"), want: malformed},
		{name: "REQ-049 a secret with a space in front is another", change: basicAuth("web", " "+ok), want: wrong},
		{name: "REQ-049 a prefix of the secret is another", change: basicAuth("web", ok[:len(ok)-1]), want: wrong},
		{name: "REQ-049 the secret with a suffix is another", change: basicAuth("web", ok+"x"), want: wrong},
		{name: "REQ-049 the secret in another case is another", change: basicAuth("web", strings.ToUpper(ok)), want: wrong},
		{name: "REQ-049 another client's secret is wrong", change: basicAuth("web", secretOf("web2")), want: wrong},
		{name: "REQ-058 a secret without client_id is refused", change: only("client_secret", ok), want: malformed},
		{name: "REQ-059 a public client must say its name", client: "spa", change: del("client_id"), want: invalidClient(CredentialsMissing)},
		{name: "REQ-060 a public client with a secret is refused", client: "spa", change: set("client_secret", "x"), want: invalidClient(MethodMismatch)},
		{name: "REQ-060 a public client with Basic is refused", client: "spa", change: basicAuth("spa", "x"), want: invalidClient(MethodMismatch)},
		{name: "REQ-060 a public client with an assertion is refused", client: "spa", change: set("client_assertion", "x"), want: malformed},
		{name: "REQ-060 a public client with an assertion type is refused", client: "spa",
			change: set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), want: malformed},
	})
}

func TestBasicCredentials(t *testing.T) {
	malformed, wrong := invalidClient(CredentialsMalformed), invalidClient(SecretMismatch)
	token := base64.StdEncoding.EncodeToString([]byte("web:" + secretOf("web")))
	run(t, []row{
		{name: "REQ-052 the scheme is compared without case", change: authorization("bAsIc " + token)},
		{name: "REQ-052 more than one space may follow the scheme", change: authorization("BASIC   " + token)},
		{name: "REQ-052 the scheme alone is no credentials", change: authorization("Basic"), want: malformed},
		{name: "REQ-053 what is not base64 is refused", change: authorization("Basic !!!"), want: malformed},
		{name: "REQ-053 an embedded blank is refused", change: authorization("Basic " + token[:8] + " " + token[8:]), want: malformed},
		{name: "REQ-053 an embedded line break is refused", change: authorization("Basic " + token[:8] + "\r\n" + token[8:]), want: malformed},
		// The last character of "web:" encodes four bits that belong to no octet.
		{name: "REQ-053 non-zero trailing bits are refused", change: authorization("Basic d2ViOnh=="), want: malformed},
		{name: "REQ-053 non-zero trailing bits of right credentials are refused", change: func(q *tokenRequest, f *fixture) {
			if !strings.HasSuffix(token, "==") {
				f.t.Fatal("the credentials have no trailing bits to set")
			}
			q.header.Set("Authorization", "Basic "+trailingBit(token))
		}, want: malformed},
		{name: "REQ-053 missing padding is refused", change: authorization("Basic " + strings.TrimRight(token, "=")), want: malformed},
		{name: "REQ-054 credentials without a colon are refused", change: rawBasicAuth("web"), want: malformed},
		{name: "REQ-054 REQ-055 C05 id and secret are encoded", client: oddID,
			change: authorization("Basic aHR0cHMlM0ElMkYlMkZycC5leGFtcGxlJTJGeDphJTJCYiUyNWMlM0FkKyUyNiUzRA==")},
		{name: "REQ-054 an id with a colon that is sent as it is is refused", client: oddID,
			change: rawBasicAuth(oddID + ":" + oddSecret), want: malformed},
		{name: "REQ-056 a secret that does not decode is refused", change: rawBasicAuth("web:a%zz"), want: malformed},
		{name: "REQ-056 C05 a secret that is sent as it is is not tried raw", client: oddID,
			change: rawBasicAuth("https%3A%2F%2Frp.example%2Fx:a+b%25c:d &="), want: wrong},
		{name: "REQ-056 a secret whose octets are not UTF-8 is refused", change: rawBasicAuth("web:%ff"), want: malformed},
		{name: "REQ-057 an empty secret is refused", change: rawBasicAuth("web:"), want: malformed},
		{name: "REQ-057 an empty id is refused", change: rawBasicAuth(":x"), want: malformed},
		{name: "REQ-057 a public client with an empty secret is refused", client: "spa", change: rawBasicAuth("spa:"), want: malformed},
	})
}

// trailingBit sets a bit of the last character before the padding that belongs
// to no octet: lenient decoders do not see it.
func trailingBit(padded string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	end := strings.IndexByte(padded, '=') - 1
	return padded[:end] + string(alphabet[strings.IndexByte(alphabet, padded[end])|1]) + padded[end+1:]
}

func TestSeveralMechanisms(t *testing.T) {
	refused := invalidRequest(SeveralMechanisms)
	run(t, []row{
		{name: "REQ-039 C03 Basic and a secret in the form are refused, both right", change: set("client_secret", secretOf("web")), want: refused},
		{name: "REQ-039 C03 Basic and an assertion are refused", change: set("client_assertion", "x"), want: refused},
		{name: "REQ-039 a secret and an assertion are refused", client: "post", change: set("client_assertion", "x"), want: refused},
		{name: "REQ-039 another scheme and a secret are refused", client: "post", change: authorization("Bearer x"), want: refused},
		{name: "REQ-039 an empty Authorization field is a mechanism", client: "post", change: authorization(""), want: refused},
		{name: "REQ-039 an unknown client gets the same answer", want: refused, change: func(q *tokenRequest, _ *fixture) {
			q.basic("nobody", "x")
			q.form.Set("client_secret", "x")
		}},
		{name: "REQ-040 the same client_id beside Basic is accepted", change: set("client_id", "web")},
		{name: "REQ-040 the same client_id beside encoded Basic is accepted", client: oddID, change: set("client_id", oddID)},
		{name: "REQ-041 C06 another client_id beside Basic is refused", change: set("client_id", "web2"), want: invalidRequest(ClientIDConflict)},
		{name: "REQ-041 C06 another client_id is refused whatever the secret", want: invalidRequest(ClientIDConflict),
			change: func(q *tokenRequest, _ *fixture) {
				q.basic("web", "wrong")
				q.form.Set("client_id", "web2")
			}},
		{name: "REQ-042 two Authorization fields are refused", want: invalidRequest(AuthorizationHeader),
			change: func(q *tokenRequest, _ *fixture) {
				q.header["Authorization"] = append(q.header["Authorization"], q.header["Authorization"]...)
			}},
		{name: "a client_assertion_type without an assertion is no mechanism beside Basic", change: set("client_assertion_type", "x")},
	})
}

// C02: a right secret opens only the door it is registered for.
func TestMethodMatrix(t *testing.T) {
	present := map[string]func(q *tokenRequest, client string){
		"client_secret_basic": func(q *tokenRequest, client string) { q.basic(client, secretOf(client)) },
		"client_secret_post": func(q *tokenRequest, client string) {
			q.form.Set("client_id", client)
			q.form.Set("client_secret", secretOf(client))
		},
		"none": func(q *tokenRequest, client string) { q.form.Set("client_id", client) },
		"assertion": func(q *tokenRequest, client string) {
			q.form.Set("client_id", client)
			q.form.Set("client_assertion", "x")
		},
		"bearer":  func(q *tokenRequest, client string) { q.header.Set("Authorization", "Bearer "+secretOf(client)) },
		"nothing": func(*tokenRequest, string) {},
	}
	registered := map[string]string{"web": "client_secret_basic", "post": "client_secret_post", "spa": "none"}
	passed := 0
	for client, method := range registered {
		for presented, apply := range present {
			t.Run("REQ-036 REQ-038 C02 "+client+" presents "+presented, func(t *testing.T) {
				f := newFixture(t)
				q := f.valid(client)
				only()(q, f)
				apply(q, client)
				_, attempt, err := f.respond(q)
				if presented == method {
					if err != nil || !attempt.Authenticated || attempt.AuthMethod != method {
						t.Fatalf("the registered method failed: %v", err)
					}
					passed++
					return
				}
				if err == nil || err.Kind != InvalidClient || attempt.Authenticated {
					t.Fatalf("answered %v, want invalid_client", err)
				}
				f.succeeds(f.redeeming(client, q.form.Get("code")))
			})
		}
	}
	if passed != len(registered) {
		t.Errorf("%d pairs passed, want %d", passed, len(registered))
	}
}

// REQ-045: what the client sees is the same, whatever is wrong.
func TestFailedAuthenticationIsUniform(t *testing.T) {
	t.Run("REQ-044 REQ-045 every failed authentication has the same answer", func(t *testing.T) {
		answers := map[string]bool{}
		for _, change := range []func(*tokenRequest, *fixture){
			basicAuth("nobody", "x"), basicAuth("web", "x"), basicAuth("post", secretOf("post")),
			basicAuth("spa", "x"), only("client_id", "web"), only(), authorization("Bearer x"),
			rawBasicAuth("web:%zz"), only("client_id", "w\x00"), only("client_id", "web", "client_secret", "x"),
		} {
			f := newFixture(t)
			q := f.valid("web")
			change(q, f)
			_, _, err := f.respond(q)
			if err == nil || err.Status() != http.StatusUnauthorized || err.RetryAfter != 0 || err.Param != "" {
				t.Fatalf("answered %v, want a plain 401", err)
			}
			answers[err.Code()+err.Description()] = true
		}
		if len(answers) != 1 {
			t.Errorf("there are %d different answers: %v", len(answers), answers)
		}
	})
}

func TestSeveralSecrets(t *testing.T) {
	t.Run("REQ-050 C15 two secrets are valid at once, and a removed one is not", func(t *testing.T) {
		old, current := "old-secret-0123456789abcdef", "new-secret-0123456789abcdef"
		for _, row := range []struct {
			secrets []string
			secret  string
			passes  bool
		}{
			{[]string{old, current}, old, true},
			{[]string{old, current}, current, true},
			{[]string{current}, old, false},
			{[]string{current}, current, true},
		} {
			f := newFixture(t)
			client := testClients(t)[0]
			client.Secrets = nil
			for _, secret := range row.secrets {
				client.Secrets = append(client.Secrets, hashed(t, secret))
			}
			f.register(client)
			q := f.valid("web")
			q.basic("web", row.secret)
			if _, _, err := f.respond(q); (err == nil) != row.passes {
				t.Errorf("with %d secrets registered: %v", len(row.secrets), err)
			}
		}
	})
}

// register replaces the fixture's clients.
func (f *fixture) register(clients ...*Client) {
	f.t.Helper()
	set, err := NewClients(testIssuer, clients)
	if err != nil {
		f.t.Fatal(err)
	}
	f.endpoint.Clients = set
}

func TestPrecedence(t *testing.T) {
	wrong := func(q *tokenRequest) { q.basic("web", "wrong") }
	secretMismatch := invalidClient(SecretMismatch)
	run(t, []row{
		{name: "REQ-170 a repeated code is said before a wrong secret", want: invalidRequest(ParameterRepeated),
			change: func(q *tokenRequest, _ *fixture) { wrong(q); q.form.Add("code", "x") }},
		{name: "REQ-170 an absent grant_type is said before a wrong secret", want: invalidRequest(ParameterMissing),
			change: func(q *tokenRequest, _ *fixture) { wrong(q); q.form.Del("grant_type") }},
		{name: "REQ-171 a wrong secret is said before an unsupported grant", want: secretMismatch,
			change: func(q *tokenRequest, _ *fixture) { wrong(q); q.form.Set("grant_type", "foo") }},
		{name: "REQ-171 a wrong secret is said before an absent code", want: secretMismatch,
			change: func(q *tokenRequest, _ *fixture) { wrong(q); q.form.Del("code") }},
		{name: "REQ-171 a wrong secret is said before a wrong code", want: secretMismatch,
			change: func(q *tokenRequest, _ *fixture) { wrong(q); q.form.Set("code", "nope") }},
		{name: "REQ-171 a wrong secret is said before a malformed verifier", want: secretMismatch,
			change: func(q *tokenRequest, _ *fixture) { wrong(q); q.form.Set("code_verifier", "short") }},
		{name: "REQ-172 an unsupported grant is said before an absent code", want: want{400, "unsupported_grant_type", GrantTypeUnknown, ""},
			change: func(q *tokenRequest, _ *fixture) { q.form.Set("grant_type", "foo"); q.form.Del("code") }},
		{name: "REQ-172 an absent code is said before a wrong redirect_uri", want: invalidRequest(ParameterMissing),
			change: func(q *tokenRequest, _ *fixture) { q.form.Set("redirect_uri", "x"); q.form.Del("code") }},
		{name: "REQ-172 a malformed verifier is said before an unknown code", want: invalidRequest(ParameterMalformed),
			change: func(q *tokenRequest, _ *fixture) {
				q.form.Set("code", "nope")
				q.form.Set("code_verifier", "short")
			}},
	})
	t.Run("REQ-081 REQ-172 A34 a grant the client may not use is said before an absent code", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("off")
		q.form.Del("code")
		f.fails(q, want{400, "unauthorized_client", GrantTypeNotAllowed, ""})
	})
}

// The operator's text says what to change. It is worth as much as it is right.
func TestHints(t *testing.T) {
	for _, row := range []struct {
		name, client string
		change       func(*tokenRequest, *fixture)
		want         string
	}{
		{"a secret that is not form-encoded", oddID, rawBasicAuth("https%3A%2F%2Frp.example%2Fx:" + oddSecret), "it matches when it is not form-decoded"},
		{"a secret with white space around it", "web", basicAuth("web", " "+secretOf("web")+" "), "without the white space"},
		{"a secret in a form with a line break at its end", "post", set("client_secret", secretOf("post")+"\n"), "without the white space"},
		{"the other method with the right secret", "post", instead("post", secretOf("post")), "(the secret is right); write token_endpoint_auth_method client_secret_basic"},
		{"the other method with a wrong secret", "post", instead("post", "wrong"), "is registered for client_secret_post; write token_endpoint_auth_method"},
		{"a public client with a secret", "spa", set("client_secret", "x"), "remove the secret from the client's configuration"},
		{"a confidential client without a secret", "web", only("client_id", "web"), "configure the secret in the client"},
		{"a client_id in another case", "web", basicAuth("Web ", "x"), "it differs from web in case"},
		{"a client that is not there", "web", basicAuth("nobody", "x"), "no client has the presented client_id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			q := f.valid(row.client)
			row.change(q, f)
			_, _, err := f.respond(q)
			if err == nil || err.Kind != InvalidClient || !err.Security {
				t.Fatalf("answered %v, want invalid_client as a security event", err)
			}
			if !strings.Contains(err.Hint, row.want) {
				t.Errorf("the hint is %q, want %q in it", err.Hint, row.want)
			}
			if strings.Contains(err.Hint, "nobody") || strings.Contains(err.Hint, "secret-of-") || strings.Contains(err.Hint, oddSecret) {
				t.Errorf("the hint %q shows what a stranger sent", err.Hint)
			}
		})
	}
	t.Run("a secret that is only wrong has no other reading", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		q.basic("web", "wrong+%")
		if e := f.fails(q, invalidClient(SecretMismatch)); e.Hint != "the client secret is wrong" {
			t.Errorf("the hint is %q", e.Hint)
		}
	})
}

func TestAttemptOfARefusedClient(t *testing.T) {
	t.Run("REQ-240 only a registered client is named", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		q.basic("nobody", "x")
		if _, a, _ := f.respond(q); a.ClientID != "" || a.AuthMethod != "client_secret_basic" || a.Authenticated {
			t.Errorf("the attempt says %+v", a)
		}
		q.basic("web", "x")
		if _, a, _ := f.respond(q); a.ClientID != "web" || a.Authenticated || a.CodeRef != storage.Ref(q.form.Get("code")) {
			t.Errorf("the attempt says %+v", a)
		}
	})
}

package token

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// encodingJSON is what encoding/json makes of v without escapes for HTML.
func encodingJSON(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestObject(t *testing.T) {
	t.Run("members are written in their order, those without value only where they must be", func(t *testing.T) {
		o := newObject(0)
		o.string("a", "")
		o.optional("b", "")
		o.optional("c", "x")
		o.number("d", -7)
		o.strings("e", []string{"x", `y"`})
		o.strings("f", nil)
		o.optionalStrings("g", nil)
		if got, want := string(o.end()), `{"a":"","c":"x","d":-7,"e":["x","y\""],"f":[]}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a claim under another's name is a member like others", func(t *testing.T) {
		o := newObject(0)
		for _, name := range []string{"first", `"`} {
			if err := o.claim(name, json.RawMessage(` [ 1 ] `)); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := string(o.end()), `{"first":[1],"\"":[1]}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("one without members is empty", func(t *testing.T) {
		if got := string(newObject(8).end()); got != "{}" {
			t.Errorf("got %s", got)
		}
	})
}

// FuzzString: a string that would end its own quotes could bring members of
// its own into a token.
func FuzzString(f *testing.F) {
	for _, s := range []string{
		"", "alice", `"`, `\`, "a\x00b", "\x1f", "\x7f", "\x80", "é", "\u2028", "\xff\xfe", "<&>", "\r\n\t", `","sub":"root`, "\U0001F600", strings.Repeat("a", 600),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendString(nil, s)), encodingJSON(t, s); got != want {
			t.Errorf("got %s, encoding/json writes %s", got, want)
		}
	})
}

// What a token's claims were when encoding/json wrote them, member by member.
func TestClaimsAreThoseOfEncodingJSON(t *testing.T) {
	type idToken struct {
		Issuer    string   `json:"iss"`
		Subject   string   `json:"sub"`
		Audience  string   `json:"aud"`
		ExpiresAt int64    `json:"exp"`
		IssuedAt  int64    `json:"iat"`
		AuthTime  int64    `json:"auth_time,omitempty"`
		Nonce     string   `json:"nonce,omitempty"`
		ACR       string   `json:"acr,omitempty"`
		AMR       []string `json:"amr,omitempty"`
		AtHash    string   `json:"at_hash"`
	}
	type accessToken struct {
		Issuer    string   `json:"iss"`
		ExpiresAt int64    `json:"exp"`
		Audience  any      `json:"aud"`
		Subject   string   `json:"sub"`
		ClientID  string   `json:"client_id"`
		IssuedAt  int64    `json:"iat"`
		TokenID   string   `json:"jti"`
		Scope     string   `json:"scope,omitempty"`
		AuthTime  int64    `json:"auth_time,omitempty"`
		ACR       string   `json:"acr,omitempty"`
		AMR       []string `json:"amr,omitempty"`
	}
	for _, text := range []string{"", "plain", `quoted "\`, "ünï<&>", "line\nline"} {
		for _, audience := range [][]string{{"one " + text}, {"one", text + "two"}} {
			t.Run("with "+text, func(t *testing.T) {
				i := newTestIssuer(t, ES256)
				a := authorization(func(a *Authorization) {
					a.ClientID, a.Subject, a.Nonce, a.ACR, a.TokenID = "c"+text, "s"+text, text, text, "j"+text
					a.Audience, a.AMR = audience, []string{text, "otp"}
					if text == "" {
						a.AMR = nil
					}
				})
				response := mustIssue(t, i, a)
				now := i.Now().Unix()
				var authTime int64
				if !a.AuthTime.IsZero() {
					authTime = a.AuthTime.Unix()
				}
				wantID := encodingJSON(t, idToken{i.Issuer, a.Subject, a.ClientID, now + seconds(i.IDTokenLifetime), now, authTime, a.Nonce, a.ACR, a.AMR, atHash(ES256, response.AccessToken)})
				wantAccess := accessToken{i.Issuer, now + seconds(i.AccessTokenLifetime), a.Audience, a.Subject, a.ClientID, now, a.TokenID, scopeValue(a.Scope), authTime, a.ACR, a.AMR}
				if len(a.Audience) == 1 {
					wantAccess.Audience = a.Audience[0]
				}
				for _, row := range []struct{ name, jws, want string }{
					{"ID token", response.IDToken, wantID},
					{"access token", response.AccessToken, encodingJSON(t, wantAccess)},
				} {
					if got := part(t, row.jws, 1); got != row.want {
						t.Errorf("the %s has %s, want %s", row.name, got, row.want)
					}
				}
			})
		}
	}
}

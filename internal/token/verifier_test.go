package token

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// publishedKeys is a VerificationKeys with these keys, or that fails.
type publishedKeys struct {
	keys []*Key
	err  error
}

func (p publishedKeys) VerificationKey(_ context.Context, kid string) (*PublicKey, error) {
	if p.err != nil {
		return nil, p.err
	}
	for _, key := range p.keys {
		if key.ID == kid {
			return key.Public(), nil
		}
	}
	return nil, ErrUnknownKey
}

// verifierOf verifies what i signs, at the time of i.
func verifierOf(i *Issuer) *Verifier {
	return &Verifier{Issuer: i.Issuer, Keys: publishedKeys{keys: slices.Collect(maps.Values(i.Keys.(heldKeys)))}, Now: i.Now}
}

// forIssuer is an authorization whose access token is for the issuer itself.
func forIssuer(a *Authorization) {
	a.Audience, a.GrantRef = []string{testIssuer}, "a-grant-reference"
}

func TestAccessTokenVerifies(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run("REQ-140 one signed with "+string(alg), func(t *testing.T) {
			i := newTestIssuer(t, alg)
			response := mustIssue(t, i, authorization(func(a *Authorization) { forIssuer(a); a.IDTokenAlgorithm = alg }))
			got, err := verifierOf(i).AccessToken(t.Context(), response.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			if got.ClientID != "web" || got.Subject != "alice" || got.TokenID != "token-1" || got.GrantRef != "a-grant-reference" ||
				!slices.Equal(got.Scope, []string{"openid", "profile"}) {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("one that is for other resource servers, too", func(t *testing.T) {
		i := newTestIssuer(t, ES256)
		response := mustIssue(t, i, authorization(func(a *Authorization) { a.Audience = []string{"https://api.example.com", testIssuer} }))
		if _, err := verifierOf(i).AccessToken(t.Context(), response.AccessToken); err != nil {
			t.Error(err)
		}
	})
}

// forgery is a token made of a header and claims, and how it is signed.
type forgery struct {
	header map[string]any
	claims map[string]any
	sign   func(signed string) []byte
}

func (f *forgery) String() string {
	header, _ := json.Marshal(f.header)
	claims, _ := json.Marshal(f.claims)
	signed := base64url(header) + "." + base64url(claims)
	return signed + "." + base64url(f.sign(signed))
}

// signedWith signs as the issuer does.
func signedWith(t *testing.T, key *Key) func(string) []byte {
	return func(signed string) []byte {
		sig, err := key.Algorithm.sign(key.Signer, []byte(signed))
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
}

func hs256(secret []byte) func(string) []byte {
	return func(signed string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
}

// TestForgedAccessTokens changes one thing about a token that is valid.
func TestForgedAccessTokens(t *testing.T) {
	key, other, foreign := newTestKey(t, RS256), newTestKey(t, ES256), newTestKey(t, ES256)
	now := time.Unix(1_700_000_000, 0)
	v := &Verifier{Issuer: testIssuer, Keys: publishedKeys{keys: []*Key{key, other}}, Now: func() time.Time { return now }}
	valid := func() *forgery {
		return &forgery{
			header: map[string]any{"alg": "RS256", "kid": key.ID, "typ": "at+jwt"},
			claims: map[string]any{"iss": testIssuer, "aud": testIssuer, "sub": "alice", "client_id": "web", "jti": "1",
				"iat": now.Unix(), "exp": now.Unix() + 600, "scope": "openid", "grant_ref": "g"},
			sign: signedWith(t, key),
		}
	}
	der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	foreignJWK := json.RawMessage(foreign.JWK())
	rows := []struct {
		name   string
		change func(f *forgery)
		want   error // nil: it verifies
	}{
		{"as it is", func(*forgery) {}, nil},
		{"D08 alg none, unsigned", func(f *forgery) { f.header["alg"] = "none"; f.sign = func(string) []byte { return nil } }, ErrInvalid},
		{"D08 alg None, signed", func(f *forgery) { f.header["alg"] = "None" }, ErrInvalid},
		{"D08 no alg", func(f *forgery) { delete(f.header, "alg") }, ErrInvalid},
		{"D08 alg empty, unsigned", func(f *forgery) { f.header["alg"] = ""; f.sign = func(string) []byte { return nil } }, ErrInvalid},
		{"D09 HS256 with the public key in PEM", func(f *forgery) { f.header["alg"] = "HS256"; f.sign = hs256(public) }, ErrInvalid},
		{"D09 HS256 with the public key in DER", func(f *forgery) { f.header["alg"] = "HS256"; f.sign = hs256(der) }, ErrInvalid},
		{"D09 HS256 with the modulus", func(f *forgery) {
			f.header["alg"], f.sign = "HS256", hs256(rsaKey().PublicKey.N.Bytes())
		}, ErrInvalid},
		{"D09 another algorithm than its key's, signed so with that key", func(f *forgery) {
			f.header["alg"] = "PS256"
			f.sign = signedWith(t, &Key{ID: key.ID, Algorithm: PS256, Signer: key.Signer})
		}, ErrInvalid},
		{"D09 the kid of another of our keys", func(f *forgery) { f.header["kid"] = other.ID }, ErrInvalid},
		{"D10 a key of its own in jwk is not looked at", func(f *forgery) { f.header["jwk"] = foreignJWK }, nil},
		{"D10 a key of its own in jwk does not verify", func(f *forgery) {
			f.header["jwk"], f.header["alg"], f.sign = foreignJWK, "ES256", signedWith(t, foreign)
		}, ErrInvalid},
		{"D10 jku, x5u and x5c lead nowhere", func(f *forgery) {
			f.header["jku"], f.header["x5u"], f.header["x5c"] = "http://127.0.0.1:1/jwks", "http://127.0.0.1:1/x5u", []string{"MIIB"}
			f.header["alg"], f.header["kid"], f.sign = "ES256", foreign.ID, signedWith(t, foreign)
		}, ErrInvalid},
		{"D11 a kid that nobody published", func(f *forgery) {
			f.header["alg"], f.header["kid"], f.sign = "ES256", foreign.ID, signedWith(t, foreign)
		}, ErrInvalid},
		{"D11 no kid", func(f *forgery) { delete(f.header, "kid") }, ErrInvalid},
		{"D11 a kid that is a path", func(f *forgery) { f.header["kid"] = "../../" + key.ID }, ErrInvalid},
		{"D11 a kid that is no string", func(f *forgery) { f.header["kid"] = []string{key.ID} }, ErrInvalid},
		{"D13 crit", func(f *forgery) { f.header["crit"], f.header["x"] = []string{"x"}, 1 }, ErrInvalid},
		{"D13 crit that is empty", func(f *forgery) { f.header["crit"] = []string{} }, ErrInvalid},
		{"D13 crit that is null", func(f *forgery) { f.header["crit"] = nil }, ErrInvalid},
		{"D14 a signature of zeros", func(f *forgery) {
			f.header["alg"], f.header["kid"], f.sign = "ES256", other.ID, func(string) []byte { return make([]byte, 64) }
		}, ErrInvalid},
		{"D14 a signature that is cut", func(f *forgery) {
			f.sign = func(s string) []byte { return signedWith(t, key)(s)[1:] }
		}, ErrInvalid},
		{"D14 no signature", func(f *forgery) { f.sign = func(string) []byte { return nil } }, ErrInvalid},
		{"REQ-145 typ of an ID token", func(f *forgery) { f.header["typ"] = "JWT" }, ErrInvalid},
		{"REQ-145 no typ", func(f *forgery) { delete(f.header, "typ") }, ErrInvalid},
		{"REQ-145 typ of a logout token", func(f *forgery) { f.header["typ"] = "logout+jwt" }, ErrInvalid},
		{"typ that is no string", func(f *forgery) { f.header["typ"] = []string{"at+jwt"} }, ErrInvalid},
		{"another issuer", func(f *forgery) { f.claims["iss"] = testIssuer + "/other" }, ErrInvalid},
		{"the issuer with a slash", func(f *forgery) { f.claims["iss"] = testIssuer + "/" }, ErrInvalid},
		{"no issuer", func(f *forgery) { delete(f.claims, "iss") }, ErrInvalid},
		{"REQ-142 another audience", func(f *forgery) { f.claims["aud"] = "https://api.example.com" }, ErrAudience},
		{"REQ-142 the client for its audience", func(f *forgery) { f.claims["aud"] = []string{"web"} }, ErrAudience},
		{"no audience", func(f *forgery) { delete(f.claims, "aud") }, ErrInvalid},
		{"in its last second", func(f *forgery) { f.claims["exp"] = now.Unix() + 1 }, nil},
		{"expired at this moment", func(f *forgery) { f.claims["exp"] = now.Unix() }, ErrInvalid},
		{"no expiry", func(f *forgery) { delete(f.claims, "exp") }, ErrInvalid},
		{"an expiry that is no number", func(f *forgery) { f.claims["exp"] = []int64{now.Unix() + 600} }, ErrInvalid},
		{"issued by a node whose clock is a minute ahead", func(f *forgery) { f.claims["iat"] = now.Unix() + 60 }, nil},
		{"issued later than that", func(f *forgery) { f.claims["iat"] = now.Unix() + 61 }, ErrInvalid},
		{"no time of issue", func(f *forgery) { delete(f.claims, "iat") }, ErrInvalid},
		{"not valid yet", func(f *forgery) { f.claims["nbf"] = now.Unix() + 61 }, ErrInvalid},
		{"no subject", func(f *forgery) { delete(f.claims, "sub") }, ErrInvalid},
		{"larger than any of ours", func(f *forgery) { f.claims["x"] = strings.Repeat("x", maxTokenSize) }, ErrInvalid},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			f := valid()
			row.change(f)
			jws := f.String()
			got, err := v.AccessToken(t.Context(), jws)
			wantVerdict(t, jws, got != nil, err, row.want)
		})
	}
}

// wantVerdict asserts the verdict, and that it says nothing of the token.
func wantVerdict(t *testing.T, jws string, got bool, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || got != (want == nil) || want == nil && err != nil {
		t.Fatalf("got a token: %v, %v, want %v", got, err, want)
	}
	if err == nil {
		return
	}
	for part := range strings.SplitSeq(jws, ".") {
		if len(part) > 4 && strings.Contains(err.Error(), part) {
			t.Errorf("the error shows a part of the token")
		}
	}
	if len(err.Error()) > 100 || strings.Contains(err.Error(), "alice") {
		t.Errorf("the error has %d characters", len(err.Error()))
	}
}

// TestDamagedAccessTokens cuts and alters a token that is signed rightly.
func TestDamagedAccessTokens(t *testing.T) {
	i := newTestIssuer(t, ES256)
	jws := mustIssue(t, i, authorization(forIssuer)).AccessToken
	v := verifierOf(i)
	parts := strings.Split(jws, ".")
	other := strings.Split(mustIssue(t, i, authorization(func(a *Authorization) { forIssuer(a); a.Subject = "mallory" })).AccessToken, ".")
	for _, row := range []struct{ name, jws string }{
		{"empty", ""},
		{"two dots", ".."},
		{"no signature", parts[0] + "." + parts[1]},
		{"D18 five parts, as a JWE has", jws + ".." + parts[0]},
		{"another's claims", parts[0] + "." + other[1] + "." + parts[2]},
		{"a claim altered", parts[0] + "." + base64url(bytes.Replace([]byte(part(t, jws, 1)), []byte("alice"), []byte("admin"), 1)) + "." + parts[2]},
		{"a header altered", base64url([]byte(strings.Replace(part(t, jws, 0), "ES256", "ES384", 1))) + "." + parts[1] + "." + parts[2]},
		{"a header that is no object", base64url([]byte("[]")) + "." + parts[1] + "." + parts[2]},
		{"claims that are no object", parts[0] + "." + base64url([]byte("null")) + "." + parts[2]},
		{"padded", jws + "="},
		{"white space around it", " " + jws},
		{"a line break in it", parts[0] + ".\n" + parts[1] + "." + parts[2]},
		{"another spelling of its last character", jws[:len(jws)-1] + looseSpelling(jws[len(jws)-1])},
		{"D18 a JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := v.AccessToken(t.Context(), row.jws)
			wantVerdict(t, jws, got != nil, err, ErrInvalid)
		})
	}
}

// looseSpelling returns a character whose unused low bits differ, which a
// lenient decoder takes for c.
func looseSpelling(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestExpiredAndBadlySigned(t *testing.T) {
	i := newTestIssuer(t, ES256)
	jws := mustIssue(t, i, authorization(forIssuer)).AccessToken
	v := verifierOf(i)
	v.Now = func() time.Time { return i.Now().Add(time.Hour) }
	t.Run("D16 an expired one is told to have expired", func(t *testing.T) {
		if _, err := v.AccessToken(t.Context(), jws); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "expired") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("D16 one that is badly signed, too, is only badly signed", func(t *testing.T) {
		cut := jws[:strings.LastIndexByte(jws, '.')+1] + base64url(make([]byte, 64))
		if _, err := v.AccessToken(t.Context(), cut); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "expired") {
			t.Errorf("got %v", err)
		}
	})
}

func TestKeysThatAreNotAtHand(t *testing.T) {
	i := newTestIssuer(t, ES256)
	response := mustIssue(t, i, authorization(forIssuer))
	v := verifierOf(i)
	v.Keys = publishedKeys{err: errNoKey}
	t.Run("say nothing about an access token", func(t *testing.T) {
		if _, err := v.AccessToken(t.Context(), response.AccessToken); !errors.Is(err, errNoKey) || errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("say nothing about an ID token", func(t *testing.T) {
		if _, err := v.IDTokenHint(t.Context(), response.IDToken); !errors.Is(err, errNoKey) || errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

func TestIDTokenHint(t *testing.T) {
	key := newTestKey(t, ES256)
	i := newTestIssuer(t, ES256)
	i.Keys = heldKeys{ES256: key}
	v := verifierOf(i)
	response := mustIssue(t, i, authorization(forIssuer))
	foreign := newTestIssuer(t, ES256)
	now := i.Now().Unix()
	signed := func(header, claims map[string]any) string {
		header["alg"], header["kid"] = "ES256", key.ID
		return (&forgery{header: header, claims: claims, sign: signedWith(t, key)}).String()
	}
	claims := func(change func(c map[string]any)) map[string]any {
		c := map[string]any{"iss": testIssuer, "aud": "another-client", "sub": "alice", "iat": now - 100_000, "exp": now - 90_000}
		change(c)
		return c
	}
	none := func(map[string]any) {}
	for _, row := range []struct {
		name, jws string
		want      error
	}{
		{"an ID token of this issuer", response.IDToken, nil},
		{"one that expired long ago, for another client", signed(map[string]any{"typ": "JWT"}, claims(none)), nil},
		{"one without typ", signed(map[string]any{}, claims(none)), nil},
		{"REQ-145 an access token", response.AccessToken, ErrInvalid},
		{"REQ-145 a logout token", signed(map[string]any{"typ": "logout+jwt"}, claims(none)), ErrInvalid},
		{"another issuer's, with another key", mustIssue(t, foreign, authorization(nil)).IDToken, ErrInvalid},
		{"another issuer's, with our key", signed(map[string]any{"typ": "JWT"}, claims(func(c map[string]any) { c["iss"] = testIssuer + "/" })), ErrInvalid},
		{"one without issuer", signed(map[string]any{"typ": "JWT"}, claims(func(c map[string]any) { delete(c, "iss") })), ErrInvalid},
		{"one of the future", signed(map[string]any{"typ": "JWT"}, claims(func(c map[string]any) { c["iat"] = now + 62 })), ErrInvalid},
		{"one without subject", signed(map[string]any{"typ": "JWT"}, claims(func(c map[string]any) { delete(c, "sub") })), ErrInvalid},
		{"D13 one with crit", signed(map[string]any{"typ": "JWT", "crit": []string{"exp"}}, claims(none)), ErrInvalid},
		{"D08 an unsigned one", strings.Join(strings.Split(response.IDToken, ".")[:2], ".") + ".", ErrInvalid},
		{"nothing", "", ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			subject, err := v.IDTokenHint(t.Context(), row.jws)
			wantVerdict(t, row.jws, err == nil, err, row.want)
			if row.want == nil && subject != "alice" {
				t.Errorf("subject %q", subject)
			}
		})
	}
	t.Run("REQ-145 an ID token is no access token", func(t *testing.T) {
		if got, err := v.AccessToken(t.Context(), response.IDToken); !errors.Is(err, ErrInvalid) || got != nil {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// lax is a VerificationKeys that has for each kid the key that the kid's kind of
// algorithm takes.
type lax map[string]*PublicKey

func (l lax) VerificationKey(_ context.Context, kid string) (*PublicKey, error) { return l[kid], nil }

// Whatever a key is said to be for, a signature that anybody can make is none.
func TestAlgorithmsThatAreNotOurs(t *testing.T) {
	i := newTestIssuer(t, ES256)
	v := verifierOf(i)
	shared := []byte("a secret that is shared")
	v.Keys = lax{
		"none":  {Algorithm: "none", Key: jwt.UnsafeAllowNoneSignatureType},
		"HS256": {Algorithm: "HS256", Key: shared},
	}
	for alg, sign := range map[string]func(string) []byte{"none": func(string) []byte { return nil }, "HS256": hs256(shared)} {
		t.Run("D08 D09 "+alg+" verifies with no key", func(t *testing.T) {
			now := i.Now().Unix()
			f := &forgery{
				header: map[string]any{"alg": alg, "kid": alg, "typ": "at+jwt"},
				claims: map[string]any{"iss": testIssuer, "aud": testIssuer, "sub": "alice", "iat": now, "exp": now + 600},
				sign:   sign,
			}
			if got, err := v.AccessToken(t.Context(), f.String()); !errors.Is(err, ErrInvalid) || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// The library must not verify what this program cannot have signed: a method
// that another package registers is not among ours.
func TestMethodsAreOurs(t *testing.T) {
	if got := methods(); len(got) != len(Algorithms()) || slices.Contains(got, "none") || slices.ContainsFunc(got, func(s string) bool { return s[0] == 'H' }) {
		t.Errorf("methods %v", got)
	}
	for _, name := range methods() {
		if jwt.GetSigningMethod(name) == nil {
			t.Errorf("%s is not verified by the library", name)
		}
	}
}

func TestGrantRefIsForThisIssuerAlone(t *testing.T) {
	i := newTestIssuer(t, ES256)
	for _, row := range []struct {
		name   string
		change func(a *Authorization)
		want   string
	}{
		{"an access token with openid for this issuer has it", func(*Authorization) {}, `"a-grant-reference"`},
		{"one without openid has not", func(a *Authorization) { a.Scope = []string{"profile"} }, ""},
		{"one for another resource server has not", func(a *Authorization) { a.Audience = []string{"https://api.example.com"} }, ""},
		{"one of a grant without it has not", func(a *Authorization) { a.GrantRef = "" }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			response := mustIssue(t, i, authorization(func(a *Authorization) { forIssuer(a); row.change(a) }))
			if got := claimsOf(t, response.AccessToken)["grant_ref"]; got != row.want {
				t.Errorf("got %s", got)
			}
			if response.IDToken != "" && claimsOf(t, response.IDToken)["grant_ref"] != "" {
				t.Error("the ID token has it")
			}
		})
	}
}

func TestIDTokenClaims(t *testing.T) {
	all := raw(map[string]string{"name": `"A"`, "name#ja": `"ア"`, "names": `1`, "email": `"a@example.com"`, "groups": `["g"]`})
	for _, row := range []struct {
		name  string
		names []string
		want  []string
	}{
		{"REQ-135 without a list all that the scope releases are in the ID token", nil, []string{"groups", "name", "name#ja", "names"}},
		{"REQ-135 an empty list leaves all out", []string{}, nil},
		{"REQ-135 a list lets through what it names, in any language", []string{"name"}, []string{"name", "name#ja"}},
		{"REQ-135 a list releases nothing that the scope does not", []string{"groups", "email"}, []string{"groups"}},
		{"REQ-135 a list has nothing to do with protocol claims", []string{"sub", "aud"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			response := mustIssue(t, newTestIssuer(t, ES256), authorization(func(a *Authorization) { a.Claims, a.IDTokenClaims = all, row.names }))
			claims := claimsOf(t, response.IDToken)
			var got []string
			for name := range all {
				if claims[name] != "" {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, row.want) || claims["sub"] != `"alice"` || claims["aud"] != `"web"` {
				t.Errorf("got %v of %v", got, claims)
			}
		})
	}
}

func TestUserInfoResponse(t *testing.T) {
	all := raw(map[string]string{"name": `"A"`, "email": `"a@example.com"`, "email_verified": `true`, "updated_at": `1700000000`,
		"groups": `["g", "<h&i>"]`, "sub": `"mallory"`, "SUB": `"mallory"`, "iss": `"mallory"`, "picture": `null`, "nickname": `""`})
	for _, row := range []struct {
		name, scope, want string
	}{
		{"REQ-135 openid alone has sub and what no scope covers", "openid", `{"sub":"alice","groups":["g","<h&i>"]}`},
		{"REQ-135 a scope releases its claims, with their types", "openid profile email",
			`{"sub":"alice","email":"a@example.com","email_verified":true,"groups":["g","<h&i>"],"name":"A","updated_at":1700000000}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := UserInfo("alice", strings.Fields(row.scope), all)
			if err != nil || string(got) != row.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
	t.Run("a claim that is not JSON ends in an error without its value", func(t *testing.T) {
		got, err := UserInfo("alice", nil, raw(map[string]string{"x": `hunter2`}))
		if err == nil || got != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

package token

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestIDToken(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Authorization)
		want   string // the claims, at_hash cut off
	}{
		{"REQ-126 REQ-127 REQ-128 REQ-129 REQ-130 REQ-131 REQ-132 REQ-133 the protocol claims, no others, in a fixed order", nil,
			`{"iss":"https://id.example.com","sub":"alice","aud":"web","exp":1700003600,"iat":1700000000,"auth_time":1699999990,` +
				`"nonce":"n-0S6_WzA2Mj","acr":"urn:example:silver","amr":["pwd","otp"]`},
		{"REQ-131 REQ-132 REQ-133 nonce, auth_time, acr and amr are absent where they are not known",
			func(a *Authorization) { a.Nonce, a.AuthTime, a.ACR, a.AMR = "", time.Time{}, "", nil },
			`{"iss":"https://id.example.com","sub":"alice","aud":"web","exp":1700003600,"iat":1700000000`},
		{"REQ-131 a nonce comes back as it was sent", func(a *Authorization) { a.Nonce = `a+b &<"é` },
			`{"iss":"https://id.example.com","sub":"alice","aud":"web","exp":1700003600,"iat":1700000000,"auth_time":1699999990,` +
				`"nonce":"a+b &<\"é","acr":"urn:example:silver","amr":["pwd","otp"]`},
		{"REQ-135 user claims follow by name with their types", func(a *Authorization) {
			a.Claims = raw(map[string]string{"updated_at": "1311280970", "roles": ` [ "a&b", 1.50, true ] `, "big": "12345678901234567890"})
		}, `{"iss":"https://id.example.com","sub":"alice","aud":"web","exp":1700003600,"iat":1700000000,"auth_time":1699999990,` +
			`"nonce":"n-0S6_WzA2Mj","acr":"urn:example:silver","amr":["pwd","otp"]` + `,"big":12345678901234567890,"roles":["a&b",1.50,true],"updated_at":1311280970`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := part(t, mustIssue(t, newTestIssuer(t, ES256), authorization(row.change)).IDToken, 1)
			before, rest, _ := strings.Cut(got, `,"at_hash":"`)
			got = before + rest[strings.Index(rest, `"`)+1:]
			if got != row.want+"}" {
				t.Fatalf("got\n%s\nwant\n%s}", got, row.want)
			}
		})
	}
}

func TestAccessToken(t *testing.T) {
	const head = `{"iss":"https://id.example.com","exp":1700000600,`
	const tail = `"sub":"alice","client_id":"web","iat":1700000000,"jti":"token-1","scope":"openid profile",` +
		`"auth_time":1699999990,"acr":"urn:example:silver","amr":["pwd","otp"]`
	for _, row := range []struct {
		name   string
		change func(*Authorization)
		want   string
	}{
		{"REQ-141 REQ-143 REQ-144 the claims of RFC 9068, no others, in a fixed order", nil,
			head + `"aud":"https://api.example.com",` + tail + "}"},
		{"REQ-142 several audiences are an array", func(a *Authorization) { a.Audience = []string{"https://a?x=1&y", "https://b"} },
			head + `"aud":["https://a?x=1&y","https://b"],` + tail + "}"},
		{"REQ-143 without scope, auth_time, acr and amr they are absent",
			func(a *Authorization) { a.Scope, a.AuthTime, a.ACR, a.AMR = nil, time.Time{}, "", nil },
			head + `"aud":"https://api.example.com","sub":"alice","client_id":"web","iat":1700000000,"jti":"token-1"}`},
		{"access token claims follow by name, user claims do not", func(a *Authorization) {
			a.Claims = raw(map[string]string{"name": `"Alice"`})
			a.AccessTokenClaims = raw(map[string]string{"tenant": `"t1"`, "groups": `["x"]`})
		}, head + `"aud":"https://api.example.com",` + tail + `,"groups":["x"],"tenant":"t1"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := part(t, mustIssue(t, newTestIssuer(t, ES256), authorization(row.change)).AccessToken, 1); got != row.want {
				t.Fatalf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

func TestJOSEHeader(t *testing.T) {
	i := newTestIssuer(t, RS256, ES256)
	response := mustIssue(t, i, authorization(func(a *Authorization) { a.IDTokenAlgorithm = ES256 }))
	keys := i.Keys.(heldKeys)
	t.Run("REQ-124 REQ-125 the ID token's header has alg, kid and typ and nothing else", func(t *testing.T) {
		if got, want := part(t, response.IDToken, 0), fmt.Sprintf(`{"alg":"ES256","kid":"%s","typ":"JWT"}`, keys[ES256].ID); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
	t.Run("REQ-140 REQ-145 the access token's typ is at+jwt", func(t *testing.T) {
		if got, want := part(t, response.AccessToken, 0), fmt.Sprintf(`{"alg":"RS256","kid":"%s","typ":"at+jwt"}`, keys[RS256].ID); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestAtHash(t *testing.T) {
	const guide = "YmJiZTAwYmYtMzgyOC00NzhkLTkyOTItNjJjNDM3MGYzOWIy9sFhvH8K_x8UIHj1osisS57f5DduL"
	for _, row := range []struct {
		algs        []Algorithm
		token, want string
	}{
		{[]Algorithm{RS256, PS256, ES256}, "SlAV32hkKG", "rXH7QWVTZnXYCou_6Vdpfg"},
		{[]Algorithm{RS384, PS384, ES384}, "SlAV32hkKG", "VIA58s_ekAohY5Wl9vIMJ_R_t_FV36t2"},
		{[]Algorithm{RS512, PS512, ES512, EdDSA}, "SlAV32hkKG", "z0cYnONBc9TdhgRUdlJ3DO6ArL2M-v_70iPj9lnAlnQ"},
		{[]Algorithm{ES256}, guide, "xsZZrUssMXjL3FBlzoSh2g"},
	} {
		for _, alg := range row.algs {
			t.Run(fmt.Sprintf("REQ-134 at_hash with %s is %s", alg, row.want), func(t *testing.T) {
				if got := atHash(alg, row.token); got != row.want {
					t.Fatalf("got %s", got)
				}
			})
		}
	}
	for _, alg := range []Algorithm{RS256, ES384, EdDSA} {
		t.Run("REQ-134 at_hash is that of the returned access token, by the ID token's algorithm "+string(alg), func(t *testing.T) {
			response := mustIssue(t, newTestIssuer(t, ES512, alg), authorization(func(a *Authorization) { a.IDTokenAlgorithm = alg }))
			if got, want := claimsOf(t, response.IDToken)["at_hash"], `"`+atHash(alg, response.AccessToken)+`"`; got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		})
	}
	t.Run("REQ-134 at_hash and header follow the key that was got, not the algorithm that was asked for", func(t *testing.T) {
		i := newTestIssuer(t, ES512)
		i.Keys = heldKeys{ES512: newTestKey(t, RS256)} // the former default, while ES512 is on its way
		response := mustIssue(t, i, authorization(func(a *Authorization) { a.IDTokenAlgorithm = ES512 }))
		if got, want := claimsOf(t, response.IDToken)["at_hash"], `"`+atHash(RS256, response.AccessToken)+`"`; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if got := part(t, response.AccessToken, 0); !strings.HasPrefix(got, `{"alg":"RS256"`) {
			t.Fatalf("got %s", got)
		}
	})
}

func TestScopeReleasesStandardClaims(t *testing.T) {
	all := raw(map[string]string{
		"name": `"A"`, "family_name": `"A"`, "given_name": `"A"`, "middle_name": `"A"`, "nickname": `"A"`,
		"preferred_username": `"A"`, "profile": `"https://a"`, "picture": `"https://a"`, "website": `"https://a"`,
		"gender": `"f"`, "birthdate": `"2000-01-01"`, "zoneinfo": `"Europe/Paris"`, "locale": `"fr"`, "updated_at": `1`,
		"email": `"a@example.com"`, "email_verified": `true`, "address": `{"country":"FR"}`,
		"phone_number": `"+33"`, "phone_number_verified": `false`,
		"name#ja-Kana-JP": `"ア"`, "EMAIL": `"b@example.com"`, "groups": `["g"]`, "https://example.com/claim": `0`,
	})
	always := []string{"groups", "https://example.com/claim"}
	for _, row := range []struct {
		name  string
		scope string
		want  []string
	}{
		{"REQ-135 openid alone releases no standard claim", "openid", nil},
		{"REQ-135 profile releases the claims of Core §5.4", "openid profile", []string{
			"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
			"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at", "name#ja-Kana-JP"}},
		{"REQ-135 email releases its claims, however they are spelt", "openid email", []string{"email", "email_verified", "EMAIL"}},
		{"REQ-135 address releases address", "openid address", []string{"address"}},
		{"REQ-135 phone releases its claims", "openid phone", []string{"phone_number", "phone_number_verified"}},
		{"REQ-135 a scope that only starts like one releases nothing", "openid profiles emails", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := authorization(func(a *Authorization) { a.Scope, a.Claims = strings.Fields(row.scope), all })
			claims := claimsOf(t, mustIssue(t, newTestIssuer(t, ES256), a).IDToken)
			var got []string
			for name, value := range claims {
				if _, given := all[name]; given {
					got = append(got, name)
					if value != string(all[name]) {
						t.Errorf("%s is %s, want %s", name, value, all[name])
					}
				}
			}
			want := slices.Concat(row.want, always)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		})
	}
}

func TestProtocolClaimsCannotBeSet(t *testing.T) {
	names := []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "at_hash", "c_hash", "s_hash", "azp", "auth_time",
		"acr", "amr", "sid", "client_id", "scope", "cnf", "_claim_names", "_claim_sources", "events", "sub_jwk",
		"grant_ref", "Grant_Ref", "grant_ref#en",
		"SUB", "Iss", "\u017fub", "Acr", "sub#en", "client_ID",
	}
	i := newTestIssuer(t, ES256)
	bare := func(a *Authorization) { a.Nonce, a.AuthTime, a.ACR, a.AMR = "", time.Time{}, "", nil }
	plain := mustIssue(t, i, authorization(bare))
	wantID := slices.Sorted(maps.Keys(claimsOf(t, plain.IDToken)))
	wantAccess := part(t, plain.AccessToken, 1)
	for _, name := range names {
		t.Run("REQ-141 REQ-126 the claim "+name+" changes neither token", func(t *testing.T) {
			if !ProtocolClaim(name) {
				t.Error("is no protocol claim")
			}
			response := mustIssue(t, i, authorization(func(a *Authorization) {
				bare(a)
				a.Claims, a.AccessTokenClaims = raw(map[string]string{name: `"mallory"`}), raw(map[string]string{name: `"mallory"`})
			}))
			if got := slices.Sorted(maps.Keys(claimsOf(t, response.IDToken))); !slices.Equal(got, wantID) {
				t.Errorf("ID token has %v", got)
			}
			if got := part(t, response.AccessToken, 1); got != wantAccess || strings.Contains(part(t, response.IDToken, 1), "mallory") {
				t.Errorf("access token is %s", got)
			}
		})
	}
	for _, name := range []string{"email", "groups", "issuer", "subject", "subs", "https://example.com/sub", ""} {
		t.Run("the claim "+name+" is no protocol claim", func(t *testing.T) {
			if ProtocolClaim(name) {
				t.Fatal("is one")
			}
		})
	}
}

func TestEmptyClaimsAreLeftOut(t *testing.T) {
	values := map[string]string{"a": "null", "b": `""`, "c": " null ", "d": "", "e": "false", "f": "0", "g": "[]", "h": `"x"`}
	response := mustIssue(t, newTestIssuer(t, ES256), authorization(func(a *Authorization) {
		a.Claims, a.AccessTokenClaims = raw(values), raw(values)
	}))
	for name, jws := range map[string]string{"ID token": response.IDToken, "access token": response.AccessToken} {
		t.Run("REQ-135 null and empty strings are not in the "+name, func(t *testing.T) {
			claims := claimsOf(t, jws)
			for claim, value := range values {
				got, present := claims[claim]
				if want := claim >= "e"; present != want || present && got != value {
					t.Errorf("%s: present %v, value %q", claim, present, got)
				}
			}
		})
	}
}

func TestMalformedClaim(t *testing.T) {
	i := newTestIssuer(t, ES256)
	for _, value := range []string{`{"x":`, `1,"sub":"mallory"`, `"a" "b"`, `hunter2`} {
		t.Run("REQ-123 a claim that is not JSON ends in an error without its value", func(t *testing.T) {
			a := authorization(func(a *Authorization) { a.Claims = raw(map[string]string{"x": value}) })
			keys, err := i.SigningKeys(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			if response, err := i.Issue(a, keys); err == nil || response != nil || strings.Contains(err.Error(), value) {
				t.Fatalf("got %v, %v", response, err)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	i := newTestIssuer(t, ES256)
	t.Run("REQ-114 REQ-116 REQ-117 REQ-118 REQ-119 REQ-121 REQ-122 the response's JSON", func(t *testing.T) {
		response := mustIssue(t, i, authorization(func(a *Authorization) { a.Scope = []string{"openid", "a&b", "<x>", "openid", "a&b"} }))
		got := response.JSON()
		want := fmt.Sprintf(`{"access_token":"%s","token_type":"Bearer","expires_in":600,"id_token":"%s","scope":"openid a&b <x>"}`,
			response.AccessToken, response.IDToken)
		if string(got) != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
	t.Run("REQ-119 without openid there is no ID token", func(t *testing.T) {
		a := authorization(func(a *Authorization) { a.Scope = []string{"profile", "openid2"} })
		keys, err := i.SigningKeys(t.Context(), a)
		if err != nil || keys.IDToken != nil {
			t.Fatalf("got %v, %v", keys, err)
		}
		response := mustIssue(t, i, a)
		if got := response.JSON(); strings.Contains(string(got), "id_token") {
			t.Fatalf("got %s", got)
		}
	})
	t.Run("REQ-118 REQ-121 without scope the member is absent", func(t *testing.T) {
		got := mustIssue(t, i, authorization(func(a *Authorization) { a.Scope = nil })).JSON()
		if strings.Contains(string(got), "scope") {
			t.Fatalf("got %s", got)
		}
	})
	t.Run("REQ-117 expires_in is the access token's exp minus iat, fractions of a second dropped", func(t *testing.T) {
		i := *i
		i.AccessTokenLifetime = 90*time.Second + 999*time.Millisecond
		response := mustIssue(t, &i, authorization(nil))
		claims := claimsOf(t, response.AccessToken)
		if response.ExpiresIn != 90 || claims["exp"] != "1700000090" || claims["iat"] != "1700000000" {
			t.Fatalf("expires_in %d, exp %s, iat %s", response.ExpiresIn, claims["exp"], claims["iat"])
		}
	})
}

func TestIssueFailsClosed(t *testing.T) {
	good := newTestIssuer(t, ES256)
	broken := outputSigner{Signer: newTestKey(t, ES256).Signer, err: errNoKey}
	for _, row := range []struct {
		name   string
		change func(*Authorization, *SigningKeys, *Issuer)
	}{
		{"REQ-127 no subject", func(a *Authorization, _ *SigningKeys, _ *Issuer) { a.Subject = "" }},
		{"REQ-128 no client", func(a *Authorization, _ *SigningKeys, _ *Issuer) { a.ClientID = "" }},
		{"REQ-142 no audience", func(a *Authorization, _ *SigningKeys, _ *Issuer) { a.Audience = nil }},
		{"REQ-141 no jti", func(a *Authorization, _ *SigningKeys, _ *Issuer) { a.TokenID = "" }},
		{"REQ-126 no issuer", func(_ *Authorization, _ *SigningKeys, i *Issuer) { i.Issuer = "" }},
		{"REQ-117 no access token lifetime", func(_ *Authorization, _ *SigningKeys, i *Issuer) { i.AccessTokenLifetime = time.Second - 1 }},
		{"REQ-130 no ID token lifetime", func(_ *Authorization, _ *SigningKeys, i *Issuer) { i.IDTokenLifetime = 0 }},
		{"no access token key", func(_ *Authorization, k *SigningKeys, _ *Issuer) { k.AccessToken = nil }},
		{"REQ-119 no ID token key with openid", func(_ *Authorization, k *SigningKeys, _ *Issuer) { k.IDToken = nil }},
		{"REQ-123 the access token key fails", func(_ *Authorization, k *SigningKeys, _ *Issuer) {
			k.AccessToken = &Key{ID: "x", Algorithm: ES256, Signer: broken}
		}},
		{"REQ-123 the ID token key fails", func(_ *Authorization, k *SigningKeys, _ *Issuer) {
			k.IDToken = &Key{ID: "x", Algorithm: ES256, Signer: broken}
		}},
	} {
		t.Run(row.name+" is an error and no response", func(t *testing.T) {
			i, a := *good, authorization(nil)
			keys, err := i.SigningKeys(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			row.change(a, &keys, &i)
			if response, err := i.Issue(a, keys); err == nil || response != nil {
				t.Fatalf("got %v, %v", response, err)
			}
		})
	}
}

func TestSigningKeys(t *testing.T) {
	i := newTestIssuer(t, RS256, ES256)
	held := i.Keys.(heldKeys)
	for _, row := range []struct {
		name    string
		alg     Algorithm
		idToken *Key
	}{
		{"REQ-124 an ID token with the issuer's algorithm is signed with the same key", RS256, held[RS256]},
		{"REQ-124 an ID token with another algorithm is signed with that", ES256, held[ES256]},
	} {
		t.Run(row.name, func(t *testing.T) {
			keys, err := i.SigningKeys(t.Context(), authorization(func(a *Authorization) { a.IDTokenAlgorithm = row.alg }))
			if err != nil || keys.IDToken != row.idToken || keys.AccessToken != held[RS256] {
				t.Fatalf("got %v, %v", keys, err)
			}
		})
	}
	for _, alg := range []Algorithm{EdDSA, ""} {
		t.Run("a missing ID token key is an error with its cause, algorithm "+strconv.Quote(string(alg)), func(t *testing.T) {
			_, err := i.SigningKeys(t.Context(), authorization(func(a *Authorization) { a.IDTokenAlgorithm = alg }))
			if !errors.Is(err, errNoKey) {
				t.Fatalf("got %v", err)
			}
		})
	}
	t.Run("a missing access token key is an error with its cause", func(t *testing.T) {
		_, err := newTestIssuerWithout(t).SigningKeys(t.Context(), authorization(nil))
		if !errors.Is(err, errNoKey) {
			t.Fatalf("got %v", err)
		}
	})
}

func newTestIssuerWithout(t *testing.T) *Issuer {
	i := newTestIssuer(t, ES256)
	i.Keys = heldKeys{}
	return i
}

// BenchmarkIssue measures a response of two tokens, and what of it is the
// signatures alone.
func BenchmarkIssue(b *testing.B) {
	claims := raw(map[string]string{"name": `"Alice"`, "email": `"alice@example.com"`, "groups": `["a","b"]`})
	for _, alg := range []Algorithm{RS256, ES256, EdDSA} {
		i := newTestIssuer(b, alg)
		a := authorization(func(a *Authorization) { a.Claims, a.IDTokenAlgorithm = claims, alg })
		keys, err := i.SigningKeys(b.Context(), a)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := i.Issue(a, keys); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(alg)+"/signing", func(b *testing.B) {
			text := []byte(strings.Repeat("x", 500))
			b.ReportAllocs()
			for b.Loop() {
				for range 2 {
					if _, err := alg.sign(keys.IDToken.Signer, text); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

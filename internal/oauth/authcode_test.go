package oauth

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

func TestGrantType(t *testing.T) {
	unsupported := want{400, "unsupported_grant_type", GrantTypeUnknown, ""}
	run(t, []row{
		{name: "REQ-079 A33 an unknown grant type is unsupported", change: set("grant_type", "foo"), want: unsupported},
		{name: "REQ-079 implicit is unsupported", change: set("grant_type", "implicit"), want: unsupported},
		{name: "REQ-080 A33 password is unsupported", change: set("grant_type", "password"), want: unsupported},
		{name: "REQ-112 token exchange is unsupported", change: set("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), want: unsupported},
		{name: "refresh_token is unsupported", change: set("grant_type", "refresh_token"), want: unsupported},
		{name: "REQ-111 resource is ignored", change: appendBody("&resource=foo&resource=https://rs.example/%23x")},
		{name: "REQ-109 A32 scope, nonce and state are ignored", change: appendBody("&scope=admin&nonce=x&state=y&response_type=z")},
	})
	t.Run("REQ-081 A34 a client that may not use the grant is unauthorized", func(t *testing.T) {
		f := newFixture(t)
		_, attempt, err := f.respond(f.valid("off"))
		if err == nil || err.Kind != UnauthorizedClient || err.Status() != 400 || attempt.Redemption != "" {
			t.Fatalf("answered %v, want unauthorized_client", err)
		}
	})
	t.Run("REQ-109 A32 scope in the token request does not widen the grant", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		q.form.Set("scope", "openid profile email admin")
		if r := f.succeeds(q); r.Scope != "openid profile" {
			t.Errorf("granted %q", r.Scope)
		}
	})
}

func TestAuthorizationCode(t *testing.T) {
	mismatch := invalidGrant(RedirectMismatch, "")
	rows := []row{
		{name: "REQ-082 A26 an absent code is invalid_request", change: del("code"), want: invalidRequest(ParameterMissing)},
		{name: "REQ-083 an unknown code is invalid_grant", change: set("code", "nope"), want: invalidGrant(CodeUnknown, "")},
		{name: "REQ-083 A25 a path is no code", change: set("code", "../../../etc/passwd"), want: invalidGrant(CodeUnknown, "")},
		{name: "REQ-084 A07 another client's code is refused and stays its owner's", want: invalidGrant(ClientMismatch, ""),
			change: basicAuth("web2", secretOf("web2"))},
		{name: "REQ-084 A07 a public client cannot redeem a confidential client's code", want: invalidGrant(ClientMismatch, ""),
			change: only("client_id", "spa")},
		{name: "REQ-089 A14 a redirect_uri that was sent must be repeated", change: del("redirect_uri"), want: invalidGrant(RedirectMismatch, RedirectMissing)},
		{name: "REQ-089 A17 another registered redirect_uri is refused and burns nothing", change: set("redirect_uri", "https://rp.example/other"), want: mismatch},
		{name: "REQ-091 another loopback port is another URI", mint: redirect("http://127.0.0.1:51004/cb"),
			both: setBoth("redirect_uri", "http://127.0.0.1:51004/cb"), change: set("redirect_uri", "http://127.0.0.1:51005/cb"), want: mismatch},
		{name: "REQ-092 a redirect_uri that was not sent may be left out", mint: notSent, change: del("redirect_uri")},
		{name: "REQ-092 a redirect_uri that was not sent may be given", mint: notSent},
		{name: "REQ-092 a redirect_uri that was not sent must be right where it is given", mint: notSent,
			change: set("redirect_uri", "https://rp.example/other"), want: mismatch},
	}
	for _, variant := range []string{
		"HTTPS://rp.example/callback", "https://RP.example/callback", "https://rp.example:443/callback",
		"https://rp.example/callback/", "https://rp.example/./callback", "https://rp.example/x/../callback",
		"https://rp.example/%63allback", "https://rp.example/callback?", "https://rp.example/callback#",
		"https://rp.example/callback#x", "https://good@rp.example/callback", "https://rp.example@evil.example/callback",
		`https://rp.example\callback`, "https://rp.example/Callback", "https://rp.example/callback ", " https://rp.example/callback",
		"https://rp.example/callbac", "https://rp.example%2Fcallback", "https://rｐ.example/callback", "//rp.example/callback",
	} {
		rows = append(rows, row{name: "REQ-090 A15 this is another redirect_uri: " + variant, change: set("redirect_uri", variant), want: mismatch})
	}
	for registered, variant := range map[string]string{
		"https://rp.example/~a": "https://rp.example/%7Ea", "https://rp.example/%7eb": "https://rp.example/%7Eb",
		"https://rp.example/c?a=1&b=2": "https://rp.example/c?b=2&a=1",
	} {
		rows = append(rows, row{name: "REQ-090 A15 this is another redirect_uri: " + variant, mint: redirect(registered),
			both: setBoth("redirect_uri", registered), change: set("redirect_uri", variant), want: mismatch})
	}
	run(t, rows)
}

func redirect(uri string) func(*storage.Record) {
	return func(r *storage.Record) { r.RedirectURI = uri }
}

func notSent(r *storage.Record) { r.RedirectURISent = false }

func setBoth(name, value string) func(*tokenRequest) {
	return func(q *tokenRequest) { q.form.Set(name, value) }
}

func TestCodeExpiry(t *testing.T) {
	t.Run("REQ-086 REQ-244 A08 a code is good until its last second and not beyond", func(t *testing.T) {
		f := newFixture(t)
		last, late := f.valid("web"), f.valid("web")
		f.time = f.time.Add(time.Minute - time.Second)
		f.succeeds(last)
		f.time = f.time.Add(time.Second)
		f.fails(late, invalidGrant(CodeExpired, ""))
	})
}

func TestReplay(t *testing.T) {
	t.Run("REQ-101 A01 a code yields tokens once", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		if _, attempt, err := f.respond(q); err != nil || attempt.Redemption != "won" {
			t.Fatalf("redemption %q: %v", attempt.Redemption, err)
		}
		for _, later := range []time.Duration{0, time.Second, 30 * time.Second} {
			f.time = f.time.Add(later)
			_, attempt, err := f.respond(q)
			if err == nil || err.Kind != InvalidGrant || err.Reason != CodeReplayed || !err.Security || attempt.Redemption != "replayed" {
				t.Fatalf("a replay is answered %v, redemption %q", err, attempt.Redemption)
			}
		}
	})
	t.Run("REQ-104 A02 of many at once one gets tokens", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 64 {
			wg.Go(func() {
				response, _, err := respond(f.endpoint, q.clone().http(), q.addr)
				mu.Lock()
				defer mu.Unlock()
				if response != nil {
					won++
				} else if e := AsError(err); e.Kind != InvalidGrant {
					t.Errorf("a loser is answered %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d requests got tokens", won)
		}
	})
	t.Run("REQ-103 REQ-105 A16 A18 wrong attempts burn nothing", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		for range 3 {
			tried := q.clone()
			tried.basic("web", "wrong")
			f.fails(tried, invalidClient(SecretMismatch))
		}
		tried := q.clone()
		tried.form.Set("code_verifier", otherVerifier)
		f.fails(tried, invalidGrant(PKCEFailed, VerifierMismatch))
		tried.form.Del("code_verifier")
		f.fails(tried, invalidGrant(PKCEFailed, VerifierMissing))
		f.succeeds(q)
	})
}

// A09: every condition alone is enough to refuse.
func TestAllCombinations(t *testing.T) {
	const client, uri, verifier, expiry, issuer = 1, 2, 4, 8, 16
	for wrong := range 32 {
		t.Run(fmt.Sprintf("A09 REQ-173 with these conditions wrong: %05b", wrong), func(t *testing.T) {
			f := newFixture(t)
			other := f.codesOf("https://other.example")
			q := f.valid("web")
			if wrong&issuer != 0 {
				record := f.record("web", func(r *storage.Record) { r.Issuer = "https://other.example" })
				code, err := other.Store(t.Context(), record)
				if err != nil {
					t.Fatal(err)
				}
				q.form.Set("code", code)
			}
			if wrong&client != 0 {
				q.authenticate("web2")
			}
			if wrong&uri != 0 {
				q.form.Set("redirect_uri", "https://rp.example/other")
			}
			if wrong&verifier != 0 {
				q.form.Set("code_verifier", otherVerifier)
			}
			if wrong&expiry != 0 {
				f.time = f.time.Add(time.Minute)
			}
			_, _, err := f.respond(q)
			if (err == nil) != (wrong == 0) {
				t.Fatalf("answered %v", err)
			}
			if err != nil && (err.Kind != InvalidGrant || err.Description() != answers[InvalidGrant].description) {
				t.Errorf("answered %v", err)
			}
		})
	}
}

func TestRefusedCodesLookAlike(t *testing.T) {
	t.Run("REQ-164 A28 unknown, expired, used and foreign codes are one answer", func(t *testing.T) {
		f := newFixture(t)
		used, foreign, expired := f.valid("web"), f.valid("web2"), f.valid("web")
		foreign.authenticate("web")
		f.succeeds(used)
		unknown := f.valid("web")
		unknown.form.Set("code", "nope")
		texts := map[string]bool{}
		for _, q := range []*tokenRequest{used, foreign, unknown} {
			_, _, err := f.respond(q)
			texts[fmt.Sprint(err.Status(), err.Code(), err.Description(), err.RetryAfter)] = true
		}
		f.time = f.time.Add(time.Minute)
		_, _, err := f.respond(expired)
		texts[fmt.Sprint(err.Status(), err.Code(), err.Description(), err.RetryAfter)] = true
		if len(texts) != 1 {
			t.Errorf("there are %d answers: %v", len(texts), texts)
		}
	})
}

// faultyCodes answers for the real ones.
type faultyCodes struct {
	Codes
	loadErr, redeemErr error
	change             func(*storage.Record)
	loads, redeems     int
	forStrangers       int // of the loads
}

func (c *faultyCodes) Load(ctx context.Context, code string) (*storage.Code, error) {
	return c.load(ctx, code, c.Codes.Load)
}

func (c *faultyCodes) LoadForStranger(ctx context.Context, code string) (*storage.Code, error) {
	c.forStrangers++
	return c.load(ctx, code, c.Codes.LoadForStranger)
}

func (c *faultyCodes) load(ctx context.Context, code string, load func(context.Context, string) (*storage.Code, error)) (*storage.Code, error) {
	c.loads++
	if c.loadErr != nil {
		return nil, c.loadErr
	}
	loaded, err := load(ctx, code)
	if err == nil && c.change != nil {
		c.change(&loaded.Record)
	}
	return loaded, err
}

func (c *faultyCodes) Redeem(ctx context.Context, code *storage.Code) error {
	c.redeems++
	if c.redeemErr != nil {
		return c.redeemErr
	}
	return c.Codes.Redeem(ctx, code)
}

func TestLoadErrors(t *testing.T) {
	unavailable := want{503, "temporarily_unavailable", StorageUnavailable, ""}
	for _, row := range []struct {
		name string
		err  error
		want want
	}{
		{"REQ-083 a code that is not known", storage.ErrUnknown, invalidGrant(CodeUnknown, "")},
		{"REQ-101 a code that was used", storage.ErrUsed, invalidGrant(CodeReplayed, "")},
		{"REQ-086 a code that has expired", storage.ErrExpired, invalidGrant(CodeExpired, "")},
		{"a code from the future", storage.ErrNotYetValid, invalidGrant(CodeNotYetValid, "")},
		{"a code of another boot", storage.ErrBoot, invalidGrant(CodeOfOtherBoot, "")},
		{"a code of another kind of claim", storage.ErrClaimKind, invalidGrant(CodeClaimKind, "")},
		{"F03 a record that does not open", storage.ErrCorrupt, invalidGrant(RecordCorrupt, "")},
		{"REQ-113 F01 a storage that does not answer", storage.ErrUnavailable, unavailable},
		{"a storage that was refused", storage.ErrRefused, want{503, "temporarily_unavailable", StorageRefused, ""}},
		{"REQ-113 a client that hung up is no invalid_grant", fmt.Errorf("%w: %w", storage.ErrUnavailable, context.Canceled), unavailable},
		{"REQ-168 anything else is ours", errors.New("pq: relation does not exist"), want{500, "server_error", Internal, ""}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			codes := &faultyCodes{Codes: f.codes, loadErr: fmt.Errorf("wrapped: %w", row.err)}
			f.endpoint.Codes = codes
			q := f.valid("web")
			e := f.fails(q, row.want)
			if !errors.Is(e, row.err) {
				t.Errorf("the cause is lost: %v", e)
			}
			if (e.Status() == 503) != (e.RetryAfter > 0) {
				t.Errorf("%d with Retry-After %v", e.Status(), e.RetryAfter)
			}
			if codes.redeems != 0 {
				t.Error("the code was redeemed all the same")
			}
			codes.loadErr = nil
			f.succeeds(q)
		})
	}
}

// Clocks that differ are for the operator to set: no attack, and no mistake of
// the client's.
func TestClocksOfNodes(t *testing.T) {
	for _, row := range []struct {
		name      string
		err       error
		operating bool
	}{
		{"a code from the future", storage.ErrNotYetValid, true},
		{"a code that has expired", storage.ErrExpired, false},
	} {
		t.Run(row.name+" leads to the clocks", func(t *testing.T) {
			f := newFixture(t)
			f.endpoint.Codes = &faultyCodes{Codes: f.codes, loadErr: row.err}
			_, _, err := f.respond(f.valid("web"))
			if e := AsError(err); e.Operating != row.operating || e.Security || !strings.Contains(e.Hint, "clocks") {
				t.Errorf("operating %t, security %t, hint %q", e.Operating, e.Security, e.Hint)
			}
		})
	}
}

func TestWhoIsAStranger(t *testing.T) {
	for client, strangers := range map[string]int{"web": 0, "post": 0, "spa": 1} {
		t.Run("C11 codes are looked for in the place of strangers as often as a secret is missing: "+client, func(t *testing.T) {
			f := newFixture(t)
			codes := &faultyCodes{Codes: f.codes}
			f.endpoint.Codes = codes
			f.succeeds(f.valid(client))
			if codes.loads != 1 || codes.forStrangers != strangers {
				t.Errorf("%d of %d", codes.forStrangers, codes.loads)
			}
		})
	}
}

func TestRedeemErrors(t *testing.T) {
	for _, row := range []struct {
		name       string
		err        error
		want       want
		redemption string
	}{
		{"REQ-104 a code that was used meanwhile", storage.ErrUsed, invalidGrant(CodeReplayed, ""), "replayed"},
		{"REQ-104 a race that was lost", storage.ErrLost, invalidGrant(ClaimContended, ""), "lost"},
		{"REQ-086 a code that expired meanwhile", storage.ErrExpired, invalidGrant(CodeExpired, ""), ""},
		{"REQ-113 F17 a storage that changed nothing", storage.ErrUnavailable, want{503, "temporarily_unavailable", StorageUnavailable, ""}, ""},
		{"F05 F07 F08 a storage that failed during the claim", storage.ErrUncertain, want{500, "server_error", ClaimUnknown, ""}, ""},
		{"F05 a failure during the claim, whatever else it wraps", fmt.Errorf("%w: %w", storage.ErrUncertain, storage.ErrUnavailable), want{500, "server_error", ClaimUnknown, ""}, ""},
		{"anything else counts as a claim that failed", errors.New("boom"), want{500, "server_error", ClaimUnknown, ""}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			f.endpoint.Codes = &faultyCodes{Codes: f.codes, redeemErr: fmt.Errorf("wrapped: %w", row.err)}
			q := f.valid("web")
			e := f.fails(q, row.want)
			if (e.Status() == 503) != (e.RetryAfter > 0) {
				t.Errorf("%d with Retry-After %v", e.Status(), e.RetryAfter)
			}
			if _, attempt, _ := f.respond(q); attempt.Redemption != row.redemption || attempt.TokenID != "" {
				t.Errorf("the attempt says %+v", attempt)
			}
		})
	}
}

func TestBindingOfTheRecordItself(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*storage.Record)
		want   want
	}{
		{"REQ-085 A13 a record of another issuer", func(r *storage.Record) { r.Issuer = "https://other.example" }, invalidGrant(IssuerMismatch, "")},
		{"REQ-084 a record of another client", func(r *storage.Record) { r.ClientID = "web2" }, invalidGrant(ClientMismatch, "")},
		{"REQ-092 a record without a redirect_uri equals none that is sent", func(r *storage.Record) { r.RedirectURI, r.RedirectURISent = "", false }, invalidGrant(RedirectMismatch, "")},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			codes := &faultyCodes{Codes: f.codes, change: row.change}
			f.endpoint.Codes = codes
			q := f.valid("web")
			f.fails(q, row.want)
			codes.change = nil
			f.succeeds(q)
		})
	}
}

func TestNothingIsLookedUpForStrangers(t *testing.T) {
	t.Run("REQ-105 A16 A26 no code is looked up before the client is known and the form complete", func(t *testing.T) {
		f := newFixture(t)
		codes := &faultyCodes{Codes: f.codes}
		f.endpoint.Codes = codes
		for _, change := range []func(*tokenRequest, *fixture){
			basicAuth("web", "wrong"), basicAuth("nobody", "x"), only(), del("code"), set("code_verifier", "short"),
			set("grant_type", "x"), add("code", "x"), header("Origin", "https://evil.example"), target("/token?code=x"),
		} {
			q := f.valid("web")
			change(q, f)
			if _, _, err := f.respond(q); err == nil {
				t.Fatal("a wrong request was answered with tokens")
			}
		}
		if codes.loads != 0 || codes.redeems != 0 {
			t.Errorf("%d loads and %d redemptions", codes.loads, codes.redeems)
		}
	})
}

func TestSigningFailures(t *testing.T) {
	t.Run("F09 a signing key that is not at hand leaves the code good", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		f.keys.err = errors.New("no key")
		e := f.fails(q, want{503, "temporarily_unavailable", SigningKeyUnavailable, ""})
		if e.RetryAfter <= 0 {
			t.Error("there is no Retry-After")
		}
		f.keys.err = nil
		f.succeeds(q)
	})
	t.Run("REQ-105 REQ-123 F09 a signature that fails yields nothing and spends the code", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		key := f.keys.key
		f.keys.key = &token.Key{ID: key.ID, Algorithm: key.Algorithm, Signer: brokenSigner{key.Signer}}
		f.fails(q, want{500, "server_error", IssueFailed, ""})
		f.keys.key = key
		f.fails(q, invalidGrant(CodeReplayed, ""))
	})
}

// brokenSigner has a public key and cannot sign.
type brokenSigner struct{ crypto.Signer }

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("hardware key is gone")
}

func TestWhatIsGranted(t *testing.T) {
	t.Run("REQ-110 openid yields an ID token, and its absence none", func(t *testing.T) {
		f := newFixture(t)
		if r := f.succeeds(f.valid("web")); r.IDToken == "" || r.Scope != "openid profile" {
			t.Errorf("with openid: ID token %t, scope %q", r.IDToken != "", r.Scope)
		}
		plain := f.valid("web", func(r *storage.Record) { r.Scope = []string{"profile"} })
		if r := f.succeeds(plain); r.IDToken != "" || r.Scope != "profile" {
			t.Errorf("without openid: ID token %t, scope %q", r.IDToken != "", r.Scope)
		}
	})
	t.Run("REQ-032 the issuer and the audience come from the configuration", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		r := q.http()
		r.Host = "evil.example"
		r.Header.Set("X-Forwarded-Host", "evil.example")
		response, _, err := respond(f.endpoint, r, testAddr)
		if err != nil {
			t.Fatal(err)
		}
		claims := claimsOf(t, response.AccessToken)
		if claims["iss"] != testIssuer || fmt.Sprint(claims["aud"]) != testIssuer {
			t.Errorf("iss %v, aud %v", claims["iss"], claims["aud"])
		}
	})
	t.Run("the record's values reach the tokens of its client", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web", func(r *storage.Record) {
			r.ACR, r.AMR, r.AuthTime = "urn:acr", []string{"pwd"}, f.time.Add(-time.Hour)
			r.Claims = map[string]json.RawMessage{"name": json.RawMessage(`"Alice"`)}
			r.AccessTokenClaims = map[string]json.RawMessage{"roles": json.RawMessage(`["a"]`)}
		})
		response, attempt, err := f.respond(q)
		if err != nil {
			t.Fatal(err)
		}
		id, access := claimsOf(t, response.IDToken), claimsOf(t, response.AccessToken)
		for claim, value := range map[string]string{"sub": "alice", "aud": "web", "nonce": "nonce", "acr": "urn:acr", "amr": "[pwd]",
			"auth_time": fmt.Sprint(float64(f.time.Add(-time.Hour).Unix())), "name": "Alice"} {
			if fmt.Sprint(id[claim]) != value {
				t.Errorf("ID token: %s is %v, want %s", claim, id[claim], value)
			}
		}
		if access["client_id"] != "web" || fmt.Sprint(access["roles"]) != "[a]" || access["jti"] != attempt.TokenID {
			t.Errorf("access token: %v", access)
		}
		if !attempt.Authenticated || attempt.ClientID != "web" || attempt.AuthMethod != "client_secret_basic" ||
			attempt.GrantType != "authorization_code" || attempt.Scope != "openid profile" ||
			attempt.KeyID != f.keys.key.ID || attempt.TokenID == "" || attempt.GrantID == "" ||
			attempt.CodeRef != storage.Ref(q.form.Get("code")) || attempt.Redemption != "won" {
			t.Errorf("the attempt says %+v", attempt)
		}
	})
}

func claimsOf(t *testing.T, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatal("not a JWS")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestRedirectHint(t *testing.T) {
	for _, row := range []struct{ name, sent, in, notIn string }{
		{"it shows what was sent and what the code was issued for", "https://rp.example/cb", `"https://rp.example/cb" but the code was issued for https://rp.example/callback`, ""},
		{"REQ-239 it shows no query", "https://rp.example/cb?token=hunter2", "with a query or fragment (not shown)", "hunter2"},
		{"REQ-239 it shows no fragment", "https://rp.example/cb#hunter2", "with a query or fragment (not shown)", "hunter2"},
		{"REQ-239 it shows no user information", "https://bob:hunter2@rp.example/cb", "(not shown)", "hunter2"},
		{"REQ-239 it shows no verifier", "https://rp.example/" + testVerifier, "(not shown)", testVerifier},
		{"REQ-239 it shows no secret", "https://rp.example/" + secretOf("web"), "(not shown)", secretOf("web")},
		{"REQ-241 it shows other characters escaped", "https://rp.example/\u202e\u2028", `\u202e\u2028`, "\u202e"},
		{"it shows 200 characters at most", "https://rp.example/" + strings.Repeat("a", 1000), "aaa", strings.Repeat("a", 200)},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			q := f.valid("web")
			q.form.Set("redirect_uri", row.sent)
			e := f.fails(q, invalidGrant(RedirectMismatch, ""))
			if !strings.Contains(e.Hint, row.in) || row.notIn != "" && strings.Contains(e.Hint, row.notIn) {
				t.Errorf("the hint is %q", e.Hint)
			}
		})
	}
}

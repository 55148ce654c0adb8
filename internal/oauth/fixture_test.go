package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// What the fixtures are registered with. The PKCE pair is RFC 7636 appendix B.
const (
	testIssuer    = "https://id.example"
	testVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	testChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	otherVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"

	oddID     = "https://rp.example/x"
	oddSecret = "a+b%c:d &="
)

var testAddr = netip.MustParseAddr("192.0.2.1")

// secretOf returns a client's secret. It is made of what no error may show.
func secretOf(client string) string {
	if client == oddID {
		return oddSecret
	}
	return "secret-of-" + client + "-0123456789abcdef"
}

func redirectOf(client string) string {
	if client == "spa" {
		return "https://spa.example/callback"
	}
	return "https://rp.example/callback"
}

// fixture is an endpoint over real codes in memory.
type fixture struct {
	t        testing.TB
	endpoint *Endpoint
	codes    *storage.Codes
	memory   *storagetest.Memory
	keys     *testKeys
	time     time.Time
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, memory: storagetest.NewMemory(), keys: newTestKeys(t), time: time.Unix(1_700_000_000, 0)}
	now := func() time.Time { return f.time }
	f.codes = f.codesOf(testIssuer)
	clients, err := NewClients(testIssuer, testClients(t))
	if err != nil {
		t.Fatal(err)
	}
	f.endpoint = &Endpoint{
		Issuer:   testIssuer,
		Clients:  clients,
		Codes:    f.codes,
		Throttle: NewThrottle(),
		Now:      now,
		Tokens: &token.Issuer{
			Issuer: testIssuer, Algorithm: token.ES256, Keys: f.keys, Now: now,
			AccessTokenLifetime: 10 * time.Minute, IDTokenLifetime: time.Hour,
		},
	}
	return f
}

// respond does what the handler does with a request.
func respond(e *Endpoint, r *http.Request, addr netip.Addr) (*token.Response, Attempt, error) {
	body, err := ReadBody(r)
	if err != nil {
		return nil, Attempt{}, err
	}
	return e.Respond(r, body, addr)
}

func (f *fixture) codesOf(issuer string) *storage.Codes {
	f.t.Helper()
	codes, err := storage.New(storage.Options{
		Storage: f.memory, Issuer: issuer, Retention: 10 * time.Minute, Used: storage.NewUsedSet(),
		Now: func() time.Time { return f.time },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return codes
}

func testClients(t testing.TB) []*Client {
	t.Helper()
	client := func(id string, method AuthMethod) *Client {
		c := &Client{
			ID: id, AuthMethod: method, RedirectURIs: []string{redirectOf(id), "https://rp.example/other"},
			GrantTypes: []string{"authorization_code"}, Scope: strings.Fields("openid profile email"),
			IDTokenAlgorithm: token.ES256, AccessTokenAudience: []string{testIssuer},
		}
		if method != None {
			c.Secrets = []Secret{hashed(t, secretOf(id))}
		}
		return c
	}
	off := client("off", ClientSecretBasic)
	off.GrantTypes = nil
	strict := client("strict", ClientSecretBasic)
	strict.RequirePKCE = true
	listed := client("listed", ClientSecretBasic)
	listed.AllowedOrigins = []string{"https://listed.example"}
	return []*Client{
		client("web", ClientSecretBasic), client("web2", ClientSecretBasic), client("post", ClientSecretPost),
		client("spa", None), client(oddID, ClientSecretBasic), off, strict, listed,
	}
}

// hashed returns a secret configured by its SHA-256 hash.
func hashed(t testing.TB, secret string) Secret {
	t.Helper()
	digest := sha256.Sum256([]byte(secret))
	parsed, err := ParseSecret("sha256:" + hex.EncodeToString(digest[:]))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// testKeys has one ES256 key, and can fail.
type testKeys struct {
	key *token.Key
	err error
}

func newTestKeys(t testing.TB) *testKeys {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewKey(token.ES256, private)
	if err != nil {
		t.Fatal(err)
	}
	return &testKeys{key: key}
}

func (k *testKeys) SigningKey(context.Context, token.Algorithm) (*token.Key, error) {
	return k.key, k.err
}

// tokenRequest is a request that is complete and right until a row changes it.
type tokenRequest struct {
	form   url.Values
	body   string // instead of form, where it is not empty
	header http.Header
	target string
	addr   netip.Addr
}

// record is what C(client) stands for.
func (f *fixture) record(client string, change ...func(*storage.Record)) *storage.Record {
	r := &storage.Record{
		Issuer: testIssuer, ClientID: client, Subject: "alice",
		RedirectURI: redirectOf(client), RedirectURISent: true,
		Scope: []string{"openid", "profile"}, Nonce: "nonce",
		CodeChallenge: testChallenge, CodeChallengeMethod: "S256",
		IssuedAt: f.time, ExpiresAt: f.time.Add(time.Minute),
	}
	for _, c := range change {
		c(r)
	}
	return r
}

// mint stores a code for client.
func (f *fixture) mint(client string, change ...func(*storage.Record)) string {
	f.t.Helper()
	code, err := f.codes.Store(context.Background(), f.record(client, change...))
	if err != nil {
		f.t.Fatal(err)
	}
	return code
}

// valid returns the complete valid request of a client, with a fresh code.
func (f *fixture) valid(client string, change ...func(*storage.Record)) *tokenRequest {
	f.t.Helper()
	return f.redeeming(client, f.mint(client, change...))
}

func (f *fixture) redeeming(client, code string) *tokenRequest {
	q := &tokenRequest{
		form: url.Values{
			"grant_type": {"authorization_code"}, "code": {code},
			"redirect_uri": {redirectOf(client)}, "code_verifier": {testVerifier},
		},
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		target: "/token",
		addr:   testAddr,
	}
	q.authenticate(client)
	return q
}

// authenticate gives the request the right credentials of a client.
func (q *tokenRequest) authenticate(client string) {
	q.header.Del("Authorization")
	q.form.Del("client_id")
	q.form.Del("client_secret")
	switch client {
	case "spa":
		q.form.Set("client_id", client)
	case "post":
		q.form.Set("client_id", client)
		q.form.Set("client_secret", secretOf(client))
	default:
		q.basic(client, secretOf(client))
	}
}

// basic sets Basic credentials, encoded as RFC 6749 §2.3.1 says.
func (q *tokenRequest) basic(id, secret string) {
	q.rawBasic(url.QueryEscape(id) + ":" + url.QueryEscape(secret))
}

func (q *tokenRequest) rawBasic(pair string) {
	q.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
}

func (q *tokenRequest) clone() *tokenRequest {
	c := *q
	c.form, c.header = maps.Clone(q.form), q.header.Clone()
	for name, values := range c.form {
		c.form[name] = slices.Clone(values)
	}
	return &c
}

// encoded is the form as its body.
func (q *tokenRequest) encoded() string {
	if q.body != "" {
		return q.body
	}
	return q.form.Encode()
}

func (q *tokenRequest) http() *http.Request {
	r := httptest.NewRequest(http.MethodPost, q.target, strings.NewReader(q.encoded()))
	r.Header = q.header
	return r
}

func (f *fixture) respond(q *tokenRequest) (*token.Response, Attempt, *Error) {
	f.t.Helper()
	response, attempt, err := respond(f.endpoint, q.http(), q.addr)
	if (response == nil) == (err == nil) {
		f.t.Fatalf("Respond returned response %t and error %t", response != nil, err != nil)
	}
	return response, attempt, AsError(err)
}

// succeeds fails the test unless q is answered with tokens.
func (f *fixture) succeeds(q *tokenRequest) *token.Response {
	f.t.Helper()
	response, _, err := f.respond(q)
	if err != nil {
		f.t.Fatalf("a right request was refused: %v", err)
	}
	return response
}

// want is a refusal: what the client sees, and why.
type want struct {
	status int
	code   string
	reason Reason
	detail Reason
}

// fails fails the test unless q is refused as wanted, in a text that keeps to
// RFC 6749 §5.2's characters and shows nothing of the request.
func (f *fixture) fails(q *tokenRequest, w want) *Error {
	f.t.Helper()
	_, attempt, err := f.respond(q)
	if err == nil {
		f.t.Fatalf("the request was answered with tokens, want %d %s (%s)", w.status, w.code, w.reason)
	}
	got := want{err.Status(), err.Code(), err.Reason, err.Detail}
	if got != w {
		f.t.Fatalf("refused with %+v, want %+v: %v", got, w, err)
	}
	f.checkPublic(err)
	f.checkSecrets(q, err, attempt)
	return err
}

// checkPublic holds the public texts to RFC 6749 §5.2.
func (f *fixture) checkPublic(err *Error) {
	f.t.Helper()
	for _, text := range []string{err.Code(), err.Description()} {
		if text == "" || !printableASCII(text) || strings.ContainsAny(text, `"\`) {
			f.t.Errorf("public text %q is empty or has other characters than RFC 6749 §5.2 allows", text)
		}
	}
}

// checkSecrets looks for what the request presented in everything that is
// logged.
func (f *fixture) checkSecrets(q *tokenRequest, err *Error, attempt Attempt) {
	f.t.Helper()
	logged := strings.Join([]string{err.Error(), err.Description(), attempt.ClientID, attempt.AuthMethod,
		attempt.GrantType, attempt.Scope, attempt.CodeRef, attempt.Redemption}, "\n")
	secrets := []string{testVerifier, otherVerifier, testChallenge, "secret-of-", oddSecret, q.header.Get("Authorization")}
	for _, name := range []string{"code", "client_secret", "code_verifier", "client_assertion"} {
		secrets = append(secrets, q.form.Get(name))
	}
	for _, secret := range secrets {
		if len(secret) >= 8 && strings.Contains(logged, secret) {
			f.t.Errorf("an error or the attempt shows something secret: %s", logged)
		}
	}
}

// row is one change of a valid request and what comes of it.
type row struct {
	name   string
	client string // "": web
	mint   func(*storage.Record)
	both   func(q *tokenRequest)             // of the valid request as well
	change func(q *tokenRequest, f *fixture) // of the one that is tried
	want   want                              // zero: tokens
}

// run tries each row on an endpoint of its own. What is refused leaves the
// code intact: the valid request succeeds afterwards.
func run(t *testing.T, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			if row.client == "" {
				row.client = "web"
			}
			var change []func(*storage.Record)
			if row.mint != nil {
				change = append(change, row.mint)
			}
			right := f.valid(row.client, change...)
			if row.both != nil {
				row.both(right)
			}
			tried := right.clone()
			if row.change != nil {
				row.change(tried, f)
			}
			if row.want == (want{}) {
				f.succeeds(tried)
				return
			}
			f.fails(tried, row.want)
			f.succeeds(right)
		})
	}
}

func set(name, value string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) { q.form.Set(name, value) }
}

func add(name, value string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) { q.form.Add(name, value) }
}

func del(names ...string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) {
		for _, name := range names {
			q.form.Del(name)
		}
	}
}

func header(name string, values ...string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) { q.header[name] = values }
}

func target(uri string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) { q.target = uri }
}

// appendBody adds raw text to the encoded form.
func appendBody(raw string) func(*tokenRequest, *fixture) {
	return func(q *tokenRequest, _ *fixture) { q.body = q.form.Encode() + raw }
}

// Refusals that many rows end in.
func invalidRequest(reason Reason) want { return want{400, "invalid_request", reason, ""} }
func invalidClient(detail Reason) want {
	return want{401, "invalid_client", ClientAuthFailed, detail}
}
func invalidGrant(reason, detail Reason) want { return want{400, "invalid_grant", reason, detail} }

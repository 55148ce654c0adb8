package oidctoken_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// The tests of this package talk to a real Caddy from outside. It runs in this
// process, or, where several are needed, as this test binary started again.

const runAsCaddy = "OIDC_TOKEN_TEST_RUN_CADDY"

func TestMain(m *testing.M) {
	if os.Getenv(runAsCaddy) != "" {
		caddycmd.Main()
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "oidc-token-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	suiteDir = dir
	logFile = filepath.Join(dir, "caddy.log")
	// Nothing of a Caddy on this machine is read or written.
	os.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	os.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	code := m.Run()
	if code == 0 {
		code = searchLogs(logFile)
	}
	return code
}

// suiteDir holds what the suite writes until it ends.
var suiteDir string

// logFile is where every Caddy of these tests logs, at level DEBUG but for the
// race detector.
var logFile string

// secrets are values that must never be written to a log: every code, token,
// verifier and client secret that any test handled.
var secrets struct {
	sync.Mutex
	values map[string]string // value → what it is
}

const minSecret = 16 // bytes; shorter values occur by chance

// secret marks a value as one that must not appear in any log.
func secret(what, value string) string {
	if len(value) >= minSecret {
		secrets.Lock()
		defer secrets.Unlock()
		if secrets.values == nil {
			secrets.values = make(map[string]string)
		}
		secrets.values[value] = what
	}
	return value
}

// searchLogs is REQ-239: whatever the whole suite made Caddy write holds none
// of the secrets.
func searchLogs(file string) int {
	logs, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && len(secrets.values) == 0 {
		return 0 // -run chose tests that start no Caddy
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "REQ-239: reading the log of the suite:", err)
		return 1
	}
	secrets.Lock()
	defer secrets.Unlock()
	code := 0
	for value, at := range found(logs, secrets.values) {
		line := logs[bytes.LastIndexByte(logs[:at], '\n')+1:]
		line = line[:bytes.IndexByte(line, '\n')+1]
		fmt.Fprintf(os.Stderr, "REQ-239: a log line holds a %s: %s\n", secrets.values[value], bytes.ReplaceAll(line, []byte(value), []byte("[SECRET]")))
		code = 1
	}
	fmt.Fprintf(os.Stderr, "REQ-239: searched %d bytes of log for %d secrets\n", len(logs), len(secrets.values))
	return code
}

// found returns the values that are in text and where. There are thousands of
// them and megabytes of text, which is why it goes once over the text.
func found(text []byte, values map[string]string) map[string]int {
	byBeginning := make(map[[minSecret]byte][]string)
	for value := range values {
		beginning := [minSecret]byte([]byte(value))
		byBeginning[beginning] = append(byBeginning[beginning], value)
	}
	places := make(map[string]int)
	for at := range max(len(text)-minSecret+1, 0) {
		for _, value := range byBeginning[[minSecret]byte(text[at:])] {
			if bytes.HasPrefix(text[at:], []byte(value)) {
				places[value] = at
			}
		}
	}
	return places
}

func TestFound(t *testing.T) {
	const a, b = "0123456789abcdef", "0123456789abcdefg"
	got := found([]byte("x "+a+"\n "+b), map[string]string{a: "", b: "", a + "!": ""})
	if len(got) != 2 || got[b] != 2+len(a)+2 {
		t.Errorf("got %v", got)
	}
	if got := found([]byte("short"), map[string]string{a: ""}); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

const (
	webSecret  = "hKq8n3VZ5cX1tR7wY2uB9sD4fG6jL0pM-web"
	postSecret = "Zp4mW8xQ1vN6bT3kR9yH2sF5dJ7gC0lA-post"
	redirect   = "https://app.example/callback"
)

// clients is the registry most tests use.
const clients = `
	client web {
		client_secret ` + webSecret + `
		redirect_uris https://app.example/callback https://app.example/other
	}
	client web2 {
		client_secret ` + webSecret + `2
		redirect_uris https://app.example/callback
	}
	client post {
		token_endpoint_auth_method client_secret_post
		client_secret ` + postSecret + `
		redirect_uris https://app.example/callback
	}
	client spa {
		token_endpoint_auth_method none
		redirect_uris https://app.example/callback
	}
`

// site is a running Caddy with one issuer.
type site struct {
	t       testing.TB
	issuer  string
	port    string
	dir     string // storage
	admin   string // host:port
	servers string // options of its servers
	options string // further global options
	client  *http.Client
	// clientIP is the address its client comes from.
	clientIP string
	loads    *atomic.Int64 // of configs
}

// newSite reserves a port and a storage folder; the issuer is
// http://127.0.0.1:PORT. Nothing runs yet.
func newSite(t testing.TB) *site {
	t.Helper()
	port := freePort(t)
	// Not t.TempDir: what Caddy still has to write after it was stopped must not
	// fail the test.
	dir, err := os.MkdirTemp(suiteDir, "storage")
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	t.Cleanup(transport.CloseIdleConnections)
	n := sites.Add(1)
	clientIP := fmt.Sprintf("192.0.2.%d", n%250)
	return &site{
		t: t, port: port, issuer: "http://127.0.0.1:" + port, dir: dir, admin: "127.0.0.1:" + freePort(t), clientIP: clientIP, loads: new(atomic.Int64),
		servers: "trusted_proxies static 127.0.0.1/32",
		client: &http.Client{
			Transport:     forwarded{transport, clientIP},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// sites numbers the sites of this process.
var sites atomic.Int32

// forwarded plays a trusted proxy before Caddy, so that the failures of one
// test are not counted for the address of another's.
type forwarded struct {
	*http.Transport
	clientIP string
}

func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("X-Forwarded-For") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("X-Forwarded-For", f.clientIP)
	}
	return f.Transport.RoundTrip(r)
}

func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(firstPort + ports.Add(1)%20_000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// firstPort and the 20,000 after it are below those that systems take for
// outgoing connections: one of these may be free now and in use when Caddy
// listens.
const firstPort = 10_000

// ports numbers the ports of this process, from anywhere.
var ports = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(mathrand.Uint32N(20_000))
	return &n
}()

// caddyfile is the global options and the given site blocks.
func (s *site) caddyfile(blocks string) string {
	debug := "debug"
	if raceDetector {
		// At DEBUG, Caddy's events copy the whole TLS app, which may still be
		// starting: a race, and Caddy's own. What a log holds at that level is for
		// the tests without the detector to see.
		debug = ""
	}
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	auto_https disable_redirects
	skip_install_trust
	storage file_system %s
	%s
	servers {
		%s
	}
	log {
		output file %s {
			roll_disabled
		}
		format json
	}
	%s
}
%s`, s.admin, s.dir, debug, s.servers, logFile, s.options, strings.NewReplacer("ISSUER", s.issuer, "PORT", s.port, "CLIENTS", clients).Replace(blocks))
}

// oneSite is the site most tests use.
const oneSite = `
http://127.0.0.1:PORT {
	log
	oidc_token {
		issuer ISSUER
		CLIENTS
	}
	respond "the site" 200
}`

// start loads site blocks into the Caddy of this process and stops it when the
// test ends. ISSUER, PORT and CLIENTS in blocks are replaced.
func (s *site) start(blocks string) *site {
	s.t.Helper()
	if err := s.load(blocks); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	return s
}

// load is start without the stop; it also reloads.
func (s *site) load(blocks string) error {
	config, err := caddyJSON(s.caddyfile(blocks))
	if err != nil {
		return err
	}
	return s.replace(config)
}

// replace loads a config in place of the one that runs.
func (s *site) replace(config []byte) error {
	defer s.loads.Add(1)
	defer s.client.CloseIdleConnections() // the old config's server closes them
	if err := caddy.Load(config, true); err != nil {
		return err
	}
	return formerListenersClosed(s.port)
}

// formerListenersClosed waits until a port has one listener for each address.
// Where the old config and the new one have listeners of their own, some time
// after the load the old one is still there: it takes connections that nobody
// accepts, and resets them when it closes. Only Linux shows that; elsewhere send
// dials again.
func formerListenersClosed(port string) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if n, err := listenersOfOneAddress(port); err != nil || n <= 1 {
			return err
		}
	}
	return fmt.Errorf("the former config still listens on port %s", port)
}

// listenersOfOneAddress is how many listeners that address has which has most,
// at this port.
func listenersOfOneAddress(port string) (most int, err error) {
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0, err
	}
	suffix, addresses := fmt.Sprintf(":%04X", n), make(map[string]int)
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		sockets, err := os.ReadFile(table)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		for line := range strings.Lines(string(sockets)) {
			const listens = "0A"
			if f := strings.Fields(line); len(f) > 3 && f[3] == listens && strings.HasSuffix(f[1], suffix) {
				addresses[f[1]]++
				most = max(most, addresses[f[1]])
			}
		}
	}
	return most, nil
}

func caddyJSON(caddyfile string) ([]byte, error) {
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		if !strings.Contains(w.Message, "not formatted") {
			return nil, fmt.Errorf("adapter warning: %s", w)
		}
	}
	return config, nil
}

// verifier and challenge are one PKCE pair.
func pkce() (verifier, challenge string) {
	b := make([]byte, 32)
	rand.Read(b)
	verifier = secret("code verifier", base64.RawURLEncoding.EncodeToString(b))
	digest := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(digest[:])
}

// mint stores a code at the running issuer.
func (s *site) mint(q oidctoken.MintRequest) string {
	s.t.Helper()
	if q.Subject == "" {
		q.Subject = "alice"
	}
	if q.RedirectURI == "" {
		q.RedirectURI = redirect
	}
	response, err := oidctoken.Mint(s.t.Context(), s.issuer, &q)
	if err != nil {
		s.t.Fatal(err)
	}
	return secret("code", response.Code)
}

// answer is a response read whole.
type answer struct {
	*http.Response
	body []byte
	json map[string]any
}

// send sends a request and reads the answer. After a reload it dials again
// where the former config's listener took the connection with it when it
// closed, before or after the request was written to it: nobody had accepted it.
func (s *site) send(r *http.Request) *answer {
	s.t.Helper()
	a, err := s.try(r)
	for n := 0; err != nil && n < 20 && s.loads.Load() > 1 && connectionLost(err); n++ {
		again := r.Clone(r.Context())
		if r.GetBody != nil {
			again.Body, _ = r.GetBody()
		}
		s.client.CloseIdleConnections()
		a, err = s.try(again)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func connectionLost(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok || errors.Is(err, io.EOF)
}

func (s *site) try(r *http.Request) (*answer, error) {
	response, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return read(response, body), nil
}

// read is a response whose body was read.
func read(response *http.Response, body []byte) *answer {
	a := &answer{Response: response, body: body}
	if json.Unmarshal(a.body, &a.json) == nil {
		for _, name := range []string{"access_token", "id_token"} {
			if token, ok := a.json[name].(string); ok {
				secret(name, token)
				secret("grant reference", grantRef(token))
			}
		}
	}
	return a
}

// grantRef returns what an access token says of its grant; "": nothing.
func grantRef(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	var claims struct {
		GrantRef string `json:"grant_ref"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return ""
	}
	return claims.GrantRef
}

// tokenRequest is a POST to the token endpoint.
func (s *site) tokenRequest(form url.Values) *http.Request {
	r, err := http.NewRequest(http.MethodPost, s.issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// redemption is the complete valid request of client web for a code.
func (s *site) redemption(code string) *http.Request {
	r := s.tokenRequest(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}})
	r.SetBasicAuth("web", secret("client secret", webSecret))
	return r
}

// wantTokens asserts a 200 with tokens.
func (a *answer) wantTokens(t testing.TB) {
	t.Helper()
	if a.StatusCode != http.StatusOK || a.json["access_token"] == nil {
		t.Fatalf("got %d %s, want 200 with tokens", a.StatusCode, a.body)
	}
}

// wantError asserts an error response in the one shape they all have.
func (a *answer) wantError(t testing.TB, status int, code string) {
	t.Helper()
	if a.StatusCode != status || a.json["error"] != code {
		t.Fatalf("got %d %s, want %d %s", a.StatusCode, a.body, status, code)
	}
	for name := range a.json {
		if name != "error" && name != "error_description" {
			t.Errorf("the error response has a member %q", name)
		}
	}
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := a.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("Cache-Control is %q", got)
	}
	if challenge := a.Header.Get("WWW-Authenticate"); (status == http.StatusUnauthorized) != (challenge != "") {
		t.Errorf("WWW-Authenticate is %q with status %d", challenge, status)
	}
}

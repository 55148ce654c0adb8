package oidctoken

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

const (
	fuzzIssuer   = "https://id.example"
	fuzzSecret   = "hKq8n3VZ5cX1tR7wY2uB9sD4fG6jL0pM"
	fuzzRedirect = "https://app.example/callback"
	fuzzSPA      = "https://spa.example/callback"
)

// fuzzed is an issuer that signs with a key file, so that nothing runs in the
// background, and what it wrote.
type fuzzed struct {
	*issuer
	memory *storagetest.Memory
	logs   *observer.ObservedLogs
	time   time.Time // for the throttle, which forgets from one input to the next
}

func newFuzzed(f *testing.F) *fuzzed {
	f.Helper()
	h := &Handler{Issuer: fuzzIssuer, SigningAlg: "ES256", SigningKey: []string{es256File(f)}, Clients: []*Client{
		{ClientID: "web", ClientSecret: []string{fuzzSecret}, RedirectURIs: []string{fuzzRedirect, "https://app.example/other"}},
		{ClientID: "spa", TokenEndpointAuthMethod: "none", RedirectURIs: []string{fuzzSPA}},
	}}
	s, err := h.settings(func(v string) (string, error) { return v, nil })
	if err != nil {
		f.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	x := &fuzzed{memory: storagetest.NewMemory(), logs: logs, time: time.Now()}
	x.issuer, err = newIssuer(s, x.memory, zap.New(core), slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	x.endpoint.Throttle = oauth.NewThrottle()
	x.endpoint.Now = func() time.Time { return x.time }
	return x
}

func es256File(f testing.TB) string {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	name := filepath.Join(f.TempDir(), "key.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		f.Fatal(err)
	}
	return name
}

// next forgets what the last input left behind.
func (x *fuzzed) next() {
	x.time = x.time.Add(2 * time.Minute)
	x.memory.Restore(nil)
	x.memory.Reset()
	x.logs.TakeAll()
}

// FuzzTokenEndpoint: whatever comes in over HTTP, what goes out is a token
// response that was earned or an error of RFC 6749 §5.2, with the headers of
// either, and shows nothing of the request.
func FuzzTokenEndpoint(f *testing.F) {
	const formType = "application/x-www-form-urlencoded"
	const form = "grant_type=authorization_code&code=CODE&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("web:"+fuzzSecret))
	f.Add("POST", "", formType, basic, "", form)
	f.Add("POST", "ui=1", formType+"; charset=UTF-8", basic, fuzzIssuer, form+"&state=%22%3Cscript%3E")
	f.Add("OPTIONS", "", "", "", "https://spa.example", "")
	f.Add("OPTIONS", "", "", "", "null", "x")
	f.Add("GET", "code=CODE", "", "", "", "")
	f.Add("post", "", formType, basic, "", form)
	f.Add("POST", "client_secret=x", formType, "", "", form)
	f.Add("POST", "", "multipart/form-data; boundary=x", basic, "", form)
	f.Add("POST", "", formType, "Basic d2ViOng=", "", form)
	f.Add("POST", "", formType, "", "", form+"&client_id=web&client_secret="+fuzzSecret)
	f.Add("POST", "", formType, "", "", form+"&client_id=spa&code_verifier=\r\nX-Evil: 1")
	f.Add("POST", "", formType, basic, "", strings.Repeat("a=b&", 20000))
	x := newFuzzed(f)
	f.Fuzz(func(t *testing.T, method, query, contentType, authorization, origin, body string) {
		x.next()
		code := ""
		if strings.Contains(body+query, "CODE") {
			minted, err := x.mint(t.Context(), &MintRequest{ClientID: "web", RedirectURI: fuzzRedirect, Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			code = minted.Code
			body, query = strings.ReplaceAll(body, "CODE", code), strings.ReplaceAll(query, "CODE", code)
		}
		r := httptest.NewRequest(http.MethodPost, fuzzIssuer+"/token", strings.NewReader(body)) // over TLS
		r.TLS.HandshakeComplete = true
		r.Method, r.URL.RawQuery = method, query
		for name, value := range map[string]string{"Content-Type": contentType, "Authorization": authorization, "Origin": origin} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		x.serveToken(w, r)
		checkAnswerHeaders(t, w, method, origin)
		switch w.Code {
		case http.StatusOK:
			checkEarned(t, r, body, code)
		case http.StatusNoContent:
			if method != http.MethodOptions || w.Body.Len() != 0 {
				t.Errorf("%s is answered 204 with %d bytes", method, w.Body.Len())
			}
		default:
			checkErrorAnswer(t, w)
		}
		checkLogged(t, x.logs, code)
	})
}

// checkAnswerHeaders: no header is made of what the request sent.
func checkAnswerHeaders(t *testing.T, w *httptest.ResponseRecorder, method, origin string) {
	t.Helper()
	h := w.Result().Header
	if !strings.Contains(h.Get("Cache-Control"), "no-store") || h.Get("Pragma") != "no-cache" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", h)
	}
	if (h.Get("WWW-Authenticate") != "") != (w.Code == http.StatusUnauthorized) || (h.Get("Allow") != "") != (method != http.MethodPost) {
		t.Errorf("%s %d with headers %v", method, w.Code, h)
	}
	if allowed := h.Get("Access-Control-Allow-Origin"); allowed != "" && (allowed != origin || origin != fuzzIssuer && origin != "https://spa.example") {
		t.Errorf("origin %q is allowed for %q", allowed, origin)
	}
	known := []string{"no-store, no-transform", "no-cache", "nosniff", "no-referrer", "", "Origin", "application/json", "POST, OPTIONS", "POST", "600", "identity",
		"close", `Basic realm="oidc_token", charset="UTF-8"`, "DPoP-Nonce, WWW-Authenticate, Retry-After, X-Request-Id", "Authorization, Content-Type, DPoP",
		fuzzIssuer, "https://spa.example", fmt.Sprint(w.Body.Len())}
	for name, values := range h {
		if len(values) != 1 || !slices.Contains(known, values[0]) {
			t.Errorf("header %s is %q", name, values)
		}
	}
}

// checkEarned looks at a request that got tokens with net/url's and net/http's
// eyes.
func checkEarned(t *testing.T, r *http.Request, body, code string) {
	t.Helper()
	form, err := url.ParseQuery(body)
	id, secret, basic := r.BasicAuth()
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil, code == "", !reflect.DeepEqual(form["code"], []string{code}), !reflect.DeepEqual(form["grant_type"], []string{"authorization_code"}):
		t.Errorf("tokens for another form: %v", err)
	case !reflect.DeepEqual(form["redirect_uri"], []string{fuzzRedirect}), strings.Join(form["code_verifier"], "") != "":
		t.Error("tokens for another redirect URI, or a verifier that no challenge asked for")
	case r.Method != http.MethodPost, mediaType != "application/x-www-form-urlencoded":
		t.Errorf("tokens for %s of %q", r.Method, mediaType)
	}
	decodedID, idErr := url.QueryUnescape(id)
	decodedSecret, secretErr := url.QueryUnescape(secret)
	if !basic || idErr != nil || secretErr != nil || decodedID != "web" || decodedSecret != fuzzSecret {
		t.Error("tokens for other credentials")
	}
}

// checkErrorAnswer: RFC 6749 §5.2, and only texts of ours.
func checkErrorAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var members map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil || len(members) != 2 {
		t.Fatalf("%d with %q", w.Code, w.Body)
	}
	for kind := oauth.InvalidRequest; kind <= oauth.TooManyRequests; kind++ {
		e := &oauth.Error{Kind: kind}
		if w.Code != e.Status() || members["error"] != e.Code() {
			continue
		}
		about, name, named := strings.Cut(members["error_description"], ": ")
		if members["error_description"] == e.Description() ||
			named && slices.Contains([]string{"missing parameter", "parameter repeated", "malformed parameter"}, about) && slices.Contains(parameterNames, name) {
			return
		}
	}
	t.Errorf("%d with %q", w.Code, w.Body)
}

var parameterNames = []string{"grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "client_assertion",
	"client_assertion_type", "refresh_token", "scope"}

// checkLogged: one line for each request that is one, without its secrets.
func checkLogged(t *testing.T, logs *observer.ObservedLogs, code string) {
	t.Helper()
	for _, entry := range logs.All() {
		line := fmt.Sprint(entry.Message, entry.ContextMap())
		if strings.Contains(line, fuzzSecret) || code != "" && strings.Contains(line, code) {
			t.Error("a log line shows a secret")
		}
		if entry.Level > zapcore.WarnLevel {
			t.Errorf("a request can cause %s", line)
		}
	}
}

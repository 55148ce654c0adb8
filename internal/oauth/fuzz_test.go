package oauth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzForm compares the decoder with the standard library's: what it accepts,
// that one reads the same.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "a=b&c=d", "a=1&a=2", "a=%zz", "a=%ff", "a=b;c=d", "&&=&a", "a=%2B+%26", "%61=b", strings.Repeat("a&", 70)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := decodeForm(body)
		if err != nil {
			if form != nil {
				t.Error("an error comes with half a form")
			}
			return
		}
		want, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("net/url does not accept it: %v", err)
		}
		got := url.Values{}
		for _, p := range form {
			if !utf8.ValidString(p.name) || !utf8.ValidString(p.value) {
				t.Errorf("%q is not UTF-8", p)
			}
			got[p.name] = append(got[p.name], p.value)
		}
		if len(form) > maxParameters || !reflect.DeepEqual(got, want) {
			t.Errorf("decoded as %q, net/url says %q", got, want)
		}
	})
}

// FuzzBasic: credentials are nobody's, or printable and canonically written.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"", "web:secret", "web", ":", "web:", ":x", "a%3Ab:c+d", "a:%zz", "web:a:b", "\xff:x"} {
		f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte(seed)))
	}
	f.Add("basic   d2ViOnh=")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, field string) {
		c, err := authorizationField(field, "")
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		if c.fault != "" {
			if c.reason == "" || strings.Contains(c.fault, "secret=") {
				t.Errorf("fault %q for reason %q", c.fault, c.reason)
			}
			return
		}
		if c.method != ClientSecretBasic || c.id == "" || c.secret == "" || !printableASCII(c.id+c.secret) {
			t.Errorf("accepted as %q", c.method)
		}
		_, token, _ := strings.Cut(field, " ")
		if canonical := base64.StdEncoding.EncodeToString([]byte(c.rawID + ":" + c.rawSecret)); strings.TrimLeft(token, " ") != canonical {
			t.Errorf("%q is not canonical", token)
		}
	})
}

// FuzzRespond: never a panic, a response or an error but not both, public
// texts of RFC 6749 §5.2's characters, and no tokens without credentials.
func FuzzRespond(f *testing.F) {
	const form = "grant_type=authorization_code&code=CODE&redirect_uri=https%3A%2F%2Frp.example%2Fcallback&code_verifier=" + testVerifier
	const formType = "application/x-www-form-urlencoded"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("web:"+secretOf("web")))
	f.Add(form, basic, formType, "", "")
	f.Add(form+"&client_id=spa", "", formType, "a=b", "https://spa.example")
	f.Add(form+"&client_id=post&client_secret="+secretOf("post"), "", formType, "", "null")
	f.Add("", "", "", "", "")
	f.Add("grant_type=x&code=%00;", "Bearer \x00", "text/plain; =", "code=%&client%5fsecret", "https://evil")
	f.Add(form+"&code=", basic, formType+"; charset=x", "%zz", "")
	endpoint := newFixture(f)
	f.Fuzz(func(t *testing.T, body, authorization, contentType, query, origin string) {
		endpoint.t = t
		body = strings.ReplaceAll(body, "CODE", endpoint.mint("web"))
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(body))
		r.URL.RawQuery = query
		for name, value := range map[string]string{"Authorization": authorization, "Content-Type": contentType, "Origin": origin} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		response, attempt, err := endpoint.endpoint.Respond(r, testAddr)
		if (response == nil) == (err == nil) {
			t.Fatalf("response %t and error %v", response != nil, err)
		}
		if response != nil && (!attempt.Authenticated || attempt.Redemption != "won") {
			t.Errorf("tokens for %+v", attempt)
		}
		if e := AsError(err); e != nil {
			endpoint.checkPublic(e)
			if e.Kind == ServerError {
				t.Errorf("a request can cause %v", e)
			}
		}
	})
}

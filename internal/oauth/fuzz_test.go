package oauth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzForm compares the decoder with the standard library's: what it accepts,
// that one reads the same, and what is recognised in it was there exactly once.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "a=b&c=d", "a=1&a=2", "a=%zz", "a=%ff", "a=b;c=d", "&&=&a", "a=%2B+%26", "%61=b", strings.Repeat("a&", 70),
		"code=1&code=2", "code=1&c%6Fde=", "client_id=&scope=%01", "grant_type=authorization_code&code=x&client_secret=%00"} {
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
		checkRecognised(t, form, want)
	})
}

// checkRecognised: RFC 6749 §3.2, no parameter twice, and each as it was sent.
func checkRecognised(t *testing.T, form []parameter, sent url.Values) {
	t.Helper()
	parameters, err := recognise(form)
	if err != nil {
		if parameters != nil || !nameable(AsError(err).Param) {
			t.Errorf("refused with %d parameters and %q", len(parameters), AsError(err).Param)
		}
		return
	}
	for name := range recognised {
		values := sent[name]
		if len(values) > 1 {
			t.Errorf("%s is there %d times", name, len(values))
		}
		if got := parameters[name]; strings.Join(values, "") != got {
			t.Errorf("%s is %q, sent was %q", name, got, values)
		}
	}
	for name := range parameters {
		if !recognised[name] {
			t.Errorf("recognised %q", name)
		}
	}
}

// FuzzBasic: credentials are nobody's, or printable, canonically written, and
// what net/http reads in the field too, once that is form-decoded.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"", "web:secret", "web", ":", "web:", ":x", "a%3Ab:c+d", "a:%zz", "web:a:b", "\xff:x", "w\x00b:x"} {
		f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte(seed)))
	}
	f.Add("basic   d2ViOnh=")
	f.Add("Basic d2Vi\nOng=")
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
		scheme, token, _ := strings.Cut(field, " ")
		token = strings.TrimLeft(token, " ")
		if canonical := base64.StdEncoding.EncodeToString([]byte(c.rawID + ":" + c.rawSecret)); token != canonical {
			t.Errorf("%q is not canonical", token)
		}
		r := &http.Request{Header: http.Header{"Authorization": {scheme + " " + token}}}
		id, secret, ok := r.BasicAuth()
		decodedID, idErr := url.QueryUnescape(id)
		decodedSecret, secretErr := url.QueryUnescape(secret)
		if !ok || idErr != nil || secretErr != nil || decodedID != c.id || decodedSecret != c.secret {
			t.Errorf("read as %q, net/http and net/url say %q, %t", c.id, decodedID, ok)
		}
		if other, err := authorizationField(field, c.id+"x"); err == nil {
			t.Errorf("another client_id in the form leaves %q", other.id)
		}
	})
}

// FuzzURI: a secret's name in a query is found where net/url reads one, and no
// error shows anything of the query.
func FuzzURI(f *testing.F) {
	for _, seed := range []string{"", "code=x", "a=b&c%6fde=x", "%63%6F%64%65", "a;client_secret=x", "%zz=1&code_verifier", "codes=x", "+code=x", "code%00=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		err := checkURI(&http.Request{URL: &url.URL{RawQuery: query}})
		values, _ := url.ParseQuery(query)
		held := ""
		for name := range values {
			if secretNames[name] {
				held = name
			}
		}
		if held != "" && err == nil {
			t.Errorf("%s is in the query and not found", held)
		}
		if e := AsError(err); e != nil && !slices.ContainsFunc(nameList(), func(name string) bool {
			return strings.HasPrefix(e.Hint, name+" came in the request URI")
		}) {
			t.Errorf("refused with %v", e)
		}
	})
}

func nameList() (names []string) {
	for name := range secretNames {
		names = append(names, name)
	}
	return names
}

// FuzzSecret: no error shows the secret, and what is accepted matches itself
// alone where it is plain.
func FuzzSecret(f *testing.F) {
	for _, seed := range []string{"", "short", "a-secret-of-enough-characters", "sha256:00", "sha256:" + strings.Repeat("ab", 32), "$2a$10$", "$2b$04$" + strings.Repeat("a", 53),
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43), "$argon2id$v=19$m=999999999,t=999999999,p=999999999$c29tZXNhbHQ$AAAA", "{SSHA}x", "$6$x", "a line\nbreak of enough characters"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, configured string) {
		secret, err := ParseSecret(configured)
		if err != nil {
			// Some words of the error's own, such as $argon2id$v=19, prove nothing.
			if len(configured) > 24 && strings.Contains(err.Error(), configured) {
				t.Error("the error shows the secret")
			}
			return
		}
		if secret.slow != nil {
			if secret.slow.work <= 0 || secret.slow.work > 50<<maxBcryptCost && secret.slow.work > maxArgon2Memory*maxArgon2Passes {
				t.Errorf("the hash takes %d", secret.slow.work)
			}
			return
		}
		r := &registration{fast: [][32]byte{secret.digest}}
		plain := !strings.HasPrefix(configured, "sha256:")
		if r.matchesFast(configured) != plain || r.matchesFast(configured+"x") {
			t.Errorf("plain %t, matches itself %t", plain, r.matchesFast(configured))
		}
		if plain && len(configured) < minPlainSecret {
			t.Errorf("%d characters are accepted", len(configured))
		}
	})
}

// FuzzOrigin: a serialized origin is its own origin, and has nothing but
// scheme, host and port.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"", "null", "https://a.example/x?y#z", "http://A.example:80", "https://[::1]:8443/", "https://[fe80::1%25eth0]/", "https://u:p@h/", "HTTPS://h:443", "javascript:x", "http://%25", "https://%C3%A9.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		origin, ok := originOf(uri)
		if !ok {
			return
		}
		again, ok := originOf(origin)
		if !ok || again != origin {
			t.Errorf("%q is the origin of %q, whose own is %q, %t", origin, uri, again, ok)
		}
		u, err := url.Parse(origin)
		if err != nil || !printableASCII(origin) || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q is more than an origin: %v", origin, err)
		}
	})
}

package oidctoken

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// FuzzCaddyfile: a block is refused in words, or becomes JSON that is the same
// config, passes the same checks, and holds no secret that was written out.
func FuzzCaddyfile(f *testing.F) {
	const least = "issuer https://id.example\nclient web {\nclient_secret a-secret-of-enough-characters\nredirect_uris https://app.example/\n}\n"
	for _, seed := range []string{
		"", least, "issuer https://id.example\n", least + least, least + "signing_alg none", least + "signing_alg EdDSA\nkey_rotation off",
		least + "code_lifetime 1m30s\naccess_token_lifetime 1d\nid_token_lifetime 0", least + "key_rotation -1ns", least + "code_lifetime 1e9s",
		"issuer {env.ISSUER}\nclient {env.ID} {\nclient_secret {env.A} {file./b}\nredirect_uris {env.C}\nscope {env.D}\nallowed_origins {env.E}\n}",
		"issuer https://id.example\nclient spa {\ntoken_endpoint_auth_method none\nrequire_pkce\nredirect_uris app:/x https://spa.example/\nscope openid email\naccess_token_audience https://api.example\n}",
		strings.Replace(least, "client_secret", "client_secret sha256:"+strings.Repeat("ab", 32), 1),
		strings.Replace(least, "a-secret", `"\{a} secret"`, 1), strings.Replace(least, "a-secret", "`a-{http.secret}`", 1),
		least + "storage file_system /x", least + "storage nonsense", least + "storage {\n}", least + "encryption_key " + base64.StdEncoding.EncodeToString(make([]byte, 32)),
		least + "token_endpoint /t\njwks_endpoint /t", least + "tokenendpoint /t", least + "client {", "}", "issuer \"\"", "client web {\nclient web {\n}\n}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, block string) {
		tokens, err := caddyfile.Tokenize([]byte("oidc_token {\n"+block+"\n}"), "Caddyfile")
		if err != nil {
			return
		}
		h := new(Handler)
		if err := h.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("refused without a word")
			}
			return
		}
		config, err := json.Marshal(h)
		if err != nil {
			t.Fatalf("accepted, and is not JSON: %v", err)
		}
		again := new(Handler)
		if err := json.Unmarshal(config, again); err != nil {
			t.Fatalf("its JSON does not parse: %v", err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(config) {
			t.Errorf("as JSON it is %s, and then %s", config, second)
		}
		if _, err := again.check(standIns(again)); err != nil {
			t.Errorf("as JSON it is refused: %v", err)
		}
		checkLifetimes(t, again)
		checkNoSecret(t, again, config, tokens)
	})
}

func checkLifetimes(t *testing.T, h *Handler) {
	t.Helper()
	for _, d := range []time.Duration{time.Duration(h.CodeLifetime), time.Duration(h.AccessTokenLifetime), time.Duration(h.IDTokenLifetime)} {
		if d < 0 || d%time.Second != 0 {
			t.Errorf("accepted a lifetime of %s", d)
		}
	}
	if time.Duration(h.CodeLifetime) > 10*time.Minute || time.Duration(h.AccessTokenLifetime) > 24*time.Hour {
		t.Errorf("accepted %s and %s", time.Duration(h.CodeLifetime), time.Duration(h.AccessTokenLifetime))
	}
}

// checkNoSecret: REQ-210, a client_secret in the JSON is a hash or has a
// placeholder, and what stood behind client_secret in the block is nowhere.
func checkNoSecret(t *testing.T, h *Handler, config []byte, tokens []caddyfile.Token) {
	t.Helper()
	for _, c := range h.Clients {
		for _, value := range c.ClientSecret {
			// What is refused at load is left as it is: a hash would pass.
			secret, plain := plainSecret(value)
			if _, err := oauth.ParseSecret(secret); plain && err == nil {
				t.Errorf("a client_secret of %d characters is plain", len(value))
			}
		}
	}
	var all strings.Builder // what stands elsewhere, too, is no secret of ours
	for _, token := range tokens {
		all.WriteString(token.Text + "\n")
	}
	line := 0
	for _, token := range tokens {
		if token.Text == "client_secret" {
			line = token.Line
			continue
		}
		_, plain := plainSecret(token.Text)
		if token.Line == line && plain && len(token.Text) >= 22 && strings.Count(all.String(), token.Text) == 1 && strings.Contains(string(config), token.Text) {
			t.Error("the JSON holds a secret")
		}
	}
}

// FuzzIssuer: what is accepted is an https URL, or http on this machine, that
// has one spelling only.
func FuzzIssuer(f *testing.F) {
	for _, seed := range []string{"https://id.example", "https://id.example/realm", "http://localhost:8080", "http://[::1]", "https://a@b", "https://h:0", "https://h:", "https://h/?",
		"https://h/#", "https://h//x", "https://h/%41", "HTTPS://h", "https://h/../x", "http://127.0.0.1.example", "https:///x", "https://h\\@x", "//h", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, issuer string) {
		u, err := parseIssuer(issuer)
		if err != nil {
			if u != nil || err.Error() == "" || len(issuer) > 30 && strings.Contains(err.Error(), issuer) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1") {
			t.Errorf("accepted %q on %q", u.Scheme, u.Hostname())
		}
		if u.User != nil || u.Fragment != "" || u.RawQuery != "" || u.Hostname() == "" || strings.ContainsAny(issuer, "?#") || strings.Contains(u.Path, "//") {
			t.Errorf("accepted %q", issuer)
		}
		again, err := url.Parse(u.String())
		if err != nil || !reflect.DeepEqual(again.Host, u.Host) || again.Path != u.Path {
			t.Errorf("%q is also %q", issuer, u)
		}
		if checkPath(u.Path+"x") == nil && strings.Contains(u.EscapedPath(), "%") {
			t.Errorf("the path %q has two spellings", u.EscapedPath())
		}
	})
}

// FuzzEncryptionKey: what is accepted is 32 bytes that base64 has in one of its
// forms, and no error shows them.
func FuzzEncryptionKey(f *testing.F) {
	key := []byte("0123456789abcdef0123456789abcde\xff")
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		f.Add(e.EncodeToString(key))
	}
	for _, seed := range []string{"", "=", "short", strings.Repeat("A", 43), strings.Repeat("A", 42) + "B=", "{env.KEY}", strings.Repeat("A", 22) + "\n" + strings.Repeat("B", 21)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, err := parseEncryptionKey(value)
		if err != nil {
			if key != nil || len(value) > 12 && strings.Contains(err.Error(), value) {
				t.Error("refused with the key")
			}
			return
		}
		if len(key) != 32 {
			t.Errorf("accepted %d bytes", len(key))
		}
		if again, err := parseEncryptionKey(base64.StdEncoding.EncodeToString(key)); err != nil || string(again) != string(key) {
			t.Errorf("its canonical form is another key: %v", err)
		}
	})
}

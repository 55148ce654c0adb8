package oauth

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// bcryptOf hashes with the lowest cost that is accepted.
func bcryptOf(t testing.TB, secret string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), minBcryptCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func argon2idOf(secret string, memory, passes, threads int) string {
	salt := []byte("0123456789abcdef")
	hash := argon2.IDKey([]byte(secret), salt, uint32(passes), uint32(memory), uint8(threads), 32)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, passes, threads, encode(salt), encode(hash))
}

// matches verifies as an endpoint would, for one secret alone.
func (s Secret) matches(presented string) bool {
	if s.slow != nil {
		return s.slow.matches(presented)
	}
	return (&registration{fast: [][32]byte{s.digest}}).matchesFast(presented)
}

func TestSecretKinds(t *testing.T) {
	human := "correct horse"
	bcryptHash := bcryptOf(t, human)
	for _, row := range []struct{ name, configured, right string }{
		{"a plain secret", "0123456789abcdef012345", "0123456789abcdef012345"},
		{"a SHA-256 hash", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "test"},
		{"a SHA-256 hash in capitals", "sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08", "test"},
		{"a bcrypt hash", bcryptHash, human},
		{"a bcrypt hash of revision b", "$2b$" + bcryptHash[4:], human},
		{"a bcrypt hash of revision y", "$2y$" + bcryptHash[4:], human},
		{"an argon2id hash", argon2idOf(human, minArgon2Memory, 1, 1), human},
		{"an argon2id hash with two threads", argon2idOf(human, minArgon2Memory, 2, 2), human},
	} {
		t.Run("REQ-051 "+row.name, func(t *testing.T) {
			secret, err := ParseSecret(row.configured)
			if err != nil {
				t.Fatal(err)
			}
			if !secret.matches(row.right) {
				t.Error("the right secret does not match")
			}
			wrongs := []string{row.right + "x", "", row.right[1:], strings.ToUpper(row.right), row.right + "\x00", row.configured + "x"}
			if secret.slow != nil {
				wrongs = wrongs[:1] // each takes long
			}
			for _, wrong := range wrongs {
				if secret.matches(wrong) {
					t.Errorf("a wrong secret of %d characters matches", len(wrong))
				}
			}
		})
	}
	t.Run("REQ-049 a hash in the configuration is not its own secret", func(t *testing.T) {
		hash := "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
		secret, err := ParseSecret(hash)
		if err != nil || secret.matches(hash) || secret.matches(hash[7:]) {
			t.Errorf("it is, or %v", err)
		}
	})
	t.Run("REQ-049 bcrypt's 72 bytes do not make a longer secret right", func(t *testing.T) {
		long := strings.Repeat("0123456789ab", 6)
		secret, err := ParseSecret(bcryptOf(t, long))
		if err != nil {
			t.Fatal(err)
		}
		if !secret.matches(long) || secret.matches(long+"x") {
			t.Error("it does")
		}
	})
}

func TestSecretsThatAreRefused(t *testing.T) {
	hash := bcryptOf(t, "x")
	argon := argon2idOf("x", minArgon2Memory, 1, 1)
	for _, row := range []struct{ name, configured, remedy string }{
		{"REQ-035 REQ-051 an empty one", "", "placeholder"},
		{"REQ-051 one of less than 128 bits", "0123456789abcdef01234", "client-secret"},
		{"one with a line break", "0123456789abcdef012345\n", "newline"},
		{"one that no client can send", "0123456789abcdef01234é", "printable ASCII"},
		{"one that is longer than a client may send", strings.Repeat("a", maxSecretSize+1), "longer"},
		{"a SHA-256 hash that is cut", "sha256:9f86d081", "64 hex digits"},
		{"a SHA-256 hash that is no hex", "sha256:" + strings.Repeat("z", 64), "64 hex digits"},
		{"a bcrypt hash that is cut", hash[:59], "none"},
		{"a bcrypt hash of a low cost", strings.Replace(hash, "$10$", "$04$", 1), "10 to 16"},
		{"C09 a bcrypt hash of a cost that stops the server", strings.Replace(hash, "$10$", "$17$", 1), "10 to 16"},
		{"argon2i", strings.Replace(argon, "argon2id", "argon2i", 1), "not supported"},
		{"argon2id of another version", strings.Replace(argon, "v=19", "v=16", 1), "v=19"},
		{"argon2id with little memory", argon2idOf("x", 1024, 1, 1), "m of 7168"},
		{"C09 argon2id with memory that stops the server", strings.Replace(argon, "m=7168", "m=4194304", 1), "m of 7168"},
		{"argon2id without a pass", strings.Replace(argon, "t=1", "t=0", 1), "t of 1"},
		{"C09 argon2id with passes that stop the server", strings.Replace(argon, "t=1", "t=999999999", 1), "t of 1"},
		{"argon2id without a thread", strings.Replace(argon, "p=1", "p=0", 1), "p of 1"},
		{"argon2id with a short salt", strings.Replace(argon, "MDEyMzQ1Njc4OWFiY2RlZg", "MDEy", 1), "salt"},
		{"argon2id in another order", strings.Replace(argon, "m=7168,t=1", "t=1,m=7168", 1), "m=…,t=…,p=…"},
		{"another kind of hash", "$6$rounds=5000$salt$aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "not supported"},
		{"an LDAP hash", "{SSHA}aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "not supported"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ParseSecret(row.configured)
			if err == nil {
				t.Fatal("it is accepted")
			}
			if !strings.Contains(err.Error(), row.remedy) {
				t.Errorf("%q does not say %q", err, row.remedy)
			}
			if len(row.configured) > 8 && strings.Contains(err.Error(), row.configured[8:]) {
				t.Error("the error shows the secret")
			}
		})
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	t.Run("REQ-239 H16 no fmt verb shows a secret", func(t *testing.T) {
		const plain = "0123456789abcdef012345"
		secret, err := ParseSecret(plain)
		if err != nil {
			t.Fatal(err)
		}
		client := &Client{ID: "web", Secrets: []Secret{secret}}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			for _, value := range []any{secret, client, *client, client.Secrets} {
				if shown := fmt.Sprintf(verb, value); strings.Contains(shown, plain) || strings.Contains(shown, fmt.Sprint(secret.digest[:4])) {
					t.Errorf("%s shows it", verb)
				}
			}
		}
	})
}

func TestEncodingWarnings(t *testing.T) {
	for _, row := range []struct {
		name, id, secret string
		method           AuthMethod
		want             string
	}{
		{"REQ-056 a secret with a plus sign", "web", "0123456789abcdef01234+", ClientSecretBasic, "client_secret: "},
		{"REQ-056 a secret with a percent sign", "web", "0123456789abcdef01234%", ClientSecretBasic, "client_secret: "},
		{"REQ-056 a client_id with a colon", oddID, "0123456789abcdef012345", ClientSecretBasic, "client_id: "},
		{"a secret that reads the same both ways", "web", "0123456789abcdef/-._~=&", ClientSecretBasic, ""},
		{"a form encodes by itself", "web", "0123456789abcdef01234+", ClientSecretPost, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			secret, err := ParseSecret(row.secret)
			if err != nil {
				t.Fatal(err)
			}
			client := &Client{ID: row.id, AuthMethod: row.method, Secrets: []Secret{secret}}
			warnings := strings.Join(client.Warnings(), "\n")
			if !strings.HasPrefix(warnings, row.want) || (row.want == "") != (warnings == "") {
				t.Errorf("warned %q", warnings)
			}
			if strings.Contains(warnings, row.secret) || strings.Contains(warnings, url.QueryEscape(row.secret)) {
				t.Error("the warning shows the secret")
			}
		})
	}
	t.Run("a redirect URI that looks like a pattern", func(t *testing.T) {
		client := &Client{AuthMethod: None, RedirectURIs: []string{"https://app.example/*", "https://app.example/cb"}}
		if got := client.Warnings(); len(got) != 1 || !strings.HasPrefix(got[0], "redirect_uris: https://app.example/* is compared character by character; * is no wildcard") {
			t.Errorf("warned %q", got)
		}
	})
	t.Run("codes that travel in the clear", func(t *testing.T) {
		client := &Client{AuthMethod: None, RedirectURIs: []string{"http://app.example/cb", "http://127.0.0.1/cb", "http://localhost:1/cb", "https://app.example/cb"}}
		if got := client.Warnings(); len(got) != 1 || !strings.HasPrefix(got[0], "redirect_uris: http://app.example/cb is not https") {
			t.Errorf("warned %q", got)
		}
	})
}

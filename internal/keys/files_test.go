package keys

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func pemBlock(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock("PRIVATE KEY", der)
}

func sec1(t *testing.T, curve elliptic.Curve) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock("EC PRIVATE KEY", der)
}

func mustGenerate(t *testing.T, alg token.Algorithm) crypto.Signer {
	t.Helper()
	key, err := generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// write makes a file for each content, readable by its owner.
func write(t *testing.T, contents ...string) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for i, content := range contents {
		file := filepath.Join(dir, "key"+string(rune('a'+i))+".pem")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func TestLoadFiles(t *testing.T) {
	pkcs1 := pemBlock("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaPool[0]()))
	for _, row := range []struct {
		name    string
		content string
		rsaAlg  token.Algorithm
		want    token.Algorithm
	}{
		{"PKCS#8 with RSA serves RS256", pkcs8(t, rsaPool[0]()), "", token.RS256},
		{"PKCS#8 with RSA serves the RSA algorithm that is asked for", pkcs8(t, rsaPool[0]()), token.PS384, token.PS384},
		{"PKCS#1 serves RS256", pkcs1, "", token.RS256},
		{"PKCS#8 with P-256 serves ES256", pkcs8(t, mustGenerate(t, token.ES256)), "", token.ES256},
		{"PKCS#8 with P-384 serves ES384", pkcs8(t, mustGenerate(t, token.ES384)), "", token.ES384},
		{"PKCS#8 with Ed25519 serves EdDSA", pkcs8(t, mustGenerate(t, token.EdDSA)), token.RS512, token.EdDSA},
		{"SEC1 with P-521 serves ES512", sec1(t, elliptic.P521()), "", token.ES512},
		{"SEC1 after the parameters that openssl ecparam writes is read",
			pemBlock("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}) + sec1(t, elliptic.P256()), "", token.ES256},
		{"a key beside its certificate, with text around, is read",
			"Bag Attributes\n" + pemBlock("CERTIFICATE", []byte("x")) + "\r\n" + pkcs1 + "end", "", token.RS256},
	} {
		t.Run(row.name, func(t *testing.T) {
			set, err := LoadFiles(write(t, row.content), row.rsaAlg)
			if err != nil {
				t.Fatal(err)
			}
			key, err := set.SigningKey(t.Context(), row.want)
			if err != nil || key.Algorithm != row.want {
				t.Fatalf("got %v, %v", key, err)
			}
			raw, err := set.JWKS(t.Context())
			if err != nil || !slices.Equal(kidsOf(t, raw), []string{key.ID}) {
				t.Fatalf("got %s, %v", raw, err)
			}
			if len(set.Warnings()) != 0 {
				t.Fatalf("warnings %v", set.Warnings())
			}
		})
	}
}

func TestSeveralFiles(t *testing.T) {
	contents := []string{
		pkcs8(t, mustGenerate(t, token.ES256)), pkcs8(t, rsaPool[0]()),
		pkcs8(t, mustGenerate(t, token.ES256)), pkcs8(t, rsaPool[1]()),
	}
	set, err := LoadFiles(write(t, contents...), "")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := set.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kids := kidsOf(t, raw)
	t.Run("REQ-208 the first key of an algorithm signs, all are published in the order of the files", func(t *testing.T) {
		if len(kids) != 4 {
			t.Fatalf("got %v", kids)
		}
		for i, alg := range []token.Algorithm{token.ES256, token.RS256} {
			if key, err := set.SigningKey(t.Context(), alg); err != nil || key.ID != kids[i] {
				t.Errorf("%s: got %v, %v", alg, key, err)
			}
		}
		var states []string
		for _, s := range set.States() {
			states = append(states, string(s.Algorithm)+" "+s.State)
		}
		if got := strings.Join(states, ", "); got != "ES256 signing, RS256 signing, ES256 retired, RS256 retired" {
			t.Errorf("states %s", got)
		}
	})
	t.Run("REQ-124 only what the files hold is offered", func(t *testing.T) {
		if got := set.Algorithms(); !slices.Equal(got, []token.Algorithm{token.ES256, token.RS256}) {
			t.Errorf("got %v", got)
		}
		if _, err := set.SigningKey(context.Background(), token.EdDSA); err == nil {
			t.Error("EdDSA is signed with")
		}
	})
}

func TestRefusedFiles(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224DER, err := x509.MarshalPKCS8PrivateKey(p224)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	es256 := pkcs8(t, mustGenerate(t, token.ES256))
	legacy := strings.Replace(es256, "PRIVATE KEY-----\n", "PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)
	const secret = "aHVudGVyMg"
	for _, row := range []struct {
		name    string
		content string
		want    string
	}{
		{"REQ-209 an empty file", " \n", "openssl genpkey"},
		{"REQ-209 text", secret, "not PEM"},
		{"REQ-209 a cut key", pemBlock("PRIVATE KEY", []byte(secret)), "parsing its PRIVATE KEY"},
		{"REQ-209 a cut PKCS#1 key", pemBlock("RSA PRIVATE KEY", []byte(secret)), "parsing its RSA PRIVATE KEY"},
		{"REQ-209 an encrypted key", pemBlock("ENCRYPTED PRIVATE KEY", []byte(secret)), "openssl pkey"},
		{"REQ-209 a key encrypted in the old way", legacy, "is encrypted"},
		{"REQ-209 an OpenSSH key", pemBlock("OPENSSH PRIVATE KEY", []byte(secret)), "ssh-keygen"},
		{"REQ-209 a DSA key", pemBlock("DSA PRIVATE KEY", []byte(secret)), "DSA PRIVATE KEY"},
		{"REQ-209 a certificate", pemBlock("CERTIFICATE", []byte(secret)), "certificate"},
		{"REQ-209 a public key", pemBlock("PUBLIC KEY", []byte(secret)), "public key"},
		{"REQ-209 parameters alone", pemBlock("EC PARAMETERS", []byte(secret)), "EC PARAMETERS"},
		{"REQ-209 two keys in one file", es256 + es256, "several private keys"},
		{"REQ-204 RSA of 1024 bits", pkcs8(t, weak), "1024 bits"},
		{"REQ-204 a key on P-224", pemBlock("PRIVATE KEY", p224DER), "P-224"},
		{"a key that cannot sign", pkcs8(t, x25519), "cannot sign"},
		{"REQ-209 a file longer than any key", strings.Repeat("x", maxKeyFile+1), "longer than any key"},
	} {
		t.Run(row.name+" is refused with the remedy and without the content", func(t *testing.T) {
			files := write(t, row.content)
			set, err := LoadFiles(files, "")
			if err == nil || set != nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), files[0]) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatal("the error shows the content")
			}
		})
	}
	t.Run("REQ-209 a missing file is refused and named once", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "missing.pem")
		_, err := LoadFiles([]string{file}, "")
		if err == nil || strings.Count(err.Error(), file) != 1 {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("REQ-209 a folder is refused", func(t *testing.T) {
		if _, err := LoadFiles([]string{t.TempDir()}, ""); err == nil || !strings.Contains(err.Error(), "directory") {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("no file at all is refused", func(t *testing.T) {
		if _, err := LoadFiles(nil, ""); err == nil {
			t.Fatal("accepted")
		}
	})
	t.Run("an RSA algorithm that is none is refused", func(t *testing.T) {
		if _, err := LoadFiles(write(t, es256), token.ES256); err == nil {
			t.Fatal("accepted")
		}
	})
	t.Run("REQ-194 one key in two files is refused, both are named", func(t *testing.T) {
		files := write(t, es256, es256)
		if _, err := LoadFiles(files, ""); err == nil || !strings.Contains(err.Error(), files[0]) || !strings.Contains(err.Error(), files[1]) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestFileWarnings(t *testing.T) {
	for _, row := range []struct {
		name string
		mode os.FileMode
		warn bool
	}{
		{"REQ-210 a file that everyone can read is warned about", 0o644, true},
		{"REQ-210 a file that everyone can write is warned about", 0o602, true},
		{"REQ-210 a file that a group can read is not", 0o640, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := write(t, pkcs8(t, mustGenerate(t, token.EdDSA)))[0]
			if err := os.Chmod(file, row.mode); err != nil {
				t.Fatal(err)
			}
			set, err := LoadFiles([]string{file}, "")
			if err != nil {
				t.Fatal(err)
			}
			// Windows has no permission bits; who may read a file is not looked at.
			row.warn = row.warn && runtime.GOOS != "windows"
			warnings := strings.Join(set.Warnings(), "\n")
			if strings.Contains(warnings, file) != row.warn {
				t.Fatalf("got %q", warnings)
			}
		})
	}
}

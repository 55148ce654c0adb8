package oidctoken_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestRecipeClientCertificates(t *testing.T) {
	secrets := setRecipeSecrets(t)
	authority := newAuthority(t)
	file := filepath.Join(t.TempDir(), "people.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.der}), 0o644); err != nil {
		t.Fatal(err)
	}
	s := startRecipe(t, "### Client certificates", "/etc/caddy/people.pem", file)
	rp := s.relyingParty(t, s.issuer, "grafana", secrets.grafana, grafanaCallback)

	t.Run("its bearer is signed in", func(t *testing.T) {
		v := s.bearer(t, authority.issue(t, "alice", "alice@example.com"))
		callback, _ := v.open(rp.request(), grafanaCallback)
		in := rp.finish(t, callback)
		if in.Subject != "CN=alice,O=Example" || in.userInfo["email"] != "alice@example.com" {
			t.Errorf("sub %q, UserInfo %v", in.Subject, in.userInfo)
		}
		if amr, _ := in.claims["amr"].([]any); !slices.Equal(amr, []any{"swk"}) {
			t.Errorf("amr is %v", in.claims["amr"])
		}
	})
	t.Run("a renewed certificate is the same person, another name is another", func(t *testing.T) {
		for name, subject := range map[string]string{"alice": "CN=alice,O=Example", "bob": "CN=bob,O=Example"} {
			callback, _ := s.bearer(t, authority.issue(t, name, name+"@example.com")).open(rp.request(), grafanaCallback)
			if in := rp.finish(t, callback); in.Subject != subject {
				t.Errorf("sub is %q", in.Subject)
			}
		}
	})
	t.Run("without one nobody is, and the page says what is missing", func(t *testing.T) {
		callback, a := s.visitor(t, "", "").open(rp.request(), grafanaCallback)
		if callback != nil || a.StatusCode != 403 || string(a.body) != "Signing in here needs a client certificate." {
			t.Errorf("got %d %q, %v", a.StatusCode, a.body, callback)
		}
		callback, _ = s.visitor(t, "", "").open(rp.request(oauth2.SetAuthURLParam("prompt", "none")), grafanaCallback)
		rp.wantRefusal(t, callback, "login_required")
	})
	t.Run("one of another authority ends the handshake", func(t *testing.T) {
		v := s.bearer(t, newAuthority(t).issue(t, "alice", "alice@example.com"))
		r, _ := http.NewRequest(http.MethodGet, rp.request(), nil)
		if response, err := v.client.Do(r); err == nil {
			response.Body.Close()
			t.Errorf("it is answered %d", response.StatusCode)
		}
	})
}

// Caddy resolves these also where no certificate was presented.
func TestNoCertificateIsNobody(t *testing.T) {
	for _, field := range []string{"fingerprint", "serial", "subject", "issuer", "public_key_sha256", "certificate_pem", "certificate_der_base64", "san.emails.0"} {
		t.Run("without a certificate nobody is its "+field, func(t *testing.T) {
			s := newSite(t)
			s.issuer = "https://id.example.com"
			s.options = fmt.Sprintf("local_certs\n\tdefault_bind 127.0.0.1\n\thttps_port %s\n\thttp_port %s", s.port, freePort(t))
			s.start(`
id.example.com {
	tls {
		client_auth {
			mode request
		}
	}
	oidc_token {
		issuer https://id.example.com
		client spa {
			token_endpoint_auth_method none
			redirect_uris ` + redirect + `
		}
		authorize {
			header X-Nothing here
		}
		identity {
			subject {http.request.tls.client.` + field + `}
		}
	}
}`)
			s.trustLocalAuthority()
			eventually(t, "there is no certificate", func() bool {
				r, _ := http.NewRequest(http.MethodGet, s.issuer, nil)
				_, err := s.try(r)
				return err == nil
			})
			rp := s.relyingParty(t, s.issuer, "spa", "", redirect)
			callback, _ := s.visitor(t, "", "").open(rp.request(), redirect)
			rp.wantRefusal(t, callback, "access_denied")
		})
	}
}

// bearer is a visitor whose browser has a client certificate.
func (s *site) bearer(t *testing.T, certificate tls.Certificate) *visitor {
	t.Helper()
	v := s.visitor(t, "", "")
	transport := s.client.Transport.(forwarded).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	// By callback: a list would leave it out where the server names others.
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	v.client.Transport = forwarded{transport, s.clientIP}
	return v
}

// authority issues client certificates.
type authority struct {
	der  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newECKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "People"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	if a.der, err = x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key); err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(a.der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) issue(t *testing.T, name, email string) tls.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}}, EmailAddresses: []string{email},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	key := newECKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

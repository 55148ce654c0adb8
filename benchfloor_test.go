//go:build unix

package oidctoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// leanTokens is the floor of the benchmarks: a handler that reads a form, signs
// two tokens with the claims of ours and answers. It checks nothing, stores
// nothing and logs nothing.
type leanTokens struct {
	Algorithm string `json:"algorithm"`

	signer leanSigner
}

func init() {
	caddy.RegisterModule(leanTokens{})
	httpcaddyfile.RegisterHandlerDirective("test_lean", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		l := new(leanTokens)
		h.Next()
		if !h.Args(&l.Algorithm) {
			return nil, h.ArgErr()
		}
		return l, nil
	})
}

func (leanTokens) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_lean", New: func() caddy.Module { return new(leanTokens) }}
}

func (l *leanTokens) Provision(caddy.Context) error {
	l.signer = newLeanSigner(l.Algorithm)
	return nil
}

func (l *leanTokens) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if _, err := io.ReadAll(r.Body); err != nil {
		return err
	}
	now := time.Now().Unix()
	accessToken := l.token("at+jwt", fmt.Appendf(nil,
		`{"iss":"https://id.example","exp":%d,"aud":"https://id.example","sub":"alice","client_id":"web","iat":%d,"jti":"AAAAAAAAAAAAAAAAAAAAAA","scope":"openid"}`, now+600, now))
	idToken := l.token("JWT", fmt.Appendf(nil,
		`{"iss":"https://id.example","sub":"alice","aud":"web","exp":%d,"iat":%d,"at_hash":"AAAAAAAAAAAAAAAAAAAAAA"}`, now+3600, now))
	body := `{"access_token":"` + accessToken + `","token_type":"Bearer","expires_in":600,"id_token":"` + idToken + `","scope":"openid"}`
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, err := io.WriteString(w, body)
	return err
}

func (l *leanTokens) token(typ string, claims []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	header := `{"alg":"` + l.Algorithm + `","kid":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","typ":"` + typ + `"}`
	signed := encode([]byte(header)) + "." + encode(claims)
	return signed + "." + encode(l.signer.sign(signed))
}

// leanSigner signs as JWS wants it, written out plainly.
type leanSigner struct{ key crypto.Signer }

func newLeanSigner(alg string) leanSigner {
	var key crypto.Signer
	var err error
	switch alg {
	case "RS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		panic(err)
	}
	return leanSigner{key}
}

func (s leanSigner) sign(message string) []byte {
	digest := sha256.Sum256([]byte(message))
	var sig []byte
	var err error
	switch key := s.key.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(message))
	case *rsa.PrivateKey:
		sig, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		var pair struct{ R, S *big.Int }
		sig, err = ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err == nil {
			_, err = asn1.Unmarshal(sig, &pair)
			sig = make([]byte, 64)
			pair.R.FillBytes(sig[:32])
			pair.S.FillBytes(sig[32:])
		}
	}
	if err != nil {
		panic(err)
	}
	return sig
}

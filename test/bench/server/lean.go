package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() { caddy.RegisterModule(new(lean)) }

// What the tokens of every subject say.
const (
	subject = "alice"
	scope   = "openid email"
	nonce   = "n-0S6_WzA2Mj"
	email   = "alice@example.com"
)

// lean is the floor of any token endpoint in Caddy: it reads a request, checks
// nothing, signs the two tokens of this plugin, put together by hand, and
// answers.
type lean struct {
	Algorithm string `json:"algorithm"`
	Issuer    string `json:"issuer"`
	ClientID  string `json:"client_id"`

	key                    *signingKey
	accessHeader, idHeader string // encoded, with the dot
}

// CaddyModule returns the module's registration.
func (*lean) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_lean", New: func() caddy.Module { return new(lean) }}
}

// Provision makes a key.
func (l *lean) Provision(caddy.Context) (err error) {
	if l.key, err = newSigningKey(l.Algorithm); err != nil {
		return err
	}
	l.accessHeader = l.key.header("at+jwt")
	l.idHeader = l.key.header("JWT")
	return nil
}

// ServeHTTP answers any POST with tokens, and a GET with the public key.
func (l *lean) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if r.Method == http.MethodGet {
		return json.NewEncoder(w).Encode(map[string]any{"keys": []any{l.key.jwk}})
	}
	if _, err := io.ReadAll(r.Body); err != nil {
		return err
	}
	body, err := l.response(time.Now().Unix())
	if err != nil {
		return err
	}
	header := w.Header()
	header["Content-Type"] = contentType
	header["Cache-Control"] = cacheControl
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

var (
	contentType  = []string{"application/json"}
	cacheControl = []string{"no-store"}
)

func (l *lean) response(now int64) ([]byte, error) {
	b := make([]byte, 0, 4096)
	b = append(b, `{"access_token":"`...)
	start := len(b)
	b, err := l.key.sign(b, l.accessHeader, l.accessClaims(now))
	if err != nil {
		return nil, err
	}
	hash := l.key.digest(b[start:])
	b = append(b, `","token_type":"Bearer","expires_in":600,"id_token":"`...)
	if b, err = l.key.sign(b, l.idHeader, l.idClaims(now, hash[:len(hash)/2])); err != nil {
		return nil, err
	}
	return append(b, `","scope":"`+scope+`"}`...), nil
}

// accessClaims are those of RFC 9068 §2.2 in this plugin's order.
func (l *lean) accessClaims(now int64) []byte {
	var id [16]byte
	var grant [36]byte
	rand.Read(id[:]) // never fails
	rand.Read(grant[:])
	b := make([]byte, 0, 512)
	b = append(b, `{"iss":"`...)
	b = append(b, l.Issuer...)
	b = append(b, `","exp":`...)
	b = strconv.AppendInt(b, now+600, 10)
	b = append(b, `,"aud":"`...)
	b = append(b, l.Issuer...)
	b = append(b, `","sub":"`+subject+`","client_id":"`...)
	b = append(b, l.ClientID...)
	b = append(b, `","iat":`...)
	b = strconv.AppendInt(b, now, 10)
	b = append(b, `,"jti":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, id[:])
	b = append(b, `","grant_ref":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, grant[:])
	b = append(b, `","scope":"`+scope+`","auth_time":`...)
	b = strconv.AppendInt(b, now, 10)
	return append(b, '}')
}

// idClaims are those of Core §2 in this plugin's order.
func (l *lean) idClaims(now int64, accessTokenHash []byte) []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"iss":"`...)
	b = append(b, l.Issuer...)
	b = append(b, `","sub":"`+subject+`","aud":"`...)
	b = append(b, l.ClientID...)
	b = append(b, `","exp":`...)
	b = strconv.AppendInt(b, now+3600, 10)
	b = append(b, `,"iat":`...)
	b = strconv.AppendInt(b, now, 10)
	b = append(b, `,"auth_time":`...)
	b = strconv.AppendInt(b, now, 10)
	b = append(b, `,"nonce":"`+nonce+`","at_hash":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, accessTokenHash)
	return append(b, `","email":"`+email+`"}`...)
}

var (
	_ caddy.Provisioner           = (*lean)(nil)
	_ caddyhttp.MiddlewareHandler = (*lean)(nil)
)

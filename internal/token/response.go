package token

import (
	"bytes"
	"encoding/json"
)

// Response is a successful token response (RFC 6749 §5.1). Members with nothing
// in them are absent.
type Response struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	IDToken     string `json:"id_token,omitempty"`
	Scope       string `json:"scope,omitempty"`
}

// JSON is what the client gets: <, > and & are literal, nothing follows the
// object.
func (r *Response) JSON() ([]byte, error) { return encodeJSON(r) }

// encodeJSON encodes v without the escapes that encoding/json makes for HTML
// pages, which this is not part of.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

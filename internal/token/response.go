package token

// Response is a successful token response (RFC 6749 §5.1). Members with nothing
// in them are absent.
type Response struct {
	AccessToken string
	TokenType   string
	ExpiresIn   int64 // seconds
	IDToken     string
	Scope       string
}

// JSON is what the client gets: <, > and & are literal, nothing follows the
// object.
func (r *Response) JSON() []byte {
	o := newObject(len(r.AccessToken) + len(r.IDToken) + len(r.Scope) + 128)
	o.string("access_token", r.AccessToken)
	o.string("token_type", r.TokenType)
	o.number("expires_in", r.ExpiresIn)
	o.optional("id_token", r.IDToken)
	o.optional("scope", r.Scope)
	return o.end()
}

package token

import (
	"encoding/json"
	"time"
)

// Authorization is what every grant ends in and what Issue turns into tokens.
type Authorization struct {
	ClientID          string   // Required.
	Subject           string   // Required.
	Scope             []string // granted scope; openid asks for an ID token
	Nonce             string
	AuthTime          time.Time // zero: not known
	ACR               string
	AMR               []string
	Claims            map[string]json.RawMessage // user claims: of the ID token
	IDTokenClaims     []string                   // which of Claims go into the ID token; nil: all
	AccessTokenClaims map[string]json.RawMessage // of the access token
	Audience          []string                   // Required: of the access token
	IDTokenAlgorithm  Algorithm                  // Required with openid: of the ID token
	TokenID           string                     // Required: jti of the access token
	GrantRef          string                     // where UserInfo finds the grant; a secret
}

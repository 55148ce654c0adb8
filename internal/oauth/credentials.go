package oauth

import (
	"encoding/base64"
	"errors"
	"strings"
)

// credentials are what a request presented to authenticate its client, before
// anything was looked up.
type credentials struct {
	method AuthMethod // "": nothing, or nothing that is supported
	id     string
	secret string
	// rawID and rawSecret are the halves of a Basic token as they were before
	// form-decoding; only to find out what a client does wrong.
	rawID, rawSecret string
	// fault says why these credentials are nobody's. With it neither id nor
	// secret is looked at.
	fault  string
	reason Reason
}

// presented returns the credentials of a request. RFC 6749 §2.3: at most one
// mechanism, whatever it is worth. Presence counts, not success: first come
// would otherwise decide which client this is.
func presented(authorization []string, parameters map[string]string) (*credentials, error) {
	if len(authorization) > 1 {
		return nil, &Error{
			Kind: InvalidRequest, Reason: AuthorizationHeader,
			Hint: "the request has more than one Authorization field",
		}
	}
	secret, assertion := parameters["client_secret"] != "", parameters["client_assertion"] != ""
	mechanisms := len(authorization)
	for _, present := range []bool{secret, assertion} {
		if present {
			mechanisms++
		}
	}
	if mechanisms > 1 {
		return nil, &Error{
			Kind: InvalidRequest, Reason: SeveralMechanisms,
			Hint: "the request authenticates in more than one way (Authorization field, client_secret, client_assertion); the client must use one",
		}
	}
	id := parameters["client_id"]
	switch {
	case len(authorization) == 1:
		return authorizationField(authorization[0], id)
	case assertion, parameters["client_assertion_type"] != "":
		return &credentials{
			reason: CredentialsMalformed,
			fault:  "a client assertion was presented, which no client is registered for",
		}, nil
	case secret:
		c := &credentials{method: ClientSecretPost, id: id, secret: parameters["client_secret"]}
		return c.checked(), nil
	case id != "":
		return (&credentials{method: None, id: id}).checked(), nil
	}
	return &credentials{reason: CredentialsMissing, fault: "the request has no client credentials and no client_id"}, nil
}

// authorizationField reads the Authorization field. A client_id in the form
// beside it is identification, no second mechanism, as long as it is the same
// (RFC 6749 §3.2.1).
func authorizationField(field, formID string) (*credentials, error) {
	scheme, token, _ := strings.Cut(field, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return &credentials{
			reason: CredentialsMalformed,
			fault:  "the Authorization scheme is not Basic",
		}, nil
	}
	c := basic(strings.TrimLeft(token, " "))
	if c.id != "" && formID != "" && c.id != formID {
		return nil, &Error{
			Kind: InvalidRequest, Reason: ClientIDConflict, Param: "client_id",
			Hint: "the Authorization field and the form name different clients; a browser that has signed somebody in by basic_auth " +
				"sends that field to the whole site: the page's requests must leave credentials out (fetch: credentials 'omit'), or move authorization_endpoint to a folder of its own",
		}
	}
	return c, nil
}

// basic reads the token of Basic credentials: RFC 7617 §2, both halves encoded
// as RFC 6749 §2.3.1 says. They are separated before they are decoded, so that
// an encoded colon belongs to its half.
func basic(token string) *credentials {
	c := &credentials{method: ClientSecretBasic}
	decoded, err := decodeBase64(token)
	if err != nil {
		return c.faulty("the Basic credentials are not canonical base64")
	}
	id, secret, ok := strings.Cut(decoded, ":")
	if !ok {
		return c.faulty("the Basic credentials have no colon")
	}
	c.rawID, c.rawSecret = id, secret
	if c.id, ok = formDecode(id); !ok {
		return c.faulty("the client_id in the Basic credentials is not form-encoded (RFC 6749 §2.3.1)")
	}
	if c.secret, ok = formDecode(secret); !ok {
		return c.faulty("the client secret in the Basic credentials is not form-encoded (RFC 6749 §2.3.1)")
	}
	return c.checked()
}

// decodeBase64 accepts one spelling only. The standard library's strict
// decoder still skips line breaks.
func decodeBase64(token string) (string, error) {
	if strings.ContainsAny(token, "\r\n") {
		return "", errors.New("line break")
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(token)
	return string(decoded), err
}

// checked marks credentials that no client can have: RFC 6749 appendix A.1 and
// A.2 allow printable ASCII only, nothing is folded or normalized, and an
// empty half is missing.
func (c *credentials) checked() *credentials {
	switch {
	case c.id == "":
		return c.faulty("the client_id is missing")
	case c.method != None && c.secret == "":
		return c.faulty("the client secret is empty")
	case !printableASCII(c.id) || !printableASCII(c.secret):
		return c.faulty("the client_id or the client secret has characters that are not printable ASCII")
	case len(c.id) > maxClientIDSize || len(c.secret) > maxSecretSize:
		return c.faulty("the client_id or the client secret is too long")
	}
	return c
}

func (c *credentials) faulty(fault string) *credentials {
	c.fault, c.reason = fault, CredentialsMalformed
	return c
}

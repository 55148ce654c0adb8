package oauth

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// OriginAllowed reports whether a browser origin (serialized, RFC 6454 §6.2)
// is on any allow-list: the issuer's own origin, those of public clients'
// redirect URIs, and allowed_origins.
func (e *Endpoint) OriginAllowed(origin string) bool {
	return e.Clients.origins[origin]
}

// origin returns the request's Origin. CORS is no access control: a form POST
// needs no preflight, so a page anywhere can send one. What says where it
// comes from and is on nobody's list is refused before any credential is
// looked at.
func (e *Endpoint) origin(h http.Header) (origin string, present bool, err error) {
	fields := h.Values("Origin")
	switch {
	case len(fields) == 0:
		return "", false, nil
	case len(fields) > 1:
		return "", true, originError("the request has more than one Origin field")
	case !e.OriginAllowed(fields[0]):
		return "", true, originError("the request comes from a browser origin that no client has; if it is right, add it to the client's allowed_origins")
	}
	return fields[0], true, nil
}

// checkClientOrigin holds an authenticated client to its own list. What is on
// another client's list only is another application's page.
func (e *Endpoint) checkClientOrigin(client *Client, req *request) error {
	if !req.hasOrigin || e.Clients.byID[client.ID].origins[req.origin] {
		return nil
	}
	return originError("the request comes from the browser origin " + req.origin +
		", which another client has; if it is right, add it to this client's allowed_origins")
}

func originError(hint string) error {
	return &Error{Kind: InvalidRequest, Reason: OriginNotAllowed, Hint: hint}
}

// originOf serializes the origin of an http or https URI as a browser does
// (RFC 6454 §6.2). Others have none.
func originOf(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" {
		return "", false
	}
	port := u.Port()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "", false
	case u.Scheme == "https" && port == "443", u.Scheme == "http" && port == "80":
		port = ""
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" {
			return "", false
		}
		host = "[" + addr.String() + "]"
	} else if !printableASCII(host) || strings.Contains(host, "%") {
		// net/url decodes a host's octets; no browser writes them so.
		return "", false
	}
	if port != "" {
		host += ":" + port
	}
	return u.Scheme + "://" + host, true
}

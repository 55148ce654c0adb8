package oauth

import (
	"slices"
	"strconv"
	"strings"
)

// redirectTo returns where a client's answer goes: a registered URI, compared
// by exact string (RFC 9700 §2.1), but for the port of a loopback address. ""
// stands for its only one (RFC 6749 §3.1.2.3).
func (c *Client) redirectTo(sent string) (string, error) {
	registered := strings.Join(c.RedirectURIs, ", ")
	switch {
	case sent == "" && len(c.RedirectURIs) == 1:
		return c.RedirectURIs[0], nil
	case sent == "":
		e := missing("redirect_uri").(*Error)
		e.Hint = "the client has several; name one of " + registered
		return "", e
	}
	same := func(uri string) bool { return uri == sent || samePlaceOnLoopback(uri, sent) }
	if !slices.ContainsFunc(c.RedirectURIs, same) {
		return "", &Error{Kind: InvalidRequest, Param: "redirect_uri", Reason: ParameterMalformed, Detail: RedirectNotRegistered,
			Hint: "it is " + showURI(sent) + ", and the client's redirect_uris are " + registered}
	}
	return sent, nil
}

// samePlaceOnLoopback reports whether two URIs are http, on the same loopback
// IP address, and the same but for the port: RFC 8252 §7.3. An app takes
// whatever port is free. Never localhost, which is whatever the resolver says
// (RFC 8252 §8.3).
func samePlaceOnLoopback(registered, sent string) bool {
	for _, address := range []string{"http://127.0.0.1", "http://[::1]"} {
		want, isLoopback := afterPort(registered, address)
		if got, ok := afterPort(sent, address); isLoopback && ok && got == want {
			return true
		}
	}
	return false
}

// afterPort returns what follows address and its port, if there is one. It goes
// by characters and not by a URI parser: a port ends where a path or a query
// begins, so that the same rest leaves no room for user information or another
// host.
func afterPort(uri, address string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(uri, address)
	if !ok {
		return "", false
	}
	after, hasPort := strings.CutPrefix(rest, ":")
	if !hasPort {
		return rest, true
	}
	end := strings.IndexAny(after, "/?")
	if end < 0 {
		end = len(after)
	}
	return after[end:], isPort(after[:end])
}

// isPort reports whether s is a port from 1 to 65535 as it is usually written.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

package oauth

import (
	"testing"
)

func TestOrigin(t *testing.T) {
	refused := invalidRequest(OriginNotAllowed)
	origin := func(values ...string) func(*tokenRequest, *fixture) { return header("Origin", values...) }
	run(t, []row{
		{name: "REQ-203 the issuer's own origin is allowed for every client", change: origin(testIssuer)},
		{name: "REQ-203 a public client's redirect URI allows its origin", client: "spa", change: origin("https://spa.example")},
		{name: "REQ-203 a confidential client's redirect URI allows nothing", change: origin("https://rp.example"), want: refused},
		{name: "REQ-203 allowed_origins are allowed", client: "listed", change: origin("https://listed.example")},
		{name: "REQ-203 H13 an origin on nobody's list is refused", change: origin("https://evil.example"), want: refused},
		{name: "REQ-203 another client's origin is refused after authentication", change: origin("https://listed.example"), want: refused},
		{name: "REQ-203 a public client's origin is no other client's", change: origin("https://spa.example"), want: refused},
		{name: "REQ-203 a wrong secret is said before another client's origin", want: invalidClient(SecretMismatch), change: func(q *tokenRequest, _ *fixture) {
			q.header.Set("Origin", "https://listed.example")
			q.basic("web", "wrong")
		}},
		{name: "REQ-203 an origin on nobody's list is said before a wrong secret", want: refused, change: func(q *tokenRequest, _ *fixture) {
			q.header.Set("Origin", "https://evil.example")
			q.basic("web", "wrong")
		}},
		{name: "REQ-200 null is refused", client: "spa", change: origin("null"), want: refused},
		{name: "REQ-200 a suffix is refused", client: "spa", change: origin("https://spa.example.evil"), want: refused},
		{name: "REQ-200 a prefix is refused", client: "spa", change: origin("https://evil.spa.example"), want: refused},
		{name: "REQ-200 another scheme is refused", client: "spa", change: origin("http://spa.example"), want: refused},
		{name: "REQ-200 another port is refused", client: "spa", change: origin("https://spa.example:8443"), want: refused},
		{name: "REQ-200 another case is refused", client: "spa", change: origin("https://SPA.example"), want: refused},
		{name: "REQ-200 a path is refused", client: "spa", change: origin("https://spa.example/"), want: refused},
		{name: "REQ-200 an empty Origin is refused", client: "spa", change: origin(""), want: refused},
		{name: "REQ-200 two Origin fields are refused", client: "spa", change: origin("https://spa.example", "https://spa.example"), want: refused},
		{name: "REQ-200 two origins in one field are refused", client: "spa", change: origin("https://spa.example https://id.example"), want: refused},
	})
}

func TestOriginOf(t *testing.T) {
	for _, row := range []struct{ name, uri, want string }{
		{"the path, query and user information are no part of it", "https://u:p@app.example/a?b=c", "https://app.example"},
		{"the host is in lower case", "HTTPS://App.Example/cb", "https://app.example"},
		{"a default port is left out", "https://app.example:443/cb", "https://app.example"},
		{"a default port of http is left out", "http://app.example:80/cb", "http://app.example"},
		{"another port stays", "http://localhost:8080/cb", "http://localhost:8080"},
		{"the other scheme's default port stays", "http://localhost:443/cb", "http://localhost:443"},
		{"an IPv6 address is written as browsers do", "http://[0:0::1]:8080/cb", "http://[::1]:8080"},
		{"a private-use scheme has none", "com.example.app:/cb", ""},
		{"a URI without a host has none", "https:///cb", ""},
		{"null is no origin", "null", ""},
		{"an encoded host is no host of a browser's", "https://%C3%A9.example/cb", ""},
		{"nor is an encoded percent sign", "https://%25/cb", ""},
		{"a zone is no part of an origin", "http://[fe80::1%25eth0]/", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got, ok := originOf(row.uri); got != row.want || ok != (row.want != "") {
				t.Errorf("originOf = %q, %t", got, ok)
			}
		})
	}
}

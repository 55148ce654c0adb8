package oauth

import (
	"strings"
	"testing"
	"time"
)

// Apps on a person's own machine: RFC 8252 §7.3.
func TestPortOfALoopbackRedirectURI(t *testing.T) {
	f := newFixture(t)
	app := testClients(t)[3] // spa, which is public
	app.RedirectURIs = []string{"http://127.0.0.1/callback", "http://[::1]:4000/callback?x=1", "http://127.0.0.1:9999",
		"http://localhost/callback", "https://127.0.0.1/secure", "http://127.0.0.2/second", "http://127.0.0.1.example/callback", "http://rp.example/callback"}
	f.register(app)
	for _, row := range []struct {
		name, sent string
		right      bool
	}{
		{"as registered", "http://127.0.0.1/callback", true},
		{"REQ-091 with a port", "http://127.0.0.1:51004/callback", true},
		{"the highest port", "http://127.0.0.1:65535/callback", true},
		{"the lowest port", "http://127.0.0.1:1/callback", true},
		{"IPv6 with another port", "http://[::1]:51004/callback?x=1", true},
		{"IPv6 without the port that is registered", "http://[::1]/callback?x=1", true},
		{"no path where none is registered", "http://127.0.0.1:51004", true},
		{"L13 another path", "http://127.0.0.1:51004/callback2", false},
		{"L13 a path where none is registered", "http://127.0.0.1:51004/", false},
		{"L13 another query", "http://[::1]:51004/callback?x=2", false},
		{"L13 no query", "http://[::1]:51004/callback", false},
		{"L13 a query where none is registered", "http://127.0.0.1:51004/callback?x=1", false},
		{"L13 a fragment", "http://127.0.0.1:51004/callback#x", false},
		{"L13 the path of the other address", "http://[::1]:51004/callback", false},
		{"L13 https", "https://127.0.0.1:51004/callback", false},
		{"L13 https where that is registered", "https://127.0.0.1:51004/secure", false},
		{"L13 http where https is registered", "http://127.0.0.1:51004/secure", false},
		{"localhost as registered", "http://localhost/callback", true},
		{"L13 localhost with a port", "http://localhost:51004/callback", false},
		{"L13 localhost for the address", "http://localhost:51004", false},
		{"L13 another loopback address", "http://127.0.0.2:51004/callback", false},
		{"L13 another loopback address that is registered", "http://127.0.0.2:51004/second", false},
		{"L13 the long form of IPv6", "http://[0:0:0:0:0:0:0:1]:51004/callback?x=1", false},
		{"L13 IPv4 in IPv6", "http://[::ffff:127.0.0.1]:51004/callback", false},
		{"L13 the address as a number", "http://2130706433:51004/callback", false},
		{"L13 a host that begins like it", "http://127.0.0.1.evil.example/callback", false},
		{"L13 a host that begins like it, registered", "http://127.0.0.1.example:51004/callback", false},
		{"L13 a host whose name the port begins", "http://127.0.0.1:80.evil.example/callback", false},
		{"L13 user information with a port", "http://127.0.0.1:51004@evil.example/callback", false},
		{"L13 user information without a port", "http://127.0.0.1@evil.example/callback", false},
		{"L13 user information of evil", "http://evil@127.0.0.1:51004/callback", false},
		{"L13 user information behind a backslash", `http://127.0.0.1:51004\@evil.example/callback`, false},
		{"L13 user information behind the path", "http://127.0.0.1:51004@evil.example/callback/callback", false},
		{"L13 an upper case scheme", "HTTP://127.0.0.1:51004/callback", false},
		{"L13 port 0", "http://127.0.0.1:0/callback", false},
		{"L13 a port above the highest", "http://127.0.0.1:65536/callback", false},
		{"L13 port 99999", "http://127.0.0.1:99999/callback", false},
		{"L13 a port beyond any number", "http://127.0.0.1:" + strings.Repeat("9", 40) + "/callback", false},
		{"L13 an empty port", "http://127.0.0.1:/callback", false},
		{"L13 a port with a sign", "http://127.0.0.1:+51004/callback", false},
		{"L13 a negative port", "http://127.0.0.1:-1/callback", false},
		{"L13 a port with a zero in front", "http://127.0.0.1:051004/callback", false},
		{"L13 a port with a space", "http://127.0.0.1: 51004/callback", false},
		{"L13 a port with an underscore", "http://127.0.0.1:5_1004/callback", false},
		{"L13 a hexadecimal port", "http://127.0.0.1:0xff/callback", false},
		{"L13 a port in other digits", "http://127.0.0.1:٥١/callback", false},
		{"L13 two ports", "http://127.0.0.1:51004:51005/callback", false},
		{"L13 a port where the host is no loopback address", "http://rp.example:51004/callback", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			sent := validParameters("spa")
			sent.Set("redirect_uri", row.sent)
			p, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints)
			q := validAuthorization("spa")
			q.RedirectURI = row.sent
			record, recordErr := f.endpoint.Clients.Record(testIssuer, q, f.time, time.Minute)
			if !row.right {
				if p != nil || AsError(err).Detail != RedirectNotRegistered || AsError(recordErr).Detail != RedirectNotRegistered {
					t.Errorf("answered %v, minting %v", err, recordErr)
				}
				return
			}
			if err != nil || recordErr != nil {
				t.Fatalf("answered %v, minting %v", err, recordErr)
			}
			if response := p.Grant(testIssuer, "c"); response.RedirectURI != row.sent || record.RedirectURI != row.sent {
				t.Errorf("goes to %s, minting to %s", response.RedirectURI, record.RedirectURI)
			}
		})
	}
}

func TestPortOfARedirectURIThatIsRegisteredOtherwise(t *testing.T) {
	for _, row := range []struct{ name, registered, sent string }{
		{"L13 loopback where a web address is registered", "https://rp.example/callback", "http://127.0.0.1:51004"},
		{"L13 loopback where localhost is registered", "http://localhost", "http://127.0.0.1:51004"},
		{"L13 another port where port 0 is registered", "http://127.0.0.1:0/callback", "http://127.0.0.1:51004/callback"},
		{"L13 a web address where loopback is registered", "http://127.0.0.1", "https://evil.example"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			f.registerRedirects(row.registered)
			sent := validParameters("web")
			sent.Set("redirect_uri", row.sent)
			if p, err := f.endpoint.Clients.Authorize(t.Context(), sent.Encode(), testHints); p != nil || AsError(err).Detail != RedirectNotRegistered {
				t.Errorf("answered %v", err)
			}
			sent.Set("redirect_uri", row.registered)
			f.authorize(t, sent)
		})
	}
}

// REQ-091: at the token endpoint the port counts.
func TestPortOfALoopbackRedirectURIAtTheTokenEndpoint(t *testing.T) {
	f := newFixture(t)
	app := testClients(t)[3]
	app.RedirectURIs = []string{"http://127.0.0.1/callback"}
	f.register(app)
	redeem := func(redirectURI string) *tokenRequest {
		q := validAuthorization("spa")
		q.RedirectURI = "http://127.0.0.1:51004/callback"
		record, err := f.endpoint.Clients.Record(testIssuer, q, f.time, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		code, err := f.codes.Store(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		request := f.redeeming("spa", code)
		request.form.Set("redirect_uri", redirectURI)
		return request
	}
	t.Run("REQ-091 the port of the authorization request", func(t *testing.T) {
		f.succeeds(redeem("http://127.0.0.1:51004/callback"))
	})
	t.Run("REQ-091 another port", func(t *testing.T) {
		f.fails(redeem("http://127.0.0.1:51005/callback"), invalidGrant(RedirectMismatch, ""))
	})
}

// The log says whose request it is where that is known, though the client is
// not answered.
func TestRefusalOnAPageNamesTheRegisteredClient(t *testing.T) {
	registered := func(redirectURIs ...string) *Clients {
		all := testClients(t)
		all[0].RedirectURIs = redirectURIs
		set, err := NewClients(testIssuer, all)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	one, two := registered("https://rp.example/callback"), registered("https://rp.example/callback", "https://rp.example/other")
	for _, row := range []struct {
		name    string
		clients *Clients
		changed []string
		want    string
	}{
		{"a redirect_uri that is not registered", two, []string{"redirect_uri", "https://rp.example/elsewhere"}, "web"},
		{"no redirect_uri", two, []string{"redirect_uri", ""}, "web"},
		{"no redirect_uri for OpenID at a client that has one", one, []string{"redirect_uri", ""}, "web"},
		{"a client that is not registered", two, []string{"client_id", "somebody-else"}, ""},
		{"no client_id", two, []string{"client_id", ""}, ""},
	} {
		t.Run("REQ-240 "+row.name, func(t *testing.T) {
			sent := validParameters("web")
			setting(row.changed...)(sent)
			p, err := row.clients.Authorize(t.Context(), sent.Encode(), testHints)
			if e := AsError(err); p != nil || e == nil || e.ClientID != row.want {
				t.Errorf("pending %t, error %+v, want client %q", p != nil, e, row.want)
			}
		})
	}
	t.Run("REQ-240 a redirect_uri that a reload removed", func(t *testing.T) {
		p, err := one.Authorize(t.Context(), validParameters("web").Encode(), testHints)
		if err != nil {
			t.Fatal(err)
		}
		if err := two.Reconsider(p); err != nil {
			t.Errorf("it is registered yet: %v", err)
		}
		if e := AsError(registered("https://rp.example/other").Reconsider(p)); e == nil || e.ClientID != "web" {
			t.Errorf("the error is %+v", e)
		}
	})
}

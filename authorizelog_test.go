package oidctoken_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A site that is not the issuer's URL, or a balancer that rewrites Host.
func TestHostThatIsNotTheIssuersIsSaidOnce(t *testing.T) {
	blocks := strings.Replace(authorizeSite(basicAuth, ""), "http://127.0.0.1:PORT", "http://:PORT", 1)
	s := newSite(t).start(blocks)
	said := func(host, path string) (lines []map[string]any) {
		t.Helper()
		mark := logSize(t)
		r, err := http.NewRequest(http.MethodGet, s.issuer+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		s.send(r)
		for _, line := range logLines(t, mark) {
			if line["event"] == "host_mismatch" {
				lines = append(lines, line)
			}
		}
		return lines
	}
	for name, at := range map[string][2]string{
		"the issuer's host": {"127.0.0.1:" + s.port, "/token"},
		"a path that is not the issuer's, on another host": {"id.example", "/elsewhere"},
	} {
		if lines := said(at[0], at[1]); len(lines) != 0 {
			t.Errorf("REQ-240 %s: the log says %v", name, lines)
		}
	}
	lines := said("id.example", "/token")
	if len(lines) != 1 || lines[0]["level"] != "warn" || lines[0]["issuer"] != s.issuer || lines[0]["host"] != "id.example" || !strings.Contains(fmt.Sprint(lines[0]["hint"]), "balancer") {
		t.Errorf("REQ-240 another host: the log says %v", lines)
	}
	if err := s.load(strings.Replace(blocks, "the site", "another site", 1)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/token", "/authorize", "/.well-known/openid-configuration"} {
		if lines := said("id.example", path); len(lines) != 0 {
			t.Errorf("REQ-240 it is said again at %s: %v", path, lines)
		}
	}
}

// The hint goes by what is configured: whoever reads the subject from a header
// must not be told to do so.
func TestHintOfAMissingIdentity(t *testing.T) {
	for _, row := range []struct{ name, identity, says, not string }{
		{"the default", "", "forward_auth sets no user id", "copy_headers"},
		{"a header", "identity {\n\tsubject {header.Remote-User}\n}",
			"subject, which is {http.request.header.Remote-User}, is empty: nothing inside authorize set that header", "write subject"},
	} {
		t.Run("REQ-240 REQ-127 "+row.name, func(t *testing.T) {
			s := newSite(t).start(authorizeSite("vars x y", row.identity))
			mark := logSize(t)
			r := s.authorizationBy(http.MethodGet)
			r.Header.Set("Remote-User", "admin")
			s.send(r).wantRefusal(t, s.issuer, "access_denied")
			line := lastEvent(t, mark)
			hint := fmt.Sprint(line["hint"])
			if line["event"] != "identity_missing" || !strings.Contains(hint, row.says) || strings.Contains(hint, row.not) {
				t.Errorf("the log says %v", line)
			}
		})
	}
}

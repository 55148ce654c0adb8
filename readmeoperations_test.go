package oidctoken_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

// Whoever backs the keys up finds them where README says.
func TestReadmeStoredData(t *testing.T) {
	s := newSite(t).start(oneSite)
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	command := regexp.MustCompile("```sh\n(printf .*)\n```").FindStringSubmatch(section(t, "## Clusters"))
	if command == nil {
		t.Fatal("README has no command that makes the hash")
	}
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("there is no sha256sum here")
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(command[1], "https://id.example.com", s.issuer, 1)).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"oidc_token/<hash>/keys", "`codes`", "`used`", "oidc_token/probe/"} {
		if !strings.Contains(readme(t), name) {
			t.Errorf("README does not say %s", name)
		}
	}
	issuer := filepath.Join(s.dir, "oidc_token", strings.TrimSpace(string(out)))
	for _, folder := range []string{filepath.Join(issuer, "keys"), filepath.Join(issuer, "codes"), filepath.Join(issuer, "used"), filepath.Join(s.dir, "oidc_token", "probe")} {
		if _, err := os.Stat(folder); err != nil {
			t.Error(err)
		}
	}
}

// Each series to alert on is there before anything has happened: what appears
// with its first event has no increase.
func TestReadmeAlerts(t *testing.T) {
	s := newSite(t).start(oneSite)
	exposed := s.metrics()
	_, alerts, _ := strings.Cut(section(t, "### Metrics"), "\nAlert on ")
	selectors := regexp.MustCompile("`(caddy_[a-z_]+)(?:\\{([a-z]+)(=~?)\"([a-z_|]+)\"\\})?`").FindAllStringSubmatch(alerts, -1)
	if len(selectors) < 7 {
		t.Fatalf("README alerts on %d series", len(selectors))
	}
	for _, m := range selectors {
		for value := range strings.SplitSeq(m[4], "|") {
			series := `(?m)^` + m[1] + `\{`
			if m[2] != "" {
				series += `(.*,)?` + m[2] + `="` + value + `"`
			}
			if !regexp.MustCompile(series).MatchString(exposed) {
				t.Errorf("no series is %s with %s %q", m[1], m[2], value)
			}
		}
		if strings.Contains(m[4], "|") != (m[3] == "=~") {
			t.Errorf("%s is no selector", m[0])
		}
	}
}

// With admin off the directive is the only way to the metrics.
func TestReadmeMetricsDirective(t *testing.T) {
	if !strings.Contains(section(t, "### Metrics"), "with `admin off`, by the `metrics` directive") {
		t.Fatal("README does not say so")
	}
	s := newSite(t).start(strings.Replace(oneSite, `respond "the site" 200`, "metrics /metrics", 1))
	r, _ := http.NewRequest(http.MethodGet, s.issuer+"/metrics", nil)
	if a := s.send(r); !bytes.Contains(a.body, []byte("\ncaddy_oidc_token_redemptions_total{")) {
		t.Errorf("got %d %.100s", a.StatusCode, a.body)
	}
}

// Who signed in, and who tried to, is in Caddy's access log alone.
func TestReadmeWhoSignedIn(t *testing.T) {
	for _, word := range []string{"`user_id`", "`uuid`", "`Authorization`", "`code_issued`", "`not_authenticated`"} {
		if !strings.Contains(section(t, "### Who signed in"), word) {
			t.Errorf("README does not say %s", word)
		}
	}
	s := newSite(t).start(authorizeSite(basicAuth, ""))
	mark := logSize(t)
	// lines returns what the plugin and the access log say of a request.
	lines := func(t *testing.T, r *http.Request) (event, access map[string]any) {
		t.Helper()
		id := s.send(r).Header.Get("X-Request-Id")
		eventually(t, "a line is not there", func() bool {
			logs, err := os.ReadFile(logFile)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(logs[mark:]) {
				var fields map[string]any
				if json.Unmarshal(line, &fields) != nil {
					continue
				}
				if fields["request_id"] == id {
					event = fields
				}
				if fields["uuid"] == id {
					access = fields
				}
			}
			return event != nil && access != nil
		})
		return event, access
	}
	authorization := func(access map[string]any) bool {
		request, _ := access["request"].(map[string]any)
		headers, _ := request["headers"].(map[string]any)
		_, there := headers["Authorization"]
		return there
	}
	t.Run("who signed in is the user_id", func(t *testing.T) {
		event, access := lines(t, s.authorization())
		if event["event"] != "code_issued" || access["user_id"] != "alice" {
			t.Errorf("the log says %v, the access log %v", event, access)
		}
	})
	for _, row := range []struct {
		name   string
		sent   bool
		change func(*http.Request)
	}{
		{"a first request has a 401", false, func(r *http.Request) { r.Header.Del("Authorization") }},
		{"a wrong password has a 401 and an Authorization header", true, func(r *http.Request) { r.SetBasicAuth("alice", "a wrong one") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := s.authorization()
			row.change(r)
			event, access := lines(t, r)
			if event["event"] != "not_authenticated" || access["status"] != 401.0 || authorization(access) != row.sent || access["user_id"] != "" {
				t.Errorf("the log says %v, the access log %v", event, access)
			}
		})
	}
}

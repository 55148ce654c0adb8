package oidctoken_test

import (
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fenced returns README's code blocks of a language.
func fenced(t *testing.T, language string) []string {
	t.Helper()
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("README has no %s block", language)
	}
	return blocks
}

// The reference in README cannot drift: it names what the code has, no more
// and no less.
func TestReadmeReference(t *testing.T) {
	text := readme(t)
	t.Run("the table has each option of the JSON config", func(t *testing.T) {
		var want []string
		for _, v := range []any{oidctoken.Handler{}, oidctoken.Client{}} {
			for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if name != "" && name != "clients" && name != "client_id" {
					want = append(want, name)
				}
			}
		}
		var got []string
		_, reference, _ := strings.Cut(text, "\n## Reference\n")
		reference, _, _ = strings.Cut(reference, "\n## ")
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(reference, -1) {
			got = append(got, m[1])
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("README has\n%v\nthe config\n%v", got, want)
		}
	})
	t.Run("the grammar is that of UnmarshalCaddyfile", func(t *testing.T) {
		source, err := os.ReadFile("caddyfile.go")
		if err != nil {
			t.Fatal(err)
		}
		lines := func(s string) (words []string) {
			for line := range strings.Lines(s) {
				if f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "//")); len(f) > 0 {
					words = append(words, strings.Join(f, " "))
				}
			}
			return words
		}
		doc := regexp.MustCompile(`(?s)//\toidc_token \[<matcher>\] \{.*?//\t\}\n`).FindString(string(source))
		grammar := regexp.MustCompile("(?s)```\n(oidc_token \\[.*?)```").FindStringSubmatch(text)
		if doc == "" || grammar == nil {
			t.Fatal("one of the two is not there")
		}
		short := strings.ReplaceAll(doc, "RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|EdDSA", "<alg>")
		if got, want := lines(grammar[1]), lines(short); !slices.Equal(got, want) {
			t.Errorf("README has\n%s\nthe code\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
	t.Run("its events are those of the code", func(t *testing.T) {
		var sources strings.Builder
		for _, file := range []string{"internal/oauth/reason.go", "handler.go", "logging.go", "authorizelog.go", "userinfo.go"} {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(b)
		}
		_, table, _ := strings.Cut(text, "\n| Event |")
		table, _, _ = strings.Cut(table, "\n\n")
		events := regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(strings.Join(regexp.MustCompile(`(?m)^\| .*? \|`).FindAllString(table, -1), "\n"), -1)
		if len(events) < 10 {
			t.Fatalf("README names %d events", len(events))
		}
		for _, e := range events {
			if !strings.Contains(sources.String(), `"`+e[1]+`"`) {
				t.Errorf("README names the event %s, which the code has not", e[1])
			}
		}
	})
}

func TestReadmeCaddyfiles(t *testing.T) {
	for n, block := range fenced(t, "caddyfile") {
		t.Run(fmt.Sprint("block ", n+1, " adapts"), func(t *testing.T) {
			if _, err := caddyJSON(block); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadmeMetrics(t *testing.T) {
	s := newSite(t).start(oneSite)
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	names := func(text string) []string {
		found := regexp.MustCompile(`caddy_oidc_token_[a-z_]+`).FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	var exposed []string
	for line := range strings.Lines(s.metrics()) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			exposed = append(exposed, names(name)...)
		}
	}
	slices.Sort(exposed)
	documented := names(readme(t))
	for _, name := range exposed {
		if !slices.Contains(documented, name) {
			t.Errorf("README does not name the metric %s", name)
		}
	}
	// One that has counted nothing yet is not exposed.
	for _, name := range documented {
		if !slices.Contains(exposed, name) {
			t.Errorf("README names the metric %s, which is not exposed", name)
		}
	}
}

// README's request to the admin API, sent as it stands but for the issuer.
func TestReadmeMintRequest(t *testing.T) {
	s := newSite(t).start(`
http://127.0.0.1:PORT {
	oidc_token {
		issuer ISSUER
		client grafana {
			client_secret ` + webSecret + `
			redirect_uris https://grafana.example.com/login/generic_oauth
		}
	}
}`)
	m := regexp.MustCompile(`(?s)curl localhost:2019/oidc_token/codes .*? -d '(\{.*?\n\})'`).FindStringSubmatch(readme(t))
	if m == nil {
		t.Fatal("README has no such request")
	}
	body := strings.Replace(m[1], "https://id.example.com", s.issuer, 1)
	if status, answer := s.adminRequest(http.MethodPost, "/oidc_token/codes", body, "Content-Type", "application/json"); status != 201 {
		t.Errorf("it is answered %d %s", status, answer)
	}
}

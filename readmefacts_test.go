package oidctoken_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// section returns README from a heading to the next of its level or above.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(readme(t), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("README has no heading %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	return regexp.MustCompile(fmt.Sprintf(`\n#{2,%d} `, len(level))).Split(text, 2)[0]
}

// sources returns files of this module, joined.
func sources(t *testing.T, files ...string) string {
	t.Helper()
	var all strings.Builder
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// What README says of a sign-in that fails is of use only in the words of the
// log line.
func TestReadmeSignInFails(t *testing.T) {
	code := sources(t, "internal/oauth/reason.go", "internal/oauth/errors.go", "logging.go", "authorizelog.go", "config.go", "configclient.go", "caddyfile.go", "caddyfileblock.go")
	words := regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(section(t, "## When a sign-in fails"), -1)
	if len(words) < 10 {
		t.Fatalf("README says %d words of it", len(words))
	}
	for _, word := range words {
		if !strings.Contains(code, `"`+word[1]+`"`) {
			t.Errorf("README says %s, which the code does not", word[1])
		}
	}
}

// Numbers in README that are constants in the code.
func TestReadmeLimits(t *testing.T) {
	text := readme(t)
	for _, row := range []struct{ file, constant, says string }{
		{"livecodes.go", `maxLiveCodes += 10_000\b`, "10,000 of a client"},
		{"livecodes.go", `maxPersonalCodes += 100\b`, "100 codes of one person at one client"},
		{"internal/oauth/throttle.go", `[Rr]efusalLimit += 3000\b`, "above 3,000 a minute from one address"},
		{"internal/oauth/throttle.go", `IssuerRefusalLimit += 6000\b`, "6,000 from everywhere"},
		{"internal/oauth/throttle.go", `clientLimit += 100\b`, "above 100 a minute of one client id"},
		{"internal/oauth/throttle.go", `maxRefusals += 1024\b`, "At most 1,024 answers wait"},
		{"internal/oauth/throttle.go", `[Rr]efusalDelay += 250 \* time.Millisecond`, "answered 250 ms late"},
		{"storage/generic.go", `promptly += 900 \* time.Millisecond`, "takes 0.9 seconds or longer"},
		{"storage/codes.go", `skew += 60 \* time.Second`, "more than 60 seconds ahead"},
	} {
		t.Run(row.says, func(t *testing.T) {
			if !strings.Contains(text, row.says) {
				t.Error("README does not say so")
			}
			if !regexp.MustCompile(row.constant).MatchString(sources(t, row.file)) {
				t.Errorf("%s says something else", row.file)
			}
		})
	}
}

// Each command that builds a Caddy has this module in it, and that of the
// cluster the storage module that its text is about.
func TestReadmeBuilds(t *testing.T) {
	module := regexp.MustCompile(`(?m)^module (\S+)$`).FindStringSubmatch(sources(t, "go.mod"))[1]
	builds := regexp.MustCompile("xcaddy build [^`\n]*").FindAllString(readme(t), -1)
	if len(builds) != 3 {
		t.Errorf("README builds %d times", len(builds))
	}
	for _, build := range builds {
		if !regexp.MustCompile(` --with ` + regexp.QuoteMeta(module) + `\b`).MatchString(build) {
			t.Errorf("%s is without this module", build)
		}
	}
	if cluster := section(t, "### A cluster on Redis"); !strings.Contains(cluster, module+" --with github.com/pberkel/caddy-storage-redis\n") {
		t.Error("the cluster is built without its storage module")
	}
}

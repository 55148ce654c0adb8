package docs

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated columns of the tables")

// tables are the pages whose last column lists the tests that hold each row.
var tables = []string{"requirements.md", "attacks.md"}

func TestEveryRowHasATestOrAReason(t *testing.T) {
	held := scan(t, "..")
	for _, page := range tables {
		for _, row := range rows(read(t, page)) {
			if row.reason == "" && !slices.ContainsFunc(held[row.number], inGo) {
				t.Errorf("%s: %s has neither a test that go test runs nor a reason: %s", page, row.number, row.text)
			}
			for _, n := range elsewhere(row.reason) {
				if !slices.ContainsFunc(held[n], inGo) {
					t.Errorf("%s: %s is said to be held by the tests of %s, which has none", page, row.number, n)
				}
			}
		}
	}
}

// elsewhere returns the numbers whose tests, by its reason, hold a row.
func elsewhere(reason string) []string {
	if !strings.HasPrefix(reason, "The tests of ") {
		return nil
	}
	return numbers.FindAllString(reason, -1)
}

// inGo reports whether go test runs the test: those of the JavaScript clients
// need Node and count as a second opinion.
func inGo(test named) bool { return !strings.HasPrefix(test.where, "test/") }

func TestEveryNumberInATestNameIsExplained(t *testing.T) {
	explained := map[string]bool{}
	for _, page := range tables {
		for _, row := range rows(read(t, page)) {
			if explained[row.number] {
				t.Errorf("%s: %s has two rows", page, row.number)
			}
			explained[row.number] = true
		}
	}
	for number, tests := range scan(t, "..") {
		if !explained[number] {
			t.Errorf("%s is in no table of docs/, but %s: %q is named after it", number, tests[0].where, tests[0].name)
		}
	}
}

func TestGeneratedColumnsAreCurrent(t *testing.T) {
	held := scan(t, "..")
	for _, page := range tables {
		written := read(t, page)
		generated := fill(written, held)
		if written == generated {
			continue
		}
		if !*update {
			t.Errorf("docs/%s is stale: run go test ./docs -update", page)
			continue
		}
		if err := os.WriteFile(page, []byte(generated), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// All 245 numbers are explained, so that a reference to any of them leads
// somewhere.
func TestRequirementsAreNumberedWithoutGaps(t *testing.T) {
	var numbers []string
	for _, row := range rows(read(t, "requirements.md")) {
		numbers = append(numbers, row.number)
	}
	if len(numbers) != 245 || numbers[0] != "REQ-001" || numbers[244] != "REQ-245" || !slices.IsSorted(numbers) {
		t.Errorf("requirements.md explains %d numbers, want REQ-001 to REQ-245 in order", len(numbers))
	}
}

// row is one row of a table: its number, what it says, and the reason, in
// italics, why no test holds it or some part of it.
type row struct {
	number, text, reason string
}

var (
	rowPattern    = regexp.MustCompile(`^\| (` + number + `) \| (.*) \|(.*)\|$`)
	reasonPattern = regexp.MustCompile(`^\*([^*]+)\*`)
)

func rows(page string) []row {
	var all []row
	for line := range strings.Lines(page) {
		if r, _, ok := parseRow(strings.TrimRight(line, "\n")); ok {
			all = append(all, r)
		}
	}
	return all
}

// parseRow reads a line of a table and returns what stands before its last
// column too.
func parseRow(line string) (r row, before string, ok bool) {
	m := rowPattern.FindStringSubmatch(line)
	if m == nil {
		return row{}, "", false
	}
	text, _, _ := strings.Cut(m[2], " | ")
	r = row{number: m[1], text: text}
	if reason := reasonPattern.FindStringSubmatch(strings.TrimSpace(m[3])); reason != nil {
		r.reason = reason[1]
	}
	return r, "| " + m[1] + " | " + m[2] + " |", true
}

// fill returns page with the last column of every row as held has it.
func fill(page string, held map[string][]named) string {
	var b strings.Builder
	for line := range strings.Lines(page) {
		r, before, ok := parseRow(strings.TrimRight(line, "\n"))
		if !ok {
			b.WriteString(line)
			continue
		}
		var cell []string
		if r.reason != "" {
			cell = append(cell, "*"+r.reason+"*")
		}
		if tests := list(held[r.number]); tests != "" {
			cell = append(cell, tests)
		}
		b.WriteString(before + " " + strings.Join(append(cell, "|"), " ") + "\n")
	}
	return b.String()
}

// shown is how many tests of a package a cell names before it counts the rest.
const shown = 3

// list is what a cell says of tests: their names by package, sorted, so that
// moving a test within its package changes nothing here.
func list(tests []named) string {
	byPackage := map[string][]string{}
	for _, t := range tests {
		byPackage[t.where] = append(byPackage[t.where], t.name)
	}
	var parts []string
	for where, names := range byPackage {
		slices.Sort(names)
		names = slices.Compact(names)
		part := "`" + where + "`: " + strings.Join(names[:min(shown, len(names))], "; ")
		if more := len(names) - shown; more > 0 {
			part += "; and " + plural(more)
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return strings.Join(parts, "<br>")
}

func read(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFillKeepsReasonsAndRewritesTests(t *testing.T) {
	held := map[string][]named{"REQ-001": {{"b", "two"}, {"a", "one"}, {"b", "one"}, {"b", "two"}, {"b", "four"}, {"b", "three"}}}
	for _, c := range []struct{ name, before, after string }{
		{"an empty cell", "| REQ-001 | text | MUST | |", "| REQ-001 | text | MUST | `a`: one<br>`b`: four; one; three; and 1 more |"},
		{"a stale cell", "| REQ-001 | text | MUST | `c`: gone |", "| REQ-001 | text | MUST | `a`: one<br>`b`: four; one; three; and 1 more |"},
		{"a test that is gone", "| REQ-002 | text | MUST | `c`: gone |", "| REQ-002 | text | MUST | |"},
		{"a reason", "| REQ-002 | text | MUST | *Not built.* |", "| REQ-002 | text | MUST | *Not built.* |"},
		{"a reason and a test", "| REQ-001 | text | MUST | *In part.* `c`: gone |", "| REQ-001 | text | MUST | *In part.* `a`: one<br>`b`: four; one; three; and 1 more |"},
		{"what is no row", "A line about REQ-001.", "A line about REQ-001."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fill(c.before+"\n", held); got != c.after+"\n" {
				t.Errorf("fill gave %q, want %q", got, c.after)
			}
		})
	}
}

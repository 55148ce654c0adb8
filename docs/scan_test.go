package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// number is what a requirement, an attack or a fault goes by.
const number = `REQ-[0-9]{3}|[ABCDFHLT][0-9]{2}`

var (
	// numbered is a test name: one or more numbers, then a sentence.
	numbered = regexp.MustCompile(`^((?:(?:` + number + `)[ ,]+)+)(.*)$`)
	numbers  = regexp.MustCompile(number)
	// inScript is a test name in a JavaScript test file.
	inScript = regexp.MustCompile("[\"'`]((?:REQ-[0-9]{3}|[ABCDFHLT][0-9]{2})[ ,][^\"'`]*)[\"'`]")
	// filled is what a format string or template leaves for later.
	filled = regexp.MustCompile(`%[-+#]?[0-9.]*[a-zA-Z]|\$\{[^}]*\}`)
)

// named is a test that is named after a number: the directory it is in and
// the rest of its name.
type named struct {
	where, name string
}

// scan returns the tests below root by the numbers in their names.
func scan(t *testing.T, root string) map[string][]named {
	t.Helper()
	held := map[string][]named{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(root, file, d.Name())
		}
		names, err := testNames(file)
		if err != nil {
			return err
		}
		where, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		if where == "." {
			where = "oidctoken"
		}
		for _, name := range names {
			add(held, filepath.ToSlash(where), name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// enter keeps scan out of what is not this module's tests; this package's own
// show how the tables work and hold no requirement.
func enter(root, dir, name string) error {
	if dir != root && (strings.HasPrefix(name, ".") || name == "node_modules" || dir == filepath.Join(root, "docs")) {
		return filepath.SkipDir
	}
	return nil
}

func testNames(file string) ([]string, error) {
	switch base := filepath.Base(file); {
	case strings.HasSuffix(base, "_test.go"):
		return goNames(file)
	case path.Ext(base) == ".mjs":
		return scriptNames(file)
	case path.Ext(base) == ".caddyfiletest":
		// A golden file is a test, named by its file name.
		return []string{strings.ReplaceAll(strings.TrimSuffix(base, ".caddyfiletest"), "_", " ")}, nil
	}
	return nil, nil
}

// goNames returns the string literals of a test file, but for those that are
// only messages. One that ends after its numbers, to be completed when the test
// runs, goes by the function it is in.
func goNames(file string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("reading test names: %w", err)
	}
	var names []string
	var function string
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			function = n.Name.Name
		case *ast.CallExpr:
			return !isMessage(n)
		case *ast.BasicLit:
			s, err := strconv.Unquote(n.Value)
			if n.Kind != token.STRING || err != nil {
				return false
			}
			if m := numbered.FindStringSubmatch(s); m != nil && m[2] == "" {
				s += function
			}
			names = append(names, s)
		}
		return true
	})
	return names, nil
}

// isMessage reports whether call is t.Errorf and the like: its text names
// nothing that can be run.
func isMessage(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	switch sel.Sel.Name {
	case "Error", "Errorf", "Fatal", "Fatalf", "Log", "Logf", "Skip", "Skipf":
		return true
	}
	return false
}

func scriptNames(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range inScript.FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	return names, nil
}

// add files name under each number it starts with.
func add(held map[string][]named, where, name string) {
	m := numbered.FindStringSubmatch(name)
	if m == nil {
		return
	}
	sentence := strings.Join(strings.Fields(filled.ReplaceAllString(m[2], "…")), " ")
	if strings.HasSuffix(m[2], " ") {
		sentence += " …"
	}
	// A cell of a Markdown table ends at a bar, and * would start a reason.
	sentence = strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;").Replace(sentence)
	for _, n := range numbers.FindAllString(m[1], -1) {
		held[n] = append(held[n], named{where, sentence})
	}
}

func plural(n int) string {
	if n == 1 {
		return "1 more"
	}
	return strconv.Itoa(n) + " more"
}

func TestScanFindsTheNumbersOfATestName(t *testing.T) {
	for _, row := range []struct{ name, source, want string }{
		{"a row with one number", `var _ = "REQ-098 S256 matches"`, "REQ-098 S256 matches"},
		{"a row with two numbers", `var _ = "REQ-089 A14 it is left out"`, "A14 it is left out, REQ-089 it is left out"},
		{"numbers joined by a comma", `var _ = "REQ-089, REQ-090 differs"`, "REQ-089 differs, REQ-090 differs"},
		{"a name that is completed later", "func TestAlg() { alg(\"REQ-124 \" + alg) }", "REQ-124 TestAlg"},
		{"a name that is continued", `var _ = "F19 it ends: " + how`, "F19 it ends: …"},
		{"a format verb", `var _ = "T03 %s after %d rotations"`, "T03 … after … rotations"},
		{"a bar, which would end the cell", `var _ = "B09 a|b"`, `B09 a\|b`},
		{"a number in the middle is no name", `var _ = "see REQ-098 for more"`, ""},
		{"a message is no name", `func f() { t.Errorf("REQ-098 is broken") }`, ""},
		{"a comment is no name", `// REQ-098 is here`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			root := t.TempDir()
			source := "package p\n" + row.source + "\n"
			if err := os.WriteFile(filepath.Join(root, "p_test.go"), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := flatten(scan(t, root)); got != row.want {
				t.Errorf("scan found %q, want %q", got, row.want)
			}
		})
	}
}

func flatten(held map[string][]named) string {
	var all []string
	for n, tests := range held {
		for _, test := range tests {
			all = append(all, n+" "+test.name)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

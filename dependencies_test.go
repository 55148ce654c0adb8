package oidctoken_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/authentiq/caddy-oidc-token"

// goPackage is what go list tells of a package: what its own code imports,
// tests apart.
type goPackage struct {
	ImportPath string
	Imports    []string
}

// The arrows of the design: each package imports of this module what is
// listed, and nothing else. A package that is missing here is a decision that
// was not made.
var imports = map[string][]string{
	".":                   {"internal/keys", "internal/oauth", "internal/seal", "internal/token", "storage"},
	"internal/oauth":      {"internal/token", "storage"},
	"internal/token":      {},
	"internal/keys":       {"internal/bounded", "internal/place", "internal/seal", "internal/token"},
	"internal/bounded":    {},
	"internal/place":      {},
	"internal/seal":       {},
	"storage":             {"internal/bounded", "internal/place", "internal/seal"},
	"storage/storagetest": {"storage"},
}

// outside lists who may import a package of somebody else's, by its prefix.
var outside = []struct {
	name, prefix string
	allowed      []string
}{
	{"only the root imports Caddy", "github.com/caddyserver/caddy/", []string{"."}},
	{"only the root imports zap", "go.uber.org/zap", []string{"."}},
	{"only storages, their names and keys know certmagic", "github.com/caddyserver/certmagic", []string{".", "storage", "storage/storagetest", "internal/keys", "internal/place"}},
	{"only tokens know golang-jwt", "github.com/golang-jwt/", []string{"internal/token"}},
}

func TestDependenciesGoOneWay(t *testing.T) {
	for name, got := range packages(t) {
		t.Run(name, func(t *testing.T) {
			allowed, known := imports[name]
			if !known {
				t.Fatalf("%s is a new package: say in this test what it may import", name)
			}
			for _, path := range got {
				own, ok := own(path)
				if ok && !slices.Contains(allowed, own) {
					t.Errorf("imports %s; allowed are %v", own, allowed)
				}
			}
		})
	}
}

func TestForeignPackagesStayAtTheEdge(t *testing.T) {
	all := packages(t)
	for _, rule := range outside {
		t.Run(rule.name, func(t *testing.T) {
			for name, got := range all {
				for _, path := range got {
					if strings.HasPrefix(path, rule.prefix) && !slices.Contains(rule.allowed, name) {
						t.Errorf("%s imports %s", name, path)
					}
				}
			}
		})
	}
}

// Sealing is where a supply-chain fault would cost most.
func TestSealingImportsTheStandardLibraryOnly(t *testing.T) {
	got, ok := packages(t)["internal/seal"]
	if !ok {
		t.Fatal("internal/seal is gone")
	}
	for _, path := range got {
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			t.Errorf("internal/seal imports %s", path)
		}
	}
}

// packages returns the direct imports of each package of this module, under
// its path below the root. The example is a program around the plugin, and
// test and docs hold tests alone.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing packages: %v: %s", err, problems.String())
	}
	all := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("listing packages: %v", err)
		}
		name, ok := own(p.ImportPath)
		if top, _, _ := strings.Cut(name, "/"); ok && !slices.Contains([]string{"example", "benchmark", "test", "docs"}, top) {
			all[name] = p.Imports
		}
	}
	return all
}

// own returns the path of a package below this module's root.
func own(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

package storagetest_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// breach is a storage that breaks a promise, and what the suite is to make of
// it. Tests are named as the suite names them, the groups included.
type breach struct {
	name   string
	new    func() certmagic.Storage
	fails  []string // each must fail
	others []string // these may, as what they look at rests on it; and no other
	slow   bool     // what must fail waits for the storage
}

// breaches returns all storages to be tried, the first with nothing to find.
func breaches() []breach {
	all := []breach{{name: "keeps every promise", new: func() certmagic.Storage { return claiming{storagetest.NewMemory(), new(sync.Mutex)} }}}
	for _, row := range brokenStorages {
		open := func() certmagic.Storage {
			s := row.new()
			if b, ok := s.(*broken); ok {
				b.Memory = storagetest.NewMemory()
			}
			return s
		}
		all = append(all, breach{name: row.name, new: open, fails: in("contract", row.tests[:1]), others: in("contract", row.tests[1:])})
	}
	for _, row := range brokenClaims {
		open := func() certmagic.Storage {
			claim := row.new
			claim.Memory = storagetest.NewMemory()
			return claim
		}
		all = append(all, breach{name: row.name, new: open, fails: in("storage.Claimer", row.tests[:1]), others: in("storage.Claimer", row.tests[1:])})
	}
	return slices.Concat(all, brokenClaiming, brokenSweeping, brokenFaulty)
}

// in returns the names of tests with their group.
func in(group string, tests []string) (names []string) {
	for _, test := range tests {
		names = append(names, group+"/"+test)
	}
	return names
}

const tryHere = "STORAGETEST_TRY_BROKEN"

// TestSuiteNamesWhatIsBroken has the suite try broken storages, which fails, in
// processes of their own, and looks at what it says. What a storage breaks must
// fail, and nothing that does not rest on it. Of every test of the suite some
// storage must show that it can fail.
func TestSuiteNamesWhatIsBroken(t *testing.T) {
	if os.Getenv(tryHere) != "" {
		tryBroken(t)
		return
	}
	t.Parallel()
	found := tryAll(t)
	complete, shown := found["keeps every promise"], make(map[string]bool)
	for _, row := range breaches() {
		for _, test := range row.fails {
			shown[test] = true
		}
		if row.slow && testing.Short() {
			continue
		}
		t.Run("a storage that "+row.name, func(t *testing.T) { row.check(t, found[row.name], complete) })
	}
	for _, test := range slices.Sorted(maps.Keys(complete)) {
		if !shown[test] {
			t.Errorf("no storage is known that fails %q", test)
		}
	}
}

// check compares what failed with what was to. complete has every test there is.
func (b breach) check(t *testing.T, found, complete map[string]bool) {
	if len(found) == 0 {
		t.Fatal("it was not tried")
	}
	for _, test := range slices.Concat(b.fails, b.others) {
		if _, ok := complete[test]; !ok {
			t.Errorf("%q is no test of the suite", test)
		}
	}
	for _, test := range b.fails {
		if !found[test] {
			t.Errorf("%q does not fail", test)
		}
	}
	for test, failed := range found {
		if failed && !slices.Contains(b.fails, test) && !slices.Contains(b.others, test) {
			t.Errorf("%q fails", test)
		}
	}
}

// tryAll has two processes try the storages, those that are slow apart and at
// once, and returns by storage which tests were run and whether they failed.
func tryAll(t *testing.T) map[string]map[string]bool {
	t.Helper()
	runs := [][]string{{"-test.short"}}
	if !testing.Short() {
		runs = append(runs, []string{"-test.parallel=16"})
	}
	outputs := make([]string, len(runs))
	var work sync.WaitGroup
	for i, args := range runs {
		work.Go(func() { outputs[i] = tryApart(t.Context(), args) })
	}
	work.Wait()
	names := make(map[string]string)
	for _, row := range breaches() {
		names[named(row.name)] = row.name
		for _, test := range slices.Concat(row.fails, row.others) {
			names[named(test)] = test
		}
	}
	return outcomes(strings.Join(outputs, "\n"), names)
}

func tryApart(ctx context.Context, args []string) string {
	cmd := exec.CommandContext(ctx, os.Args[0], append(args, "-test.run=^TestSuiteNamesWhatIsBroken$", "-test.v")...)
	cmd.Env = append(os.Environ(), tryHere+"=1")
	output, _ := cmd.CombinedOutput() // it fails, and says what did
	return string(output)
}

func tryBroken(t *testing.T) {
	for _, row := range breaches() {
		if row.slow == testing.Short() {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			if row.slow {
				t.Parallel()
			}
			storagetest.Run(t, func(*testing.T) certmagic.Storage { return row.new() })
		})
	}
}

// named returns a name as it is printed.
func named(name string) string { return strings.ReplaceAll(name, " ", "_") }

// outcomes returns by storage which tests of the suite were run, and whether
// they failed. names gives back the names that were printed.
func outcomes(output string, names map[string]string) map[string]map[string]bool {
	name := func(printed string) string {
		if name, ok := names[printed]; ok {
			return name
		}
		return printed
	}
	all := make(map[string]map[string]bool)
	for _, line := range regexp.MustCompile(`--- (PASS|FAIL|SKIP): TestSuiteNamesWhatIsBroken/(\S+)`).FindAllStringSubmatch(output, -1) {
		storage, test, _ := strings.Cut(line[2], "/")
		if !isTest(test) {
			continue
		}
		if all[name(storage)] == nil {
			all[name(storage)] = make(map[string]bool)
		}
		all[name(storage)][name(test)] = line[1] == "FAIL"
	}
	return all
}

// isTest tells a test of the suite from a group of them, and from a part of one.
func isTest(printed string) bool {
	parts := strings.Split(printed, "/")
	switch {
	case parts[0] == "contract", parts[0] == "storage.Claimer":
		return len(parts) == 2
	case strings.HasSuffix(parts[0], "_claim"): // with groups of its own
		return len(parts) == 3
	}
	return parts[0] != "" && len(parts) == 1
}

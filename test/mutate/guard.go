package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// guard is a line of production code that a promise rests on, and the test that
// fails when it is gone.
type guard struct {
	name    string // what is guarded
	promise string // the requirement, attack or fault it is for
	removed string // how it is taken out, in words
	find    string // text of the file that occurs exactly once …
	replace string // … and what stands there instead, see off
	test    string // as t.Run names it, spaces and all
}

// off is what is true in a replacement where the guard is removed. A replacement
// without it is the guard removed; one that adds nothing but a constant to a
// condition is understood too (false && …, true || …).
const off = "OFF"

// group is the guards of one file, and the package whose tests watch it.
type group struct {
	file   string
	tests  string
	guards []guard
}

// mutant is a guard removed.
type mutant struct {
	guard
	file    string
	tests   string
	mutated []byte // what the file would be
}

// all lists every guard, in the order in which a request meets it.
func all() []group {
	var groups []group
	for _, list := range [][]group{handlerGuards, oauthGuards, signInGuards, userInfoGuards, storageGuards, claimGuards, sealGuards, keyGuards, adminGuards} {
		groups = append(groups, list...)
	}
	return groups
}

// mutants reads the files below root and removes each guard whose name or file
// matches only, in a copy. A text that is not there exactly once belongs to a
// guard that was changed or moved: the list is out of date, and what it proves
// is not what it says.
func mutants(root string, only *regexp.Regexp) ([]mutant, error) {
	var made []mutant
	var stale []error
	for _, group := range all() {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(group.file)))
		if err != nil {
			return nil, fmt.Errorf("reading a guarded file: %w", err)
		}
		for _, g := range group.guards {
			if !only.MatchString(g.name) && !only.MatchString(group.file) {
				continue
			}
			if n := strings.Count(string(source), g.find); n != 1 {
				stale = append(stale, fmt.Errorf("guard %q is out of date: %s has this %d times:\n%s", g.name, group.file, n, g.find))
			}
			mutated := strings.Replace(string(source), g.find, strings.ReplaceAll(g.replace, off, "true"), 1)
			made = append(made, mutant{guard: g, file: group.file, tests: group.tests, mutated: []byte(mutated)})
		}
	}
	if len(made) == 0 {
		return nil, fmt.Errorf("no guard matches %q", only)
	}
	return made, errors.Join(stale...)
}

// moduleRoot finds the plugin's own module, which this one is nested in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/authentiq/caddy-oidc-token\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("finding the module: %w", os.ErrNotExist)
		}
		dir = parent
	}
}

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// runner tests mutants.
type runner struct {
	root, dir string
	every     bool               // run every test of the package and say which fail
	binaries  map[string]*binary // by package
}

// baseline runs the named tests with every guard in its place. One that fails
// already, or does not exist, would prove nothing.
func (r *runner) baseline(ctx context.Context, made []mutant) error {
	watched := make(map[string][]mutant)
	for _, m := range made {
		watched[m.tests] = append(watched[m.tests], m)
	}
	for _, pkg := range slices.Sorted(maps.Keys(watched)) {
		dir := filepath.Join(r.dir, strings.ReplaceAll(pkg, "/", "_")+".package")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		b, err := build(ctx, r.root, dir, pkg, watched[pkg])
		if err != nil {
			return err
		}
		r.binaries[pkg] = b
		var tests []string
		for _, m := range watched[pkg] {
			tests = append(tests, m.test)
		}
		o, err := b.run(ctx, -1, exactly(tests...))
		if err != nil {
			return err
		}
		for _, test := range tests {
			if !slices.Contains(o.passed, reported(test)) {
				return fmt.Errorf("with every guard in its place %s does not pass in %s:\n%s", test, pkg, o.output)
			}
		}
		fmt.Printf("%-16s %d tests pass, %d of %d guards have a switch (%s)\n",
			pkg, len(tests), len(b.switches), len(tests), o.took.Round(time.Second/10))
	}
	return nil
}

// testAll tests the mutants, a few at a time, and returns what is wrong with
// those that were not caught.
func (r *runner) testAll(ctx context.Context, made []mutant, parallel int) []error {
	var work sync.WaitGroup
	var mu sync.Mutex // guards problems
	var problems []error
	places := make(chan struct{}, max(1, parallel))
	for i, m := range made {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			if err := r.test(ctx, filepath.Join(r.dir, fmt.Sprint(i)), m); err != nil {
				mu.Lock()
				defer mu.Unlock()
				problems = append(problems, fmt.Errorf("guard %q of %s: %w", m.name, m.file, err))
				fmt.Println("NOT CAUGHT", m.name)
			}
		})
	}
	work.Wait()
	return problems
}

// test is nil for a mutant that was caught as the list says. One that does not
// build proves nothing.
func (r *runner) test(ctx context.Context, dir string, m mutant) error {
	o, err := r.without(ctx, dir, m)
	if err != nil {
		return err
	}
	if r.every && o.built {
		fmt.Printf("without %s (%s) fail:\n\t%s\n", m.name, m.file, strings.Join(append(o.failed, o.hung...), "\n\t"))
		return nil
	}
	if err := m.caught(o); err != nil {
		return err
	}
	fmt.Printf("caught   %-70s %s\n", m.name, o.took.Round(time.Second/10))
	return nil
}

// caught is nil where the outcome is that of a guard that is watched.
func (m mutant) caught(o *outcome) error {
	test := reported(m.test)
	switch {
	case !o.built:
		return fmt.Errorf("without it the package does not build:\n%s", o.output)
	case slices.Contains(o.hung, test):
		return fmt.Errorf("without it %s has not failed after %s:\n%s", m.test, testTimeout, o.output)
	case !slices.Contains(o.failed, test):
		return fmt.Errorf("without it %s does not fail:\n%s", m.test, o.output)
	}
	return nil
}

// without runs the mutant's test without its guard.
func (r *runner) without(ctx context.Context, dir string, m mutant) (*outcome, error) {
	if b := r.binaries[m.tests]; b != nil {
		if n, ok := b.switches[m.name]; ok {
			return b.run(ctx, n, exactly(m.test))
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	replaced, err := overlay(dir, r.root, m)
	if err != nil {
		return nil, err
	}
	pattern := ""
	if !r.every {
		pattern = exactly(m.test)
	}
	return goTest(ctx, r.root, dir, replaced, pattern, m.tests)
}

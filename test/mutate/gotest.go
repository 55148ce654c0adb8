package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A test that hangs without its guard shows no more than that something was
// slow: it is to have a limit of its own, well below this one.
const (
	testTimeout  = 60 * time.Second
	buildTimeout = 5 * time.Minute
)

// outcome is what one run of `go test` came to.
type outcome struct {
	built                   bool
	passed, failed, skipped []string // tests, subtests included
	hung                    []string // what had not ended when the time was up
	output                  string
	took                    time.Duration
}

// event is a line of `go test -json`.
type event struct {
	Action string
	Test   string
	Output string
}

// goTest runs the tests of a package that match pattern. With an overlay the
// compiler reads a mutated file in the place of one of the tree, which is never
// touched. What the tests leave behind when they panic is in dir.
func goTest(ctx context.Context, root, dir, overlay, pattern, pkg string) (*outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout+testTimeout)
	defer cancel()
	arguments := []string{"test", "-json", "-count=1", "-vet=off", "-timeout=" + testTimeout.String()}
	if overlay != "" {
		arguments = append(arguments, "-overlay="+overlay)
	}
	if pattern != "" {
		arguments = append(arguments, "-run="+pattern)
	}
	command := exec.CommandContext(ctx, "go", append(arguments, "./"+pkg)...)
	command.Dir = root
	command.Env = append(os.Environ(), "TMPDIR="+dir)
	return result(ctx, command)
}

// result runs a command that writes what `go test -json` does.
func result(ctx context.Context, command *exec.Cmd) (*outcome, error) {
	command.WaitDelay = time.Second
	began := time.Now()
	output, err := command.Output()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && (!ok || ctx.Err() != nil) {
		return nil, fmt.Errorf("running tests: %w", errors.Join(err, ctx.Err()))
	}
	o := parse(output)
	if ok {
		o.output += string(exit.Stderr)
	}
	o.took = time.Since(began)
	return o, nil
}

// timedOut is what the testing package says when -timeout has passed. Of the test
// that runs then nothing more is said, or that it has failed.
const timedOut = "panic: test timed out"

func parse(output []byte) *outcome {
	o := &outcome{built: true}
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 1<<24)
	var text strings.Builder
	var begun []string
	up := false // the time
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			text.Write(append(lines.Bytes(), '\n'))
			continue
		}
		text.WriteString(e.Output)
		up = up || strings.HasPrefix(e.Output, timedOut)
		switch {
		case e.Action == "build-fail":
			o.built = false
		case e.Action == "run":
			begun = append(begun, e.Test)
		case e.Action == "skip" && e.Test != "":
			o.skipped = append(o.skipped, e.Test)
		case e.Action == "pass" && e.Test != "":
			o.passed = append(o.passed, e.Test)
		case e.Action == "fail" && e.Test != "" && !up:
			o.failed = append(o.failed, e.Test)
		}
	}
	o.output = text.String()
	if unfinished := o.unfinished(begun); up {
		o.hung = unfinished
	} else {
		// What had begun when the process ended is what ended it.
		o.failed = append(o.failed, unfinished...)
	}
	return o
}

// unfinished returns the tests of which no result is known.
func (o *outcome) unfinished(begun []string) []string {
	return slices.DeleteFunc(begun, func(test string) bool {
		return slices.Contains(o.passed, test) || slices.Contains(o.failed, test) || slices.Contains(o.skipped, test)
	})
}

// overlay writes a mutated file and the list that puts it into the tree's place.
func overlay(dir, root string, m mutant) (string, error) {
	mutated := filepath.Join(dir, "mutated.go")
	if err := os.WriteFile(mutated, m.mutated, 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(root, filepath.FromSlash(m.file)): mutated},
	})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}

// reported is a test's name as `go test` reports it.
func reported(test string) string { return strings.ReplaceAll(test, " ", "_") }

// exactly is the -run pattern of these tests and no others.
func exactly(tests ...string) string {
	var patterns []string
	for _, test := range tests {
		var parts []string
		for part := range strings.SplitSeq(reported(test), "/") {
			parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
		}
		patterns = append(patterns, strings.Join(parts, "/"))
	}
	slices.Sort(patterns)
	return strings.Join(slices.Compact(patterns), "|")
}

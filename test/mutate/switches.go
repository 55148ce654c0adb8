package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Most guards are removed by a constant in their condition. These of one
// package share one test binary, in which the constant is a switch that an
// environment variable sets: linking a binary for each would take most of the
// time. Before any guard is removed the binary passes every named test, with
// all of them in their place.

// removedGuard is the variable that names the guard to remove.
const removedGuard = "MUTATE_REMOVED_GUARD"

const switchSource = `package %s

import (
	"os"
	"strconv"
)

var removedGuard = os.Getenv("` + removedGuard + `")

func guardRemoved(n int) bool { return removedGuard == strconv.Itoa(n) }
`

// switched returns what stands in the place of the guard in a binary that can
// remove it as number n. ok is false where that takes more than a constant.
func (m mutant) switched(n int) (text string, ok bool) {
	if strings.Contains(m.replace, off) {
		return strings.ReplaceAll(m.replace, off, fmt.Sprintf("guardRemoved(%d)", n)), true
	}
	for _, c := range []struct{ constant, variable string }{
		{"false && ", fmt.Sprintf("!guardRemoved(%d) && ", n)},
		{"true || ", fmt.Sprintf("guardRemoved(%d) || ", n)},
		{" && false", fmt.Sprintf(" && !guardRemoved(%d)", n)},
	} {
		if strings.Contains(m.replace, c.constant) && strings.Replace(m.replace, c.constant, "", 1) == m.find {
			return strings.Replace(m.replace, c.constant, c.variable, 1), true
		}
	}
	return "", false
}

// binary is the tests of a package, with the guards of switches in it.
type binary struct {
	root, pkg, file string
	switches        map[string]int // by the guard's name
}

// build builds the tests of pkg, in dir, with every guard that can be a switch.
func build(ctx context.Context, root, dir, pkg string, made []mutant) (*binary, error) {
	b := &binary{root: root, pkg: pkg, file: filepath.Join(dir, "package.test"), switches: make(map[string]int)}
	texts, err := b.sources(made)
	if err != nil {
		return nil, err
	}
	replaced := make(map[string]string)
	for file, text := range texts {
		name := filepath.Join(dir, fmt.Sprintf("%d.go", len(replaced)))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return nil, err
		}
		replaced[filepath.Join(root, filepath.FromSlash(file))] = name
	}
	list, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return nil, err
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "test", "-c", "-overlay="+overlay, "-ldflags=-s -w", "-o", b.file, "./"+pkg)
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the tests of %s: %w\n%s", pkg, err, output)
	}
	return b, nil
}

// sources returns the files with switches, and a file that reads them for each
// package.
func (b *binary) sources(made []mutant) (map[string]string, error) {
	texts := make(map[string]string)
	for n, m := range made {
		text, ok := texts[m.file]
		if !ok {
			source, err := os.ReadFile(filepath.Join(b.root, filepath.FromSlash(m.file)))
			if err != nil {
				return nil, err
			}
			text = string(source)
		}
		replacement, ok := m.switched(n)
		if !ok || strings.Count(text, m.find) != 1 { // two guards in one place
			continue
		}
		b.switches[m.name] = n
		texts[m.file] = strings.Replace(text, m.find, replacement, 1)
		texts[filepath.ToSlash(filepath.Join(filepath.Dir(m.file), "zz_mutate_switches.go"))] = fmt.Sprintf(switchSource, packageName(text))
	}
	return texts, nil
}

func packageName(source string) string {
	for line := range strings.Lines(source) {
		if name, ok := strings.CutPrefix(line, "package "); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// run runs tests without guard number n; -1: with all of them. What they leave
// behind when they panic is in the binary's folder.
func (b *binary) run(ctx context.Context, n int, pattern string) (*outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*testTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "tool", "test2json", "-p", b.pkg, b.file,
		"-test.v=test2json", "-test.count=1", "-test.timeout="+testTimeout.String(), "-test.run="+pattern)
	command.Dir = filepath.Join(b.root, filepath.FromSlash(b.pkg))
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", removedGuard, n), "TMPDIR="+filepath.Dir(b.file))
	return result(ctx, command)
}

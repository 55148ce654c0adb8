package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const documentFile = "docs/mutations.md"

const heading = `# Guards, and the tests that catch them

Written by ` + "`go -C test run ./mutate -update`" + `, which took each guard out of the code, one at a time, and saw the test beside it fail. %d guards. ` + "`go -C test run ./mutate`" + ` does that again in some minutes and writes nothing; ` + "`-run claim`" + ` tries those with that word in their name or file.

A guard is one check, bound or step in the code, picked by hand in [test/mutate](../test/mutate): what is not in the list is not tried. It is taken out or turned round, not weakened in every way there is, so a test that fails shows that somebody watches the guard, not that the guard is enough.

*For* is the number in [requirements.md](requirements.md) (REQ) or [attacks.md](attacks.md) (letters); *Removed* is what the code does without the guard.

`

// render writes the list as a table for each file.
func render() []byte {
	var b bytes.Buffer
	n := 0
	for _, group := range all() {
		n += len(group.guards)
	}
	fmt.Fprintf(&b, heading, n)
	for _, group := range all() {
		fmt.Fprintf(&b, "## %s\n\n| Guard | For | Removed | Test that fails |\n|---|---|---|---|\n", group.file)
		for _, g := range group.guards {
			fmt.Fprintf(&b, "| %s | %s | %s | `%s` |\n", cell(g.name), g.promise, cell(g.removed), cell(g.test))
		}
		b.WriteByte('\n')
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// cell keeps a bar from ending a column.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// document compares the table in the repository with the list, or writes it.
func document(root string, update bool) error {
	name := filepath.Join(root, filepath.FromSlash(documentFile))
	if update {
		return os.WriteFile(name, render(), 0o644)
	}
	written, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !bytes.Equal(written, render()) {
		return fmt.Errorf("%s is out of date: go -C test run ./mutate -update", documentFile)
	}
	return nil
}

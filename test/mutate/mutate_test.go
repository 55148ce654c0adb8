package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestListIsUpToDate(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	made, err := mutants(root, regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range all() {
		if len(group.guards) == 0 {
			t.Errorf("there is no guard of %s", group.file)
		}
	}
	names := make(map[string]bool)
	for _, m := range made {
		if names[m.name] {
			t.Errorf("two guards are called %q", m.name)
		}
		names[m.name] = true
		if m.name == "" || m.removed == "" || m.find == m.replace || !strings.HasPrefix(m.test, "Test") {
			t.Errorf("the entry of %q in %s is not complete", m.name, m.file)
		}
	}
	if err := document(root, false); err != nil {
		t.Error(err)
	}
}

func TestPatternOfTests(t *testing.T) {
	for _, row := range []struct{ name, test, want string }{
		{"a function", "TestX", "^TestX$"},
		{"a row named as a sentence", "TestX/F10 no order (of two) wins", `^TestX$/^F10_no_order_\(of_two\)_wins$`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := exactly(row.test); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
	t.Run("several are alternatives, each once", func(t *testing.T) {
		if got := exactly("TestB", "TestA", "TestB"); got != "^TestA$|^TestB$" {
			t.Errorf("got %s", got)
		}
	})
}

func TestParsingResults(t *testing.T) {
	const output = `{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"x\n"}
{"Action":"fail","Test":"TestA/row"}
{"Action":"fail","Test":"TestA"}
{"Action":"pass","Test":"TestB"}
{"Action":"fail"}
`
	t.Run("tests that failed and passed are told apart", func(t *testing.T) {
		o := parse([]byte(output))
		if !o.built || !slices.Equal(o.failed, []string{"TestA/row", "TestA"}) || !slices.Equal(o.passed, []string{"TestB"}) || o.output != "x\n" {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("a test that had begun when the process ended has failed", func(t *testing.T) {
		o := parse([]byte(`{"Action":"run","Test":"TestC"}` + "\n" + `{"Action":"run","Test":"TestD"}` + "\n" + `{"Action":"pass","Test":"TestD"}`))
		if !slices.Equal(o.failed, []string{"TestC"}) {
			t.Errorf("got %q", o.failed)
		}
	})
	t.Run("a test that had begun when the time was up hangs, and of its rows the one that ended has failed", func(t *testing.T) {
		o := parse([]byte(`{"Action":"run","Test":"TestC"}
{"Action":"run","Test":"TestC/a"}
{"Action":"fail","Test":"TestC/a"}
{"Action":"run","Test":"TestC/b"}
{"Action":"output","Test":"TestC/b","Output":"panic: test timed out after 1m0s\n"}
{"Action":"fail","Test":"TestC/b"}
`))
		if !slices.Equal(o.failed, []string{"TestC/a"}) || !slices.Equal(o.hung, []string{"TestC", "TestC/b"}) {
			t.Errorf("failed %q, hung %q", o.failed, o.hung)
		}
	})
	t.Run("what does not build has no result", func(t *testing.T) {
		if o := parse([]byte(`{"ImportPath":"x","Action":"build-fail"}`)); o.built || o.failed != nil {
			t.Errorf("got %+v", o)
		}
	})
}

func TestCaught(t *testing.T) {
	m := mutant{guard: guard{test: "TestC/a row"}}
	for _, row := range []struct {
		name    string
		outcome outcome
		want    string
	}{
		{"its test fails", outcome{built: true, failed: []string{"TestC/a_row", "TestC"}}, ""},
		{"its test fails and another hangs", outcome{built: true, failed: []string{"TestC/a_row"}, hung: []string{"TestC"}}, ""},
		{"its test passes", outcome{built: true, passed: []string{"TestC/a_row"}, output: "its log"}, "without it TestC/a row does not fail:\nits log"},
		{"another test fails", outcome{built: true, failed: []string{"TestC/another"}, output: "its log"}, "without it TestC/a row does not fail:\nits log"},
		{"its test hangs", outcome{built: true, hung: []string{"TestC", "TestC/a_row"}, output: "its log"}, "without it TestC/a row has not failed after 1m0s:\nits log"},
		{"nothing builds", outcome{output: "syntax error"}, "without it the package does not build:\nsyntax error"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got string
			if err := m.caught(&row.outcome); err != nil {
				got = err.Error()
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

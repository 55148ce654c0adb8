//go:build linux

package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// aCode is a code as nodes make them, and the line that one writes when it has
// issued tokens for it.
func aCode(n byte) (code, line string) {
	code = base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{n}, 36))
	return code, logged("token_issued", code)
}

func logged(event, code string) string {
	return fmt.Sprintf(`{"level":"info","logger":"oidc_token","msg":"token issued","event":%q,"code_ref":%q}`+"\n", event, storage.Ref(code))
}

func TestIssuings(t *testing.T) {
	calm, faults := rules{faultless: true}, rules{}
	code, line := aCode(1)
	_, another := aCode(2)
	const silent, twice = "node 0 issued tokens and logged nothing", "the nodes logged two issuings for one code"
	for _, row := range []struct {
		name  string
		rules rules
		logs  [2]string // of the nodes 0 and 1
		ops   []operation
		want  []string
	}{
		{"a success and its line", calm, [2]string{line, another}, []operation{op(1, 2, issued), op(3, 4, refused, 1)}, nil},
		{"a success without its line", faults, [2]string{}, []operation{op(1, 2, issued)}, []string{silent}},
		{"a success whose line is another node's", faults, [2]string{"", line}, []operation{op(1, 2, issued)}, []string{silent}},
		{"a success whose line does not parse", faults, [2]string{line[:len(line)-9] + "\n"}, []operation{op(1, 2, issued)}, []string{silent}},
		{"a success whose line is whole, after half a line", faults, [2]string{line[:40] + "\n" + line}, []operation{op(1, 2, issued)}, nil},
		{"a line whose answer was lost", faults, [2]string{line}, []operation{op(1, 2, unanswered)}, nil},
		{"a line without a success while all is well", calm, [2]string{line}, []operation{op(1, 2, refused)},
			[]string{"node 0 logged an issuing that no client got, though nothing failed"}},
		{"an answer that was lost, and then a success elsewhere", faults, [2]string{line, line},
			[]operation{op(1, 2, unanswered), op(3, 4, issued, 1)}, []string{twice}},
		{"tokens that could not be delivered, and then a success", faults, [2]string{logged("issued_undelivered", code) + line},
			[]operation{op(1, 2, unanswered), op(3, 4, issued)}, []string{twice}},
		{"lines of other kinds", calm, [2]string{logged("code_minted", code) + logged("code_replayed", code) + line},
			[]operation{op(1, 2, issued)}, nil},
		{"a code of no history, twice", faults, [2]string{another, line + another}, []operation{op(1, 2, issued, 1)}, []string{twice}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var s issuings
			for i, text := range row.logs {
				if err := s.readLog(logOf(t, i, text)); err != nil {
					t.Fatal(err)
				}
			}
			v := new(verdict)
			s.judge(v, row.rules, []*history{{code: code, operations: row.ops}})
			same := slices.EqualFunc(v.wrong, row.want, func(f finding, want string) bool { return strings.HasPrefix(f.what, want) })
			if !same {
				t.Errorf("found %+v, want %q", v.wrong, row.want)
			}
		})
	}
}

func TestLogsAreReadOn(t *testing.T) {
	code, line := aCode(1)
	n := logOf(t, 0, line+line[:20])
	var s issuings
	read := func() *verdict {
		t.Helper()
		if err := s.readLog(n); err != nil {
			t.Fatal(err)
		}
		v := new(verdict)
		s.judge(v, rules{}, []*history{{code: code}})
		return v
	}
	t.Run("half a line waits for its other half", func(t *testing.T) {
		if v := read(); len(v.wrong) != 0 || s.count != 1 {
			t.Errorf("found %+v in %d lines", v.wrong, s.count)
		}
	})
	t.Run("a code of an earlier scenario is not forgotten", func(t *testing.T) {
		write(t, n, line[20:])
		if v := read(); len(v.wrong) != 1 || s.count != 2 {
			t.Errorf("found %+v in %d lines", v.wrong, s.count)
		}
	})
	t.Run("what was found is told once", func(t *testing.T) {
		if v := read(); len(v.wrong) != 0 || s.count != 2 {
			t.Errorf("found %+v in %d lines", v.wrong, s.count)
		}
	})
}

func TestALogGoesOnOverRestarts(t *testing.T) {
	_, line := aCode(1)
	n := logOf(t, 0, line[:20])
	n.process = &process{launcher: &launcher{work: make(chan func())}, path: "/bin/echo", args: []string{"-n", line}, log: n.tail.file}
	go func() {
		for f := range n.launcher.work {
			f()
		}
	}()
	defer close(n.launcher.work)
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	<-n.exited
	var s issuings
	if err := s.readLog(n); err != nil || s.count != 1 {
		t.Errorf("after half a line of the one before, a process logs %d issuings, want 1: %v", s.count, err)
	}
}

func TestTroubleIsFoundInLogs(t *testing.T) {
	for text, found := range map[string]bool{
		"all is well\n": false, "goroutine 1: panic: nil map\n": true, "all\nWARNING: DATA RACE\n": true, "fatal error: concurrent map writes\nx\n": true,
	} {
		if err := new(issuings).readLog(logOf(t, 0, text)); (err != nil) != found {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// logOf is a node with that log.
func logOf(t *testing.T, index int, text string) *node {
	t.Helper()
	n := &node{index: index, tail: logTail{file: filepath.Join(t.TempDir(), "log")}}
	write(t, n, text)
	return n
}

func write(t *testing.T, n *node, text string) {
	t.Helper()
	f, err := os.OpenFile(n.tail.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

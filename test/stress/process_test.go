//go:build linux

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestAProcessThatEndsByItselfIsAFailure(t *testing.T) {
	launcher := newLauncher()
	for _, row := range []struct {
		name       string
		path       string
		args       []string
		ends, want bool
	}{
		{"one that fails", "/bin/false", nil, true, true},
		{"one that is done", "/bin/true", nil, true, true},
		{"one that was killed by somebody else", "/bin/sh", []string{"-c", "kill -KILL $$"}, true, true},
		{"one that lasts until it is killed", "/bin/sleep", []string{"60"}, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &process{launcher: launcher, name: "it", path: row.path, args: row.args, log: filepath.Join(t.TempDir(), "log")}
			start := func() {
				t.Helper()
				if err := p.start(); err != nil {
					t.Fatal(err)
				}
			}
			start()
			t.Cleanup(p.kill)
			if row.ends {
				<-p.exited
			}
			if got := p.failure() != nil; got != row.want {
				t.Errorf("it is a failure while it is gone: %v", got)
			}
			p.kill()
			p.path, p.args = "/bin/sleep", []string{"60"}
			start()
			if err := p.failure(); (err != nil) != row.want || err != nil && !strings.HasPrefix(err.Error(), "it ended by itself") {
				t.Errorf("got %v when it was started again", err)
			}
			if err := p.failure(); err != nil {
				t.Errorf("got %v though nothing has ended since", err)
			}
		})
	}
}

func TestAProcessThatDoesNotStartCanBeKilled(t *testing.T) {
	p := &process{launcher: newLauncher(), path: "/nonexistent", log: filepath.Join(t.TempDir(), "log")}
	if err := p.start(); err == nil {
		t.Error("it starts")
	}
	p.kill()
	if err := p.failure(); err != nil {
		t.Error(err)
	}
}

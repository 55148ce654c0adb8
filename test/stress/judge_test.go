//go:build linux

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	const (
		double      = "a code succeeded 2 times"
		contradicts = "the answers for a code contradict each other"
		strange     = "an answer is none of 200, invalid_grant, 500 and 503"
		fiveHundred = "a request was answered 500 or 503 though nothing failed"
		noAnswer    = "a request was not answered though nothing failed"
		never       = "a code that was sent never succeeded"
		nothing     = "no code succeeded at all"
	)
	calm, reload, faults := rules{faultless: true}, rules{reloading: true}, rules{}
	lost := []operation{op(1, 3, refused), op(2, 4, refused, 1)}
	for _, row := range []struct {
		name  string
		rules rules
		claim claim
		only  int
		ops   []operation
		want  []string
	}{
		{"one success", calm, fileClaim, anyNode, []operation{op(1, 2, issued), op(3, 4, refused)}, nil},
		{"two successes, whatever else", faults, genericClaim, anyNode, []operation{op(1, 5, issued), op(2, 6, issued, 1)}, []string{double}},
		{"a refusal that nothing explains", faults, fileClaim, anyNode, []operation{op(1, 2, refused), op(3, 4, issued)}, []string{contradicts}},
		{"an answer that is none of ours", faults, fileClaim, anyNode, []operation{op(1, 2, issued), op(3, 4, unexpected)}, []string{strange}},
		{"503 while all is well", calm, fileClaim, anyNode, []operation{op(1, 2, unavailable), op(3, 4, issued)}, []string{fiveHundred}},
		{"500 from a reload", reload, fileClaim, anyNode, []operation{op(1, 2, failed), op(3, 4, issued, 1)}, []string{fiveHundred}},
		{"a connection that a reload ended", reload, fileClaim, anyNode, []operation{op(1, 2, unanswered), op(3, 4, issued)}, nil},
		{"503 under faults", faults, fileClaim, anyNode, []operation{op(1, 2, unavailable), op(3, 4, issued)}, nil},
		{"no answer while all is well", calm, fileClaim, anyNode, []operation{op(1, 2, issued), op(3, 4, unanswered)}, []string{noAnswer}},
		{"no node while all is well", calm, fileClaim, anyNode, []operation{op(1, 2, issued), op(3, 4, unsent)}, []string{noAnswer}},
		{"racers on two nodes both lose, generic claim", calm, genericClaim, anyNode, lost, []string{nothing}},
		{"racers on two nodes both lose, file claim", calm, fileClaim, anyNode, lost, []string{contradicts, never, nothing}},
		{"racers on one node both lose, generic claim", calm, genericClaim, 0,
			[]operation{op(1, 3, refused), op(2, 4, refused)}, []string{contradicts, never, nothing}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &circumstances{claim: row.claim}
			v := c.judge(row.rules, []*history{{only: row.only, operations: row.ops}})
			var got []string
			for _, f := range v.wrong {
				got = append(got, f.what)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("found %q, want %q", got, row.want)
			}
		})
	}
}

func TestJudgeCountsWhatNobodyWon(t *testing.T) {
	c := &circumstances{claim: genericClaim}
	v := c.judge(rules{}, []*history{
		{only: anyNode, operations: []operation{op(1, 2, issued)}},
		{only: anyNode, operations: []operation{op(1, 3, refused), op(2, 4, refused, 1), op(5, 6, unsent)}},
		{only: anyNode, operations: []operation{op(1, 2, failed), op(3, 4, refused)}},
		{only: anyNode, operations: []operation{op(1, 2, unsent)}},
	})
	if v.nobody != 2 || v.refusals != 1 || v.requests != 5 || v.codes != 4 {
		t.Errorf("%d nobody won, %d of them by refusals, %d requests", v.nobody, v.refusals, v.requests)
	}
}

func TestUntouched(t *testing.T) {
	c := &circumstances{offsets: [nodes]time.Duration{0, -time.Minute, 0, time.Minute}}
	for _, row := range []struct {
		name string
		want bool
		ops  []operation
	}{
		{"nothing but 503", true, []operation{op(1, 2, unavailable), op(3, 4, unsent)}},
		{"refused by a node that is too slow", true, []operation{op(1, 2, refused, 1)}},
		{"refused by another", false, []operation{op(1, 2, refused, 0)}},
		{"500", false, []operation{op(1, 2, unavailable), op(3, 4, failed)}},
		{"no answer", false, []operation{op(1, 2, unanswered)}},
		{"a success", false, []operation{op(1, 2, issued)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := c.untouched(&history{mintedBy: 3, operations: row.ops}); got != row.want {
				t.Errorf("untouched says %v", got)
			}
		})
	}
}

func TestAHistoryDoesNotNameItsCode(t *testing.T) {
	h := history{code: "the-code", only: 2, operations: []operation{op(1, 2, issued)}}
	if text := h.String(); strings.Contains(text, "the-code") || !strings.Contains(text, "sent to node 2 only") {
		t.Error(text)
	}
}

func TestAContradictionIsDrawn(t *testing.T) {
	c := &circumstances{}
	file := filepath.Join(t.TempDir(), "history.html")
	if err := c.draw(&history{operations: []operation{op(1, 2, refused), op(3, 4, issued)}}, file); err != nil {
		t.Fatal(err)
	}
	if page, err := os.ReadFile(file); err != nil || !strings.Contains(string(page), "400 invalid_grant") {
		t.Errorf("the drawing does not show the refusal: %v", err)
	}
}

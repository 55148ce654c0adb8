//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestAScenarioThatDidLittleIsAViolation(t *testing.T) {
	harm := []injector{kills}
	refused := new(tally)
	refused.refuse("read-only")
	for _, row := range []struct {
		name          string
		scenario      scenario
		codes, faults int
		tally         *tally
		want          string
	}{
		{"all codes while nothing fails", scenario{rules: rules{faultless: true}}, 11, 0, new(tally), ""},
		{"one too few while nothing fails", scenario{rules: rules{faultless: true}}, 10, 0, new(tally), "only 10 of 11 codes"},
		{"one too few while nodes are reloaded", scenario{rules: rules{reloading: true}, faults: harm}, 10, 1, new(tally), "only 10 of 11 codes"},
		{"half under faults", scenario{faults: harm}, 6, 1, new(tally), ""},
		{"fewer than half under faults", scenario{faults: harm}, 5, 1, new(tally), "only 5 of 11 codes"},
		{"no fault where some were meant", scenario{faults: harm}, 11, 0, new(tally), "no fault happened"},
		{"none but what the system refused", scenario{faults: harm}, 11, 0, refused, "no fault happened; refused by the system: map[read-only:1]"},
		{"one beside what the system refused", scenario{faults: harm}, 11, 1, refused, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &result{verdict: &verdict{codes: row.codes}, wanted: 11, faults: row.faults, tally: row.tally}
			r.idle(&row.scenario)
			var got string
			for _, f := range r.verdict.wrong {
				got += f.what
			}
			if !strings.HasPrefix(got, row.want) || (got == "") != (row.want == "") {
				t.Errorf("found %q, want %q", got, row.want)
			}
		})
	}
}

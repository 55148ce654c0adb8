//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const header = `storage      scenario     codes  requests      200  refused     503    500  no answer  not sent  faults  good after 503  both lost  nobody won    time
`

// line is the result in a table. "good after 503" are codes that met nothing
// but 503 and succeeded when all was over; "nobody won" are codes that reached
// a node and yielded no tokens; those "both lost", by refusals alone, are the
// price of the generic claim, the others are lost to 500 and broken connections.
func (r *result) line() string {
	if r.skipped != "" {
		return fmt.Sprintf("%-12s %-11s  skipped: %s\n", r.lane, r.scenario, r.skipped)
	}
	c := &r.verdict.counts
	return fmt.Sprintf("%-12s %-11s %6d %9d %8d %8d %7d %6d %10d %9d %7d %15d %10d %11d %5.0f s\n", r.lane, r.scenario, r.verdict.codes,
		r.verdict.requests, c[issued], c[refused], c[unavailable], c[failed], c[unanswered], c[unsent], r.faults, r.tally.afterwards,
		r.verdict.refusals, r.verdict.nobody, r.took.Seconds())
}

// omissions says in one line what was not done, and why; empty: nothing.
func omissions(results []*result) string {
	var parts []string
	for _, r := range results {
		if r.skipped != "" {
			parts = append(parts, fmt.Sprintf("%s/%s (%s)", r.lane, r.scenario, r.skipped))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(r.tally.refused)) {
			parts = append(parts, fmt.Sprintf("%d times %q of %s/%s (the system refused it)", r.tally.refused[name], name, r.lane, r.scenario))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "skipped: " + strings.Join(parts, ", ") + "\n"
}

// maxShown is how many violations of a scenario are told in full.
const maxShown = 5

// explain writes what went wrong, with the history of the code that shows it,
// and draws that history into dir.
func (r *result) explain(w io.Writer, dir string) {
	for i, f := range r.verdict.wrong {
		if i == maxShown {
			fmt.Fprintf(w, "  … and %d more\n", len(r.verdict.wrong)-i)
			return
		}
		fmt.Fprintf(w, "VIOLATION on %s, scenario %s: %s\n", r.lane, r.scenario, f.what)
		if f.history == nil {
			continue
		}
		fmt.Fprintf(w, "  %s\n", f.history)
		for _, fault := range r.circumstances.faults {
			if h := f.history; len(h.operations) > 0 && fault.to >= h.mintedAt && fault.from <= h.operations[len(h.operations)-1].ret {
				fmt.Fprintf(w, "    %12v … %12v  %s\n", fault.from.Round(time.Microsecond), fault.to.Round(time.Microsecond), fault.what)
			}
		}
		file := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.html", r.lane, r.scenario, i))
		if err := r.circumstances.draw(f.history, file); err == nil {
			fmt.Fprintf(w, "  drawn in %s\n", file)
		}
	}
}

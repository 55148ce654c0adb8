//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print aligns a table for a terminal, the names last: they are the longest.
func (s section) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{s.Columns}, s.Rows...) {
		cells := append([]string{}, row...)
		for len(cells) < len(s.Columns) {
			cells = append(cells, "")
		}
		fmt.Fprintf(w, "%s\t  %s\n", strings.Join(cells[1:], "\t"), cells[0])
	}
	w.Flush()
}

// markdown is the table for a page.
func (s section) markdown() string {
	var b strings.Builder
	line := func(cells []string) {
		padded := make([]string, len(s.Columns))
		copy(padded, cells)
		b.WriteString("| " + strings.Join(padded, " | ") + " |\n")
	}
	line(s.Columns)
	b.WriteString("|---" + strings.Repeat("|---:", len(s.Columns)-1) + "|\n")
	for _, row := range s.Rows {
		line(row)
	}
	return b.String()
}

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// report is what one run found out.
type report struct {
	Date       string               `json:"date"`
	Command    string               `json:"command"`
	Machine    machine              `json:"machine"`
	Rounds     int                  `json:"rounds"`
	Subjects   []measured           `json:"subjects"`
	Signatures map[string][]float64 `json:"two_signatures_cpu_us"`
	Sections   []section            `json:"sections"`
	Targets    []target             `json:"targets"`
	Skipped    []string             `json:"skipped"`
}

// measured are a subject's raw figures.
type measured struct {
	Name    string   `json:"name"`
	RSS     int64    `json:"rss"`
	Samples []sample `json:"samples"`
}

// section is a table with what has to be said about it.
type section struct {
	Title   string     `json:"title"`
	Text    string     `json:"text"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

func (b *bench) report() *report {
	r := &report{
		Date: time.Now().UTC().Format(time.DateOnly), Command: b.command(), Machine: thisMachine(b), Rounds: b.rounds,
		Signatures: b.signatures, Skipped: b.skipped,
	}
	for _, s := range b.all() {
		r.Subjects = append(r.Subjects, measured{s.name, s.rss, s.samples})
	}
	if len(b.subjects) > 0 {
		r.Sections = append(r.Sections, b.table(wide), b.table(narrow))
	}
	r.Sections = append(r.Sections, b.sections...)
	r.Targets = append(b.targets(), b.found...)
	return r
}

// command is what makes these figures again.
func (b *bench) command() string {
	arguments := strings.Join(os.Args[1:], " ")
	return strings.TrimSpace("go -C test run ./bench " + arguments)
}

// table is what was measured at so many connections.
func (b *bench) table(connections int) section {
	t := section{
		Title: fmt.Sprintf("%d connections", connections),
		Text:  "",
		Columns: []string{"", "CPU µs", "÷ lean", "from–to", "÷ respond", "requests/s", "÷ lean", "p50 µs", "p99 µs",
			"RSS MiB"},
	}
	if connections == narrow {
		t.Title = "One connection"
	}
	respond := b.respond.median(connections, cpuRatio)
	for _, s := range b.all() {
		row := []string{s.name}
		row = append(row, format("%.0f", s.median(connections, func(x sample) float64 { return x.CPU })))
		row = append(row, format("%.2f", s.median(connections, cpuRatio)), s.spread(connections))
		over := 0.0 // respond is measured beside lean with ES256
		if respond > 0 && s.alg == b.respond.alg {
			over = s.median(connections, cpuRatio) / respond
		}
		row = append(row, format("%.1f", over))
		row = append(row, format("%.0f", s.median(connections, func(x sample) float64 { return x.Rate })))
		row = append(row, format("%.2f", s.median(connections, rateRatio)))
		row = append(row, format("%.0f", s.median(connections, func(x sample) float64 { return x.P50 })))
		row = append(row, format("%.0f", s.median(connections, func(x sample) float64 { return x.P99 })))
		row = append(row, format("%.0f", mebibytes(s.rss)))
		t.Rows = append(t.Rows, row)
		if s.beside != nil {
			t.Rows = append(t.Rows, []string{"… Redis itself", format("%.0f", s.median(connections, func(x sample) float64 { return x.BesideCPU }))})
		}
	}
	for _, alg := range algorithms {
		if values := b.signatures[alg]; connections == wide && len(values) > 0 {
			t.Rows = append(t.Rows, []string{"two bare signatures " + alg, format("%.0f", median(values))})
		}
	}
	return t
}

func cpuRatio(x sample) float64  { return x.CPU / x.FloorCPU }
func rateRatio(x sample) float64 { return x.Rate / x.FloorRate }

// spread is the least and the greatest of the ratios that the median is of.
func (r *rows) spread(connections int) string {
	ratios := r.values(connections, cpuRatio)
	if len(ratios) < 2 {
		return ""
	}
	return fmt.Sprintf("%.2f–%.2f", slices.Min(ratios), slices.Max(ratios))
}

// format leaves out what was not measured.
func format(verb string, value float64) string {
	if value == 0 {
		return ""
	}
	return fmt.Sprintf(verb, value)
}

// print writes the report for a terminal.
func (b *bench) print(r *report) {
	for _, s := range r.Sections {
		fmt.Fprintf(b.out, "\n%s\n", s.Title)
		if s.Text != "" {
			fmt.Fprintln(b.out, s.Text)
		}
		s.print(b.out)
	}
	if len(r.Targets) > 0 {
		fmt.Fprintln(b.out, "\nTargets")
		targetSection(r.Targets).print(b.out)
	}
	if len(r.Skipped) > 0 {
		fmt.Fprintln(b.out, "skipped:", strings.Join(r.Skipped, ", "))
	}
}

func (r *report) writeJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

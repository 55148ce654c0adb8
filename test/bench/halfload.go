//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// steadyLoad is what one burst at a steady rate showed.
type steadyLoad struct {
	paced
	rate, busy float64 // requests/s; share of its core that the server used
}

// measureHalfLoad is the latency at half of what the server can do, beside that
// of lean: what the kernel, the machine and the language's runtime add to a
// latency they add to both. Requests that come one at a time take more CPU each
// than 32 at once, so the server is busy for more than half of the time.
func (b *bench) measureHalfLoad(ctx context.Context) error {
	lean := b.lean["ES256"]
	if err := lean.connect(); err != nil {
		return err
	}
	subjects := []*subject{lean}
	for _, storage := range []string{"memory", "file_system"} {
		s, err := b.startSpecial(ctx, special{name: storage, storage: storage})
		if err != nil {
			return err
		}
		defer s.server.stop()
		subjects = append(subjects, s)
	}
	p50, p99, rates, busy := make([][]float64, len(subjects)), make([][]float64, len(subjects)), make([][]float64, len(subjects)), make([][]float64, len(subjects))
	ratios, beside := make([][]float64, len(subjects)), make([][]float64, len(subjects))
	for range max(b.rounds, 5) {
		var floor float64
		for i, s := range subjects {
			at, err := b.halfLoad(s)
			if err != nil {
				return err
			}
			if s == lean {
				floor = at.p99
			}
			p50[i], p99[i], rates[i], busy[i] = append(p50[i], at.p50), append(p99[i], at.p99), append(rates[i], at.rate), append(busy[i], at.busy)
			ratios[i], beside[i] = append(ratios[i], at.p99/at.p50), append(beside[i], at.p99/floor)
		}
	}
	table := section{Title: "Half load", Text: "ES256, a steady half of the requests/s that the server can answer over 32 connections.",
		Columns: []string{"", "requests/s", "core busy", "p50 µs", "p99 µs", "p99 ÷ p50", "p99 ÷ lean"}}
	for i, s := range subjects {
		table.Rows = append(table.Rows, []string{s.name, format("%.0f", median(rates[i])), fmt.Sprintf("%.0f %%", 100*median(busy[i])),
			format("%.0f", median(p50[i])), format("%.0f", median(p99[i])), format("%.1f", median(ratios[i])), format("%.2f", median(beside[i]))})
		if s != lean {
			b.found = append(b.found, atMost(s.name+", half load: p99 ÷ p50", median(ratios[i]), 5))
		}
	}
	b.sections = append(b.sections, table)
	return nil
}

// halfLoad finds out what a server can do, and sends half of that for a second.
func (b *bench) halfLoad(s *subject) (steadyLoad, error) {
	full, err := s.burst(wide, b.size("ES256", wide), 100)
	if err != nil {
		return steadyLoad{}, err
	}
	interval := time.Duration(2 * float64(time.Second) / full.Rate)
	requests, err := s.requests(max(int(time.Second/interval), steadyRequests))
	if err != nil {
		return steadyLoad{}, err
	}
	used, err := s.clocks()
	if err != nil {
		return steadyLoad{}, err
	}
	at, err := s.paced(requests, interval)
	if err != nil {
		return steadyLoad{}, err
	}
	after, err := s.clocks()
	if err != nil {
		return steadyLoad{}, err
	}
	took := time.Duration(len(requests)) * interval
	return steadyLoad{at, full.Rate / 2, (after[0] - used[0]).Seconds() / took.Seconds()}, nil
}

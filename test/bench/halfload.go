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

// loads are what is half of what. A request that comes alone takes more CPU than
// one of 32 at once, so that at half of the rate more than half of the core is
// used.
var loads = []string{"half of the requests/s", "half of the core"}

// measureHalfLoad is the latency at half of what the server can do, beside that
// of lean: what the kernel, the machine and the language's runtime add to a
// latency they add to both.
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
	measured := make([][]figures, len(loads)) // by load and subject
	for load := range loads {
		measured[load] = make([]figures, len(subjects))
	}
	for range max(b.rounds, 5) {
		floor := make([]float64, len(loads))
		for i, s := range subjects {
			at, err := b.halfLoads(s)
			if err != nil {
				return err
			}
			for load := range loads {
				if s == lean {
					floor[load] = at[load].p99
				}
				measured[load][i].add(at[load], floor[load])
			}
		}
	}
	table := section{Title: "Half load", Text: "ES256, requests at a steady rate: half of the requests/s that the server can answer over 32 connections, and what has its core busy for half of the time. `lean` shows what of it is the machine's.",
		Columns: []string{"", "requests/s", "core busy", "p50 µs", "p99 µs", "p99 ÷ p50", "p99 ÷ lean"}}
	for load, name := range loads {
		for i, s := range subjects {
			m := &measured[load][i]
			table.Rows = append(table.Rows, []string{s.name + ", " + name, format("%.0f", median(m.rate)), fmt.Sprintf("%.0f %%", 100*median(m.busy)),
				format("%.0f", median(m.p50)), format("%.0f", median(m.p99)), format("%.1f", median(m.ratio)), format("%.2f", median(m.beside))})
			if s != lean {
				b.found = append(b.found, atMost(s.name+", "+name+": p99 ÷ p50", median(m.ratio), 5))
			}
		}
	}
	b.sections = append(b.sections, table)
	return nil
}

// figures are those of all rounds.
type figures struct{ rate, busy, p50, p99, ratio, beside []float64 }

// add adds a round. floor is the p99 of lean in it.
func (f *figures) add(at steadyLoad, floor float64) {
	f.rate, f.busy = append(f.rate, at.rate), append(f.busy, at.busy)
	f.p50, f.p99 = append(f.p50, at.p50), append(f.p99, at.p99)
	f.ratio, f.beside = append(f.ratio, at.p99/at.p50), append(f.beside, at.p99/floor)
}

// halfLoads finds out what a server can do, and sends half of that for a second,
// and then what has its core half busy.
func (b *bench) halfLoads(s *subject) ([]steadyLoad, error) {
	full, err := s.burst(wide, b.size("ES256", wide), 100)
	if err != nil {
		return nil, err
	}
	half, err := b.loaded(s, full.Rate/2)
	if err != nil {
		return nil, err
	}
	core, err := b.loaded(s, half.rate*.5/half.busy)
	return []steadyLoad{half, core}, err
}

// loaded sends requests at a steady rate.
func (b *bench) loaded(s *subject, rate float64) (steadyLoad, error) {
	interval := time.Duration(float64(time.Second) / rate)
	requests, err := s.requests(max(int(rate), steadyRequests))
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
	took := time.Duration(len(requests)) * interval
	return steadyLoad{at, rate, (after[0] - used[0]).Seconds() / took.Seconds()}, err
}

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// measureSoak redeems without end and looks at the memory that is held. What a
// process remembers of a code it forgets two minutes after, so the memory first
// grows with the rate and then stays.
func (b *bench) measureSoak(ctx context.Context) error {
	s, err := b.startSpecial(ctx, special{name: "soak", storage: "file_system", lifetime: "5s"})
	if err != nil {
		return err
	}
	defer s.server.stop()
	const batch = 1000
	steps := min(20, max(4, b.soak/batch))
	table := section{Title: "Memory over redemptions", Text: "File system, ES256, 32 connections, garbage collected before each look. A process remembers a code for two to three minutes, so its memory first grows with the rate.", Columns: []string{"redemptions", "seconds", "RSS MiB"}}
	var held []float64
	began := time.Now()
	done := 0
	for step := range steps {
		for done < b.soak*(step+1)/steps {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := s.burst(wide, batch, 0); err != nil {
				return err
			}
			done += batch
		}
		if _, err := s.server.ask("/bench/collect"); err != nil {
			return err
		}
		rss, err := s.server.residentSet()
		if err != nil {
			return err
		}
		held = append(held, mebibytes(rss))
		fmt.Fprintf(os.Stderr, "soak: %d of %d\n", done, b.soak)
		table.Rows = append(table.Rows, []string{strconv.Itoa(done), format("%.0f", time.Since(began).Seconds()), format("%.1f", held[step])})
	}
	// The highest of each: between two rounds of forgetting the memory rises and
	// falls.
	growth := slices.Max(held[3*steps/4:]) / slices.Max(held[steps/2:3*steps/4])
	b.found = append(b.found, atMost(fmt.Sprintf("RSS over %d redemptions: last quarter ÷ third", done), growth, 1.05))
	b.sections = append(b.sections, table)
	return nil
}

//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPairs(t *testing.T) {
	for _, row := range []struct {
		name    string
		offsets [nodes]time.Duration
		want    string
	}{
		{"every node redeems the codes of every node", calm.offsets,
			"00 01 02 03 10 11 12 13 20 21 22 23 30 31 32 33"},
		{"but not those of one whose clock is more than a minute ahead of its own", clock.offsets,
			"00 01 02 03 10 11 12 13 20 21 22 23 30 32 33"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var all []*node
			for i, offset := range row.offsets {
				all = append(all, &node{index: i, offset: offset})
			}
			var got []string
			for _, p := range pairs(all) {
				got = append(got, fmt.Sprintf("%d%d", p.minter.index, p.redeemer.index))
			}
			if strings.Join(got, " ") != row.want {
				t.Errorf("got %v, want %s", got, row.want)
			}
		})
	}
}

//go:build linux

package main

import (
	"maps"
	"slices"
	"time"
)

// bite is the time in which a fault is to be felt by whom it is done to: the node
// that was killed, or all nodes.
type bite struct {
	from, to time.Duration
	shows    []answer // requests that met it are answered one of these; nil: it need not be felt
	// outlasted: requests may wait until it is over, and succeed.
	outlasted bool
}

var (
	lost        = []answer{unsent, unanswered}
	diskAway    = []answer{unavailable}
	storageAway = []answer{unavailable, failed}
)

const (
	// enough is how many codes succeed in the midst of faults that nobody felt. A
	// few may do so also otherwise: a claim that was under way gives an inode back.
	enough = 10
	// Of so many codes in a scenario, and so many bites of one kind, some requests
	// must have met some that they could not outlast.
	enoughBites, enoughCodes = 5, 500
)

// effect is what was seen of the bites of one kind of fault.
type effect struct {
	bites     int
	sure      int // bites that no request can outlast
	felt      int // requests that met one and were answered as it shows
	succeeded int // requests that succeeded from first to last in one
}

// effects looks for what the faults did, by their kinds.
func (c *circumstances) effects(histories []*history) map[string]*effect {
	all := make(map[string]*effect)
	for i := range c.faults {
		f := &c.faults[i]
		if f.bite.shows == nil {
			continue
		}
		kind := f.what
		if f.killed != nil {
			kind = "a node killed and started" // whichever
		}
		e := all[kind]
		if e == nil {
			e = new(effect)
			all[kind] = e
		}
		e.bites++
		if !f.bite.outlasted {
			e.sure++
		}
		for _, h := range histories {
			for j := range h.operations {
				e.note(f, &h.operations[j])
			}
		}
	}
	return all
}

func (e *effect) note(f *fault, o *operation) {
	b := &f.bite
	switch {
	case f.killed != nil && f.killed.index != o.node:
	case o.answer == issued && b.from <= o.call && o.ret <= b.to:
		e.succeeded++
	case o.call <= b.to && b.from <= o.ret && slices.Contains(b.shows, o.answer):
		e.felt++
	}
}

// judgeEffects finds faults that had none: what was done to nodes and storage was
// nothing to them, and what a scenario shows is what calm does.
func (c *circumstances) judgeEffects(v *verdict, histories []*history) {
	all := c.effects(histories)
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		e := all[kind]
		met := e.sure >= enoughBites && len(histories) >= enoughCodes
		if e.felt == 0 && (met || e.succeeded >= enough) {
			v.found(nil, "%d times %q, and no answer shows it; %d codes succeeded meanwhile", e.bites, kind, e.succeeded)
		}
	}
}

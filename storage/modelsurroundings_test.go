package storage_test

// surroundings is what happens beside the redeemers.
func (w *world) surroundings(s state, visit func(state, moment)) {
	if w.over(&s) {
		return
	}
	if w.faults.crash {
		w.crash(s, visit)
	}
	w.land(s, visit)
	if s.comeback > 0 && !s.record {
		next := s
		next.comeback--
		next.setRecord(true)
		visit(next, moment{who: somebody, call: loadRecord})
	}
	if w.faults.sweep == sweepsLate && !s.late {
		next := s
		next.late = true
		visit(next, moment{who: someClock})
	}
	w.sweep(s, visit)
	empty := s.marker == noMarker && (w.faults.rmdir || w.faults.sweep != neverSweeps)
	if s.folder && (empty || w.faults.rmall) {
		next := s
		next.setMarker(noMarker)
		next.folder = false
		visit(next, moment{who: somebody, call: makeFolder})
	}
}

// crash ends one node's process at any point. Those it was serving ask again,
// if they do.
func (w *world) crash(s state, visit func(state, moment)) {
	for node := range uint8(maxRacers) {
		next := s
		next.used &^= 1 << node
		for i := range w.racers {
			if w.nodes[i] == node && w.call(&s, i) != ended && s.racers[i].at != outset {
				next.again(i)
			}
		}
		if next != s {
			visit(next, moment{who: someNode, node: node})
		}
	}
}

// land applies a write that was put off.
func (w *world) land(s state, visit func(state, moment)) {
	for k, p := range s.pending {
		if p == (write{}) {
			continue
		}
		next := s
		if k == 0 {
			next.pending[0] = next.pending[1]
		}
		next.pending[1] = write{}
		next.apply(p)
		visit(next, moment{who: someWrite, call: p.call, told: fine})
	}
}

// The sweeper's next step.
const (
	sweepRecord uint8 = iota
	sweepMarker
)

// sweep removes the record and, in a later step, the marker, over and over.
func (w *world) sweep(s state, visit func(state, moment)) {
	next := s
	switch {
	case w.faults.sweep == neverSweeps, w.faults.sweep == sweepsLate && !s.late:
		return
	case w.faults.sweep == sweepsAnyhow:
		next.setMarker(noMarker)
		visit(next, moment{who: someSweeper, call: loadMarker})
		next = s
		next.setRecord(false)
		visit(next, moment{who: someSweeper, call: loadRecord})
	case s.sweeper == sweepRecord:
		next.sweeper = sweepMarker
		next.setRecord(false)
		visit(next, moment{who: someSweeper, call: loadRecord})
	default:
		next.sweeper = sweepRecord
		next.setMarker(noMarker)
		visit(next, moment{who: someSweeper, call: loadMarker})
	}
}

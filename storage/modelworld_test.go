package storage_test

// maxRacers is how many redeemers of one code the model can have.
const maxRacers = 3

// racer is one client's connection to one node. It asks again, at once or after
// any pause, until it has no attempt left.
type racer struct {
	at   int8  // a point of its automaton
	left uint8 // attempts after this one
}

// state is all that redeemers of one code can tell apart: what the storage
// holds, and where each of them stands. It has no padding, which makes it quick
// to look up.
type state struct {
	oldMarkers uint16 // earlier values, as bits: what stale reads may find
	oldRecords uint8
	record     bool
	marker     uint8 // noMarker, emptyMarker, linkedMarker, or whose it is
	folder     bool  // of the markers
	used       uint8 // the nodes whose used-set has the code, as bits
	late       bool  // the code has expired, by any clock that is not off by more than is allowed
	wins       uint8
	sweeper    uint8 // what it does next
	stale      uint8 // stale reads to come
	comeback   uint8 // times that the record is still to be written again
	racers     [maxRacers]racer
	pending    [2]write // those that have yet to land, or to land again
}

const (
	noMarker uint8 = iota
	emptyMarker
	linkedMarker // it does not say whose it is
	firstMarker  // of the first attempt of the first racer
)

// write is a call with an effect, and the marker that it writes.
type write struct {
	call   call
	marker uint8
}

// world is who races for the code, and what may go wrong.
type world struct {
	racers   []*automaton
	nodes    []uint8 // on which node each racer is
	attempts uint8   // of each racer
	room     int     // for writes that have yet to land
	faults   faults
}

func (w *world) begin() state {
	s := state{record: true, stale: w.faults.stale, comeback: w.faults.comeback}
	for i := range s.racers {
		s.racers[i] = racer{failure, 0}
	}
	for i := range w.racers {
		s.racers[i] = racer{outset, w.attempts - 1}
	}
	return s
}

func (w *world) call(s *state, i int) call { return w.racers[i].points[s.racers[i].at].call }

// write is the call of a racer with what it would write.
func (w *world) write(s *state, i int) write {
	c := w.call(s, i)
	switch c {
	case storeMarker:
		return write{c, w.marker(s, i)}
	case writeMarker:
		return write{c, linkedMarker}
	}
	return write{c, noMarker}
}

// marker is what a racer writes: another one in each attempt.
func (w *world) marker(s *state, i int) uint8 {
	return firstMarker + uint8(i)*w.attempts + s.racers[i].left
}

// over reports whether every racer is done.
func (w *world) over(s *state) bool {
	for i := range w.racers {
		if w.call(s, i) != ended {
			return false
		}
	}
	return true
}

// tell gives a racer its answer.
func (w *world) tell(s state, i int, told answer) state {
	at := w.racers[i].after(s.racers[i].at, told, s.late)
	s.racers[i].at = at
	if at == success {
		s.wins++
	}
	if at == success || at == failure {
		s.again(i)
	}
	return s
}

// again lets a racer that is done, or whose process has ended, ask again.
func (s *state) again(i int) {
	s.racers[i].at = failure
	if s.racers[i].left > 0 {
		s.racers[i] = racer{outset, s.racers[i].left - 1}
	}
}

// perform is what a call of a racer does and is told when nothing fails.
func (w *world) perform(s *state, i int) answer {
	c, node := w.call(s, i), uint8(1)<<w.nodes[i]
	switch c {
	case lookUsed, joinUsed:
		if s.used&node != 0 {
			return taken
		}
		if c == joinUsed {
			s.used |= node
		}
		return fine
	case leaveUsed:
		s.used &^= node
		return fine
	case loadMarker:
		return w.readMarker(s, i, s.marker)
	case loadRecord:
		return readRecord(s.record)
	}
	return s.apply(w.write(s, i))
}

func (w *world) readMarker(s *state, i int, marker uint8) answer {
	switch marker {
	case noMarker:
		return absent
	case emptyMarker:
		return empty
	case w.marker(s, i):
		return fine
	}
	return theirs
}

func readRecord(record bool) answer {
	if record {
		return fine
	}
	return absent
}

// apply is what a write does to the storage or file system.
func (s *state) apply(w write) answer {
	switch w.call {
	case storeMarker:
		s.setMarker(w.marker)
	case deleteRecord:
		was := s.record
		s.setRecord(false)
		return readRecord(was) // the generic storage's remove takes both for done
	case makeFolder:
		s.folder = true
	case linkMarker, createMarker:
		switch {
		case !s.folder || w.call == linkMarker && !s.record:
			return absent
		case s.marker != noMarker:
			return taken
		case w.call == linkMarker:
			s.setMarker(linkedMarker)
		default:
			s.setMarker(emptyMarker)
		}
	case writeMarker:
		if s.marker == emptyMarker {
			s.setMarker(linkedMarker)
		}
	}
	return fine
}

// setMarker and setRecord remember what was there while a stale read can come.
func (s *state) setMarker(marker uint8) {
	if s.stale > 0 {
		s.oldMarkers |= 1 << s.marker
	}
	s.marker = marker
}

func (s *state) setRecord(record bool) {
	if s.stale > 0 && s.record != record {
		s.oldRecords |= 1 << bit(s.record)
	}
	s.record = record
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

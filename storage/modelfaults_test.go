package storage_test

// faults are what may go wrong in a world: each as often as it likes and at any
// point, but for those that are counted. A pause at any point needs no switch:
// the others going on meanwhile is what a search of all orders gives. A claim
// that a node gave up waiting for is one that is paused and whose answer nobody
// gets, which makes no more winners.
type faults struct {
	crash        bool // the process ends; it has forgotten its used-set when it is back
	readError    bool
	readAbsent   bool // a read error reported as absence
	writeError   bool // a write fails without effect
	writeLanded  bool // a write fails after its effect
	writeLater   bool // a write fails, or its process ends, and it lands later
	denied       bool // a system call says that nothing was changed, and nothing was
	deniedLanded bool // and yet it was
	retransmit   bool // a network file system repeats its own success: EEXIST, ENOENT
	unlinkable   bool // the link is not permitted
	keeps        bool // Delete does nothing
	lags         bool // Delete is answered before its effect
	again        bool // a write that succeeded is applied again later
	rmdir        bool // the empty folder of markers is removed
	rmall        bool // with all in it
	stale        uint8
	comeback     uint8 // the record is written again, late
	sweep        sweeping
}

// sweeping is when the sweeper comes, as often as it likes.
type sweeping uint8

const (
	neverSweeps  sweeping = iota
	sweepsLate            // as the production sweeper: when the code has expired, the record first
	sweepsEarly           // in that order, but at any time
	sweepsAnyhow          // the record or the marker, at any time
)

// moment is one step of a trace.
type moment struct {
	who  int8 // a racer, or what else happened
	node uint8
	call call
	told answer
	note note
}

const (
	someNode int8 = -1 - iota
	someWrite
	someClock
	someSweeper
	somebody
)

type note uint8

const (
	asItIs note = iota
	unlanded
	landed
	landsLater
	landsAgain
	staleRead
	wrong
)

func (n note) String() string {
	return [...]string{"", " (it had no effect)", " (it had an effect)", " (its effect comes later)", " (it will be applied again)",
		" (stale)", " (wrong)"}[n]
}

// follow calls visit with every state that can be next.
func (w *world) follow(s state, visit func(state, moment)) {
	for i := range w.racers {
		switch c := w.call(&s, i); c {
		case ended:
		case loadMarker, loadRecord:
			w.load(s, i, c, visit)
		case lookUsed, joinUsed, leaveUsed:
			next := s
			told := w.perform(&next, i)
			visit(w.tell(next, i, told), moment{int8(i), w.nodes[i], c, told, asItIs})
		default:
			w.change(s, i, c, visit)
		}
	}
	w.surroundings(s, visit)
}

func (w *world) load(s state, i int, c call, visit func(state, moment)) {
	tell := func(next state, told answer, n note) {
		visit(w.tell(next, i, told), moment{int8(i), w.nodes[i], c, told, n})
	}
	right := w.perform(&s, i)
	tell(s, right, asItIs)
	if w.faults.readError {
		tell(s, failing, asItIs)
	}
	if w.faults.readAbsent && right != absent {
		tell(s, absent, wrong)
	}
	if s.stale == 0 {
		return
	}
	aged := s
	if aged.stale--; aged.stale == 0 {
		aged.oldMarkers, aged.oldRecords = 0, 0
	}
	for old := range uint8(16) {
		switch {
		case c == loadMarker && s.oldMarkers>>old&1 == 1 && old != s.marker:
			tell(aged, w.readMarker(&s, i, old), staleRead)
		case c == loadRecord && s.oldRecords>>old&1 == 1 && old != bit(s.record):
			tell(aged, readRecord(old == 1), staleRead)
		}
	}
}

// change is a call with an effect, and how it may fail.
func (w *world) change(s state, i int, c call, visit func(state, moment)) {
	tell := func(next state, told answer, n note) {
		visit(w.tell(next, i, told), moment{int8(i), w.nodes[i], c, told, n})
	}
	done := s
	right := w.perform(&done, i)
	if w.faults.keeps && c == deleteRecord {
		done = s
	}
	tell(done, right, asItIs)
	f := w.faults
	when := func(possible bool, next state, told answer, n note) {
		if possible {
			tell(next, told, n)
		}
	}
	when(f.writeError, s, failing, unlanded)
	when(f.denied, s, denied, unlanded)
	when(f.unlinkable && c == linkMarker, s, unlinkable, unlanded)
	if right != fine { // it has no effect
		return
	}
	if later, ok := s.postpone(w.write(&s, i), w.room); ok {
		when(f.writeLater, later, failing, landsLater)
		when(f.lags && c == deleteRecord, later, fine, landsLater)
	}
	when(f.writeLanded, done, failing, landed)
	when(f.deniedLanded, done, denied, landed)
	when(f.retransmit && (c == linkMarker || c == createMarker), done, taken, landed)
	when(f.retransmit && c == deleteRecord, done, absent, landed)
	if twice, ok := done.postpone(w.write(&s, i), w.room); ok {
		when(f.again, twice, fine, landsAgain)
	}
}

// postpone keeps a write for later, if there is room.
func (s state) postpone(w write, room int) (state, bool) {
	switch {
	case w.call != storeMarker && w.call != deleteRecord && w.call != linkMarker && w.call != createMarker:
		return s, false // it has no effect that anybody could miss
	case s.pending[0] == w || s.pending[1] == w, s.pending[room-1] != write{}:
		return s, false
	case s.pending[0] == write{}:
		s.pending[0] = w
	case s.pending[0].less(w):
		s.pending[1] = w
	default:
		s.pending[0], s.pending[1] = w, s.pending[0]
	}
	return s, true
}

// less gives pending writes one order, so that states that differ by it alone
// are one.
func (w write) less(v write) bool {
	return w.call < v.call || w.call == v.call && w.marker < v.marker
}

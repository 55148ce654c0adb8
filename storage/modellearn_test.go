package storage_test

import (
	"slices"
	"testing"
)

// The model explores what several redeemers may do to one code, whatever the
// order of their calls and whatever fails between them. It does not contain the
// redemption: it learns it from the production code, by running Codes.Load and
// Codes.Redeem over a storage that answers as it is told and stops at the next
// call. Redemption keeps nothing between two calls but what it was answered, so
// that the answers so far are its whole state: a few dozen of them, each a small
// number that can be copied, compared and remembered. Whoever changes the claim
// changes what is explored.

// call is one step of a redemption: a call of the storage or of the operating
// system, or of the process's used-set.
type call uint8

const (
	lookUsed call = iota // is the code in the used-set?
	loadMarker
	loadRecord
	joinUsed // put it there
	storeMarker
	deleteRecord
	makeFolder
	linkMarker
	createMarker
	writeMarker
	syncMarker
	closeMarker
	syncFolder
	leaveUsed // take it out again: nothing was changed
	ended
)

func (c call) String() string {
	return [...]string{"looks into the used-set", "loads the marker", "loads the record", "joins the used-set",
		"stores its marker", "deletes the record", "makes the folder", "links the record to the marker",
		"creates the marker", "writes the marker", "syncs the marker", "closes the marker", "syncs the folder",
		"leaves the used-set", "has ended"}[c]
}

// answer is what a call may be told.
type answer uint8

const (
	fine       answer = iota // done; read: the record, or the caller's own marker; not in the used-set
	absent                   // fs.ErrNotExist
	taken                    // fs.ErrExist; in the used-set
	theirs                   // read: the marker of somebody else
	empty                    // read: a marker that was created and not written
	failing                  // EIO
	denied                   // EROFS
	unlinkable               // EPERM
	answers    int    = iota
)

func (a answer) String() string {
	return [...]string{"ok", "absent", "taken", "another's", "empty", "an error", "read-only", "not permitted"}[a]
}

// point is where a redemption stands: before a call, or at its end.
type point struct {
	call    call
	won     bool
	err     error // at its end
	history []answer
}

// The points that every redemption has.
const (
	outset int8 = iota // of a request
	success
	failure
	giveUp // certain that nothing was changed
)

// automaton is a redemption as far as it was learnt.
type automaton struct {
	// run runs a redemption with these answers; the last one comes when the code
	// has expired, or in time.
	run    func(history []answer, late bool) point
	points []point
	next   [][2][answers]int8
}

func newAutomaton(run func([]answer, bool) point) *automaton {
	a := &automaton{run: run}
	a.points = []point{outset: {call: lookUsed}, success: {call: ended, won: true}, failure: {call: ended}, giveUp: {call: leaveUsed}}
	a.next = make([][2][answers]int8, len(a.points))
	a.next[giveUp][0][fine], a.next[giveUp][1][fine] = failure, failure
	return a
}

// after returns where an answer leads.
func (a *automaton) after(from int8, told answer, late bool) int8 {
	when := 0
	if late {
		when = 1
	}
	if a.next[from][when][told] == outset { // nothing leads there
		a.next[from][when][told] = a.learn(from, told, late)
	}
	return a.next[from][when][told]
}

func (a *automaton) learn(from int8, told answer, late bool) int8 {
	history := append(slices.Clone(a.points[from].history), told)
	p := a.run(history, late)
	if again := a.run(history, late); again.call != p.call || again.won != p.won {
		panic("the same answers led a redemption elsewhere: it keeps something else between two calls")
	}
	switch {
	case p.call == leaveUsed:
		return giveUp
	case p.call == ended && p.won:
		return success
	case p.call == ended:
		return failure
	}
	p.history = history
	known := func(q point) bool { return slices.Equal(q.history, history) }
	if i := slices.IndexFunc(a.points, known); i >= 0 {
		return int8(i)
	}
	a.points = append(a.points, p)
	a.next = append(a.next, [2][answers]int8{})
	return int8(len(a.points) - 1)
}

// learnt lists the calls of a redemption that gets these answers.
func (a *automaton) learnt(told ...answer) (calls []call) {
	at := outset
	for _, told := range told {
		calls = append(calls, a.points[at].call)
		at = a.after(at, told, false)
	}
	return append(calls, a.points[at].call)
}

func TestTheModelLearnsTheRedemption(t *testing.T) {
	generic, link, create := learnGeneric(t, ""), learnFiles(t, true), learnFiles(t, false)
	rows := []struct {
		name string
		of   *automaton
		told []answer
		want []call
	}{
		{"a generic claim that wins", generic, []answer{fine, fine, fine, absent, fine},
			[]call{storeMarker, loadRecord, deleteRecord, loadRecord, loadMarker, ended}},
		{"a claim by link that wins", link, []answer{fine, fine, fine},
			[]call{makeFolder, linkMarker, deleteRecord, ended}},
		{"a claim by exclusive create that wins", create, []answer{fine, fine, fine, fine, fine, fine, fine, fine},
			[]call{makeFolder, createMarker, writeMarker, syncMarker, closeMarker, loadRecord, syncFolder, deleteRecord, ended}},
		{"a generic claim of a record that is another one by then", generic, []answer{fine, theirs},
			[]call{storeMarker, loadRecord, ended}},
		{"a claim by exclusive create of a record that is another one by then", create, []answer{fine, fine, fine, fine, fine, theirs},
			[]call{makeFolder, createMarker, writeMarker, syncMarker, closeMarker, loadRecord, ended}},
		{"F18 a generic claim that may have landed stays in the used-set", generic, []answer{failing},
			[]call{storeMarker, ended}},
		{"F18 a claim by link that may have landed stays in the used-set", link, []answer{fine, failing},
			[]call{makeFolder, linkMarker, ended}},
		{"F16 a claim that certainly changed nothing leaves it", link, []answer{fine, denied, fine},
			[]call{makeFolder, linkMarker, leaveUsed, ended}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			found, told := []call{lookUsed, loadRecord, joinUsed}, []answer{fine, fine, fine}
			if row.of == generic { // its claim writes over a marker that stands
				found, told = []call{lookUsed, loadMarker, loadRecord, joinUsed}, []answer{fine, absent, fine, fine}
			}
			got := row.of.learnt(slices.Concat(told, row.told)...)
			if want := slices.Concat(found, row.want); !slices.Equal(got, want) {
				t.Errorf("learnt %v\nwant   %v", got, want)
			}
		})
	}
}

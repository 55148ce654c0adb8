package storage_test

import "testing"

// team is who races for one code.
type team struct {
	name     string
	nodes    []uint8 // on which node each redeemer is
	attempts uint8   // how often each asks
}

func teams(t *testing.T) []team {
	all := []team{
		{"one", []uint8{0}, 3},
		{"two at one node", []uint8{0, 0}, 3},
		{"two nodes", []uint8{0, 1}, 3},
		{"three at one node", []uint8{0, 0, 0}, 2},
		{"two at one node and one at another", []uint8{0, 0, 1}, 2},
		{"three nodes", []uint8{0, 1, 2}, 2},
	}
	if raceEnabled {
		t.Log("under the race detector each asks only once")
		for i := range all {
			all[i].attempts = 1
		}
	}
	return all
}

func (m team) apart() bool {
	for _, node := range m.nodes {
		if node != m.nodes[0] {
			return true
		}
	}
	return false
}

// world puts a team to work, its members in turn by these automata.
func (m team) world(f faults, by ...*automaton) *world {
	w := &world{nodes: m.nodes, attempts: m.attempts, room: 2, faults: f}
	if len(m.nodes) > 2 {
		w.room = 1
	}
	for i := range m.nodes {
		w.racers = append(w.racers, by[i%len(by)])
	}
	return w
}

// allGeneric is everything at once that the generic claim must bear.
var allGeneric = faults{crash: true, readError: true, readAbsent: true, writeError: true, writeLanded: true, writeLater: true, sweep: sweepsLate}

// trial is what may go wrong while a code is redeemed, and what is promised
// nevertheless: at one node, and at several.
type trial struct {
	name           string
	faults         faults
	oneNode, apart promise
}

// hold puts a team on trial.
func (r trial) hold(t *testing.T, m team, by ...*automaton) {
	t.Helper()
	want := r.oneNode
	if m.apart() {
		want = r.apart
	}
	want.hold(t, m.world(r.faults, by...))
}

var genericTrials = []trial{
	{"REQ-101 REQ-104 REQ-245 A01 A02 A04 F24 F26 F33 any pauses of any length, and nothing else", faults{}, exactlyOne, oneAtBest},
	{"REQ-107 A23 F10 processes end at any point and start anew", faults{crash: true}, atMostOne, atMostOne},
	{"F08 reads fail", faults{readError: true}, atMostOne, atMostOne},
	{"F04 read errors are reported as absence", faults{readAbsent: true}, atMostOne, atMostOne},
	{"F05 F07 writes fail without effect", faults{writeError: true}, atMostOne, atMostOne},
	{"F18 writes fail after their effect", faults{writeLanded: true}, atMostOne, atMostOne},
	{"F19 writes fail and land later", faults{writeLater: true}, atMostOne, atMostOne},
	{"deletions are answered before their effect", faults{lags: true}, atMostOne, atMostOne},
	{"deletions do nothing", faults{keeps: true}, nobodyWins, nobodyWins},
	{"A22 the code expires and is swept", faults{sweep: sweepsLate}, atMostOne, atMostOne},
	{"F52 sweepers come at any time and in any order", faults{sweep: sweepsAnyhow}, atMostOne, atMostOne},
	{"REQ-104 F10 F18 F33 all of this that can happen to a storage that keeps its promises", allGeneric, atMostOne, atMostOne},
	// What is not promised: the search must find how it comes to two winners,
	// or it would not find what should not be there. On one node the used-set
	// forestalls it.
	{"F21 one stale read makes two winners on two nodes", faults{stale: 1}, atMostOne, breaks},
	{"F21 two stale reads make two winners on two nodes", faults{stale: 2}, atMostOne, breaks},
	{"F22 a write that is applied again makes two winners on two nodes", faults{again: true}, atMostOne, breaks},
	{"F22 a record that is written again late makes two winners on two nodes", faults{comeback: 1}, atMostOne, breaks},
	{"F04 read errors reported as absence where deletions do nothing make two winners on two nodes", faults{readAbsent: true, keeps: true}, atMostOne, breaks},
}

func TestEveryOrderOfGenericClaims(t *testing.T) {
	by, all := learnGeneric(t, ""), teams(t)
	for _, row := range genericTrials {
		t.Run(row.name, func(t *testing.T) {
			for _, m := range all {
				t.Run(m.name, func(t *testing.T) { row.hold(t, m, by) })
			}
		})
	}
}

// A claim with a step left out, moved or weakened must be found out: else the
// search would say nothing about the claim. The letters are those of its steps:
// store the marker (b), look for the record (c), delete it (d), see that it is
// gone (g), see that the marker is ours (e).
// TestTheVariantIsTheGenericClaim ties them to the claim that is in use.
func TestTheSearchFindsWrongClaims(t *testing.T) {
	two, three := team{"", []uint8{0, 1}, 1}, team{"", []uint8{0, 1, 2}, 1}
	rows := []struct {
		name, steps string
		faults      faults
		want        promise
	}{
		{"none", "bcdge", faults{}, oneAtBest},
		{"none, with all faults", "bcdge", allGeneric, atMostOne},
		{"the record is not looked for", "bdge", faults{}, breaks},
		{"the record is looked for before the marker is stored", "cbdge", faults{}, breaks},
		{"the record is gone before the marker is stored", "cdgbe", faults{}, breaks},
		{"the marker is not looked at", "bcdg", faults{}, breaks},
		{"anybody's marker will do", "bcdgp", faults{}, breaks},
		{"the marker is looked at before the record is deleted", "bcedg", faults{}, breaks},
		{"the marker is looked at before the record is seen to be gone", "bcdeg", faults{lags: true}, breaks},
		{"the record is not seen to be gone", "bcde", faults{keeps: true}, breaks},
		{"the record is not deleted", "bcge", faults{}, nobodyWins},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			by := learnGeneric(t, row.steps)
			row.want.hold(t, two.world(row.faults, by))
			row.want.hold(t, three.world(row.faults, by))
		})
	}
}

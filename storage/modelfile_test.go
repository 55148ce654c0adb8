package storage_test

import "testing"

// allFiles is everything at once that the file claim must bear, the network's
// file systems included.
var allFiles = faults{crash: true, readError: true, readAbsent: true, writeError: true, writeLanded: true, writeLater: true,
	denied: true, deniedLanded: true, retransmit: true, unlinkable: true, again: true, rmdir: true, stale: 1, comeback: 1, sweep: sweepsLate}

var fileTrials = []trial{
	{"REQ-101 REQ-104 REQ-245 A01 A02 A04 F24 F33 any pauses of any length, and nothing else", faults{}, exactlyOne, exactlyOne},
	{"REQ-107 A23 F10 processes end at any point and start anew", faults{crash: true}, atMostOne, atMostOne},
	{"F08 reads fail", faults{readError: true}, atMostOne, atMostOne},
	{"F04 read errors are reported as absence", faults{readAbsent: true}, atMostOne, atMostOne},
	{"F05 F07 system calls fail without effect, and a marker is created and not written", faults{writeError: true, crash: true}, atMostOne, atMostOne},
	{"F16 F17 system calls are refused", faults{denied: true}, atMostOne, atMostOne},
	{"F18 system calls fail after their effect", faults{writeLanded: true, deniedLanded: true}, atMostOne, atMostOne},
	{"F19 system calls fail and have their effect later", faults{writeLater: true}, atMostOne, atMostOne},
	{"F18 a network file system repeats its own success", faults{retransmit: true}, atMostOne, atMostOne},
	{"links are not permitted, at times", faults{unlinkable: true}, exactlyOne, exactlyOne},
	{"removals do nothing", faults{keeps: true}, exactlyOne, exactlyOne},
	{"removals are answered before their effect", faults{lags: true}, exactlyOne, exactlyOne},
	{"F22 a system call has its effect again", faults{again: true}, exactlyOne, exactlyOne},
	{"F22 a record is written again late", faults{comeback: 1}, exactlyOne, exactlyOne},
	{"F21 two stale reads", faults{stale: 2}, exactlyOne, exactlyOne},
	{"the folder of markers is removed while it is empty", faults{rmdir: true}, atMostOne, atMostOne},
	{"A22 the code expires and is swept", faults{sweep: sweepsLate}, atMostOne, atMostOne},
	{"F52 sweepers come at any time", faults{sweep: sweepsEarly, crash: true}, atMostOne, atMostOne},
	{"REQ-104 F10 F18 F21 F22 F33 all of this", allFiles, atMostOne, atMostOne},
	// What is not promised, and must be found.
	{"markers that are removed before their records make two winners on two nodes", faults{sweep: sweepsAnyhow}, atMostOne, breaks},
	{"a folder that is removed with the markers in it makes two winners on two nodes", faults{rmall: true}, atMostOne, breaks},
	{"F22 a record that is written again between the sweeping of records and of markers makes two winners on two nodes, if that is before it expires", faults{comeback: 1, sweep: sweepsEarly}, atMostOne, breaks},
}

func TestEveryOrderOfFileClaims(t *testing.T) {
	link, create := learnFiles(t, true), learnFiles(t, false)
	kinds := []struct {
		name string
		by   []*automaton
	}{
		{"by link", []*automaton{link}},
		{"by exclusive create", []*automaton{create}},
		{"some by link, some by exclusive create", []*automaton{create, link, link}},
	}
	all := teams(t)
	for _, row := range fileTrials {
		t.Run(row.name, func(t *testing.T) {
			for _, kind := range kinds {
				for _, m := range all {
					r := row
					if r.faults == allFiles { // millions of states otherwise
						r.faults, m = bounded(r.faults, m, len(kind.by) > 1)
					}
					t.Run(kind.name+", "+m.name, func(t *testing.T) { r.hold(t, m, kind.by...) })
				}
			}
		})
	}
}

// bounded limits what is searched with every fault at once: two ask twice only
// where they are alike, three once and without the sweeper.
func bounded(f faults, m team, mixed bool) (faults, team) {
	if len(m.nodes) > 2 {
		f.sweep = neverSweeps
	}
	if m.attempts = min(m.attempts, 2); mixed || len(m.nodes) > 2 {
		m.attempts = 1
	}
	return f, m
}

package storage_test

import (
	"fmt"
	"strings"
	"testing"
)

// finding is what a search found.
type finding struct {
	states   int
	winners  [maxRacers + 1]int // in how many states all are done and so many have won
	violated []string           // the shortest way to two successes; nil: there is none
}

// visited is a state and how it came about.
type visited struct {
	state state
	from  int32
	by    moment
}

// search goes through every state that the world can come to, the nearest
// first, each once. It ends at the first with two successes. What one state
// stands for, fold says; without it a trace calls everybody by one name.
func (w *world) search(fold func(state) state) finding {
	begin := w.begin()
	queue := []visited{{state: begin, from: -1}}
	seen := map[state]struct{}{begin: {}}
	var found finding
	for k := 0; k < len(queue); k++ {
		s := queue[k].state
		if s.wins > 1 {
			found.violated = trace(queue, k)
			break
		}
		if w.over(&s) {
			found.winners[s.wins]++
		}
		w.follow(s, func(next state, by moment) {
			next = fold(next)
			if _, ok := seen[next]; !ok {
				seen[next] = struct{}{}
				queue = append(queue, visited{next, int32(k), by})
			}
		})
	}
	found.states = len(queue)
	return found
}

// trace tells how a state came about.
func trace(queue []visited, k int) (steps []string) {
	for ; queue[k].from >= 0; k = int(queue[k].from) {
		step := queue[k].by.String()
		if queue[k].state.wins > queue[queue[k].from].state.wins {
			step += " AND WINS"
		}
		steps = append([]string{step}, steps...)
	}
	return steps
}

func (m moment) String() string {
	switch m.who {
	case someNode:
		return fmt.Sprintf("node %d ends and starts anew", m.node)
	case someWrite:
		return fmt.Sprintf("a write lands: somebody %s", m.call)
	case someClock:
		return "the code expires"
	case someSweeper:
		return "the sweeper removes what one finds who " + m.call.String()
	case somebody:
		if m.call == makeFolder {
			return "somebody removes the folder"
		}
		return "somebody writes the record again"
	}
	return fmt.Sprintf("%c on node %d %s: %s%s", 'P'+rune(m.who), m.node, m.call, m.told, m.note)
}

// promise is what a world must keep.
type promise uint8

const (
	atMostOne promise = iota
	exactlyOne
	oneAtBest // and there are orders in which nobody wins
	nobodyWins
	breaks // two can win: the search finds it, or it would find nothing
)

// hold searches a world and compares.
func (p promise) hold(t *testing.T, w *world) {
	t.Helper()
	found := w.search(w.fold)
	if found.violated != nil {
		if found = w.search(func(s state) state { return s }); found.violated == nil {
			t.Error("two win only where redeemers change their names")
		}
	}
	t.Logf("%d states, ended with no, one … winners: %v", found.states, found.winners)
	if p == breaks {
		if found.violated == nil {
			t.Error("two never win: the search misses what it should find")
		}
		t.Logf("the shortest way to two winners:\n  %s", strings.Join(found.violated, "\n  "))
		return
	}
	none, one := found.winners[0] > 0, found.winners[1] > 0
	switch {
	case found.violated != nil:
		t.Errorf("two win:\n  %s", strings.Join(found.violated, "\n  "))
	case p == exactlyOne && (none || !one):
		t.Error("there are orders in which nobody wins")
	case p == oneAtBest && (!none || !one):
		t.Error("somebody always wins, or nobody ever does")
	case p == nobodyWins && one, p == atMostOne && !one:
		t.Errorf("somebody wins: %v", one)
	}
}

func TestFoldingLosesNothing(t *testing.T) {
	by := learnGeneric(t, "")
	for _, m := range []team{{"two nodes", []uint8{0, 1}, 2}, {"two at one node and one at another", []uint8{0, 0, 1}, 1}, {"three nodes", []uint8{0, 1, 2}, 1}} {
		t.Run(m.name, func(t *testing.T) {
			w := m.world(allGeneric, by)
			folded, all := w.search(w.fold), w.search(func(s state) state { return s })
			if folded.states >= all.states {
				t.Errorf("%d states are as many as %d", folded.states, all.states)
			}
			for wins := range folded.winners {
				if (folded.winners[wins] > 0) != (all.winners[wins] > 0) {
					t.Errorf("%v winners and %v", folded.winners, all.winners)
				}
			}
		})
	}
}

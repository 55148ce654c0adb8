//go:build linux

package main

import (
	"testing"
	"time"
)

// op is an operation on node 0, unless node says otherwise, in milliseconds.
func op(call, ret int, a answer, node ...int) operation {
	o := operation{call: time.Duration(call) * time.Millisecond, ret: time.Duration(ret) * time.Millisecond, answer: a}
	if len(node) > 0 {
		o.node = node[0]
	}
	return o
}

func TestModel(t *testing.T) {
	everywhere := []claim{fileClaim, genericClaim, ownClaim}
	for _, row := range []struct {
		name   string
		claims []claim
		holds  bool
		ops    []operation
	}{
		{"one success", everywhere, true, []operation{op(1, 2, issued)}},
		{"a success and a replay", everywhere, true, []operation{op(1, 2, issued), op(3, 4, refused)}},
		{"two successes one after the other", everywhere, false, []operation{op(1, 2, issued), op(3, 4, issued)}},
		{"two successes at the same time on two nodes", everywhere, false, []operation{op(1, 4, issued), op(2, 3, issued, 1)}},
		{"a success after a request that was not answered", everywhere, true, []operation{op(1, 2, unanswered), op(3, 4, issued)}},
		{"two successes after one that was not answered", everywhere, false, []operation{op(1, 2, unanswered), op(3, 4, issued), op(5, 6, issued, 1)}},
		{"a refusal before the success", everywhere, false, []operation{op(1, 2, refused), op(3, 4, issued)}},
		{"a refusal at the same time as the success", everywhere, true, []operation{op(1, 4, issued), op(2, 3, refused)}},
		{"a refusal and nothing else", everywhere, false, []operation{op(1, 2, refused)}},
		{"two refusals on one node at the same time", everywhere, false, []operation{op(1, 3, refused), op(2, 4, refused)}},
		{"a refusal while another at its node was about to lose to a third", everywhere, true,
			[]operation{op(1, 9, refused), op(2, 3, refused), op(4, 8, issued, 1)}},
		{"a refusal, and another at its node that comes too late to have lost to a third", everywhere, false,
			[]operation{op(1, 3, refused), op(2, 4, refused), op(5, 8, issued, 1)}},
		{"two refusals on two nodes at the same time, generic claim", []claim{genericClaim}, true, []operation{op(1, 3, refused), op(2, 4, refused, 1)}},
		{"two refusals on two nodes at the same time, a claim that always has a winner", []claim{fileClaim, ownClaim}, false,
			[]operation{op(1, 3, refused), op(2, 4, refused, 1)}},
		{"two refusals on two nodes at the same time, and 503 on each, generic claim", []claim{genericClaim}, true,
			[]operation{op(1, 3, refused), op(2, 4, refused, 1), op(1, 3, unavailable), op(2, 4, unavailable, 1), op(5, 6, refused, 2)}},
		{"two refusals on two nodes one after the other", everywhere, false, []operation{op(1, 2, refused), op(3, 4, refused, 1)}},
		{"a success after two racers refused each other", everywhere, false,
			[]operation{op(1, 3, refused), op(2, 4, refused, 1), op(5, 6, issued, 2)}},
		{"a success after 503", everywhere, true, []operation{op(1, 2, unavailable), op(3, 4, issued)}},
		{"a refusal after nothing but 503", everywhere, false, []operation{op(1, 2, unavailable), op(3, 4, refused)}},
		{"a refusal at another node at the same time as 503", everywhere, false, []operation{op(1, 4, unavailable), op(2, 3, refused, 1)}},
		{"a refusal while the same node undid a claim", everywhere, true, []operation{op(1, 4, unavailable), op(2, 3, refused), op(5, 6, issued)}},
		{"503 after a success", everywhere, true, []operation{op(1, 2, issued), op(3, 4, unavailable), op(5, 6, refused)}},
		{"a refusal after 500", everywhere, true, []operation{op(1, 2, failed), op(3, 4, refused)}},
		{"a success at the same node after 500", everywhere, false, []operation{op(1, 2, failed), op(3, 4, issued)}},
		{"a success at the same node at the same time as 500", everywhere, true, []operation{op(1, 3, failed), op(2, 4, issued)}},
		{"a success at another node after 500", everywhere, true, []operation{op(1, 2, failed), op(3, 4, issued, 1)}},
		{"500, refused by the same node, a success at another", everywhere, true,
			[]operation{op(1, 2, failed), op(3, 4, refused), op(5, 6, issued, 1)}},
		{"500, refused by another node, a success at a third", everywhere, false,
			[]operation{op(1, 2, failed), op(3, 4, refused, 1), op(5, 6, issued, 2)}},
		{"an unanswered request may have redeemed the code at any later time", everywhere, true,
			[]operation{op(1, 2, unanswered), op(3, 4, unavailable, 1), op(5, 6, refused, 1)}},
		{"a request that never reached a node says nothing", everywhere, false, []operation{op(1, 2, unsent), op(3, 4, refused)}},
		{"an answer that is none of ours", everywhere, false, []operation{op(1, 2, unexpected)}},
	} {
		for _, claim := range row.claims {
			t.Run(row.name, func(t *testing.T) {
				c := circumstances{claim: claim}
				if got := c.holds(&history{operations: row.ops}); got != row.holds {
					t.Errorf("the model of claim %d answers %v", claim, got)
				}
			})
		}
	}
}

func TestModelKnowsClocks(t *testing.T) {
	offsets := [nodes]time.Duration{0, -time.Minute, 0, time.Minute}
	const early = int((codeLifetime - 2*time.Minute) / time.Millisecond) // the fast node is two minutes ahead of the slow one
	for _, row := range []struct {
		name     string
		mintedBy int
		holds    bool
		ops      []operation
	}{
		{"a code of a node in step succeeds at all", 0, true, []operation{op(1, 2, issued, 1), op(3, 4, refused, 3)}},
		{"a code of a node in step is not refused at the slow one", 0, false, []operation{op(1, 2, refused, 1)}},
		{"a code of the fast node is refused by the slow one and stays good", 3, true, []operation{op(1, 2, refused, 1), op(3, 4, issued, 0)}},
		{"a code of the fast node must not succeed at the slow one", 3, false, []operation{op(1, 2, issued, 1)}},
		{"a minute later it may", 3, true, []operation{op(60_100, 60_200, issued, 1)}},
		{"a code of the slow node expires early at the fast one", 1, true, []operation{op(early+100, early+200, refused, 3)}},
		{"but not before its time", 1, false, []operation{op(early-9_900, early-9_800, refused, 3)}},
		{"nor at the slow one", 1, false, []operation{op(early+100, early+200, refused, 1)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := circumstances{claim: fileClaim, offsets: offsets}
			if got := c.holds(&history{mintedBy: row.mintedBy, operations: row.ops}); got != row.holds {
				t.Errorf("the model answers %v", got)
			}
		})
	}
}

func TestModelKnowsStorageFaults(t *testing.T) {
	h := &history{operations: []operation{op(100, 200, refused)}}
	for _, row := range []struct {
		name  string
		claim claim
		fault fault
		holds bool
	}{
		{"a Claimer that repeats its claim may lose to itself while the storage restarts", ownClaim, fault{from: 150 * time.Millisecond, to: time.Second, storage: true}, true},
		{"not at another time", ownClaim, fault{from: 201 * time.Millisecond, to: time.Second, storage: true}, false},
		{"nor when only a node was stopped", ownClaim, fault{from: 150 * time.Millisecond, to: time.Second}, false},
		{"nor with another claim", fileClaim, fault{from: 150 * time.Millisecond, to: time.Second, storage: true}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := circumstances{claim: row.claim, faults: []fault{row.fault}}
			if got := c.holds(h); got != row.holds {
				t.Errorf("the model answers %v", got)
			}
		})
	}
}

func TestModelKnowsKills(t *testing.T) {
	h := &history{operations: []operation{op(100, 200, failed), op(300, 400, issued)}}
	for _, row := range []struct {
		name     string
		node     int
		from, to time.Duration
		holds    bool
	}{
		{"a node that was killed has forgotten its 500", 0, 210 * time.Millisecond, 290 * time.Millisecond, true},
		{"so may one that was being killed when it answered", 0, 150 * time.Millisecond, 190 * time.Millisecond, true},
		{"not one that was killed before", 0, 10 * time.Millisecond, 90 * time.Millisecond, false},
		{"nor one that was killed later", 0, 410 * time.Millisecond, 500 * time.Millisecond, false},
		{"nor when another was killed", 1, 210 * time.Millisecond, 290 * time.Millisecond, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := circumstances{claim: fileClaim, faults: []fault{{killed: &node{index: row.node}, from: row.from, to: row.to}}}
			if got := c.holds(h); got != row.holds {
				t.Errorf("the model answers %v", got)
			}
		})
	}
	t.Run("nor one that was only stopped", func(t *testing.T) {
		c := circumstances{claim: fileClaim, faults: []fault{{from: 210 * time.Millisecond, to: 290 * time.Millisecond}}}
		if c.holds(h) {
			t.Error("the model allows it")
		}
	})
}

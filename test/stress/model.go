//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// claim is how a storage redeems, which decides what its racers may be told.
type claim int

const (
	fileClaim    claim = iota // one of several racers always wins
	genericClaim              // racers on two nodes may both lose
	ownClaim                  // a storage.Claimer
)

// step is an operation with what the rest of the history says about it: all
// that the model needs to judge it.
type step struct {
	node   int
	answer answer
	// beyondSkew: by the clock of the node that was asked the code was issued
	// more than 60 s in the future, all the time. It must be refused there, and
	// is not changed.
	beyondSkew bool
	// untimely: by that clock it was, or may have been, so at some time, or the
	// code may have expired.
	untimely bool
	// besideHolder: at the same time, at the same node, another request for the
	// code had hold of it and did not redeem it: it ended with 503, or was
	// refused later than this one. While it had hold of the code this
	// one was refused, although it may be redeemed elsewhere yet. Later: of
	// several that refuse each other the last must have another reason.
	besideHolder bool
	// besideRefused: at the same time, at another node, another request for the
	// code was refused.
	besideRefused bool
	// countedHere: before, the same process answered 500. It counts the code as
	// spent from then on; only one that was killed has forgotten.
	countedHere bool
	// storageFault: the storage was being stopped or restarted.
	storageFault bool
}

// state of a code: whether it is spent, and the nodes that count it as spent
// because a claim of theirs failed. Nobody knows whether such a claim landed;
// if it did not, another node may still redeem the code.
type state uint16

const (
	fresh state = 0
	spent state = 1
)

func countedAt(node int) state { return 2 << node }

// steps returns the states in which a code may be after a step; none if the
// step cannot happen.
//
// These lines are the promise: 200 once, and from a code that was not spent;
// invalid_grant only where it was spent, but for the exceptions named in step;
// 503 changes nothing; after 500 or no answer it may be either, but the process
// that answered 500 yields no tokens for it.
func (c claim) steps(s state, x step) []state {
	switch x.answer {
	case issued:
		if s&spent == 0 && !x.beyondSkew && !x.countedHere {
			return []state{s | spent}
		}
	case refused:
		return c.refusal(s, x)
	case unavailable:
		return []state{s}
	case failed:
		return []state{s | spent, s | countedAt(x.node)}
	case unanswered:
		return []state{s | spent, s | countedAt(x.node), s}
	}
	return nil
}

func (c claim) refusal(s state, x step) (next []state) {
	if s&spent != 0 || s&countedAt(x.node) != 0 || x.untimely || x.besideHolder {
		next = append(next, s)
	}
	if c == genericClaim && x.besideRefused {
		// Each saw the other's marker: nobody gets the tokens.
		next = append(next, s|spent)
	}
	if c == ownClaim && x.storageFault {
		// A claim that is repeated because its answer was lost finds that
		// somebody, itself, has taken the record.
		next = append(next, s|spent)
	}
	return next
}

// model is a code as porcupine checks it.
func (c claim) model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{fresh} },
		Step: func(s, input, _ any) []any {
			var next []any
			for _, n := range c.steps(s.(state), input.(step)) {
				next = append(next, n)
			}
			return next
		},
		Equal: func(a, b any) bool { return a == b },
		DescribeOperation: func(input, _ any) string {
			x := input.(step)
			return fmt.Sprintf("node %d: %s", x.node, x.answer)
		},
		DescribeState: func(s any) string {
			if s.(state)&spent != 0 {
				return "spent"
			}
			return "fresh"
		},
	}
	return m.ToModel()
}

// circumstances are what a history is judged by beside itself.
type circumstances struct {
	claim   claim
	offsets [nodes]time.Duration // of the nodes' clocks
	faults  []fault
}

// operations turns a history into what porcupine checks. What never reached a
// node is left out. A request that was not answered ends when its client gave
// up, though it may take effect at any later time: a code that is spent sooner
// forbids no answer that one which is spent later allows.
func (c *circumstances) operations(h *history) []porcupine.Operation {
	var list []porcupine.Operation
	for i := range h.operations {
		o := &h.operations[i]
		if o.answer == unsent {
			continue
		}
		list = append(list, porcupine.Operation{
			ClientId: i, Input: c.step(h, o), Call: int64(o.call), Return: int64(o.ret),
		})
	}
	return list
}

func (c *circumstances) step(h *history, o *operation) step {
	x := step{node: o.node, answer: o.answer}
	ahead := c.offsets[h.mintedBy] - c.offsets[o.node]
	x.beyondSkew = ahead-(o.ret-h.mintedAt) > skew
	x.untimely = ahead-max(0, o.call-h.mintedAt-mintLimit) > skew || o.ret-h.mintedAt-ahead > codeLifetime-time.Second
	for i := range h.operations {
		other := &h.operations[i]
		if other == o {
			continue
		}
		if other.answer == failed && other.node == o.node && other.ret < o.call {
			x.countedHere = x.countedHere || !c.killed(o.node, other.call, o.ret)
		}
		if !o.overlaps(other) {
			continue
		}
		held := other.answer == unavailable || other.answer == refused && other.ret > o.ret
		x.besideHolder = x.besideHolder || held && other.node == o.node
		x.besideRefused = x.besideRefused || other.answer == refused && other.node != o.node
	}
	for _, f := range c.faults {
		x.storageFault = x.storageFault || f.storage && o.call <= f.to && f.from <= o.ret
	}
	return x
}

// killed reports whether a node may have been killed in that time.
func (c *circumstances) killed(node int, from, to time.Duration) bool {
	return slices.ContainsFunc(c.faults, func(f fault) bool {
		return f.killed != nil && f.killed.index == node && f.from <= to && from <= f.to
	})
}

// holds reports whether a history is one the model allows.
func (c *circumstances) holds(h *history) bool {
	return porcupine.CheckOperations(c.claim.model(), c.operations(h))
}

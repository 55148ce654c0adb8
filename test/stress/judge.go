//go:build linux

package main

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// verdict is what a scenario showed.
type verdict struct {
	codes    int
	requests int // that reached a node
	counts   [answers]int
	nobody   int // codes that reached a node and that nobody got tokens for
	refusals int // of these, codes whose every answer was invalid_grant: racers that refused each other
	wrong    []finding
}

// finding is a violation; history is of the code that shows it, if one does.
type finding struct {
	what    string
	history *history
}

func (v *verdict) found(h *history, format string, args ...any) {
	v.wrong = append(v.wrong, finding{fmt.Sprintf(format, args...), h})
}

// rules are what a scenario asks beyond what holds always.
type rules struct {
	// faultless: there is no answer but 200 and invalid_grant, and every code
	// that was sent succeeds, where the claim promises it.
	faultless bool
	// reloading: no 5xx. Connections may end.
	reloading bool
}

// judge holds histories against the model and the rules.
func (c *circumstances) judge(r rules, histories []*history) *verdict {
	v := &verdict{codes: len(histories)}
	for _, h := range histories {
		for i := range h.operations {
			v.counts[h.operations[i].answer]++
		}
		c.judgeCode(v, r, h)
	}
	for a, n := range v.counts {
		if answer(a) != unsent {
			v.requests += n
		}
	}
	if v.counts[issued] == 0 && len(histories) > 0 {
		v.found(nil, "no code succeeded at all")
	}
	c.judgeEffects(v, histories)
	return v
}

func (c *circumstances) judgeCode(v *verdict, r rules, h *history) {
	successes := h.count(issued)
	switch {
	case successes > 1:
		v.found(h, "a code succeeded %d times", successes)
	case h.count(unexpected) > 0:
		v.found(h, "an answer is none of 200, invalid_grant, 500 and 503")
	case !c.holds(h):
		v.found(h, "the answers for a code contradict each other")
	}
	fives := h.count(failed) + h.count(unavailable)
	if (r.faultless || r.reloading) && fives > 0 {
		v.found(h, "a request was answered 500 or 503 though nothing failed")
	}
	if r.faultless && h.count(unanswered)+h.count(unsent) > 0 {
		v.found(h, "a request was not answered though nothing failed")
	}
	if successes > 0 || !h.reached() {
		return
	}
	v.nobody++
	if h.count(refused) == len(h.operations)-h.count(unsent) {
		v.refusals++
	}
	if r.faultless && (c.claim != genericClaim || h.only != anyNode) {
		v.found(h, "a code that was sent never succeeded")
	}
}

// untouched reports whether nothing can have become of a code: all its answers
// said so.
func (c *circumstances) untouched(h *history) bool {
	for i := range h.operations {
		o := &h.operations[i]
		early := o.answer == refused && c.step(h, o).beyondSkew
		if o.answer != unavailable && o.answer != unsent && !early {
			return false
		}
	}
	return true
}

// draw writes a picture of a history as porcupine sees it.
func (c *circumstances) draw(h *history, file string) error {
	m := c.claim.model()
	_, info := porcupine.CheckOperationsVerbose(m, c.operations(h), 0)
	return porcupine.VisualizePath(m, info, file)
}

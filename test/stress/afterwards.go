//go:build linux

package main

// afterwards sends once more every code whose answers do not say that it may
// have been redeemed. One that met nothing but 503, or nodes it came too early
// for, must be good; of the others the model judges.
func (l *lane) afterwards(c *circumstances, histories []*history) (good int, bad []*history) {
	cl := newClient(clients, l.secret, l.now)
	defer cl.close()
	for _, h := range histories {
		if h.maybeSpent() {
			continue
		}
		untouched := c.untouched(h)
		l.send(cl, task{h, h.last(c)})
		switch c.fate(h, untouched) {
		case succeeded:
			good++
		case denied:
			bad = append(bad, h)
		}
	}
	return good, bad
}

// fate is what became of a code that was sent once more.
type fate int

const (
	undecided fate = iota // it did not succeed, and need not
	succeeded
	denied // it did not succeed, and should have
)

// fate goes by the last operation of a history. untouched: what came before it
// cannot have changed the code.
func (c *circumstances) fate(h *history, untouched bool) fate {
	last := &h.operations[len(h.operations)-1]
	switch {
	case last.answer == issued:
		return succeeded
	case !untouched, c.step(h, last).untimely:
		return undecided
	}
	return denied
}

// maybeSpent reports whether an answer says that the code was, or may have been,
// redeemed.
func (h *history) maybeSpent() bool {
	return h.count(issued)+h.count(failed)+h.count(unanswered)+h.count(unexpected) > 0
}

// last is the node to send a code to that is to succeed: not one that is too
// early for it.
func (h *history) last(c *circumstances) int {
	if h.only == anyNode || c.offsets[h.mintedBy]-c.offsets[h.only] > skew {
		return h.mintedBy
	}
	return h.only
}

//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// answer is what became of one request, as its client saw it.
type answer uint8

const (
	issued      answer = iota // 200 with tokens
	refused                   // 400 invalid_grant
	unavailable               // 503 temporarily_unavailable: the code is as it was
	failed                    // 500 server_error: the code counts as spent
	unanswered                // sent, and then the connection ended or nothing came
	unsent                    // never reached a node
	unexpected                // anything else, which is a violation
	answers                   // how many kinds there are
)

func (a answer) String() string {
	return [...]string{"200", "400 invalid_grant", "503", "500", "no answer", "not sent", "unexpected"}[a]
}

// operation is one request for a code. Times are those of one monotonic clock,
// the program's.
type operation struct {
	client, node int
	call, ret    time.Duration
	answer       answer
	detail       string // of what was unexpected or unanswered
}

func (o *operation) overlaps(other *operation) bool {
	return o.call <= other.ret && other.call <= o.ret
}

// history is all that was seen of one code.
type history struct {
	code     string
	mintedBy int           // node
	mintedAt time.Duration // when its minting began
	only     int           // the one node it is sent to; any: -1

	mu         sync.Mutex // guards what is below while requests are under way
	operations []operation
}

const anyNode = -1

func (h *history) add(o operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, o)
}

// count returns how many requests had that answer.
func (h *history) count(a answer) int {
	n := 0
	for i := range h.operations {
		if h.operations[i].answer == a {
			n++
		}
	}
	return n
}

// reached reports whether any request for the code may have reached a node.
func (h *history) reached() bool { return h.count(unsent) < len(h.operations) }

// fault is something that was done to a node or to the storage.
type fault struct {
	what     string
	from, to time.Duration
	storage  bool
	killed   *node // the node that forgot what it knew; nil: none
	bite     bite
}

// String tells the story of a code for people. It does not name the code.
func (h *history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "minted at %v by node %d", h.mintedAt.Round(time.Microsecond), h.mintedBy)
	if h.only != anyNode {
		fmt.Fprintf(&b, ", sent to node %d only", h.only)
	}
	operations := slices.Clone(h.operations)
	slices.SortFunc(operations, func(a, b operation) int { return int(a.call - b.call) })
	for _, o := range operations {
		fmt.Fprintf(&b, "\n    %12v … %12v  client %2d → node %d: %s", o.call.Round(time.Microsecond), o.ret.Round(time.Microsecond),
			o.client, o.node, o.answer)
		if o.detail != "" {
			fmt.Fprintf(&b, " (%s)", o.detail)
		}
	}
	return b.String()
}

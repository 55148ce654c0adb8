//go:build linux

package main

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// plan makes the random choices of a scenario, from a seed: how often each code
// is sent, where and when, and what is done to whom. The same seed makes the
// same choices; when they take effect is up to the machine, and with it which
// requests send sends elsewhere, and where.
type plan struct {
	mu   sync.Mutex // guards rand
	rand *rand.Rand
}

func newPlan(seed uint64, name string) *plan {
	h := fnv.New64a()
	h.Write([]byte(name))
	return &plan{rand: rand.New(rand.NewPCG(seed, h.Sum64()))}
}

func (p *plan) below(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rand.IntN(n)
}

func (p *plan) node() int { return p.below(nodes) }

// between returns a duration from a up to b.
func (p *plan) between(a, b time.Duration) time.Duration {
	return a + time.Duration(p.below(int(b-a)))
}

// sending is one request that is to be made.
type sending struct {
	node  int
	delay time.Duration // after the first
}

const (
	minSends, maxSends = 2, 8
	// onlyOneIn is how many codes there are for each that goes to one node only.
	onlyOneIn = 6
)

// sendings decides about one code: 2 to 8 requests, some at once and some
// later, to random nodes or, for some codes, all to one. only is that node.
// None is delayed for longer than latest.
func (p *plan) sendings(latest time.Duration) (list []sending, only int) {
	n := minSends + p.below(maxSends-minSends+1)
	atOnce := 1 + p.below(n)
	only = anyNode
	if p.below(onlyOneIn) == 0 {
		only = p.node()
	}
	for i := range n {
		s := sending{node: only}
		if only == anyNode {
			s.node = p.node()
		}
		if i >= atOnce {
			s.delay = min(p.later(), latest)
		}
		list = append(list, s)
	}
	return list, only
}

// later is a delay: often a few milliseconds, seldom some seconds.
func (p *plan) later() time.Duration {
	switch p.below(10) {
	case 0:
		return p.between(time.Second, 5*time.Second)
	case 1, 2, 3:
		return p.between(100*time.Millisecond, time.Second)
	}
	return p.between(time.Millisecond, 100*time.Millisecond)
}

//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	clients = 50
	// crowd is how many clients wait at one node at most, so that one that is
	// stopped does not keep the others from work.
	crowd = 16
	// attempts is how often a request that cannot reach a node is tried.
	attempts = 4
)

// task is a request for a client to make.
type task struct {
	history *history
	node    int
}

// load has the clients send codes over the time d, or for as much longer as
// the machine needs, up to its double. While the last of them are sent the
// faults go on; stopFaults ends them.
func (l *lane) load(ctx context.Context, p *plan, codes int, d time.Duration, stopFaults func()) []*history {
	minting, stop := context.WithCancel(ctx)
	minted := l.mintAhead(minting, newPlan(l.seed, "minting"))
	queue := make(chan task, 4096)
	var pending, working sync.WaitGroup
	for i := range clients {
		working.Go(func() { l.work(i, queue, &pending) })
	}
	var sent []*history
	began := time.Now()
	for i := range codes {
		pause(ctx, time.Until(began.Add(d*time.Duration(i)/time.Duration(codes))))
		h := next(ctx, minted, began.Add(2*d+10*time.Second))
		if h == nil {
			break
		}
		sent = append(sent, h)
		list, only := p.sendings(d / 4)
		h.only = only
		pending.Add(len(list))
		for _, s := range list {
			release(queue, task{h, s.node}, s.delay)
		}
	}
	stop()
	stopFaults()
	pending.Wait()
	close(queue)
	working.Wait()
	l.background.Wait()
	return sent
}

// work is one client, until there is no more to send.
func (l *lane) work(id int, queue <-chan task, pending *sync.WaitGroup) {
	c := newClient(id, l.secret, l.now)
	defer c.close()
	for t := range queue {
		l.send(c, t)
		pending.Done()
	}
}

// next returns a code, or nil when there is none by the deadline.
func next(ctx context.Context, minted <-chan *history, deadline time.Time) *history {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if ctx.Err() != nil {
		return nil
	}
	select {
	case h := <-minted:
		return h
	case <-ctx.Done():
		return nil
	}
}

func release(queue chan<- task, t task, delay time.Duration) {
	if delay == 0 {
		queue <- t
		return
	}
	time.AfterFunc(delay, func() { queue <- t })
}

// send makes one request. One that cannot reach its node, or finds a crowd there,
// goes to any, unless the code is for that node only. That is no choice of the
// plan's: which requests it befalls is up to the machine.
func (l *lane) send(c *client, t task) {
	node := t.node
	for attempt := range attempts {
		if t.history.only == anyNode && (attempt > 0 || l.nodes[node].outstanding.Load() >= crowd) {
			node = rand.IntN(nodes)
		}
		n := l.nodes[node]
		n.outstanding.Add(1)
		o, tokens := c.redeem(n, t.history.code)
		n.outstanding.Add(-1)
		if o.answer == issued {
			if err := l.keys.note(tokens); err != nil {
				o.answer, o.detail = unexpected, err.Error()
			}
		}
		t.history.add(o)
		if o.answer != unsent {
			return
		}
		time.Sleep(time.Duration(attempt+1) * 20 * time.Millisecond)
	}
}

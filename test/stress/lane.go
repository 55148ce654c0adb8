//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// lane is one storage and the four nodes that share it. Lanes run side by side
// and have nothing in common but the machine.
type lane struct {
	name       string
	claim      claim
	launcher   *launcher
	ports      *ports
	now        func() time.Duration // since the program started
	seed       uint64
	dir        string
	storage    string // as a Caddyfile names it
	secret     string
	secretHash string

	nodes        [nodes]*node
	redis        *process // nil: the storage is not Redis
	redisAddress string
	disk         *disk // nil: the storage is not a file system to be harmed

	background sync.WaitGroup
	tally      *tally        // of the running scenario
	until      time.Duration // when it is to end
	keys       keyring
	issuings   issuings
	mu         sync.Mutex // guards faults
	faults     []fault
}

// tally counts what no history tells.
type tally struct {
	mintFailed atomic.Int64
	afterwards int // codes that had met nothing but 503 and were good when all was over

	mu      sync.Mutex     // guards refused
	refused map[string]int // faults that the system did not let happen, by name
}

func (t *tally) refuse(fault string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused = make(map[string]int)
	}
	t.refused[fault]++
}

// happened records a fault that is over now.
func (l *lane) happened(f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.to = l.now()
	l.faults = append(l.faults, f)
}

// up starts the storage and all nodes at once, which then find it empty.
func (l *lane) up(ctx context.Context, binary string) error {
	if l.redis != nil {
		if err := l.redis.start(); err != nil {
			return err
		}
		if err := redisAnswers(ctx, l.redisAddress); err != nil {
			return fmt.Errorf("%s does not come up: %w", l.redis.name, err)
		}
	}
	for i := range l.nodes {
		var err error
		if l.nodes[i], err = l.newNode(i, binary); err != nil {
			return err
		}
	}
	return l.restart(ctx, [nodes]time.Duration{})
}

// restart starts all nodes anew, with their clocks off by offsets.
func (l *lane) restart(ctx context.Context, offsets [nodes]time.Duration) error {
	for i, n := range l.nodes {
		n.kill()
		n.offset = offsets[i]
		if err := n.launch(); err != nil {
			return err
		}
	}
	for _, n := range l.nodes {
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) down() {
	for _, n := range l.nodes {
		if n != nil {
			n.kill()
		}
	}
	if l.redis != nil {
		l.redis.kill()
	}
}

// recovered waits until codes of every node succeed at every other again.
func (l *lane) recovered(ctx context.Context) error {
	c := newClient(0, l.secret, l.now)
	defer c.close()
	for _, p := range pairs(l.nodes[:]) {
		err := eventually(ctx, 20*time.Second, func() error { return l.redeemsFresh(ctx, c, p.minter, p.redeemer) })
		if err != nil {
			return fmt.Errorf("after the faults, codes of node %d do not succeed at node %d: %w", p.minter.index, p.redeemer.index, err)
		}
	}
	return nil
}

// pair is two nodes, or one twice, by whose clocks a code of the one is good at
// the other.
type pair struct{ minter, redeemer *node }

// pairs leaves out those that are further apart than clocks may be, to where the
// code would come too early.
func pairs(all []*node) (list []pair) {
	for _, minter := range all {
		for _, redeemer := range all {
			if minter.offset-redeemer.offset <= skew {
				list = append(list, pair{minter, redeemer})
			}
		}
	}
	return list
}

func (l *lane) redeemsFresh(ctx context.Context, c *client, minter, n *node) error {
	h, err := l.mint(ctx, minter)
	if err != nil {
		return err
	}
	o, t := c.redeem(n, h.code)
	if o.answer != issued {
		return fmt.Errorf("%s %s", o.answer, o.detail)
	}
	if err := l.keys.note(t); err != nil {
		return err
	}
	return checkIssueTime(t, time.Now().Add(n.offset))
}

// failures reads the logs on, and returns what went wrong with the processes
// themselves.
func (l *lane) failures() error {
	var errs []error
	for _, n := range l.nodes {
		errs = append(errs, n.failure(), l.issuings.readLog(n))
	}
	if l.redis != nil {
		errs = append(errs, l.redis.failure())
	}
	return errors.Join(errs...)
}

func (l *lane) mkdir(name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	return dir, errors.Join(os.Mkdir(dir, 0o700), l.launcher.give(dir))
}

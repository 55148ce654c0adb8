//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// injector does harm until ctx ends, and then leaves all as it found it. Its
// error is a violation: a node that does not come up again, for example.
type injector func(ctx context.Context, l *lane, p *plan) error

// undisturbed is the context of what ends a fault: it must be done also when
// the scenario is over.
func undisturbed(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// kills ends nodes by SIGKILL at whatever they are doing and starts them again.
func kills(ctx context.Context, l *lane, p *plan) error {
	for pause(ctx, p.between(200*time.Millisecond, 800*time.Millisecond)) {
		n, down := l.nodes[p.node()], p.between(0, 300*time.Millisecond)
		if !n.mu.TryLock() {
			continue
		}
		from := l.now()
		n.kill()
		gone := l.now()
		pause(ctx, down)
		b := bite{from: gone, to: l.now(), shows: lost}
		err := n.launch()
		if err == nil {
			err = n.ready(undisturbed(ctx))
		}
		l.happened(fault{what: fmt.Sprintf("node %d killed and started", n.index), from: from, killed: n, bite: b})
		n.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// longStop is longer than any lease or limit there is, in this plugin or in
// certmagic.
const longStop = 15 * time.Second

// longStops stops one node after the other for so long that everybody else
// would take it for dead, and has it go on. It begins none that would outlast
// the scenario.
func longStops(ctx context.Context, l *lane, p *plan) error {
	for pause(ctx, p.between(200*time.Millisecond, time.Second)) {
		if l.until-l.now() < longStop {
			continue
		}
		if err := l.stop(undisturbed(ctx), l.nodes[p.node()], longStop); err != nil {
			return err
		}
	}
	return nil
}

// shortStops stops nodes for a moment, many times: between any two steps.
func shortStops(ctx context.Context, l *lane, p *plan) error {
	for pause(ctx, p.between(50*time.Millisecond, 400*time.Millisecond)) {
		n, d := l.nodes[p.node()], p.between(10*time.Millisecond, 300*time.Millisecond)
		if err := l.stop(ctx, n, d); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) stop(ctx context.Context, n *node, d time.Duration) error {
	if !n.mu.TryLock() {
		return nil
	}
	defer n.mu.Unlock()
	from := l.now()
	err := n.stopFor(ctx, d)
	l.happened(fault{what: fmt.Sprintf("node %d stopped", n.index), from: from})
	return err
}

// reloads loads configs, changed ones and the same again.
func reloads(ctx context.Context, l *lane, p *plan) error {
	for pause(ctx, p.between(20*time.Millisecond, 200*time.Millisecond)) {
		n, changed := l.nodes[p.node()], p.below(4) > 0
		if !n.mu.TryLock() {
			continue
		}
		from := l.now()
		err := n.reload(undisturbed(ctx), changed)
		l.happened(fault{what: fmt.Sprintf("node %d reloaded, config changed: %v", n.index, changed), from: from})
		n.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// redisKills ends Redis by SIGKILL and starts it again.
func redisKills(ctx context.Context, l *lane, p *plan) error {
	for pause(ctx, p.between(800*time.Millisecond, 2*time.Second)) {
		if err := l.killRedis(ctx, p.between(0, 1500*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) killRedis(ctx context.Context, down time.Duration) error {
	from := l.now()
	l.redis.kill()
	gone := l.now()
	pause(ctx, down)
	// The storage's client tries again for longer than that, but for some calls.
	b := bite{from: gone, to: l.now(), shows: storageAway, outlasted: true}
	err := l.redis.start()
	if err == nil {
		err = redisAnswers(undisturbed(ctx), l.redisAddress)
	}
	l.happened(fault{what: "Redis killed and started", from: from, storage: true, bite: b})
	return err
}

// redisStops stops Redis, for moments and for longer than a call may take.
func redisStops(ctx context.Context, l *lane, p *plan) error {
	for pause(ctx, p.between(500*time.Millisecond, 1500*time.Millisecond)) {
		d := p.between(100*time.Millisecond, 2*time.Second)
		if p.below(3) == 0 {
			d = p.between(5*time.Second, 8*time.Second)
		}
		if err := l.stopRedis(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

const (
	// aMoment is what a process has until it has stopped.
	aMoment = 50 * time.Millisecond
	// callTakes is longer than a node waits for its storage: where Redis is stopped
	// for less, it may answer every request yet.
	callTakes = 5500 * time.Millisecond
)

func (l *lane) stopRedis(ctx context.Context, d time.Duration) error {
	from := l.now()
	err := l.redis.signal(syscall.SIGSTOP)
	pause(ctx, d)
	f := fault{what: "Redis stopped", from: from, storage: true}
	if stopped := from + aMoment; l.now()-stopped > callTakes {
		f.bite = bite{from: stopped, to: l.now(), shows: storageAway}
	}
	err = errors.Join(err, l.redis.signal(syscall.SIGCONT))
	l.happened(f)
	return err
}

// redisFaults kills or stops Redis.
func redisFaults(ctx context.Context, l *lane, p *plan) error {
	for pause(ctx, p.between(800*time.Millisecond, 3*time.Second)) {
		harm, d := l.killRedis, p.between(50*time.Millisecond, 1500*time.Millisecond)
		if p.below(2) == 0 {
			harm = l.stopRedis
		}
		if err := harm(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// diskFaults makes a fault of the disk come and go. alone: nobody restarts or
// reloads nodes meanwhile, so that each has its keys in memory.
func diskFaults(alone bool, choose func(p *plan, d *disk) diskFault) injector {
	return func(ctx context.Context, l *lane, p *plan) error {
		for pause(ctx, p.between(200*time.Millisecond, time.Second)) {
			f, d := choose(p, l.disk), p.between(300*time.Millisecond, 1500*time.Millisecond)
			from := l.now()
			err := f.begin()
			if errors.Is(err, errNotNow) {
				l.tally.refuse(f.name)
				continue
			}
			if err != nil {
				return errors.Join(fmt.Errorf("%s: %w", f.name, err), f.end())
			}
			b := bite{from: l.now(), shows: f.shows}
			pause(ctx, d)
			if alone {
				err = l.servesDocuments(undisturbed(ctx))
			}
			b.to = l.now()
			err = errors.Join(err, f.end())
			l.happened(fault{what: f.name, from: from, storage: true, bite: b})
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
		return nil
	}
}

// servesDocuments makes sure that the nodes publish their keys and metadata
// from memory while the storage is away.
func (l *lane) servesDocuments(ctx context.Context) error {
	for _, n := range l.nodes {
		for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"} {
			if _, err := n.get(ctx, path); err != nil {
				return fmt.Errorf("node %d, storage away: %w", n.index, err)
			}
		}
	}
	return nil
}

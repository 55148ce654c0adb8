//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// result is one scenario on one storage.
type result struct {
	lane, scenario string
	skipped        string // why; empty: it was run
	verdict        *verdict
	circumstances  *circumstances
	faults         int
	tally          *tally
	signatures     int // checked
	wanted         int // codes
	issuings       int // in the logs
	took           time.Duration
}

// run runs one scenario.
func (l *lane) run(ctx context.Context, s *scenario, codes int, d time.Duration) (*result, error) {
	l.tally, l.faults = new(tally), nil
	began := l.now()
	if l.redis != nil {
		if err := redisSyncs(l.redisAddress, !s.rules.faultless && !s.rules.reloading); err != nil {
			return nil, err
		}
	}
	if s.offsets != [nodes]time.Duration{} {
		if err := l.restart(ctx, s.offsets); err != nil {
			return nil, err
		}
	}
	histories, faultErr := l.underFaults(ctx, s, codes, max(d, s.atLeast))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c := &circumstances{claim: l.claim, offsets: s.offsets, faults: l.faults}
	recoverErr := l.recovered(ctx)
	good, bad := l.afterwards(c, histories)
	v := c.judge(s.rules, histories)
	l.tally.afterwards = good
	for _, h := range bad {
		v.found(h, "a code that had met nothing but 503 was not good afterwards")
	}
	r := &result{lane: l.name, scenario: s.name, verdict: v, circumstances: c, faults: len(l.faults), tally: l.tally, wanted: codes}
	for _, n := range l.nodes {
		checked, err := l.keys.verify(ctx, n)
		r.signatures += checked
		if err != nil {
			v.found(nil, "%v", err)
		}
	}
	l.keys.forget()
	logged := l.issuings.count
	if err := errors.Join(faultErr, recoverErr, l.failures()); err != nil {
		v.found(nil, "%v", err)
	}
	r.issuings = l.issuings.count - logged
	l.issuings.judge(v, s.rules, histories)
	r.idle(s)
	r.took = l.now() - began
	if s.offsets != [nodes]time.Duration{} {
		return r, l.restart(ctx, [nodes]time.Duration{})
	}
	return r, nil
}

// underFaults sends codes while the scenario's injectors are at work.
func (l *lane) underFaults(ctx context.Context, s *scenario, codes int, d time.Duration) ([]*history, error) {
	l.until = l.now() + d
	harming, stop := context.WithCancel(ctx)
	defer stop()
	var injectors sync.WaitGroup
	errs := make([]error, len(s.faults))
	for i, inject := range s.faults {
		p := newPlan(l.seed, fmt.Sprint(l.name, s.name, "faults", i))
		injectors.Go(func() { errs[i] = inject(harming, l, p) })
	}
	histories := l.load(ctx, newPlan(l.seed, l.name+s.name), codes, d, func() {
		stop()
		injectors.Wait()
	})
	return histories, errors.Join(errs...)
}

// idle finds a scenario that showed little because little was done in it. Faults
// keep nodes from minting, so half of the codes will do under them; not so where
// nothing fails, or nodes are only reloaded. A fault that the system refused is
// none.
func (r *result) idle(s *scenario) {
	least := r.wanted
	if !s.rules.faultless && !s.rules.reloading {
		least = (r.wanted + 1) / 2
	}
	if r.verdict.codes < least {
		r.verdict.found(nil, "only %d of %d codes were minted in time, and %d mintings failed", r.verdict.codes, r.wanted, r.tally.mintFailed.Load())
	}
	if len(s.faults) > 0 && r.faults == 0 {
		r.verdict.found(nil, "no fault happened; refused by the system: %v", r.tally.refused)
	}
}

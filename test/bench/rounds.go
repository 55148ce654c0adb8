//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
)

// measure visits every subject once a round.
func (b *bench) measure(ctx context.Context) error {
	for _, s := range b.all() {
		warm := s.warm
		if b.quick {
			warm = min(warm, 50)
		}
		if s.alg == "RS256" {
			warm /= 5
		}
		if _, err := s.burst(wide, max(warm, 2*wide), 0); err != nil {
			return err
		}
	}
	if len(b.subjects) == 0 {
		return nil
	}
	for round := range b.rounds {
		for _, s := range b.subjects {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.visit(s, b.lean[s.alg]); err != nil {
				return err
			}
		}
		if err := b.sign(); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, b.rounds)
	}
	return nil
}

// sign measures two bare signatures with each algorithm.
func (b *bench) sign() error {
	for alg := range b.algorithms() {
		cpu, err := b.signed(alg)
		if err != nil {
			return err
		}
		b.signatures[alg] = append(b.signatures[alg], cpu)
	}
	return nil
}

// signed returns the CPU of two bare signatures now, in µs.
func (b *bench) signed(alg string) (float64, error) {
	n := b.size(alg, wide)
	s := b.lean[alg].server
	sign := func(n int) error {
		_, err := s.ask(fmt.Sprintf("/bench/signatures?alg=%s&n=%d", alg, n))
		return err
	}
	if err := sign(n / 10); err != nil { // the first makes the key
		return 0, err
	}
	before, err := cpuTime(s.pid)
	if err != nil {
		return 0, err
	}
	if err := sign(n); err != nil {
		return 0, err
	}
	after, err := cpuTime(s.pid)
	return micros(after-before) / float64(n), err
}

func (b *bench) algorithms() map[string]bool {
	used := make(map[string]bool)
	for _, s := range b.subjects {
		used[s.alg] = true
	}
	return used
}

//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
)

// prepare starts and checks all subjects.
func (b *bench) prepare(ctx context.Context) error {
	if err := b.startFloors(ctx); err != nil {
		return err
	}
	if b.wants("respond") {
		b.subjects = append(b.subjects, b.respond)
	}
	if err := b.startEndpoints(ctx); err != nil {
		return err
	}
	if err := b.startPeers(ctx); err != nil {
		return err
	}
	slices.SortStableFunc(b.subjects, func(x, y *subject) int {
		return slices.Index(algorithms, x.alg) - slices.Index(algorithms, y.alg)
	})
	for _, s := range b.all() {
		if err := s.check(); err != nil {
			return fmt.Errorf("checking %w", err)
		}
		if err := s.connect(); err != nil {
			return err
		}
	}
	return b.compareClaims()
}

// compareClaims makes sure that lean signs what this plugin signs: claims that
// only one of them has would make the other look cheap.
func (b *bench) compareClaims() error {
	for _, s := range b.subjects {
		floor := b.lean[s.alg]
		if s.floor() || s.peer || slices.EqualFunc(s.claims, floor.claims, slices.Equal) {
			continue
		}
		return fmt.Errorf("tokens of %s have the claims %v, those of %s have %v", s.name, s.claims, floor.name, floor.claims)
	}
	return nil
}

// all are the subjects with the floors that are used.
func (b *bench) all() []*subject {
	var all []*subject
	for _, alg := range algorithms {
		if slices.ContainsFunc(b.subjects, func(s *subject) bool { return s.alg == alg }) {
			all = append(all, b.lean[alg])
		}
	}
	return append(all, b.subjects...)
}

func (b *bench) start(ctx context.Context, c caddy) (*server, error) {
	command, err := c.command(b)
	if err != nil {
		return nil, err
	}
	return b.launch(ctx, command)
}

func (b *bench) launch(ctx context.Context, c command) (*server, error) {
	s, err := c.start(ctx, b.dir)
	if err == nil {
		b.servers = append(b.servers, s)
	}
	return s, err
}

//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// starts is how often each server is started.
const starts = 9

// started is what a start took, and the memory after it.
type started struct{ ms, rss, private float64 } // MiB

// measureStart compares a Caddy without this plugin that answers by respond
// with one that has one client: the time until it accepts connections, and its
// memory after requests.
func (b *bench) measureStart(ctx context.Context) error {
	plain := b.plain()
	var without, with []started
	for i := range starts {
		one, err := b.startOnce(ctx, i, plain)
		if err != nil {
			return err
		}
		without = append(without, one)
		if one, err = b.startOnce(ctx, i, ""); err != nil {
			return err
		}
		with = append(with, one)
	}
	caddys, ours := medians(without), medians(with)
	row := func(name string, x started) []string {
		return []string{name, format("%.1f", x.ms), format("%.1f", x.rss), format("%.1f", x.private)}
	}
	b.sections = append(b.sections, section{
		Title:   "Start and memory",
		Text:    fmt.Sprintf("Medians of %d starts. Memory after 2,500 requests at 32 connections. What is not private is files, most of it the program: how much of that counts depends on how the kernel happens to have it cached.", starts),
		Columns: []string{"", "start ms", "RSS MiB", "private MiB"},
		Rows:    [][]string{row("Caddy with respond", caddys), row("Caddy with oidc_token, file system, ES256", ours)},
	})
	later, larger := ours.ms-caddys.ms, ours.private-caddys.private
	b.found = append(b.found,
		target{"start beyond Caddy's own", "≤ 10 ms", fmt.Sprintf("%.1f ms", later), later <= 10},
		target{"private memory beyond Caddy's own", "≤ 10 MiB", fmt.Sprintf("%.1f MiB", larger), larger <= 10})
	return nil
}

// medians has the median of each.
func medians(all []started) started {
	of := func(value func(started) float64) float64 {
		var values []float64
		for _, one := range all {
			values = append(values, value(one))
		}
		return median(values)
	}
	return started{
		of(func(x started) float64 { return x.ms }),
		of(func(x started) float64 { return x.rss }),
		of(func(x started) float64 { return x.private }),
	}
}

// startOnce starts a Caddy from another binary with respond, or ours.
func (b *bench) startOnce(ctx context.Context, i int, plain string) (started, error) {
	name := fmt.Sprintf("start-%d", i)
	var s *subject
	var err error
	if plain == "" {
		s, err = b.startSpecial(ctx, special{name: name, storage: "file_system"})
	} else {
		s, err = b.startPlain(ctx, name+"-plain", plain)
	}
	if err != nil {
		return started{}, err
	}
	defer s.server.stop()
	defer s.disconnect()
	n := 2500
	if plain == "" {
		n -= s.warm
	}
	if _, err := s.burst(wide, n, 0); err != nil {
		return started{}, err
	}
	rss, err := s.server.residentSet()
	if err != nil {
		return started{}, err
	}
	private, err := s.server.private()
	return started{float64(s.server.took) / float64(time.Millisecond), mebibytes(rss), mebibytes(private)}, err
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

func (b *bench) startPlain(ctx context.Context, name, binary string) (*subject, error) {
	command, err := caddy{name: name, handle: func(string) []any {
		return []any{object{"handle": []any{object{"handler": "static_response", "body": strings.Repeat("x", respondSize)}}}}
	}}.command(b)
	if err != nil {
		return nil, err
	}
	command.argv[0] = binary
	server, err := b.launch(ctx, command)
	if err != nil {
		return nil, err
	}
	s := &subject{name: name, alg: "ES256", server: server, path: "/token", client: clientID, secret: b.secret}
	return s, s.connect()
}

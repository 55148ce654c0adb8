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

// measureStart compares a Caddy without this plugin that answers by respond
// with one that has one client: the time until it accepts connections, and its
// memory after two thousand requests.
func (b *bench) measureStart(ctx context.Context) error {
	plain := b.plain()
	var plainTook, oursTook, plainRSS, oursRSS []float64
	for i := range starts {
		took, rss, err := b.startOnce(ctx, i, plain)
		if err != nil {
			return err
		}
		plainTook, plainRSS = append(plainTook, took), append(plainRSS, rss)
		if took, rss, err = b.startOnce(ctx, i, ""); err != nil {
			return err
		}
		oursTook, oursRSS = append(oursTook, took), append(oursRSS, rss)
	}
	b.sections = append(b.sections, section{
		Title:   "Start and memory",
		Text:    fmt.Sprintf("Medians of %d starts. Memory after 2000 requests at 32 connections.", starts),
		Columns: []string{"", "start ms", "RSS MiB"},
		Rows: [][]string{
			{"Caddy with respond", format("%.1f", median(plainTook)), format("%.1f", median(plainRSS))},
			{"Caddy with oidc_token, file system, ES256", format("%.1f", median(oursTook)), format("%.1f", median(oursRSS))},
		},
	})
	later, larger := median(oursTook)-median(plainTook), median(oursRSS)-median(plainRSS)
	b.found = append(b.found,
		target{"start beyond Caddy's own", "≤ 10 ms", fmt.Sprintf("%.1f ms", later), later <= 10},
		target{"RSS beyond Caddy's own", "≤ 10 MiB", fmt.Sprintf("%.1f MiB", larger), larger <= 10})
	return nil
}

// startOnce starts a Caddy from another binary with respond, or ours.
func (b *bench) startOnce(ctx context.Context, i int, plain string) (ms, mib float64, err error) {
	name := fmt.Sprintf("start-%d", i)
	var s *subject
	if plain == "" {
		s, err = b.startSpecial(ctx, special{name: name, storage: "file_system"})
	} else {
		s, err = b.startPlain(ctx, name+"-plain", plain)
	}
	if err != nil {
		return 0, 0, err
	}
	defer s.server.stop()
	defer s.disconnect()
	if _, err := s.burst(wide, 2000, 0); err != nil {
		return 0, 0, err
	}
	rss, err := s.server.residentSet()
	return float64(s.server.took) / float64(time.Millisecond), float64(rss) / (1 << 20), err
}

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

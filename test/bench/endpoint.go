//go:build linux

package main

import (
	"context"
	"maps"
	"path/filepath"
)

// special is an endpoint of a further mode: ES256 on a storage of its own, with
// settings beside one client that redeems.
type special struct {
	name     string
	storage  string // memory or file_system
	lifetime string // of codes; "": the default
	clients  []any  // more of them
	options  object // of the HTTP server
	settings object // more of them
}

// startSpecial starts and checks it. Whoever calls stops its server.
func (b *bench) startSpecial(ctx context.Context, x special) (*subject, error) {
	storage := object{"module": "bench_memory"}
	if x.storage == "file_system" {
		storage = object{"module": "file_system", "root": filepath.Join(b.dir, "storage-"+x.name)}
	}
	settings := object{"signing_alg": "ES256", "clients": append([]any{client(clientID, hashed(b.secret))}, x.clients...)}
	if x.lifetime != "" {
		settings["code_lifetime"] = x.lifetime
	}
	maps.Copy(settings, x.settings)
	c := endpoint(x.name, storage, settings)
	c.options = x.options
	server, err := b.start(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &subject{
		name: x.name, alg: "ES256", server: server, path: "/token", client: clientID, secret: b.secret,
		mint: mintPath(server), keys: "/.well-known/jwks.json", warm: 500,
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := s.connect(); err != nil {
		return nil, err
	}
	_, err = s.burst(wide, s.warm, 0)
	return s, err
}

// compared are the CPU of two subjects, and the ratio of the second to the
// first, medians of bursts of the second between two of the first.
type compared struct{ first, second, ratio float64 }

func (b *bench) compare(first, second *subject) (compared, error) {
	var firsts, seconds, ratios []float64
	for range max(b.rounds, 5) {
		n := b.size("ES256", wide)
		x, err := first.burst(wide, n, n/10)
		if err != nil {
			return compared{}, err
		}
		y, err := second.burst(wide, n, n/10)
		if err != nil {
			return compared{}, err
		}
		z, err := first.burst(wide, n, n/10)
		if err != nil {
			return compared{}, err
		}
		around := (x.CPU + z.CPU) / 2
		firsts, seconds, ratios = append(firsts, around), append(seconds, y.CPU), append(ratios, y.CPU/around)
	}
	return compared{median(firsts), median(seconds), median(ratios)}, nil
}

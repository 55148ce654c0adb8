//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/crypto/bcrypt"
)

// storages are those this plugin is measured on, by name.
var storages = []string{"memory", "file_system", "redis"}

// startFloors starts the Caddy of the floors and returns them: lean by
// algorithm.
func (b *bench) startFloors(ctx context.Context) error {
	s, err := b.start(ctx, floors())
	if err != nil {
		return err
	}
	b.lean = make(map[string]*subject)
	for _, alg := range algorithms {
		b.lean[alg] = &subject{name: "lean/" + alg, alg: alg, server: s, path: "/lean/" + alg, keys: "/lean/" + alg, client: clientID, secret: b.secret, warm: 500}
	}
	b.respond = &subject{name: "respond", alg: "ES256", server: s, path: "/respond", client: clientID, secret: b.secret, warm: 500}
	return nil
}

// startEndpoints starts a Caddy with this plugin for each storage and
// algorithm that is wanted.
func (b *bench) startEndpoints(ctx context.Context) error {
	clients, err := b.clients()
	if err != nil {
		return err
	}
	for _, alg := range algorithms {
		for _, storage := range storages {
			if err := b.startEndpoint(ctx, alg, storage, clients); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) startEndpoint(ctx context.Context, alg, storage string, clients []any) error {
	base := "oidc_token/" + storage + "/" + alg
	var wanted []*subject
	for _, c := range []struct{ secret, id string }{{"sha256", clientID}, {"bcrypt", clientIDBcrypt}} {
		if name := base + "/" + c.secret; b.wants(name) {
			wanted = append(wanted, &subject{name: name, alg: alg, path: "/token", client: c.id, secret: b.secret, keys: "/.well-known/jwks.json", warm: 500})
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	config, err := b.storage(ctx, storage, alg)
	if err != nil || config == nil {
		return err
	}
	s, err := b.start(ctx, endpoint(base, config, object{"signing_alg": alg, "clients": clients}))
	if err != nil {
		return err
	}
	for _, subject := range wanted {
		subject.server, subject.mint = s, mintPath(s)
		if storage == "redis" {
			subject.beside = b.redis
		}
	}
	b.subjects = append(b.subjects, wanted...)
	return nil
}

// mintPath asks a Caddy with this plugin for codes.
func mintPath(s *server) string { return "/bench/codes?issuer=" + url.QueryEscape("http://"+s.address) }

// clients are one client with each kind of secret.
func (b *bench) clients() ([]any, error) {
	slow, err := bcrypt.GenerateFromPassword([]byte(b.secret), 10)
	if err != nil {
		return nil, err
	}
	return []any{client(clientID, hashed(b.secret)), client(clientIDBcrypt, string(slow))}, nil
}

// storage is the config of a storage, with what it needs running; nil where
// that is not to be had here.
func (b *bench) storage(ctx context.Context, name, alg string) (object, error) {
	switch name {
	case "memory":
		return object{"module": "bench_memory"}, nil
	case "file_system":
		return object{"module": "file_system", "root": filepath.Join(b.dir, "storage-"+alg)}, nil
	}
	if err := b.startRedis(ctx); err != nil || b.redis == nil {
		return nil, err
	}
	return object{"module": "test_redis", "address": b.redis.address, "prefix": alg + "/"}, nil
}

// startRedis starts a Redis of this program's own, on the core of the load.
func (b *bench) startRedis(ctx context.Context) error {
	if b.redis != nil {
		return nil
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		b.skip("redis", "redis-server is not in the PATH")
		return nil
	}
	address, err := freePort()
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	b.redis, err = b.launch(ctx, command{
		name: "redis", core: b.cores.load, dir: dir, address: address,
		argv: []string{path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"},
	})
	if err != nil {
		return fmt.Errorf("starting Redis: %w", err)
	}
	return nil
}

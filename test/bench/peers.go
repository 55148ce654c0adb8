//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is a token endpoint of others. What it needs may be missing here.
type peer struct {
	name string
	keys string // path of its JWKS
	path string // of its token endpoint
	warm int
	// build makes the command line that starts it.
	build func(ctx context.Context, b *bench, dir string) ([]string, error)
}

var peers = []peer{
	// V8 compiles what it finds to be hot; a server that has run for a minute is
	// what is compared.
	{name: "oidc-provider", keys: "/jwks", path: "/token", warm: 4000, build: buildOIDCProvider},
	{name: "zitadel", keys: "/keys", path: "/oauth/token", warm: 500, build: buildZitadel},
}

// buildPeers builds those that are wanted, on all cores.
func (b *bench) buildPeers(ctx context.Context) {
	b.peers = make(map[string][]string)
	for _, p := range peers {
		if !b.wantsAny(p) {
			continue
		}
		argv, err := p.build(ctx, b, filepath.Join(b.sources, "peers", p.name))
		if err != nil {
			b.skip(p.name, err.Error())
			continue
		}
		b.peers[p.name] = argv
	}
}

func (b *bench) wantsAny(p peer) bool {
	for _, alg := range algorithms {
		if b.wants(p.name + "/" + alg) {
			return true
		}
	}
	return false
}

// startPeers starts a process of each peer for each algorithm.
func (b *bench) startPeers(ctx context.Context) error {
	for _, alg := range algorithms {
		for _, p := range peers {
			argv, built := b.peers[p.name]
			if name := p.name + "/" + alg; !built || !b.wants(name) {
				continue
			}
			if err := b.startPeer(ctx, p, alg, argv); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) startPeer(ctx context.Context, p peer, alg string, argv []string) error {
	address, err := freePort()
	if err != nil {
		return err
	}
	door, err := freePort()
	if err != nil {
		return err
	}
	name := p.name + "/" + alg
	s, err := b.launch(ctx, command{
		name: name, core: b.cores.server, argv: argv, address: address, door: door, dir: b.dir,
		env: []string{
			"ADDRESS=" + address, "DOOR=" + door, "ALGORITHM=" + alg,
			"CLIENT_ID=" + clientID, "CLIENT_SECRET=" + b.secret, "REDIRECT_URI=" + redirectURI,
			"NODE_ENV=production",
		},
	})
	if err != nil {
		return err
	}
	b.subjects = append(b.subjects, &subject{
		name: name, alg: alg, server: s, path: p.path, keys: p.keys, client: clientID, secret: b.secret,
		mint: "/codes?peer", warm: p.warm, peer: true,
	})
	return nil
}

// buildOIDCProvider installs what package-lock.json names.
func buildOIDCProvider(ctx context.Context, _ *bench, dir string) ([]string, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("node is not in the PATH")
	}
	if !installed(dir) {
		npm, err := exec.LookPath("npm")
		if err != nil {
			return nil, errors.New("npm is not in the PATH")
		}
		install := exec.CommandContext(ctx, npm, "ci", "--no-audit", "--no-fund", "--loglevel=error")
		install.Dir = dir
		if output, err := install.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm ci: %w: %s", err, lastLine(output))
		}
	}
	return []string{node, "--expose-gc", filepath.Join(dir, "server.mjs")}, nil
}

// installed reports whether npm ran since the lock file was last changed.
func installed(dir string) bool {
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return false
	}
	marker, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	return err == nil && !marker.ModTime().Before(lock.ModTime())
}

func buildZitadel(ctx context.Context, b *bench, dir string) ([]string, error) {
	binary := filepath.Join(b.dir, "zitadel")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	build.Dir = dir
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, lastLine(output))
	}
	return []string{binary}, nil
}

func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build makes the servers, on all cores.
func (b *bench) build(ctx context.Context) error {
	b.binary = filepath.Join(b.dir, "caddy")
	servers := map[string]string{b.binary: "github.com/authentiq/caddy-oidc-token/test/bench/server"}
	if b.scale {
		servers[b.plain()] = "github.com/caddyserver/caddy/v2/cmd/caddy"
	}
	for binary, source := range servers {
		build := exec.CommandContext(ctx, "go", "build", "-o", binary, source)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("building %s: %w", source, err)
		}
	}
	where, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/authentiq/caddy-oidc-token/test/bench").Output()
	if err != nil {
		return fmt.Errorf("finding the sources: %w", err)
	}
	b.sources = strings.TrimSpace(string(where))
	b.buildPeers(ctx)
	return nil
}

// plain is the binary of a Caddy without this plugin.
func (b *bench) plain() string { return filepath.Join(b.dir, "plain-caddy") }

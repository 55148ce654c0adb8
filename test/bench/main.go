//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
)

// bench is one run of this program.
type bench struct {
	flags
	dir     string              // of everything it writes
	sources string              // of this program
	binary  string              // the Caddy that is measured
	peers   map[string][]string // command lines, by name
	cores   cores
	secret  string // of the client
	out     io.Writer

	servers  []*server
	redis    *server             // nil: not started
	lean     map[string]*subject // by algorithm
	respond  *subject
	subjects []*subject // but for lean
	skipped  []string   // with the reasons

	// signatures are the CPU of two bare signatures by algorithm, in µs.
	signatures map[string][]float64
	sections   []section // of the further modes
	found      []target  // by them
}

func main() {
	f := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) (err error) {
	b := &bench{flags: f, out: os.Stdout, secret: rand.Text() + rand.Text(), signatures: make(map[string][]float64)}
	if b.quick {
		b.rounds = 1
	}
	if b.dir, err = os.MkdirTemp("", "oidc-token-bench"); err != nil {
		return err
	}
	defer b.close()
	if b.cores, err = allowedCores(); err != nil {
		return err
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := pinSelf(b.cores.load); err != nil {
		return err
	}
	debug.SetGCPercent(400)
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if b.list {
		for _, s := range b.all() {
			fmt.Fprintln(b.out, s.name)
		}
		return nil
	}
	for _, step := range b.steps() {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return b.publish()
}

// steps are what the flags ask for.
func (b *bench) steps() []func(context.Context) error {
	steps := []func(context.Context) error{b.measure}
	if b.profile != "" {
		steps = append(steps, b.writeProfiles)
	}
	if b.refuse {
		steps = append(steps, b.measureRefusals, b.measureFlood)
	}
	if b.signIn || b.quick {
		steps = append(steps, b.measureSignIn)
	}
	if b.half {
		steps = append(steps, b.measureHalfLoad)
	}
	if b.scale {
		steps = append(steps, b.measureCodes, b.measureSwept, b.measureClients, b.measureStart)
	}
	if b.soak > 0 {
		steps = append(steps, b.measureSoak)
	}
	return steps
}

// publish prints what was found, and writes it where it is wanted.
func (b *bench) publish() error {
	r := b.report()
	if b.quick { // measured next to nothing
		r.Targets = nil
	}
	b.print(r)
	if b.json != "" {
		if err := r.writeJSON(b.json); err != nil {
			return err
		}
	}
	switch {
	case b.write && b.quick:
		return errors.New("-quick measures nothing to write down")
	case b.write:
		return b.update(r)
	}
	return nil
}

// skip says what cannot be measured here, once.
func (b *bench) skip(name, reason string) {
	line := name + ": " + reason
	if !slices.Contains(b.skipped, line) {
		b.skipped = append(b.skipped, line)
		fmt.Fprintln(os.Stderr, "skipped:", line)
	}
}

func (b *bench) wants(name string) bool { return selected(name, b.only) }

// close ends what was started.
func (b *bench) close() {
	for _, s := range b.servers {
		s.stop()
	}
	if b.keep {
		fmt.Fprintln(os.Stderr, "kept", b.dir)
		return
	}
	if err := os.RemoveAll(b.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

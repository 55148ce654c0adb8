//go:build linux

// Command stress shows that no authorization code is redeemed twice, whatever
// fails: it runs Caddys that share a storage, has many clients send each code
// several times, and meanwhile kills, stops, reloads and starves them.
//
//	go run ./stress                              # what CI runs
//	go run ./stress -codes 1000000 -for 1h       # a long run
//	go run ./stress -storage redis -scenario pause -seed 7
//
// It prints what was seen, and exits with status 1 and the history of a code
// where that breaks a promise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	codes              int
	time               time.Duration
	storages, scenario string
	seed               uint64
	race               bool
	node               string
}

func main() {
	var o options
	flag.IntVar(&o.codes, "codes", 21_000, "how many codes, over all storages and scenarios")
	flag.DurationVar(&o.time, "for", 80*time.Second, "how long, about; a scenario that needs its time takes it")
	flag.StringVar(&o.storages, "storage", "", "only these storages (comma-separated): file, file-small, redis, redis-claim")
	flag.StringVar(&o.scenario, "scenario", "", "only these scenarios (comma-separated)")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64()>>32, "seed of all random choices")
	flag.BoolVar(&o.race, "race", false, "build the nodes with the race detector")
	flag.StringVar(&o.node, "node", "", "a node that was built before (go build -tags oidc_token_clock_offset ./stress/node)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := stress(ctx, &o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "stress:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// stress runs everything. It keeps the folder with the logs only if something
// went wrong.
func stress(ctx context.Context, o *options) (ok bool, err error) {
	if err := o.check(); err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "oidc-token-stress")
	if err != nil {
		return false, err
	}
	defer func() {
		if ok && err == nil || ctx.Err() != nil {
			err = errors.Join(err, os.RemoveAll(dir))
			return
		}
		fmt.Println("logs and drawings are in", dir)
	}()
	if err := os.Chmod(dir, 0o711); err != nil { // for processes that run as nobody
		return false, err
	}
	binary := o.node
	if binary == "" {
		binary = filepath.Join(dir, "node")
		if err := build(ctx, binary, o.race); err != nil {
			return false, err
		}
	}
	fmt.Printf("%d codes on %d CPUs, %s, seed %d\n", o.codes, runtime.NumCPU(), runtime.Version(), o.seed)
	began := time.Now()
	results, err := o.lanes(ctx, dir, binary)
	ok = summarize(results, dir, time.Since(began))
	return ok, err
}

func build(ctx context.Context, binary string, race bool) error {
	args := []string{"build", "-tags", "oidc_token_clock_offset", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/authentiq/caddy-oidc-token/test/stress/node")...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the nodes: %w", err)
	}
	return nil
}

func summarize(results []*result, dir string, took time.Duration) bool {
	var codes, requests, succeeded, faults, signatures, issuings, wrong int
	for _, r := range results {
		if r.verdict == nil {
			continue
		}
		codes += r.verdict.codes
		requests += r.verdict.requests
		succeeded += r.verdict.counts[issued]
		faults += r.faults
		signatures += r.signatures
		issuings += r.issuings
		wrong += len(r.verdict.wrong)
		r.explain(os.Stdout, dir)
	}
	fmt.Printf("%d codes, %d requests, %d successes, %d faults, %d signatures checked, %d issuings in the logs, %d violations in %.0f s\n",
		codes, requests, succeeded, faults, signatures, issuings, wrong, took.Seconds())
	fmt.Print(omissions(results))
	return wrong == 0 && codes > 0
}

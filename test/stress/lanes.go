//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// lanePlan is what is to be run on one storage.
type lanePlan struct {
	name      string
	claim     claim
	scenarios []share
}

// share is a scenario with what it gets of the codes and of the time.
type share struct {
	scenario
	codes int
	time  time.Duration
}

// surroundings are what all lanes have in common.
type surroundings struct {
	launcher    *launcher
	ports       *ports
	now         func() time.Duration // since the program started
	seed        uint64
	dir, binary string
	report      func(*result)
}

// lanes runs the chosen scenarios on the chosen storages, side by side.
func (o *options) lanes(ctx context.Context, dir, binary string) ([]*result, error) {
	var (
		running sync.WaitGroup
		mu      sync.Mutex // guards what follows
		all     []*result
		errs    []error
	)
	started := time.Now()
	common := &surroundings{
		launcher: newLauncher(), ports: new(ports), now: func() time.Duration { return time.Since(started) },
		seed: o.seed, dir: dir, binary: binary,
		report: func(r *result) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Print(r.line())
			all = append(all, r)
		},
	}
	fmt.Print(header)
	for _, plan := range o.choose() {
		running.Go(func() {
			err := plan.run(ctx, common)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	running.Wait()
	return all, errors.Join(errs...)
}

// run runs a lane from empty storage to its end.
func (p *lanePlan) run(ctx context.Context, common *surroundings) (err error) {
	l := &lane{
		name: p.name, claim: p.claim, dir: filepath.Join(common.dir, p.name),
		launcher: common.launcher, ports: common.ports, now: common.now, seed: common.seed,
	}
	defer func() {
		l.down()
		if l.disk != nil {
			err = errors.Join(err, l.disk.unmount())
		}
	}()
	err = l.prepare(p)
	if errors.Is(err, exec.ErrNotFound) { // redis-server
		for _, s := range p.scenarios {
			common.report(&result{lane: l.name, scenario: s.name, skipped: "redis-server is not in the PATH"})
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("preparing %s: %w", p.name, err)
	}
	if err := l.up(ctx, common.binary); err != nil {
		return err
	}
	for i := range p.scenarios {
		s := &p.scenarios[i]
		if s.mounts && !l.disk.mounted {
			common.report(&result{lane: l.name, scenario: s.name, skipped: l.launcher.noMount.Error()})
			continue
		}
		r, err := l.run(ctx, &s.scenario, s.codes, s.time)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", l.name, s.name, err)
		}
		common.report(r)
	}
	return nil
}

// prepare makes the folders and what the storage needs.
func (l *lane) prepare(p *lanePlan) error {
	l.secret = rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(l.secret))
	l.secretHash = "sha256:" + hex.EncodeToString(sum[:])
	if err := os.Mkdir(l.dir, 0o711); err != nil {
		return err
	}
	storage, err := l.mkdir("storage")
	if err != nil {
		return err
	}
	switch p.name {
	case "file":
		l.storage = "file_system " + storage
	case "file-small":
		l.storage = "file_system " + storage
		codes := 0
		for _, s := range p.scenarios {
			codes += s.codes + stock
		}
		l.disk, err = newDisk(l.launcher, storage, codes)
	case "redis", "redis-claim":
		err = l.prepareRedis(storage, p.claim)
	}
	return err
}

func (l *lane) prepareRedis(dir string, c claim) (err error) {
	if l.redisAddress, err = l.ports.address(); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(l.redisAddress)
	if err != nil {
		return err
	}
	l.storage = fmt.Sprintf("test_redis {\n\t\taddress %s\n\t\tprefix stress/\n\t}", l.redisAddress)
	if c == ownClaim {
		l.storage = fmt.Sprintf("test_redis {\n\t\taddress %s\n\t\tprefix stress/\n\t\tclaim\n\t}", l.redisAddress)
	}
	l.redis, err = newRedis(l.launcher, dir, port)
	return err
}

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
	"slices"
	"strings"
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

// check finds names of storages and scenarios that there are not, with which
// nothing would be run, or not what was meant.
func (o *options) check() error {
	var known, scenarios []string
	for _, s := range storages {
		known = append(known, s.name)
		for _, sc := range s.scenarios {
			if !slices.Contains(scenarios, sc.name) {
				scenarios = append(scenarios, sc.name)
			}
		}
	}
	if err := errors.Join(allKnown("storage", o.storages, known), allKnown("scenario", o.scenario, scenarios)); err != nil {
		return err
	}
	if len(o.choose()) == 0 {
		return fmt.Errorf("there is no scenario %s on storage %s", o.scenario, o.storages)
	}
	return nil
}

func allKnown(what, list string, known []string) error {
	if list == "" {
		return nil
	}
	for _, name := range strings.Split(list, ",") {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no %s %q; there are: %s", what, name, strings.Join(known, ", "))
		}
	}
	return nil
}

// choose shares codes and time out among the chosen scenarios. Lanes run side
// by side, so each has all of the time.
func (o *options) choose() []lanePlan {
	var plans []lanePlan
	codes := 0
	for _, s := range storages {
		if !chosen(o.storages, s.name) {
			continue
		}
		plan, parts := lanePlan{name: s.name, claim: s.claim}, 0
		for _, sc := range s.scenarios {
			if chosen(o.scenario, sc.name) {
				plan.scenarios = append(plan.scenarios, share{scenario: sc})
				codes += sc.codes
				parts += sc.time
			}
		}
		for i := range plan.scenarios {
			plan.scenarios[i].time = o.time * time.Duration(plan.scenarios[i].scenario.time) / time.Duration(parts)
		}
		if len(plan.scenarios) > 0 {
			plans = append(plans, plan)
		}
	}
	for _, plan := range plans {
		for i := range plan.scenarios {
			s := &plan.scenarios[i]
			s.codes = (o.codes*s.scenario.codes + codes - 1) / codes // together no fewer than asked for
		}
	}
	return plans
}

// run runs a lane from empty storage to its end.
func (p *lanePlan) run(ctx context.Context, launcher *launcher, ports *ports, now func() time.Duration, seed uint64, dir, binary string, report func(*result)) (err error) {
	l := &lane{name: p.name, claim: p.claim, launcher: launcher, ports: ports, now: now, seed: seed, dir: filepath.Join(dir, p.name)}
	defer func() {
		l.down()
		if l.disk != nil {
			err = errors.Join(err, l.disk.unmount())
		}
	}()
	err = l.prepare(p)
	if errors.Is(err, exec.ErrNotFound) { // redis-server
		for _, s := range p.scenarios {
			report(&result{lane: l.name, scenario: s.name, skipped: "redis-server is not in the PATH"})
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("preparing %s: %w", p.name, err)
	}
	if err := l.up(ctx, binary); err != nil {
		return err
	}
	for i := range p.scenarios {
		s := &p.scenarios[i]
		if s.mounts && !l.disk.mounted {
			report(&result{lane: l.name, scenario: s.name, skipped: launcher.noMount.Error()})
			continue
		}
		r, err := l.run(ctx, &s.scenario, s.codes, s.time)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", l.name, s.name, err)
		}
		report(r)
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

//go:build linux

package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestInsist(t *testing.T) {
	t.Run("a refusal that passes is none", func(t *testing.T) {
		tries := 0
		err := insist(time.Minute, func() error {
			if tries++; tries < 3 {
				return unix.EBUSY
			}
			return nil
		}, unix.EBUSY)
		if err != nil || tries != 3 {
			t.Errorf("%v after %d", err, tries)
		}
	})
	t.Run("F16 one that lasts is no violation", func(t *testing.T) {
		err := insist(0, func() error { return unix.EBUSY }, unix.EINVAL, unix.EBUSY)
		if !errors.Is(err, errNotNow) || !errors.Is(err, unix.EBUSY) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("any other error is one at once", func(t *testing.T) {
		tries := 0
		err := insist(time.Minute, func() error { tries++; return unix.EPERM }, unix.EBUSY)
		if tries != 1 || errors.Is(err, errNotNow) || !errors.Is(err, unix.EPERM) {
			t.Errorf("%v after %d", err, tries)
		}
	})
}

func TestRefusedFault(t *testing.T) {
	l := &lane{tally: new(tally), now: func() time.Duration { return 0 }}
	tries := 0
	var err error
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		refused := diskFault{name: "read-only", begin: func() error {
			if tries++; tries == 3 {
				stop()
			}
			return errNotNow
		}, end: func() error { t.Error("it is ended"); return nil }}
		err = diskFaults(false, func(*plan, *disk) diskFault { return refused })(ctx, l, newPlan(1, "refused"))
	})
	t.Run("F16 it is no violation, and the others go on", func(t *testing.T) {
		if err != nil || tries != 3 {
			t.Errorf("%v after %d", err, tries)
		}
	})
	t.Run("it is counted as refused and not as a fault", func(t *testing.T) {
		if l.tally.refused["read-only"] != 3 || len(l.faults) != 0 {
			t.Errorf("%v, %v", l.tally.refused, l.faults)
		}
	})
}

func TestOmissions(t *testing.T) {
	refused := new(tally)
	refused.refuse("read-only")
	refused.refuse("read-only")
	t.Run("what was skipped, and how often, is told in one line", func(t *testing.T) {
		got := omissions([]*result{
			{lane: "redis", scenario: "calm", skipped: "redis-server is not in the PATH"},
			{lane: "file", scenario: "calm", tally: new(tally)},
			{lane: "file-small", scenario: "mixed", tally: refused},
		})
		for _, want := range []string{"skipped: redis/calm (redis-server is not in the PATH)", `2 times "read-only" of file-small/mixed`} {
			if !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
				t.Errorf("got %q", got)
			}
		}
	})
	t.Run("nothing is told where all was done", func(t *testing.T) {
		if got := omissions([]*result{{tally: new(tally)}}); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cores are the one for servers and the one for load.
type cores struct{ server, load int }

// allowedCores picks two cores that this process may run on.
func allowedCores() (cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return cores{}, fmt.Errorf("asking for the cores: %w", err)
	}
	var found []int
	for cpu := 0; len(found) < 2 && cpu < 1024; cpu++ {
		if set.IsSet(cpu) {
			found = append(found, cpu)
		}
	}
	if len(found) < 2 {
		return cores{}, fmt.Errorf("two cores are needed, there is one")
	}
	return cores{server: found[0], load: found[1]}, nil
}

func setOf(cpu int) *unix.CPUSet {
	var set unix.CPUSet
	set.Set(cpu)
	return &set
}

// pinSelf binds every thread of this process to one core. Threads made later
// inherit it.
func pinSelf(cpu int) error {
	runtime.GOMAXPROCS(1)
	for range 2 { // a thread may have been made while the first list was read
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, setOf(cpu)); err != nil && err != unix.ESRCH {
				return fmt.Errorf("binding a thread to core %d: %w", cpu, err)
			}
		}
	}
	return nil
}

// pinned runs f, which starts a process, so that the process is bound to a
// core: it inherits the binding of the thread that starts it.
func pinned(cpu int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, setOf(cpu)); err != nil {
		return fmt.Errorf("binding to core %d: %w", cpu, err)
	}
	defer unix.SchedSetaffinity(0, &before)
	return f()
}

// cpuTime is the time all threads of a process have run, those that ended
// included, in user and in system mode: clock_getcpuclockid(3), which is exact
// to the nanosecond where /proc counts ticks.
func cpuTime(pid int) (time.Duration, error) {
	const scheduler = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &t); err != nil {
		return 0, fmt.Errorf("reading the CPU clock of a server: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

//go:build linux

package main

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pacer waits for times exactly. The runtime's own timers are a millisecond
// late where nothing else goes on, which is more than most answers take, and so
// what was to come one by one comes in bunches.
type pacer struct {
	procs  int // GOMAXPROCS as it was
	thread sync.Once
}

// startPacer gives the waiting a place of its own beside the connections'.
func startPacer() *pacer { return &pacer{procs: runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)} }

func (p *pacer) stop() { runtime.GOMAXPROCS(p.procs) }

// wait returns at a time. One goroutine may call it: it keeps the thread, which
// ends with it.
func (p *pacer) wait(until time.Time) {
	p.thread.Do(func() {
		runtime.LockOSThread()
		// Otherwise the kernel may be 50 µs late, which would matter little.
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	})
	for left := time.Until(until); left > 0; left = time.Until(until) {
		rest := unix.NsecToTimespec(left.Nanoseconds())
		_ = unix.Nanosleep(&rest, nil) // a signal ends it early
	}
}

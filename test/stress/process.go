//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
)

// process is a child process and its log, which goes on over restarts.
type process struct {
	launcher *launcher
	name     string
	path     string
	args     []string
	env      []string
	log      string

	cmd     *exec.Cmd
	exited  chan struct{} // closed when it has ended
	expects atomic.Bool   // that it ends
	lost    atomic.Bool   // one that ended by itself was started again
}

func (p *process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// The last process may have been killed in the middle of a line.
	if _, err := log.WriteString("\n"); err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Dir = p.env, "/"
	cmd.Stdout, cmd.Stderr = log, log
	if err := p.launcher.start(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	p.expects.Store(false)
	go func() {
		_ = cmd.Wait() // kill looks at how it ended
		close(exited)
	}()
	return nil
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill ends the process at whatever it is doing. One that has ended by itself
// before is not forgotten.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	byItself, again := p.died(), p.expects.Swap(true)
	_ = p.signal(syscall.SIGKILL) // it may have ended
	<-p.exited
	otherwise := p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL
	if byItself || otherwise && !again {
		p.lost.Store(true)
	}
}

// died reports whether the process ended without being told to.
func (p *process) died() bool {
	select {
	case <-p.exited:
		return !p.expects.Load()
	default:
		return false
	}
}

// failure tells of a process that ended by itself: this one, or one before it of
// which failure has not told yet.
func (p *process) failure() error {
	if lost := p.lost.Swap(false); lost || p.died() {
		return fmt.Errorf("%s ended by itself, see %s", p.name, p.log)
	}
	return nil
}

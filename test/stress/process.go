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
	p.expects.Store(false)
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Env, p.cmd.Dir = p.env, "/"
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.launcher.start(p.cmd); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	p.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // that it ended is what matters
		close(exited)
	}(p.cmd, p.exited)
	return nil
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill ends the process at whatever it is doing.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	p.expects.Store(true)
	_ = p.signal(syscall.SIGKILL) // it may have ended
	<-p.exited
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

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// launcher does everything that belongs to one thread: starting processes,
// which the kernel ends with the thread that started them, and mounting. The
// thread has a mount namespace of its own, so that what it mounts is gone with
// the last process, however the program ends.
type launcher struct {
	work chan func()
	// noMount is why nothing can be mounted; nil: it can.
	noMount error
	// unprivileged is who the processes run as; nil: as the program does.
	unprivileged *syscall.Credential
}

// nobody is the user that processes run as when the program is root, so that
// permissions mean something to them.
const nobody = 65534

func newLauncher() *launcher {
	l := &launcher{work: make(chan func())}
	if os.Geteuid() == 0 {
		l.unprivileged = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the program
		l.noMount = ownMountNamespace()
		close(ready)
		for f := range l.work {
			f()
		}
	}()
	<-ready
	return l
}

func ownMountNamespace() error {
	if os.Geteuid() != 0 {
		return errors.New("mounting needs root")
	}
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return fmt.Errorf("separating the mounts: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	return nil
}

// do runs f on the thread.
func (l *launcher) do(f func() error) error {
	done := make(chan error)
	l.work <- func() { done <- f() }
	return <-done
}

// start starts a process that dies with the program and that signals from a
// terminal do not reach.
func (l *launcher) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: l.unprivileged}
	return l.do(cmd.Start)
}

// give makes a file or folder the property of whoever the processes run as.
func (l *launcher) give(name string) error {
	if l.unprivileged == nil {
		return nil
	}
	return os.Chown(name, nobody, nobody)
}

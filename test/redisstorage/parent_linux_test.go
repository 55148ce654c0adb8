package redisstorage_test

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the process when the thread that started it
// ends: a test binary that is ended by its timeout cleans nothing up.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

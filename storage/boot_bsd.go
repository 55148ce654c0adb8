//go:build darwin || freebsd

package storage

import (
	"runtime"
	"strings"
	"syscall"
)

// bootID names the running start of the operating system; empty where it has
// no name, as on older FreeBSD.
func bootID() string {
	name := "kern.boot_id"
	if runtime.GOOS == "darwin" {
		name = "kern.bootsessionuuid"
	}
	id, err := syscall.Sysctl(name)
	if err != nil {
		return ""
	}
	return strings.TrimRight(id, "\x00\n ")
}

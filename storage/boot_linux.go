package storage

import (
	"os"
	"strings"
)

// bootID names the running start of the operating system; empty where it has
// no name.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

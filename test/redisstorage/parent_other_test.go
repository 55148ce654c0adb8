//go:build !linux

package redisstorage_test

import "os/exec"

// dieWithParent needs what only Linux has.
func dieWithParent(*exec.Cmd) {}

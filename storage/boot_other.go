//go:build !linux && !darwin && !freebsd

package storage

// bootID is empty: the start of the operating system has no name here.
func bootID() string { return "" }

//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "stress: it needs Linux, for its mounts, and for processes that end when it does")
	os.Exit(1)
}

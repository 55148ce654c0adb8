//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: it binds processes to cores and reads their CPU clocks as Linux has them")
	os.Exit(1)
}

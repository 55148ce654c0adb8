// Command mutate shows that every guard the promises rest on is watched by a
// test: it removes one at a time, and the test named beside it must fail.
//
//	go -C test run ./mutate                 all of them, which takes minutes
//	go -C test run ./mutate -run 'claim'    those whose name or file matches
//	go -C test run ./mutate -all -run NAME  which of the package's tests fail without it
//	go -C test run ./mutate -update         all, and writes docs/mutations.md
//
// The list is in guards_*.go. A guard that is moved or reworded makes its entry
// out of date, and that is a failure too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"
)

type options struct {
	only     string
	every    bool
	update   bool
	parallel int
}

func main() {
	var o options
	flag.StringVar(&o.only, "run", "", "only guards whose name or file matches this regular expression")
	flag.BoolVar(&o.every, "all", false, "run every test of the package and list those that fail")
	flag.BoolVar(&o.update, "update", false, "write docs/mutations.md")
	flag.IntVar(&o.parallel, "parallel", 2, "mutants tested at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	began := time.Now()
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	made, err := mutants(root, only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &runner{root: root, dir: dir, every: o.every, binaries: make(map[string]*binary)}
	if !o.every {
		if err := r.baseline(ctx, made); err != nil {
			return err
		}
	}
	problems := r.testAll(ctx, made, o.parallel)
	fmt.Printf("%d guards, %d not caught, %s\n", len(made), len(problems), time.Since(began).Round(time.Second))
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	if o.only == "" && !o.every {
		return document(root, o.update)
	}
	return nil
}

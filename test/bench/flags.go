//go:build linux

package main

import "flag"

// flags are the command line.
type flags struct {
	only    string
	rounds  int
	quick   bool
	list    bool
	keep    bool
	json    string
	write   bool
	refuse  bool
	signIn  bool
	scale   bool
	half    bool
	soak    int
	profile string
	swept   int
}

func parseFlags() flags {
	var f flags
	flag.StringVar(&f.only, "only", "", "measure the subjects whose names contain one of these, separated by commas; none for none")
	flag.IntVar(&f.rounds, "rounds", 7, "how often each subject is visited; at least 5 for figures to go by")
	flag.BoolVar(&f.quick, "quick", false, "check every subject and measure next to nothing")
	flag.BoolVar(&f.list, "list", false, "print the names of the subjects that start here")
	flag.BoolVar(&f.keep, "keep", false, "keep the folder with configs, logs and storages")
	flag.StringVar(&f.json, "json", "", "write the raw figures to this file")
	flag.BoolVar(&f.write, "update", false, "write docs/benchmark.md and docs/benchmark.svg")
	flag.StringVar(&f.profile, "profile", "", "write a CPU profile of each oidc_token subject to this folder")
	flag.BoolVar(&f.refuse, "refusals", false, "also measure what refused requests cost, and whom a flood of them disturbs")
	flag.BoolVar(&f.signIn, "signin", false, "also measure whole sign-ins: an authorization request and the redemption of its code")
	flag.BoolVar(&f.scale, "scale", false, "also measure what does not depend on numbers of codes and clients, start and memory")
	flag.BoolVar(&f.half, "half", false, "also measure the latency at half of what the server can do")
	flag.IntVar(&f.swept, "swept", sweptCodes, "with -scale: how many codes are swept before")
	flag.IntVar(&f.soak, "soak", 0, "also watch the memory over this many redemptions")
	flag.Parse()
	f.rounds = max(f.rounds, 1)
	return f
}

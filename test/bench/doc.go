// Command bench measures what a redemption costs, side by side: this plugin on
// several storages, the floors beneath any token endpoint in Caddy, and token
// endpoints of others. From the root of the repository:
//
//	go -C test run ./bench                       # redemptions, about ten minutes
//	go -C test run ./bench -only memory/ES256    # subjects whose name contains it, and their floors
//	go -C test run ./bench -list                 # the names
//	go -C test run ./bench -quick                # does every subject still answer right? with sign-ins
//	go -C test run ./bench -only none -refusals  # what refused requests cost, and whom a flood of them disturbs
//	go -C test run ./bench -only none -signin    # whole sign-ins
//	go -C test run ./bench -only none -scale     # live and used codes, clients, sweeping (-swept, how many), start, memory
//	go -C test run ./bench -only none -half      # latency at half load
//	go -C test run ./bench -only none -soak 1000000
//	go -C test run ./bench -only memory/ES256 -profile /tmp -json /tmp/bench.json
//	go -C test run ./bench -update               # write docs/benchmark.md and docs/benchmark.svg, with
//	                                             # what further flags measure
//
// Paths are absolute: the program runs in test.
//
// To compare two versions of the code, run the same command on each: the ratios
// to lean compare, absolute figures do not unless the machine is idle.
//
// It needs Linux and two cores. What a subject needs beyond Go (redis-server,
// node and npm) is taken from the PATH; where it is missing, the subject is
// skipped by name.
//
// # What is done
//
// Each server is a process of its own on one core; the load comes from another.
// A round visits all subjects; a visit is a burst of redemptions at 32
// connections and one at 1, each between two bursts at the floor of the
// same algorithm. Rounds are repeated and the figures are medians over them; ratios
// are formed within a visit, before the median, so that a core which changes
// its speed changes both sides. Codes are minted, and the garbage of it is
// collected, before a burst and outside of what is measured. The first requests
// of a burst are not measured either.
//
// CPU is user and system time of the server's process, by the kernel's clock of
// that process, over requests. It counts garbage collection and timers, and not
// what the kernel does elsewhere (the journal of a file system). Requests per
// second and latencies go by the clock, and mean something on an idle machine
// only.
//
// # Subjects
//
//	respond                       Caddy's respond with a body as long as ours
//	lean/ALG                      a Caddy handler that reads the request, signs two tokens put together
//	                              by hand, and answers; it checks and stores nothing
//	oidc_token/STORAGE/ALG/SECRET this plugin as it is: full validation, log lines to a file, metrics.
//	                              STORAGE: memory, file_system, redis; SECRET: sha256, bcrypt (cost 10)
//	oidc-provider/ALG             npm oidc-provider with codes in memory, two JWTs
//	zitadel/ALG                   github.com/zitadel/oidc with the storage of its example, two JWTs
package main

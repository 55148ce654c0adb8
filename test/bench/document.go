//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// update writes docs/benchmark.md and docs/benchmark.svg.
func (b *bench) update(r *report) error {
	docs := filepath.Join(b.sources, "..", "..", "docs")
	if err := os.WriteFile(filepath.Join(docs, "benchmark.md"), []byte(r.document()), 0o644); err != nil {
		return err
	}
	return r.draw(filepath.Join(docs, "benchmark.svg"))
}

func (r *report) document() string {
	var d strings.Builder
	fmt.Fprintf(&d, introduction, r.Command, r.Date, r.Machine, r.Rounds)
	for _, s := range r.Sections {
		fmt.Fprintf(&d, "\n## %s\n\n", s.Title)
		if s.Text != "" {
			fmt.Fprintf(&d, "%s\n\n", s.Text)
		}
		d.WriteString(s.markdown())
	}
	if len(r.Targets) > 0 {
		fmt.Fprintf(&d, "\n## Targets\n\nRatios of this run.\n\n%s", targetSection(r.Targets).markdown())
	}
	if len(r.Skipped) > 0 {
		d.WriteString("\nSkipped:\n\n")
		for _, line := range r.Skipped {
			fmt.Fprintf(&d, "- %s\n", line)
		}
	}
	return d.String()
}

const introduction = `# What a redemption costs

This page is written by

` + "```sh\n%s\n```" + `

and was on %s, on this machine: %s. Figures differ from machine to machine; ratios less so. Under 15 %% is noise.

![CPU per redemption](benchmark.svg)

Each server runs on one core, the load on another. Every figure is the median of %d bursts. Between any two bursts of a subject all others have had theirs, and each burst is right after and right before one at ` + "`lean`" + ` with the same algorithm, to which its ratios refer. CPU is user and system time of the server's process for each redemption. Codes are minted outside the measured intervals.

- ` + "`respond`" + ` is Caddy answering the same request with a fixed text of the same length; ` + "`lean`" + ` is a handler in the same Caddy that reads the request, signs two tokens put together by hand, and answers. It checks and stores nothing. It signs with the standard library as most code does; this plugin has it make ECDSA signatures deterministic (RFC 6979), which takes some 6 µs less for each ES256 signature.
- ` + "`oidc_token/STORAGE/ALGORITHM/SECRET`" + ` is this plugin with every check, its log lines written to a file, and its metrics. ` + "`memory`" + ` is a map behind Caddy's storage interface, ` + "`file_system`" + ` the default, ` + "`redis`" + ` one on the load's core. The secret is configured as ` + "`sha256:`" + ` or as a bcrypt hash of cost 10.
- ` + "`oidc-provider`" + ` (npm) keeps codes in memory, ` + "`zitadel`" + ` is the example of github.com/zitadel/oidc, in memory as well. Both issue two JWTs for ` + "`client_secret_basic`" + `.

What stands between ` + "`oidc_token/memory/ES256`" + ` and the two signatures, by CPU profiles of BenchmarkRedemption (in hundredths of what its handler takes):

| | %% |
|---|---:|
| two signatures | 60 |
| finding and opening the code: HKDF and AES-GCM 4, its keys and ids 2, the record 1, a goroutine that a storage which hangs can be left in 2 | 11 |
| the log line, by Caddy's logger, and the metrics | 8 |
| what else it takes to make and write two tokens and the answer | 7 |
| reading the request, checking the client and the code | 5 |
| the claim, in another such goroutine | 3 |
| the headers, with Caddy's id of the request | 3 |
| the rest | 3 |

Beside it the garbage collector takes 6 %% of the process, and Caddy and net/http what ` + "`respond`" + ` takes. On files a redemption reads one (5 µs), links it and removes its first name (15 µs); what these cost beyond that is that each system call may let the core go. None of it can be left out without leaving out a check, a promise or Caddy's log; what could still be saved by code of our own in the place of the standard library's (HKDF, ECDSA) is not worth it.
`

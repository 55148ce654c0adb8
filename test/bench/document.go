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

and was on %s, on this machine: %s. Figures differ from machine to machine; ratios less so.

![CPU per redemption](benchmark.svg)

Each server runs on one core, the load on another. Figures of redemptions are medians of %d bursts, those of ` + "`lean`" + ` of more. Between any two bursts of a subject all others have had theirs, and each burst is right after and right before one at ` + "`lean`" + ` with the same algorithm. A ratio is the median of what each burst was to the two around it, so that a core which changes its speed changes both sides; it is not the quotient of two figures in the table. "from–to" are the least and the greatest of these ratios, and two rows whose spans overlap are not told apart. CPU is user and system time of the server's process for each redemption. Codes are minted outside the measured intervals.

- ` + "`respond`" + ` is Caddy answering the same request with a fixed text of the same length; ` + "`lean`" + ` is a handler in the same Caddy that reads the request, signs two tokens put together by hand, and answers. It checks and stores nothing. It signs with the standard library as most code does; this plugin has it make ECDSA signatures deterministic (RFC 6979), which takes some 6 µs less for each ES256 signature.
- ` + "`oidc_token/STORAGE/ALGORITHM/SECRET`" + ` is this plugin with every check, its log lines written to a file, and its metrics. ` + "`memory`" + ` is a map behind Caddy's storage interface, ` + "`file_system`" + ` the default, ` + "`redis`" + ` one on the load's core. The secret is configured as ` + "`sha256:`" + ` or as a bcrypt hash of cost 10; once a secret is known to be right both do the same work, so what they differ by is noise.
- ` + "`oidc-provider`" + ` (npm) keeps codes in memory, ` + "`zitadel`" + ` is the example of github.com/zitadel/oidc, in memory as well. Both issue two JWTs for ` + "`client_secret_basic`" + `.

[Where the time goes](profile.md) is a page of its own.
`

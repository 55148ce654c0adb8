#!/usr/bin/env bash
# One platform of each kind that Caddy is run on: the whole module is type-checked with
# all of Caddy from source, which takes seconds where compiling Caddy takes
# minutes; and the packages that depend on the platform are vetted, which
# compiles what they need.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly gopackages=golang.org/x/tools/go/packages/gopackages@v0.51.0

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOBIN=$tools go install "$gopackages"

# type_check prints what does not type-check. gopackages describes packages and
# exits with success whatever it found. Whoever calls it in a condition has
# switched set -e off.
type_check() {
	"$tools/gopackages" -mode=allsyntax ./... >"$tools/found" || return
	grep -q '^Go package' "$tools/found" || return # it described something
	! grep -E '^\s.*\.go:[0-9]+:[0-9]+: |^\s(has an error|has incomplete|has no exported)' "$tools/found"
}

export CGO_ENABLED=0
failed=0
# The files differ by operating system alone. Processors differ in what an int
# holds, so one of these has 32 bits.
for platform in linux/arm darwin/arm64 windows/amd64 freebsd/amd64; do
	export GOOS=${platform%/*} GOARCH=${platform#*/}
	echo "$platform"
	type_check || failed=1
	go vet ./storage/... ./internal/... || failed=1
done
exit "$failed"

#!/usr/bin/env bash
# Fuzzes every target of the module for a while, one after another.
#
#   .ci/fuzz.sh            45 seconds over all targets
#   .ci/fuzz.sh 1800       half an hour
#   .ci/fuzz.sh 600 Form   ten minutes for the targets whose name has Form in it
#
# A finding fails it; Go leaves the input in testdata/fuzz, and `go test` runs it
# again from then on. What is merely new is kept in Go's cache for the next time.
# Building the tests comes on top.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-45} only=${2:-}
if ! [[ $seconds =~ ^[0-9]+$ ]] || ((seconds == 0)); then
	echo "usage: .ci/fuzz.sh [seconds] [name]" >&2
	exit 2
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
module=$(go list -m)
cache=$(go env GOCACHE)/fuzz

# Builds the tests of a package as `go test -fuzz` does, but for one thing: that
# instruments everything, which takes minutes for Caddy and leaves a handful of
# runs a second. Here only this module's packages are.
build() {
	go test -c -gcflags="$module/...=-d=libfuzzer" -o "$scratch/$1.test" "$2"
}

# Whether a run that failed has found nothing. With -test.fuzztime a time, Go at
# times reports the end of that time as a failure, golang/go#75804: a lone
# "context deadline exceeded" and no input written. Any line that does not belong
# to that (a written input, a panic, a seed that fails) makes it a finding.
ran_out() {
	grep -qE '^ +context deadline exceeded$' "$1" &&
		! grep -qvE '^(fuzz: elapsed: .*|warning: starting with empty corpus|--- FAIL: Fuzz[[:alnum:]_]+ \([0-9.]+s\)| +context deadline exceeded|FAIL|)$' "$1"
}

directories=$(grep -rlE --include='*_test.go' --exclude-dir=node_modules '^func Fuzz' . | xargs -n 1 dirname | sort -u)
targets=() # of each: directory, binary, name
for directory in $directories; do
	binary=$(tr / _ <<<"$directory")
	build "$binary" "$directory"
	names=$(cd "$directory" && "$scratch/$binary.test" -test.list '^Fuzz')
	for target in $names; do
		if [[ $target == *"$only"* ]]; then
			targets+=("$directory $binary $target")
		fi
	done
done
if ((${#targets[@]} == 0)); then
	echo "there is no fuzz target with $only in its name" >&2
	exit 2
fi
each=$((1000 * seconds / ${#targets[@]}))ms
echo "${#targets[@]} targets, $each each"

failed=()
for line in "${targets[@]}"; do
	read -r directory binary target <<<"$line"
	echo "--- $directory $target"
	if ! (cd "$directory" && "$scratch/$binary.test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$each" \
		-test.fuzzminimizetime 5s -test.parallel 2 -test.fuzzcachedir "$cache/$module/$directory") 2>&1 | tee "$scratch/output"; then
		if ran_out "$scratch/output"; then
			echo "nothing found: Go took the end of the time for a failure"
		else
			failed+=("$directory $target")
		fi
	fi
done
if ((${#failed[@]})); then
	printf 'FOUND: %s\n' "${failed[@]}"
	exit 1
fi

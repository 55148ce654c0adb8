#!/usr/bin/env bash
# Runs the example as its README lines say, and redeems a code for each of its
# clients with the commands that it prints.
#
#   .ci/example.sh BINARY EMPTY_FOLDER
set -euo pipefail

binary=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
# The example keeps its files in the user's cache folder.
export XDG_CACHE_HOME=$dir HOME=$dir
readonly site=http://localhost:8480

"$binary" >"$dir/out" 2>"$dir/log" &
example=$!
trap 'kill "$example" 2>/dev/null || true; wait "$example" 2>/dev/null || true' EXIT
curl -sS --retry 30 --retry-max-time 30 --retry-all-errors -o /dev/null -f "$site/.well-known/jwks.json" 2>/dev/null || {
	cat "$dir/out" "$dir/log"
	exit 1
}

curl -sS -f "$site/" | grep -qi '<html' || {
	echo 'the static site is not served'
	exit 1
}
echo 'the static site is served'

CLIENT_SECRET=$(<"$dir/caddy-oidc-token-example/web.secret")
export CLIENT_SECRET
for client in spa web; do
	"$binary" oidc-token code --client "$client" --subject alice --scope 'openid email' --claim email=alice@example.com --curl | sh >"$dir/answer"
	grep -q '"id_token":"' "$dir/answer" || {
		echo "redeeming a code for $client gave no ID token"
		cat "$dir/log"
		exit 1
	}
	echo "a code for $client was redeemed"
done

#!/usr/bin/env bash
# Runs the example as its README lines say: signs in to both of its
# applications with the password that it prints, and redeems a code for each of
# its clients with the commands that it prints.
#
#   .ci/example.sh BINARY EMPTY_FOLDER
set -euo pipefail

binary=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
# The example keeps its files in the user's cache folder.
export XDG_CACHE_HOME=$dir HOME=$dir
readonly site=http://localhost:8480 application=http://localhost:8482

"$binary" >"$dir/out" 2>"$dir/log" &
example=$!
trap 'kill "$example" 2>/dev/null || true; wait "$example" 2>/dev/null || true' EXIT
curl -sS --retry 30 --retry-max-time 30 --retry-all-errors -o /dev/null -f "$site/.well-known/jwks.json" 2>/dev/null || {
	cat "$dir/out" "$dir/log"
	exit 1
}

# page URL TEXT [OPTION...] fails unless the page that URL leads to has TEXT.
page() {
	local url=$1 text=$2
	shift 2
	curl -sS --location-trusted -b "$dir/jar" -c "$dir/jar" -o "$dir/page" "$@" "$url"
	grep -qF "$text" "$dir/page" || {
		echo "$url does not lead to a page with: $text"
		cat "$dir/page" "$dir/log"
		exit 1
	}
}

page "$site/" '<html'
echo 'the static site is served'

password=$(sed -n 's/^ *password *//p' "$dir/out")
page "$application/login" 'You are not signed in' -u alice:wrong
page "$application/" 'An application like any other'
echo 'a wrong password signs nobody in'
page "$application/login" 'Hello, Alice Liddell' -u "alice:$password"
page "$application/" 'alice@example.com'
echo 'the printed one signs alice in to the second application'

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

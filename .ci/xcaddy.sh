#!/usr/bin/env bash
# Builds Caddy with this plugin the way xcaddy does: a fresh module outside the
# repository requires the plugin and imports it for its side effect. Then asks
# the binary for its modules, and redeems a code at it with the commands an
# operator would use.
#
#   .ci/xcaddy.sh EMPTY_FOLDER
set -euo pipefail

readonly module=github.com/authentiq/caddy-oidc-token
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)

build() {
	cd "$dir"
	cat >main.go <<-GO
		package main

		import (
			caddycmd "github.com/caddyserver/caddy/v2/cmd"

			_ "github.com/caddyserver/caddy/v2/modules/standard"
			_ "$module"
		)

		func main() { caddycmd.Main() }
	GO
	go mod init caddy
	go mod edit -require "$module@v0.0.0" -replace "$module=$repository"
	go mod tidy -e
	# xcaddy adds -trimpath, which would compile all of Caddy once more.
	go build -ldflags '-w -s' -o caddy .
}

lists_modules() {
	./caddy list-modules >modules
	local id
	for id in http.handlers.oidc_token admin.api.oidc_token; do
		grep -qx "$id" modules || {
			echo "list-modules does not show $id"
			return 1
		}
	done
	echo "list-modules shows http.handlers.oidc_token"
}

free_port() {
	local port
	for port in $(shuf -i 20000-40000 -n 50); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
			echo "$port"
			return
		}
	done
	return 1
}

start() {
	issuer=http://127.0.0.1:$(free_port)
	local hash
	./caddy oidc-token client-secret >secret
	CLIENT_SECRET=$(sed -n 's/^secret: *//p' secret)
	hash=$(sed -n 's/^hash: *//p' secret)
	export CLIENT_SECRET HOME=$dir XDG_DATA_HOME=$dir XDG_CONFIG_HOME=$dir
	cat >Caddyfile <<-CADDYFILE
		{
			admin          unix/$dir/admin.sock
			persist_config off
			storage        file_system $dir/storage
		}
		$issuer {
			oidc_token {
				issuer $issuer
				client web {
					client_secret $hash
					redirect_uris https://app.example/callback
				}
			}
		}
	CADDYFILE
	./caddy run --config Caddyfile >log 2>&1 &
	caddy=$!
	trap 'kill "$caddy" 2>/dev/null || true; wait "$caddy" 2>/dev/null || true' EXIT
	curl -sS --retry 100 --retry-delay 0 --retry-max-time 30 --retry-all-errors -o /dev/null -f "$issuer/.well-known/jwks.json" 2>curl.log || {
		cat curl.log log
		return 1
	}
}

redeems_a_code() {
	./caddy oidc-token code --client web --subject alice --address "unix/$dir/admin.sock" --curl >redeem
	sh redeem >answer
	if ! grep -q '"id_token":"' answer || ! grep -q '"access_token":"' answer; then
		echo 'redeeming a code gave no tokens'
		cat log
		return 1
	fi
	echo 'a code was redeemed for an ID token and an access token'
	sh redeem >answer 2>/dev/null || true
	if ! grep -q '"error":"invalid_grant"' answer; then
		echo 'redeeming it again was not invalid_grant'
		return 1
	fi
	echo 'and not twice'
}

build
lists_modules
start
redeems_a_code

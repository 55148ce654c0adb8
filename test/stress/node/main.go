// Command node is Caddy with its standard modules, this plugin and the Redis
// storage of the tests: what the stress program runs several of.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/authentiq/caddy-oidc-token"
	_ "github.com/authentiq/caddy-oidc-token/test/redisstorage"
)

func main() { caddycmd.Main() }

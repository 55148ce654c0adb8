// Command server is the Caddy that the benchmark measures: the standard
// modules, this plugin, and beside them the floors it is compared with, a
// storage in memory, and a door that mints codes in bulk.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/authentiq/caddy-oidc-token"
	_ "github.com/authentiq/caddy-oidc-token/test/redisstorage"
)

func main() { caddycmd.Main() }

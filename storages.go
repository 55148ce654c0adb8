package oidctoken

import (
	"fmt"
	"reflect"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
)

// unfitStorages are storage modules known not to carry single-use codes: what
// they answer may be older than what was last stored. By module ID.
var unfitStorages = map[string]string{
	"caddy.storage.consul":        "it reads from any Consul server, which may answer with an older value",
	"caddy.storage.mongodb":       "it answers from a cache in the process",
	"caddy.storage.cloudflare_kv": "Cloudflare KV is eventually consistent",
	"caddy.storage.cloudflare-kv": "Cloudflare KV is eventually consistent",
	"caddy.storage.workers_kv":    "Cloudflare KV is eventually consistent",
}

// refuseStorage refuses a storage by name.
func refuseStorage(store certmagic.Storage) error {
	m, ok := store.(caddy.Module)
	if !ok {
		return nil
	}
	id := string(m.CaddyModule().ID)
	if reason, unfit := unfitStorages[id]; unfit {
		return fmt.Errorf("storage module %s (%s) cannot carry single-use codes: %s; "+
			"give oidc_token another `storage`, such as file_system or redis", id, reflect.TypeOf(store), reason)
	}
	return nil
}

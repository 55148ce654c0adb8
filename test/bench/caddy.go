//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// caddy is a Caddy of the benchmark, before it starts.
type caddy struct {
	name    string
	storage map[string]any
	handle  func(issuer string) []any // routes
	options map[string]any            // of its HTTP server
}

type object = map[string]any

// command writes the config and says how to start it.
func (c caddy) command(b *bench) (command, error) {
	address, err := freePort()
	if err != nil {
		return command{}, err
	}
	dir := filepath.Join(b.dir, strings.ReplaceAll(c.name, "/", "-"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return command{}, err
	}
	socket := filepath.Join(dir, "admin")
	site := object{
		"listen":          []string{address},
		"automatic_https": object{"disable": true},
		"routes":          c.handle("http://" + address),
	}
	maps.Copy(site, c.options)
	config := object{
		"admin": object{"listen": "unix/" + socket, "config": object{"persist": false}},
		"apps":  object{"http": object{"servers": object{"site": site}}},
	}
	if c.storage != nil {
		config["storage"] = c.storage
	}
	text, err := json.Marshal(config)
	if err != nil {
		return command{}, err
	}
	file := filepath.Join(dir, "config.json")
	return command{
		name: c.name, core: b.cores.server, dir: dir, address: address, door: "unix:" + socket,
		argv: []string{b.binary, "run", "--config", file},
		env:  []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir},
	}, os.WriteFile(file, text, 0o600)
}

// floors is the Caddy of all floors.
func floors() caddy {
	return caddy{name: "floors", handle: func(issuer string) []any {
		routes := []any{object{
			"match":  []any{object{"path": []string{"/respond"}}},
			"handle": []any{object{"handler": "static_response", "status_code": 200, "body": strings.Repeat("x", respondSize)}},
		}}
		for _, alg := range algorithms {
			routes = append(routes, object{
				"match":  []any{object{"path": []string{"/lean/" + alg}}},
				"handle": []any{object{"handler": "bench_lean", "algorithm": alg, "issuer": issuer, "client_id": clientID}},
			})
		}
		return routes
	}}
}

// respondSize is about the size of a token response signed with ES256.
const respondSize = 1100

// endpoint is a Caddy with this plugin and no option but those in settings.
func endpoint(name string, storage, settings object) caddy {
	return caddy{
		name:    name,
		storage: storage,
		handle: func(issuer string) []any {
			handler := object{"handler": "oidc_token", "issuer": issuer}
			maps.Copy(handler, settings)
			return []any{object{"handle": []any{handler}}}
		},
	}
}

// client is a registration at this plugin.
func client(id, secret string) object {
	return object{"client_id": id, "client_secret": []string{secret}, "redirect_uris": []string{redirectURI}}
}

// hashed is a client's secret as the config has it.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// tokenRequest is RFC 6749 §4.1.3's, as any client sends it.
func tokenRequest(address, path, basic, code string) []byte {
	body := "grant_type=authorization_code&code=" + code + "&redirect_uri=" + escapedRedirectURI
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: application/json\r\n"+
		"Authorization: Basic %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		path, address, basic, len(body), body)
}

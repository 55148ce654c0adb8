package oidctoken_test

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// consulStorage stands for the published module of that name.
type consulStorage struct{ *storagetest.Memory }

func init() { caddy.RegisterModule(consulStorage{}) }

func (consulStorage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.consul", New: func() caddy.Module { return &consulStorage{storagetest.NewMemory()} }}
}

func (c *consulStorage) CertMagicStorage() (certmagic.Storage, error) { return c, nil }

func TestUnfitStoragesAreRefusedByName(t *testing.T) {
	s := newSite(t)
	config, err := caddyJSON(s.caddyfile(oneSite))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, old, with string }{
		{"F21 as the block's own", `"handler":"oidc_token"`, `"handler":"oidc_token","storage":{"module":"consul"}`},
		{"F21 as Caddy's", `"storage":{"module":"file_system"`, `"storage":{"module":"consul"},"was":{"module":"file_system"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := strings.Replace(string(config), row.old, row.with, 1)
			if row.old != `"handler":"oidc_token"` {
				changed = strings.Replace(changed, `,"was":{"module":"file_system","root":"`+s.dir+`"}`, "", 1)
			}
			err := caddy.Load([]byte(changed), true)
			if err == nil || !strings.Contains(err.Error(), "caddy.storage.consul") || !strings.Contains(err.Error(), "give oidc_token another") {
				t.Errorf("loading says %v", err)
			}
			caddy.Stop()
		})
	}
}

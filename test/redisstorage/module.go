package redisstorage

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module is the storage as Caddy configures it:
//
//	storage test_redis {
//		address 127.0.0.1:6379
//		prefix  run7/
//		claim
//	}
type Module struct {
	// Address of the server.
	Address string `json:"address,omitempty"`
	// Prefix of all keys. Default: none.
	Prefix string `json:"prefix,omitempty"`
	// Claim says that codes are claimed by RENAMENX. Default: they are claimed
	// as on any storage.
	Claim bool `json:"claim,omitempty"`

	storage *Storage
}

// CaddyModule returns the module's registration.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.test_redis", New: func() caddy.Module { return new(Module) }}
}

// Provision connects to nothing yet.
func (m *Module) Provision(caddy.Context) error {
	m.storage = Open(m.Address, m.Prefix)
	return nil
}

// Cleanup ends the connections of the config that goes.
func (m *Module) Cleanup() error {
	if m.storage == nil {
		return nil
	}
	return m.storage.Close()
}

// CertMagicStorage implements caddy.StorageConverter.
func (m *Module) CertMagicStorage() (certmagic.Storage, error) {
	if m.Claim {
		return Claiming{m.storage}, nil
	}
	return m.storage, nil
}

// UnmarshalCaddyfile reads the block above.
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	for d.NextBlock(0) {
		switch d.Val() {
		case "address":
			if !d.Args(&m.Address) {
				return d.ArgErr()
			}
		case "prefix":
			if !d.Args(&m.Prefix) {
				return d.ArgErr()
			}
		case "claim":
			m.Claim = true
		default:
			return d.Errf("unrecognized option %q", d.Val())
		}
	}
	return nil
}

var (
	_ caddy.Provisioner      = (*Module)(nil)
	_ caddy.CleanerUpper     = (*Module)(nil)
	_ caddy.StorageConverter = (*Module)(nil)
	_ caddyfile.Unmarshaler  = (*Module)(nil)
)

package keys

import (
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestOptions(t *testing.T) {
	good := Options{Storage: newMemory(), Issuer: testIssuer}
	for _, row := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"all defaults are valid", func(*Options) {}, ""},
		{"no storage is refused", func(o *Options) { o.Storage = nil }, "storage"},
		{"no issuer is refused", func(o *Options) { o.Issuer = "" }, "issuer"},
		{"REQ-204 an encryption key of 31 bytes is refused", func(o *Options) { o.EncryptionKeys = [][]byte{make([]byte, 31)} }, "31 bytes"},
		{"REQ-124 none is refused", func(o *Options) { o.Algorithms = []token.Algorithm{"none"} }, "none"},
		{"an unknown default algorithm is refused", func(o *Options) { o.DefaultAlgorithm = "HS256" }, "HS256"},
		{"a rotation of less than a day is refused", func(o *Options) { o.Rotation = 24*time.Hour - 1 }, "key_rotation"},
		{"a rotation of a day is valid", func(o *Options) { o.Rotation = 24 * time.Hour }, ""},
		{"a rotation of less than the cache lifetime is refused", func(o *Options) { o.Rotation, o.CacheLifetime = 24*time.Hour, 25*time.Hour }, "25h"},
		{"a negative rotation is refused", func(o *Options) { o.Rotation = -1 }, "key_rotation"},
		{"a negative lifetime is refused", func(o *Options) { o.TokenLifetime = -1 }, "negative"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := good
			row.change(&o)
			_, err := NewAutomatic(o)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
		})
	}
}

package oidctoken_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"
	"golang.org/x/crypto/bcrypt"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// recipe returns the block of a language below a heading of README.
func recipe(t testing.TB, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("README has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n##")
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(section)
	if m == nil {
		t.Fatalf("README has no %s block below %q", language, heading)
	}
	return m[1]
}

// recipeSecrets are what the recipes read from the environment.
type recipeSecrets struct{ alice, bob, carol, grafana, wiki string }

func setRecipeSecrets(t testing.TB) (made recipeSecrets) {
	t.Helper()
	for _, person := range []struct {
		password *string
		hash     string
	}{{&made.alice, "ALICE_HASH"}, {&made.bob, "BOB_HASH"}, {&made.carol, "CAROL_HASH"}} {
		*person.password = secret("password", rand.Text())
		t.Setenv(person.hash, passwordHash(t, *person.password))
	}
	for _, client := range []struct {
		secret *string
		name   string
	}{{&made.grafana, "GRAFANA_SECRET"}, {&made.wiki, "WIKI_SECRET"}} {
		*client.secret = secret("client secret", rand.Text())
		t.Setenv(client.name, *client.secret)
	}
	return made
}

// passwordHash is what `caddy hash-password` makes, at the lowest cost.
func passwordHash(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// startRecipe runs a recipe as README has it, on its own host names and over
// TLS by an authority of Caddy's own. Pairs of replace are what no other
// machine has: files, and addresses of what it stands in front of.
func startRecipe(t testing.TB, heading string, replace ...string) *site {
	t.Helper()
	s := newSite(t)
	s.issuer = "https://id.example.com"
	s.servers += "\n\t\tprotocols h1 h2"
	s.options = fmt.Sprintf("local_certs\n\tdefault_bind 127.0.0.1\n\thttps_port %s\n\thttp_port %s", s.port, freePort(t))
	text := recipe(t, heading, "caddyfile")
	s.start(strings.NewReplacer(replace...).Replace(text))
	s.trustLocalAuthority()
	for _, m := range regexp.MustCompile(`(?m)^([a-z.]+) \{`).FindAllStringSubmatch(text, -1) {
		eventually(t, "there is no certificate for "+m[1], func() bool {
			r, _ := http.NewRequest(http.MethodGet, "https://"+m[1]+"/", nil)
			_, err := s.try(r)
			return err == nil
		})
	}
	return s
}

// trustLocalAuthority makes the client of s believe Caddy's own authority, and
// find every host at this Caddy.
func (s *site) trustLocalAuthority() {
	s.t.Helper()
	roots := x509.NewCertPool()
	root, err := os.ReadFile(filepath.Join(s.dir, "pki", "authorities", "local", "root.crt"))
	if err != nil || !roots.AppendCertsFromPEM(root) {
		s.t.Fatal("Caddy's own authority has no certificate: ", err)
	}
	transport := s.client.Transport.(forwarded).Transport
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+s.port)
	}
}

// redisInName stands for a Redis module where a recipe is only adapted; the
// test module runs that recipe on Redis.
type redisInName struct{}

func init() { caddy.RegisterModule(redisInName{}) }

func (redisInName) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.redis", New: func() caddy.Module { return new(redisInName) }}
}

func (redisInName) CertMagicStorage() (certmagic.Storage, error) { return storagetest.NewMemory(), nil }

func (redisInName) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	for d.NextBlock(0) {
		d.RemainingArgs()
	}
	return nil
}

// Command example is Caddy with its standard modules and this plugin.
//
// Without arguments it runs the Caddyfile and the site beside it, from any
// folder and without any set-up. With arguments it is Caddy's own command
// line; `oidc-token` subcommands then find the example by themselves.
package main

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/authentiq/caddy-oidc-token"
)

//go:embed Caddyfile site
var files embed.FS

// What the Caddyfile listens on.
const (
	siteAddress  = "127.0.0.1:8480"
	adminAddress = "127.0.0.1:8481"
)

func main() {
	switch {
	case len(os.Args) == 1:
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "example:", err)
			os.Exit(1)
		}
	case os.Args[1] == "oidc-token" && os.Getenv("CADDY_ADMIN") == "":
		caddy.DefaultAdminListen = adminAddress
	}
	caddycmd.Main()
}

// prepare lays out the example's folder, says what to try, and makes the
// command line that runs it.
func prepare() error {
	for _, address := range []string{siteAddress, adminAddress} {
		if err := free(address); err != nil {
			return err
		}
	}
	dir, err := dataDir()
	if err != nil {
		return err
	}
	if err := layOut(dir); err != nil {
		return fmt.Errorf("preparing %s: %w", dir, err)
	}
	os.Setenv("XDG_DATA_HOME", dir) // What Caddy keeps beside its storage.
	os.Setenv("EXAMPLE_DATA", filepath.ToSlash(dir))
	os.Setenv("EXAMPLE_ADMIN", adminAddress)
	os.Args = append(os.Args, "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")
	fmt.Printf(welcome, dir, filepath.Join(dir, "web.secret"))
	return nil
}

const welcome = `The token endpoint of http://localhost:8480 is starting; Ctrl-C stops it.

In a browser:
  http://localhost:8480/

In a second terminal, a code for the client spa and the tokens it is good for:
  go run ./example oidc-token code --client spa --subject alice --curl | sh

The same for the client web, which has a secret (made at the first start):
  export CLIENT_SECRET="$(cat '%[2]s')"
  go run ./example oidc-token code --client web --subject alice --scope "openid email" --claim email=alice@example.com --curl | sh

Keys, codes and the secret are in %[1]s

`

// free reports an address that is taken. Caddy shares ports with other Caddys
// where the system lets it, so a second example would start and answer some of
// the requests of the first.
func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s is taken: is the example running already? %w", address, err)
	}
	return l.Close()
}

// dataDir is a folder of the example's own: not Caddy's, whose certificates
// and keys are none of its business, and the same at each start.
func dataDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "caddy-oidc-token-example")
	return dir, os.MkdirAll(dir, 0o700)
}

// layOut writes the Caddyfile and the site into dir, and a secret for the
// client web where there is none.
func layOut(dir string) error {
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(dir, name), 0o700)
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), content, 0o600)
	})
	if err != nil {
		return err
	}
	return makeSecret(filepath.Join(dir, "web.secret"))
}

// makeSecret: a secret in this repository would be everybody's.
func makeSecret(file string) error {
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, base64.RawURLEncoding.EncodeToString(random))
	return errors.Join(err, f.Close())
}

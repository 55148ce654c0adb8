// Command example is Caddy with its standard modules and this plugin.
//
// Without arguments it runs the Caddyfile and the site beside it, and a second
// application that signs people in there, from any folder and without any
// set-up. With arguments it is Caddy's own command line; `oidc-token`
// subcommands then find the example by themselves.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/authentiq/caddy-oidc-token"
)

// What the Caddyfile listens on, and where it expects the second application.
const (
	siteAddress        = "127.0.0.1:8480"
	adminAddress       = "127.0.0.1:8481"
	applicationAddress = "127.0.0.1:8482"

	siteURL        = "http://localhost:8480"
	applicationURL = "http://localhost:8482"
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

// prepare lays out the example's folder, starts the second application, says
// what to try, and makes the command line that runs Caddy.
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
	s, err := layOut(dir)
	if err != nil {
		return fmt.Errorf("preparing %s: %w", dir, err)
	}
	if err := serveApplication(s.client); err != nil {
		return err
	}
	os.Setenv("XDG_DATA_HOME", dir) // What Caddy keeps beside its storage.
	os.Setenv("EXAMPLE_DATA", filepath.ToSlash(dir))
	os.Setenv("EXAMPLE_ADMIN", adminAddress)
	os.Args = append(os.Args, "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")
	fmt.Printf(welcome, dir, filepath.Join(dir, "web.secret"), s.password)
	return nil
}

const welcome = `A site that signs people in is starting; Ctrl-C stops it.

Open this in a browser, and press "Sign in":
  http://localhost:8480/
  name      alice
  password  %[3]s

A second application, with a server of its own, signs in there too:
  http://localhost:8482/

In a second terminal, a code for the client spa and the tokens it is good for:
  go run ./example oidc-token code --client spa --subject alice --curl | sh

The same for the client web, which has a secret:
  export CLIENT_SECRET="$(cat '%[2]s')"
  go run ./example oidc-token code --client web --subject alice --scope "openid email" --claim email=alice@example.com --curl | sh

Password and secret were made at the first start. They, keys and codes are in
%[1]s

`

// serveApplication runs the second application beside Caddy: another program
// anywhere else would do the same.
func serveApplication(secret string) error {
	listener, err := listen(applicationAddress)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           newApplication(siteURL, applicationURL, "web", secret),
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() { log.Print("the second application: ", server.Serve(listener)) }()
	return nil
}

// free reports an address that is taken. Caddy shares ports with other Caddys
// where the system lets it, so a second example would start and answer some of
// the requests of the first.
func free(address string) error {
	l, err := listen(address)
	if err != nil {
		return err
	}
	return l.Close()
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s is taken: is the example running already? %w", address, err)
	}
	return l, nil
}

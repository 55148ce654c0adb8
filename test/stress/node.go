//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// nodes is how many Caddys share a storage.
	nodes = 4
	// codeLifetime is as long as it may be: what had met nothing but 503 is to be
	// good when the scenario is over, also at a node whose clock is ahead.
	codeLifetime = 10 * time.Minute
	// skew is how far clocks may differ (README, Clusters).
	skew = time.Minute
	// mintLimit bounds how long minting a code may take.
	mintLimit = 10 * time.Second

	issuer      = "http://localhost"
	redirectURI = "https://client.example/callback"
	clientID    = "stress"
)

// node is one Caddy process.
type node struct {
	*process
	index  int
	site   string // host:port
	admin  string // host:port
	config func(generation int) string
	file   string // the config it starts with

	tail        logTail
	outstanding atomic.Int32 // requests that clients wait for
	mu          sync.Mutex   // held by whoever stops, kills or reloads it
	generation  int          // guarded by mu
	offset      time.Duration
}

// nodeConfig is the Caddyfile of a node; the generation makes one differ from
// another. The plugin's own lines are logged in full, for they tell what was
// issued; of all else the errors.
func nodeConfig(site, admin, storage, secretHash string, generation int) string {
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	auto_https off
	skip_install_trust
	storage %s
	log {
		output stderr
		format json
		level ERROR
		exclude oidc_token
	}
	log issuings {
		output stderr
		format json
		level INFO
		include oidc_token
	}
}
http://%s {
	oidc_token {
		issuer %s
		signing_alg ES256
		code_lifetime %s
		access_token_lifetime 60s
		client %s {
			client_secret %s
			redirect_uris %s
		}
	}
	respond "generation %d"
}
`, admin, storage, site, issuer, codeLifetime, clientID, secretHash, redirectURI, generation)
}

func (l *lane) newNode(index int, binary string) (*node, error) {
	site, err := l.ports.address()
	if err != nil {
		return nil, err
	}
	admin, err := l.ports.address()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(l.dir, fmt.Sprintf("node%d", index))
	if err := errors.Join(os.Mkdir(home, 0o700), l.launcher.give(home)); err != nil {
		return nil, err
	}
	n := &node{
		process: &process{launcher: l.launcher, name: fmt.Sprintf("%s, node %d", l.name, index), path: binary, log: home + ".log"},
		index:   index, site: site, admin: admin, file: home + ".Caddyfile",
		config: func(generation int) string { return nodeConfig(site, admin, l.storage, l.secretHash, generation) },
	}
	n.tail.file = n.log
	n.args = []string{"run", "--config", n.file, "--adapter", "caddyfile"}
	if err := os.WriteFile(n.file, []byte(n.config(0)), 0o600); err != nil {
		return nil, err
	}
	return n, l.launcher.give(n.file)
}

// launch starts the process with its clock off by n.offset.
func (n *node) launch() error {
	home := n.file[:len(n.file)-len(".Caddyfile")]
	n.env = []string{"HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_CONFIG_HOME=" + home,
		"OIDC_TOKEN_CLOCK_OFFSET=" + n.offset.String(), "GORACE=halt_on_error=1"}
	return n.start()
}

// ready waits until the node serves tokens and keys.
func (n *node) ready(ctx context.Context) error {
	err := eventually(ctx, 30*time.Second, func() error {
		if n.died() {
			return fmt.Errorf("%s ended, see %s", n.name, n.log)
		}
		_, err := n.get(ctx, "/.well-known/jwks.json")
		return err
	})
	if err != nil {
		return fmt.Errorf("%s does not come up: %w", n.name, err)
	}
	return nil
}

var (
	httpClient = &http.Client{Timeout: mintLimit, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	// onceClient keeps no connections: a reload replaces the admin server, too,
	// and ends those it has.
	onceClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
)

// get fetches a document of the site.
func (n *node) get(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.site+path, nil)
	if err != nil {
		return nil, err
	}
	return fetch(httpClient, r, http.StatusOK)
}

// post sends a request to the admin API.
func (n *node) post(ctx context.Context, client *http.Client, path, contentType string, body []byte, want int) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.admin+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	return fetch(client, r, want)
}

func fetch(client *http.Client, r *http.Request, want int) ([]byte, error) {
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != want {
		return nil, fmt.Errorf("%s %s: %d: %.200s", r.Method, r.URL.Path, response.StatusCode, body)
	}
	return body, nil
}

// reload loads the next config, or the same again.
func (n *node) reload(ctx context.Context, changed bool) error {
	if changed {
		n.generation++
	}
	_, err := n.post(ctx, onceClient, "/load", "text/caddyfile", []byte(n.config(n.generation)), http.StatusOK)
	return err
}

// stopFor stops the process as a whole, whatever it is doing, and lets it go on.
func (n *node) stopFor(ctx context.Context, d time.Duration) error {
	if err := n.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, d)
	return n.signal(syscall.SIGCONT)
}

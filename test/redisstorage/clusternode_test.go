package redisstorage_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/test/redisstorage"
)

// node is a process of the cluster.
type node struct{ client *http.Client }

func (n *node) send(t *testing.T, r *http.Request) (*http.Response, []byte) {
	t.Helper()
	response, err := n.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// startNode starts a Caddy with the recipe, and waits until it answers.
func startNode(t *testing.T, redis string) *node {
	t.Helper()
	dir := t.TempDir()
	https := freeAddress(t)
	_, httpsPort, _ := net.SplitHostPort(https)
	_, httpPort, _ := net.SplitHostPort(freeAddress(t))
	file := filepath.Join(dir, "Caddyfile")
	options := fmt.Sprintf("{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n\thttps_port %s\n\thttp_port %s\n", httpsPort, httpPort)
	text := strings.Replace(clusterRecipe(t), "{\n", options, 1)
	text = strings.Replace(text, "redis.example.com:6379", redis, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	output := startCaddy(t, dir, file)
	n := &node{client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	storage := redisstorage.Open(redis, "caddy/")
	defer storage.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if root, err := storage.Load(t.Context(), "pki/authorities/local/root.crt"); err == nil && n.trust(t, root, https) {
			return n
		}
		if time.Now().After(deadline) {
			t.Fatalf("caddy does not answer\n%s", output())
		}
	}
}

// trust makes the client believe in the nodes' authority and find every host
// at one of them. It reports whether that one answers.
func (n *node) trust(t *testing.T, root []byte, address string) bool {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return false
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	n.client.Transport = transport
	response, err := n.client.Get("https://id.example.com/.well-known/jwks.json")
	if err != nil {
		return false
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false
	}
	t.Cleanup(transport.CloseIdleConnections)
	return true
}

// startCaddy runs a Caddyfile in this test binary until the test ends. What it
// returns tells what the process has written; the process has ended then.
func startCaddy(t *testing.T, dir, file string) (output func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	cmd := exec.Command(self, "run", "--config", file, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), runAsCaddy+"=1", "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Stdout, cmd.Stderr = &written, &written
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // what dieWithParent asks for goes by thread
		dieWithParent(cmd)
		err := cmd.Start()
		if started <- err; err == nil {
			cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	stop := func() { cmd.Process.Kill(); <-ended }
	t.Cleanup(stop)
	return func() string { stop(); return written.String() }
}

// freeAddress has a port below those that systems take for outgoing connections.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(10_000+rand.IntN(20_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// published is the storage under the name and with the options of a module that
// operators use.
type published struct {
	Address   string `json:"address"`
	KeyPrefix string `json:"key_prefix"`

	storage *redisstorage.Storage
}

func init() { caddy.RegisterModule(new(published)) }

func (*published) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.redis", New: func() caddy.Module { return new(published) }}
}

func (p *published) Provision(caddy.Context) error {
	p.storage = redisstorage.Open(p.Address, p.KeyPrefix+"/")
	return nil
}

func (p *published) CertMagicStorage() (certmagic.Storage, error) { return p.storage, nil }

func (p *published) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	for d.NextBlock(0) {
		options := map[string]*string{"address": &p.Address, "key_prefix": &p.KeyPrefix}
		option, ok := options[d.Val()]
		if !ok || !d.Args(option) {
			return d.ArgErr()
		}
	}
	return nil
}

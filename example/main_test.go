package main

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

func TestLayOut(t *testing.T) {
	dir := t.TempDir()
	if err := layOut(dir); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "web.secret")
	first, err := os.ReadFile(secret)
	if err != nil || len(first) != 44 {
		t.Fatalf("the secret has %d bytes: %v", len(first), err)
	}
	info, err := os.Stat(secret)
	if err != nil {
		t.Fatal(err)
	}
	// Windows keeps access in lists, of which Go's mode bits show nothing.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the secret: %v", info.Mode())
	}
	if err := layOut(dir); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(secret); err != nil || string(second) != string(first) {
		t.Errorf("a second start made another secret: %v", err)
	}
}

func TestTheCaddyfileListensWhereTheProgramLooks(t *testing.T) {
	caddyfile, err := os.ReadFile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("adapting: %v %v", err, warnings)
	}
	_, port, _ := net.SplitHostPort(siteAddress)
	for _, want := range []string{`"listen":"` + adminAddress + `"`, `"` + siteAddress + `"`, `"issuer":"http://localhost:` + port + `"`, `"persist":false`} {
		if !strings.Contains(string(config), want) {
			t.Errorf("%s is not in %s", want, config)
		}
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := free(l.Addr().String()); err == nil || !strings.Contains(err.Error(), "is taken: is the example running already?") {
		t.Errorf("got %v", err)
	}
}

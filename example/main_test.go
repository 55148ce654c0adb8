package main

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

func TestTheCaddyfileFitsTheProgram(t *testing.T) {
	caddyfile, err := os.ReadFile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("adapting: %v %v", err, warnings)
	}
	for _, want := range []string{
		`"listen":"` + adminAddress + `"`, `"` + siteAddress + `"`, `"persist":false`,
		`"issuer":"` + siteURL + `"`, `"` + siteURL + `/callback"`, `"` + applicationURL + `/callback"`,
	} {
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

func TestItListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{siteAddress, adminAddress, applicationAddress} {
		host, _, err := net.SplitHostPort(address)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("%s: %v", address, err)
		}
	}
}

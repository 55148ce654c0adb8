package oidctoken_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	oidctoken "github.com/authentiq/caddy-oidc-token"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// namedStorage is a Caddy storage module whose storage a test holds, and which
// says which one it is, as those of databases do.
type namedStorage struct {
	Name string `json:"name"`
}

func init() { caddy.RegisterModule(namedStorage{}) }

func (namedStorage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.test_named", New: func() caddy.Module { return new(namedStorage) }}
}

func (n *namedStorage) CertMagicStorage() (certmagic.Storage, error) {
	return namedMemory{memories[n.Name], n.Name}, nil
}

type namedMemory struct {
	*storagetest.Memory
	name string
}

func (n namedMemory) String() string { return "memory://" + n.name }

// again is oneSite with a difference: Caddy ignores a config that is the same.
func again(n int) string {
	return strings.Replace(oneSite, "the site", "the site, "+strconv.Itoa(n), 1)
}

// kids are those of the JWKS that the site answers with.
func (s *site) kids() (kids []any) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.issuer+"/.well-known/jwks.json", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.send(r)
	if a.StatusCode != http.StatusOK {
		s.t.Fatalf("the JWKS answers %d %s", a.StatusCode, a.body)
	}
	keys, _ := a.json["keys"].([]any)
	for _, key := range keys {
		key, _ := key.(map[string]any)
		kids = append(kids, key["kid"])
	}
	return kids
}

func TestReloadWhileTheStorageIsAway(t *testing.T) {
	memory := storagetest.NewMemory()
	memories[t.Name()] = memory
	s := newSite(t)
	load := func(t *testing.T, blocks string) {
		t.Helper()
		if err := s.loadOn(blocks, "test_named"); err != nil {
			t.Fatal(err)
		}
	}
	load(t, oneSite)
	t.Cleanup(func() { caddy.Stop() })
	s.send(s.redemption(s.mint(oidctoken.MintRequest{ClientID: "web"}))).wantTokens(t)
	code, kids := s.mint(oidctoken.MintRequest{ClientID: "web"}), s.kids()
	if len(kids) == 0 {
		t.Fatal("no keys are published")
	}
	settledWork(t) // the keys are looked after, or nobody would take them over
	memory.Before(func(context.Context, storagetest.Call) error { return errors.New("injected fault") })
	for n := range 2 {
		load(t, again(n))
		t.Run("F16 F36 REQ-113 after reload "+strconv.Itoa(n+1)+" the same keys are published and a code stays good", func(t *testing.T) {
			if got := s.kids(); !slices.Equal(got, kids) {
				t.Errorf("published are %v, not %v", got, kids)
			}
			s.send(s.redemption(code)).wantError(t, 503, "temporarily_unavailable")
		})
	}
	t.Run("once the storage is back the code is redeemed at once, without another probe", func(t *testing.T) {
		memory.Reset()
		s.send(s.redemption(code)).wantTokens(t)
		for _, call := range memory.Calls() {
			if strings.HasPrefix(call.Key, "oidc_token/probe/") {
				t.Errorf("a probe: %s", call.Op)
			}
		}
		if got := s.kids(); !slices.Equal(got, kids) {
			t.Errorf("published are %v, not %v", got, kids)
		}
	})
	t.Run("F45 with another encryption_key nothing of them is used", func(t *testing.T) {
		memory.Before(func(context.Context, storagetest.Call) error { return errors.New("injected fault") })
		defer memory.Reset()
		key := strings.Repeat("QUJD", 10) + "QUI="
		load(t, strings.Replace(oneSite, "CLIENTS", "encryption_key "+key+"\nCLIENTS", 1))
		r, _ := http.NewRequest(http.MethodGet, s.issuer+"/.well-known/jwks.json", nil)
		if a := s.send(r); a.StatusCode != 503 {
			t.Errorf("the JWKS answers %d %s", a.StatusCode, a.body)
		}
	})
}

// On a disk that takes no new file a code can still be redeemed, by a link. So
// nothing may be written before it that the claim does not need.
func TestReloadOnFiles(t *testing.T) {
	s := newSite(t).start(oneSite)
	code := s.mint(oidctoken.MintRequest{ClientID: "web"})
	if err := s.load(again(1)); err != nil {
		t.Fatal(err)
	}
	t.Run("F36 a code is redeemed after a reload, and the probe wrote nothing", func(t *testing.T) {
		probe := filepath.Join(s.dir, "oidc_token", "probe")
		before := modified(t, probe)
		s.send(s.redemption(code)).wantTokens(t)
		if after := modified(t, probe); !after.Equal(before) {
			t.Error("it wrote")
		}
	})
}

func modified(t *testing.T, name string) time.Time {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

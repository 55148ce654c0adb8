package redisstorage_test

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
	"github.com/authentiq/caddy-oidc-token/test/redisstorage"
)

// startRedis starts a server of its own that keeps nothing on disk and returns
// its address.
func startRedis(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	// Another process may take the port before the server does.
	for range 3 {
		if address := tryRedis(t, program); address != "" {
			return address
		}
	}
	t.Fatal("redis-server does not start")
	return ""
}

func tryRedis(t *testing.T, program string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	server := exec.Command(program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		// What dieWithParent asks for goes by the thread that starts a process:
		// this one ends after it.
		runtime.LockOSThread()
		dieWithParent(server)
		err := server.Start()
		if started <- err; err == nil {
			server.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); <-ended })
	answers := time.NewTicker(10 * time.Millisecond)
	defer answers.Stop()
	for range 1000 {
		select {
		case <-ended:
			return ""
		case <-answers.C:
		}
		if pings(address) {
			return address
		}
	}
	return ""
}

// pings reports whether a Redis answers, and not whoever else has the port.
func pings(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(c, "PING\r\n")
	answer := make([]byte, 7)
	n, _ := c.Read(answer)
	return strings.HasPrefix(string(answer[:n]), "+PONG")
}

// prefixes numbers the storages on one server, so that each is empty.
var prefixes atomic.Int32

// opener returns what opens an empty storage, again and again. Its prefix has
// what means something else in Redis's patterns.
func opener(t *testing.T, address string) func() *redisstorage.Storage {
	prefix := fmt.Sprintf("test%d*[?/", prefixes.Add(1))
	return func() *redisstorage.Storage {
		s := redisstorage.Open(address, prefix)
		t.Cleanup(func() { s.Close() })
		return s
	}
}

// connection and claiming open the storage again for each node.
type connection struct {
	*redisstorage.Storage
	again func() *redisstorage.Storage
}

func (c connection) Again() certmagic.Storage { return connection{c.again(), c.again} }

type claiming struct {
	redisstorage.Claiming
	again func() *redisstorage.Storage
}

func (c claiming) Again() certmagic.Storage {
	return claiming{redisstorage.Claiming{Storage: c.again()}, c.again}
}

// A module's Cleanup closes the client of a config that goes while requests are
// under way.
func TestClosed(t *testing.T) {
	again := opener(t, startRedis(t))
	s := again()
	here, there := codesOn(t, s), codesOn(t, again())
	code, loaded := mint(t, here), mint(t, here)
	found, err := here.Load(t.Context(), loaded)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	t.Run("F38 a code cannot be looked for in a storage that was closed, and stays good", func(t *testing.T) {
		if _, err := here.Load(t.Context(), code); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Load: %v", err)
		}
		if err := redeem(t, there, code); err != nil {
			t.Errorf("elsewhere: %v", err)
		}
	})
	t.Run("F38 a claim in a storage that was closed is not won", func(t *testing.T) {
		if err := here.Redeem(t.Context(), found); !errors.Is(err, storage.ErrUncertain) {
			t.Errorf("Redeem: %v", err)
		}
		if err := here.Redeem(t.Context(), found); !errors.Is(err, storage.ErrUsed) {
			t.Errorf("Redeem again: %v", err)
		}
	})
}

func codesOn(t *testing.T, s certmagic.Storage) *storage.Codes {
	t.Helper()
	codes, err := storage.New(storage.Options{Storage: s, Issuer: "https://id.example.com", Used: storage.NewUsedSet()})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

func mint(t *testing.T, codes *storage.Codes) string {
	t.Helper()
	now := time.Now()
	code, err := codes.Store(t.Context(), &storage.Record{
		Issuer: "https://id.example.com", ClientID: "client", Subject: "alice", IssuedAt: now, ExpiresAt: now.Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func redeem(t *testing.T, codes *storage.Codes, code string) error {
	t.Helper()
	found, err := codes.Load(t.Context(), code)
	if err != nil {
		return err
	}
	return codes.Redeem(t.Context(), found)
}

func TestSuite(t *testing.T) {
	address := startRedis(t)
	for name, newStorage := range map[string]func(*testing.T) certmagic.Storage{
		"Redis": func(t *testing.T) certmagic.Storage {
			again := opener(t, address)
			return connection{again(), again}
		},
		"Redis with a claim of its own": func(t *testing.T) certmagic.Storage {
			again := opener(t, address)
			return claiming{redisstorage.Claiming{Storage: again()}, again}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, newStorage)
		})
	}
}

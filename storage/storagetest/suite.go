package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// Run tells whether a storage can carry single-use authorization codes: that
// it keeps the promises of certmagic.Storage that redemption rests on, and that
// codes kept in it are redeemed at most once, also by two nodes and under
// faults. newStorage returns an empty storage; Run calls it once for each
// test. A storage that implements storage.Claimer is tried by its own claim.
//
// It is for the authors of storages, too:
//
//	func TestSingleUse(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) certmagic.Storage { return open(t) })
//	}
func Run(t *testing.T, newStorage func(t *testing.T) certmagic.Storage) {
	tests := []struct {
		name string
		test func(t *testing.T, s certmagic.Storage)
	}{
		{"Load returns the last Store", testLoad},
		{"what is absent is fs.ErrNotExist", testAbsent},
		{"Delete removes one key, and no error is no key", testDelete},
		{"List goes by component and stays below its prefix", testList},
		{"concurrent use keeps values apart", testConcurrency},
		{"REQ-101 a code is redeemed once", testOnce},
		{"REQ-104 of many requests on one node exactly one wins", testOneNode},
		{"REQ-104 REQ-245 of requests on two nodes at most one wins", testTwoNodes},
		{"REQ-107 codes and used-marks outlive the process", testRestart},
		{"REQ-085 the issuer is part of a code", testIssuer},
		{"A25 A26 hostile codes are unknown", testHostile},
		{"what expired is swept, and nothing else", testSweep},
		{"REQ-105 a fault never makes a second success", testFaults},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.test(t, newStorage(t)) })
	}
}

const issuer = "https://id.example.com"

// binary is a value that is not text, as sealed records are not.
var binary = []byte{0, 1, 0xff, 0xfe, '\r', '\n', 0xc0, 0x80, '"', 0}

func testLoad(t *testing.T, s certmagic.Storage) {
	const key = "oidc_token/suite/a/b"
	for _, value := range [][]byte{binary, bytes.Repeat(binary, 1000), []byte("x"), binary} {
		if err := s.Store(t.Context(), key, value); err != nil {
			t.Fatalf("Store: %v", err)
		}
		if got, err := s.Load(t.Context(), key); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("Load returned %d bytes, %v, want the %d stored", len(got), err, len(value))
		}
	}
}

func testAbsent(t *testing.T, s certmagic.Storage) {
	for _, key := range []string{"oidc_token/suite/absent", "oidc_token/suite/absent/below"} {
		if got, err := s.Load(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load = %q, %v, want fs.ErrNotExist", got, err)
		}
	}
}

func testDelete(t *testing.T, s certmagic.Storage) {
	const key, beside = "oidc_token/suite/a/b", "oidc_token/suite/a/bc"
	for _, k := range []string{key, beside} {
		if err := s.Store(t.Context(), k, binary); err != nil {
			t.Fatalf("Store: %v", err)
		}
	}
	for range 2 {
		if err := s.Delete(t.Context(), key); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Delete: %v", err)
		}
		if _, err := s.Load(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load of a deleted key: %v, want fs.ErrNotExist", err)
		}
	}
	if _, err := s.Load(t.Context(), beside); err != nil {
		t.Errorf("the key beside it: %v", err)
	}
}

func testList(t *testing.T, s certmagic.Storage) {
	for _, key := range []string{"oidc_token/suite/a/1", "oidc_token/suite/a/b/2", "oidc_token/suite/ab/3"} {
		if err := s.Store(t.Context(), key, binary); err != nil {
			t.Fatalf("Store: %v", err)
		}
	}
	keys, err := s.List(t.Context(), "oidc_token/suite/a", false)
	if err != nil || !slices.Contains(keys, "oidc_token/suite/a/1") {
		t.Errorf("List = %v, %v, want oidc_token/suite/a/1", keys, err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "oidc_token/suite/a/") {
			t.Errorf("List of another prefix returned %q", key)
		}
	}
	if keys, err := s.List(t.Context(), "oidc_token/suite/absent", false); err != nil && !errors.Is(err, fs.ErrNotExist) || len(keys) != 0 {
		t.Errorf("List of an absent prefix = %v, %v", keys, err)
	}
}

func testConcurrency(t *testing.T, s certmagic.Storage) {
	var work sync.WaitGroup
	for i := range 16 {
		work.Go(func() {
			key, value := fmt.Sprintf("oidc_token/suite/%d", i), bytes.Repeat([]byte{byte(i)}, 100)
			for range 10 {
				if err := s.Store(t.Context(), key, value); err != nil {
					t.Errorf("Store: %v", err)
				}
				if got, err := s.Load(t.Context(), key); err != nil || !bytes.Equal(got, value) {
					t.Errorf("Load: another value, or %v", err)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		})
	}
	work.Wait()
}

// node returns the codes of one node of several on a storage.
func node(t *testing.T, s certmagic.Storage, change ...func(*storage.Options)) *storage.Codes {
	t.Helper()
	o := storage.Options{Storage: s, Issuer: issuer, Retention: time.Minute, Used: storage.NewUsedSet()}
	for _, f := range change {
		f(&o)
	}
	codes, err := storage.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return codes
}

func mint(t *testing.T, codes *storage.Codes, now time.Time) string {
	t.Helper()
	code, err := codes.Store(t.Context(), &storage.Record{Issuer: issuer, ClientID: "client", Subject: "alice", IssuedAt: now, ExpiresAt: now.Add(time.Minute)})
	if err != nil {
		t.Fatalf("Store: %v", err)
	}
	return code
}

func redeem(ctx context.Context, codes *storage.Codes, code string) error {
	found, err := codes.Load(ctx, code)
	if err != nil {
		return err
	}
	return codes.Redeem(ctx, found)
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func testOnce(t *testing.T, s certmagic.Storage) {
	here, there := node(t, s), node(t, s)
	code := mint(t, here, time.Now())
	wantError(t, redeem(t.Context(), there, code), nil)
	wantError(t, redeem(t.Context(), there, code), storage.ErrUsed)
	wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
}

func testOneNode(t *testing.T, s certmagic.Storage) {
	codes := node(t, s)
	for range 5 {
		if won := race(t, mint(t, codes, time.Now()), 32, codes); won != 1 {
			t.Errorf("%d winners", won)
		}
	}
}

func testTwoNodes(t *testing.T, s certmagic.Storage) {
	here, there := node(t, s), node(t, s)
	for range 50 {
		if won := race(t, mint(t, here, time.Now()), 4, here, there); won > 1 {
			t.Errorf("%d winners", won)
		}
	}
}

// race redeems one code n times at once, on each node in turn, and returns how
// many won.
func race(t *testing.T, code string, n int, nodes ...*storage.Codes) (won int) {
	t.Helper()
	var mu sync.Mutex
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			if redeem(t.Context(), nodes[i%len(nodes)], code) == nil {
				mu.Lock()
				defer mu.Unlock()
				won++
			}
		})
	}
	start.Done()
	done.Wait()
	return won
}

func testRestart(t *testing.T, s certmagic.Storage) {
	code, used := mint(t, node(t, s), time.Now()), mint(t, node(t, s), time.Now())
	wantError(t, redeem(t.Context(), node(t, s), used), nil)
	wantError(t, redeem(t.Context(), node(t, s), used), storage.ErrUsed)
	wantError(t, redeem(t.Context(), node(t, s), code), nil)
}

func testIssuer(t *testing.T, s certmagic.Storage) {
	other := node(t, s, func(o *storage.Options) { o.Issuer = issuer + "/other" })
	code := mint(t, node(t, s), time.Now())
	_, err := other.Load(t.Context(), code)
	wantError(t, err, storage.ErrUnknown)
}

func testHostile(t *testing.T, s certmagic.Storage) {
	codes := node(t, s)
	mint(t, codes, time.Now())
	for _, code := range []string{"", ".", "..", strings.Repeat("../", 16), strings.Repeat("\x00", 48), strings.Repeat("/", 48), strings.Repeat("A", 4096)} {
		_, err := codes.Load(t.Context(), code)
		wantError(t, err, storage.ErrUnknown)
	}
}

func testSweep(t *testing.T, s certmagic.Storage) {
	now := time.Now()
	codes := node(t, s, func(o *storage.Options) { o.Now = func() time.Time { return now } })
	expired, used := mint(t, codes, now), mint(t, codes, now)
	wantError(t, redeem(t.Context(), codes, used), nil)
	const beside = "certificates/suite/example.com.key"
	if err := s.Store(t.Context(), beside, binary); err != nil {
		t.Fatalf("Store: %v", err)
	}
	now = now.Add(time.Hour)
	live := mint(t, codes, now)
	if n, err := codes.Sweep(t.Context()); err != nil || n != 2 {
		t.Errorf("Sweep = %d, %v, want 2", n, err)
	}
	for _, gone := range []string{expired, used} {
		_, err := node(t, s).Load(t.Context(), gone)
		wantError(t, err, storage.ErrUnknown)
	}
	wantError(t, redeem(t.Context(), codes, live), nil)
	if _, err := s.Load(t.Context(), beside); err != nil {
		t.Errorf("what is not ours: %v", err)
	}
}

// testFaults makes each call of a redemption fail in turn, before and after its
// effect. The storage is wrapped, so that the generic claim is tried whatever
// it implements.
func testFaults(t *testing.T, s certmagic.Storage) {
	hooked := Wrap(s)
	here, there := node(t, hooked), node(t, hooked)
	mint(t, here, time.Now())
	mint(t, there, time.Now())
	for n := 1; n <= 7; n++ {
		for _, set := range []func(Hook){hooked.Before, hooked.After} {
			code := mint(t, here, time.Now())
			hooked.Reset()
			set(func(_ context.Context, call Call) error {
				if call.N == n {
					return errors.New("a fault of the test")
				}
				return nil
			})
			wins := 0
			for _, codes := range []*storage.Codes{here, there, here} {
				if redeem(t.Context(), codes, code) == nil {
					wins++
				}
			}
			hooked.Reset()
			if wins > 1 {
				t.Errorf("call %d: %d successes", n, wins)
			}
		}
	}
}

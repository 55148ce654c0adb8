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

	"github.com/caddyserver/certmagic"
)

// contract is what redemption and the signing keys ask of certmagic.Storage.
var contract = []trial{
	{"Load returns the last Store", testLoad},
	{"Load returns what another node stored last", testAnotherNode},
	{"a value is a copy", testCopy},
	{"values are bytes, not text", testBinary},
	{"keys of 123 characters differ in their last", testLongKeys},
	{"what is absent is fs.ErrNotExist", testAbsent},
	{"a call that was cancelled does not say that a key is absent", testCancelled},
	{"Delete removes one key, for every node, and no error is no key", testDelete},
	{"List goes by component and stays below its prefix", testList},
	{"List returns what another node stored", testListOfAnotherNode},
	{"F43 List returns all or fails while others write", testListMeanwhile},
	{"many at once do not mix their values", testConcurrency},
	{"a value is stored whole", testWhole},
}

func runContract(t *testing.T, newStorage func(t *testing.T) certmagic.Storage) {
	try(t, newStorage, contract)
}

// binary is a value that is not text, as sealed records are not.
var binary = []byte{0, 1, 0xff, 0xfe, '\r', '\n', 0xc0, 0x80, '"', 0}

func store(t *testing.T, s certmagic.Storage, key string, value []byte) {
	t.Helper()
	if err := s.Store(t.Context(), key, value); err != nil {
		t.Fatalf("Store: %v", err)
	}
}

func wantValue(t *testing.T, s certmagic.Storage, key string, want []byte) {
	t.Helper()
	got, err := s.Load(t.Context(), key)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("Load returned %d bytes, %v, want the %d stored", len(got), err, len(want))
	}
}

func wantAbsent(t *testing.T, s certmagic.Storage, key string) {
	t.Helper()
	if got, err := s.Load(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load = %d bytes, %v, want fs.ErrNotExist", len(got), err)
	}
}

func testLoad(t *testing.T, s certmagic.Storage) {
	const key = "oidc_token/suite/a/b"
	for _, size := range []int{10, 32 << 10, 1, 10, 2000} {
		value := bytes.Repeat([]byte{byte('a' + size%7)}, size)
		store(t, s, key, value)
		wantValue(t, s, key, value)
	}
}

// A cache in the process makes a code redeemable at every node that read it.
func testAnotherNode(t *testing.T, s certmagic.Storage) {
	const key = "oidc_token/suite/a/b"
	here, there := s, again(s)
	for i := range 20 {
		store(t, here, key, []byte{byte(i)})
		wantValue(t, there, key, []byte{byte(i)})
		here, there = there, here
	}
}

func testCopy(t *testing.T, s certmagic.Storage) {
	const key = "oidc_token/suite/a/b"
	value := []byte("value")
	store(t, s, key, value)
	value[0] = 'x'
	got, err := s.Load(t.Context(), key)
	if err != nil || string(got) != "value" {
		t.Fatalf("Load = %q, %v after the caller changed what it stored", got, err)
	}
	got[0] = 'y'
	wantValue(t, s, key, []byte("value"))
}

func testBinary(t *testing.T, s certmagic.Storage) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for i, value := range [][]byte{binary, all, bytes.Repeat(binary, 1000)} {
		key := fmt.Sprint("oidc_token/suite/", i)
		store(t, s, key, value)
		wantValue(t, s, key, value)
	}
}

// testLongKeys uses the longest keys there are, those of codes.
func testLongKeys(t *testing.T, s certmagic.Storage) {
	folder := "oidc_token/" + strings.Repeat("0a", 16) + "/codes/01c0ffee/"
	keys := []string{folder + strings.Repeat("0b", 31) + "0b", folder + strings.Repeat("0b", 31) + "0c"}
	for _, key := range keys {
		store(t, s, key, []byte(key))
	}
	for _, key := range keys {
		wantValue(t, s, key, []byte(key))
	}
	if listed := list(t, s, strings.TrimSuffix(folder, "/")); !slices.Equal(listed, keys) {
		t.Errorf("List returned %d keys, not the two that were stored", len(listed))
	}
}

func testAbsent(t *testing.T, s certmagic.Storage) {
	store(t, s, "oidc_token/suite/present", binary)
	for _, key := range []string{"oidc_token/suite/absent", "oidc_token/suite/absent/below", "oidc_token/suite/presen"} {
		wantAbsent(t, s, key)
	}
}

// A marker that is taken for absent is a code that is taken for good.
func testCancelled(t *testing.T, s certmagic.Storage) {
	const key = "oidc_token/suite/a/b"
	store(t, s, key, binary)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.Load(ctx, key); errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(got, binary) {
		t.Errorf("Load with a context that has ended = %d bytes, %v", len(got), err)
	}
	if err := s.Store(ctx, key, []byte("new")); err == nil {
		wantValue(t, s, key, []byte("new"))
	}
	store(t, s, key, binary) // and goes on
	wantValue(t, s, key, binary)
}

func testDelete(t *testing.T, s certmagic.Storage) {
	const key, beside, below = "oidc_token/suite/a/b", "oidc_token/suite/a/bc", "oidc_token/suite/ab/c"
	there := again(s)
	for _, k := range []string{key, beside, below} {
		store(t, s, k, binary)
		wantValue(t, there, k, binary)
	}
	for range 2 {
		if err := s.Delete(t.Context(), key); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Delete: %v", err)
		}
		wantAbsent(t, s, key)
		wantAbsent(t, there, key)
	}
	wantValue(t, s, beside, binary)
	wantValue(t, s, below, binary)
	store(t, there, key, []byte("again"))
	wantValue(t, s, key, []byte("again"))
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

// testWhole has several nodes store one key, as racers store a used-marker.
// Whoever reads it meanwhile sees one of the values whole.
func testWhole(t *testing.T, s certmagic.Storage) {
	const key = "oidc_token/suite/a/b"
	store(t, s, key, []byte{0})
	var work sync.WaitGroup
	for i := range 4 {
		node := again(s)
		work.Go(func() {
			for range 10 {
				if err := node.Store(t.Context(), key, bytes.Repeat([]byte{byte(i)}, 1+4000*i)); err != nil {
					t.Errorf("Store: %v", err)
				}
			}
		})
		work.Go(func() {
			for range 40 {
				got, err := node.Load(t.Context(), key)
				if err != nil || len(got) == 0 || len(got) != 1+4000*int(got[0]) || len(bytes.Trim(got, string(got[:1]))) != 0 {
					t.Errorf("Load = %d bytes, %v, which is none of the values", len(got), err)
					return
				}
			}
		})
	}
	work.Wait()
}

package storagetest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/certmagic"
)

// list returns what List finds directly below prefix, sorted. Some storages
// list nothing unless asked for everything below, which will do.
func list(t *testing.T, s certmagic.Storage, prefix string) []string {
	t.Helper()
	for _, recursive := range []bool{false, true} {
		keys, err := s.List(t.Context(), prefix, recursive)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("List: %v", err)
		}
		if slices.Sort(keys); err == nil && len(keys) > 0 {
			return slices.Compact(keys)
		}
	}
	return nil
}

func testList(t *testing.T, s certmagic.Storage) {
	for _, key := range []string{"oidc_token/suite/a/1", "oidc_token/suite/a/b/2", "oidc_token/suite/ab/3"} {
		store(t, s, key, binary)
	}
	keys := list(t, s, "oidc_token/suite/a")
	if !slices.Contains(keys, "oidc_token/suite/a/1") {
		t.Errorf("List = %v, want oidc_token/suite/a/1 among them", keys)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "oidc_token/suite/a/") {
			t.Errorf("List of another prefix returned %q", key)
		}
	}
	if keys := list(t, s, "oidc_token/suite/a/b"); !slices.Contains(keys, "oidc_token/suite/a/b/2") {
		t.Errorf("List of a folder in it = %v", keys)
	}
	if keys := list(t, s, "oidc_token/suite/absent"); len(keys) != 0 {
		t.Errorf("List of an absent prefix = %v", keys)
	}
}

// A node that does not see another's signing key makes a second identity.
func testListOfAnotherNode(t *testing.T, s certmagic.Storage) {
	const folder = "oidc_token/suite/a"
	here, there := s, again(s)
	var want []string
	for i := range 10 {
		key := fmt.Sprintf("%s/%d", folder, i)
		store(t, here, key, binary)
		if want = append(want, key); !slices.Equal(list(t, there, folder), want) {
			t.Fatalf("List = %v, want %v", list(t, there, folder), want)
		}
		here, there = there, here
	}
}

// Half a list without an error would be a set of keys without one that another
// node signs with.
func testListMeanwhile(t *testing.T, s certmagic.Storage) {
	const folder = "oidc_token/suite/a"
	for i := range 8 {
		store(t, s, fmt.Sprintf("%s/%d", folder, i), binary)
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	defer writers.Wait()
	defer close(stop)
	for w := range 2 {
		there := again(s)
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("%s/%c%d", folder, 'a'+w, i%3)
				if there.Store(t.Context(), key, binary) != nil || there.Delete(t.Context(), key) != nil {
					t.Error("storing or deleting a key beside others fails")
					return
				}
			}
		})
	}
	for range 50 {
		keys, err := s.List(t.Context(), folder, false)
		if err != nil || len(keys) == 0 {
			continue // it is asked again, or for everything below
		}
		for i := range 8 {
			if !slices.Contains(keys, fmt.Sprintf("%s/%d", folder, i)) {
				t.Fatalf("List left out a key that was there all the time: %v", keys)
			}
		}
	}
}

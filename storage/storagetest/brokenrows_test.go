package storagetest_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// TestSuiteNamesWhatIsBroken has the suite try broken storages, which fails, in
// a process of its own, and looks at what it says. For each the first test
// named must fail; the others may, as what they look at rests on it; and no
// other may.
func TestSuiteNamesWhatIsBroken(t *testing.T) {
	const here = "STORAGETEST_TRY_BROKEN"
	if os.Getenv(here) != "" {
		tryBroken(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.short")
	cmd.Env = append(os.Environ(), here+"=1")
	output, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the suite passes broken storages:\n%s", output)
	}
	failed := failedTests(string(output))
	named := func(name string) string { return strings.ReplaceAll(name, " ", "_") }
	check := func(name string, tests []string) {
		t.Run("a storage that "+name, func(t *testing.T) {
			if !slices.Contains(failed[named(name)], named(tests[0])) {
				t.Errorf("%q does not fail", tests[0])
			}
			for _, got := range failed[named(name)] {
				if !slices.ContainsFunc(tests, func(test string) bool { return named(test) == got }) {
					t.Errorf("%q fails", got)
				}
			}
		})
	}
	for _, row := range brokenStorages {
		check(row.name, row.tests)
	}
	for _, row := range brokenClaims {
		check(row.name, row.tests)
	}
}

func tryBroken(t *testing.T) {
	for _, row := range brokenStorages {
		t.Run(row.name, func(t *testing.T) {
			storagetest.Run(t, func(*testing.T) certmagic.Storage {
				s := row.new()
				if b, ok := s.(*broken); ok {
					b.Memory = storagetest.NewMemory()
				}
				return s
			})
		})
	}
	for _, row := range brokenClaims {
		t.Run(row.name, func(t *testing.T) {
			storagetest.Run(t, func(*testing.T) certmagic.Storage {
				row.new.Memory = storagetest.NewMemory()
				return row.new
			})
		})
	}
}

// failedTests returns the tests of the suite that failed, by the storage they
// tried.
func failedTests(output string) map[string][]string {
	failed := make(map[string][]string)
	for _, line := range regexp.MustCompile(`--- FAIL: TestSuiteNamesWhatIsBroken/(\S+)`).FindAllStringSubmatch(output, -1) {
		parts := strings.Split(line[1], "/")
		// It is storage/contract/test, storage/storage.Claimer/test or
		// storage/kind/group/test.
		test := 2
		if len(parts) > 2 && strings.HasSuffix(parts[1], "_claim") {
			test = 3
		}
		if len(parts) > test && !slices.Contains(failed[parts[0]], parts[test]) {
			failed[parts[0]] = append(failed[parts[0]], parts[test])
		}
	}
	return failed
}

var brokenStorages = []struct {
	name  string
	new   func() certmagic.Storage
	tests []string
}{
	{"keeps the first value", func() certmagic.Storage {
		return &broken{store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
			if m.Exists(ctx, key) {
				return nil
			}
			return m.Store(ctx, key, value)
		}}
	}, []string{"Load returns the last Store", "Load returns what another node stored last", "a call that was cancelled does not say that a key is absent", "a value is stored whole"}},
	{"answers from a cache of its own", func() certmagic.Storage { return newCached(storagetest.NewMemory()) },
		[]string{"Load returns what another node stored last", "Delete removes one key, for every node, and no error is no key"}},
	{"keeps the caller's bytes", func() certmagic.Storage { return aliasing{storagetest.NewMemory(), new(sync.Map)} },
		[]string{"a value is a copy"}},
	{"keeps text", func() certmagic.Storage {
		return &broken{store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
			return m.Store(ctx, key, []byte(strings.ToValidUTF8(string(value), "?")))
		}}
	}, []string{"values are bytes, not text", "a call that was cancelled does not say that a key is absent", "Delete removes one key, for every node, and no error is no key"}},
	{"cuts long keys", func() certmagic.Storage {
		cut := func(key string) string { return key[:min(len(key), 100)] }
		return &broken{
			store: func(m *storagetest.Memory, ctx context.Context, key string, value []byte) error {
				return m.Store(ctx, cut(key), value)
			},
			load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
				return m.Load(ctx, cut(key))
			},
		}
	}, []string{"keys of 123 characters differ in their last"}},
	{"has no word for absent", func() certmagic.Storage {
		return &broken{load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
			value, err := m.Load(ctx, key)
			return value, absent(err)
		}}
	}, []string{"what is absent is fs.ErrNotExist", "Delete removes one key, for every node, and no error is no key"}},
	{"says absent for whatever goes wrong", func() certmagic.Storage {
		return &broken{load: func(m *storagetest.Memory, ctx context.Context, key string) ([]byte, error) {
			if ctx.Err() != nil {
				return nil, fs.ErrNotExist
			}
			return m.Load(ctx, key)
		}}
	}, []string{"a call that was cancelled does not say that a key is absent"}},
	{"does not delete", func() certmagic.Storage {
		return &broken{delete: func(*storagetest.Memory, context.Context, string) error { return nil }}
	}, []string{"Delete removes one key, for every node, and no error is no key"}},
	{"deletes by the beginning of a key", func() certmagic.Storage {
		return &broken{delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			for _, k := range m.Keys() {
				if strings.HasPrefix(k, key) {
					m.Delete(ctx, k)
				}
			}
			return nil
		}}
	}, []string{"Delete removes one key, for every node, and no error is no key", "many at once do not mix their values"}},
	{"fails to delete what is gone", func() certmagic.Storage {
		return &broken{delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			if !m.Exists(ctx, key) {
				return errors.New("404")
			}
			return m.Delete(ctx, key)
		}}
	}, []string{"Delete removes one key, for every node, and no error is no key"}},
	{"lists by the beginning of a key", func() certmagic.Storage {
		return &broken{list: func(m *storagetest.Memory, _ context.Context, prefix string, _ bool) ([]string, error) {
			return slices.DeleteFunc(m.Keys(), func(key string) bool { return !strings.HasPrefix(key, prefix) }), nil
		}}
	}, []string{"List goes by component and stays below its prefix"}},
	{"lists what it stored itself", func() certmagic.Storage { return newLister(storagetest.NewMemory()) },
		[]string{"List returns what another node stored"}},
	{"lists half while others write", func() certmagic.Storage {
		return &broken{list: func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			before := m.Keys()
			time.Sleep(100 * time.Microsecond)
			keys, err := m.List(ctx, prefix, recursive)
			if !slices.Equal(before, m.Keys()) {
				keys = keys[:len(keys)/2]
			}
			return keys, err
		}}
	}, []string{"F43 List returns all or fails while others write"}},
	{"mixes values", func() certmagic.Storage { return &broken{store: shared()} },
		[]string{"many at once do not mix their values", "a value is stored whole"}},
	{"stores by halves", func() certmagic.Storage { return &broken{store: torn} }, []string{"a value is stored whole"}},
}

var brokenClaims = []struct {
	name  string
	new   brokenClaim
	tests []string
}{
	{"has no name for its claim", brokenClaim{kind: func() string { return "" }, claim: locked(moved)},
		[]string{"ClaimKind is allowed and constant"}},
	{"calls its claim another each time", brokenClaim{kind: func() string { return time.Now().Format(time.RFC3339Nano) }, claim: locked(moved)},
		[]string{"ClaimKind is allowed and constant"}},
	{"looks and then moves", brokenClaim{claim: func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		value, err := m.Load(ctx, from)
		time.Sleep(10 * time.Microsecond)
		if err != nil || m.Exists(ctx, to) {
			return false, absent(err)
		}
		time.Sleep(10 * time.Microsecond)
		return true, errors.Join(m.Store(ctx, to, value), m.Delete(ctx, from))
	}}, []string{"F24 of many callers of Claim one wins"}},
	{"copies", brokenClaim{claim: locked(func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		value, err := m.Load(ctx, from)
		if err != nil || m.Exists(ctx, to) {
			return false, absent(err)
		}
		return true, m.Store(ctx, to, value)
	})}, []string{"Claim moves the value"}},
	{"claims what is absent", brokenClaim{claim: locked(func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		if m.Exists(ctx, to) {
			return false, nil
		}
		value, _ := m.Load(ctx, from)
		return true, errors.Join(m.Store(ctx, to, append(value, 0)[:len(value)]), m.Delete(ctx, from))
	})}, []string{"Claim of what is absent is not won, and no error"}},
	{"fails where there is nothing to claim", brokenClaim{claim: locked(func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		if !m.Exists(ctx, from) {
			return false, errors.New("no such key")
		}
		return move(ctx, m, from, to)
	})}, []string{"Claim of what is absent is not won, and no error", "F24 of many callers of Claim one wins"}},
	{"overwrites", brokenClaim{claim: locked(func(m *storagetest.Memory, ctx context.Context, from, to string) (bool, error) {
		value, err := m.Load(ctx, from)
		if err != nil {
			return false, absent(err)
		}
		return true, errors.Join(m.Store(ctx, to, value), m.Delete(ctx, from))
	})}, []string{"Claim of a key that exists is not won, and no error"}},
}

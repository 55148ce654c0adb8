package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

var errFault = errors.New("the disk is on fire")

func TestCodeIsGoodOnce(t *testing.T) {
	for _, kind := range kinds {
		t.Run("REQ-101 A01 "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			here, there := node(t, s, c), node(t, s, c)
			code := mint(t, here, c.Now())
			wantError(t, redeem(t.Context(), here, code), nil)
			wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
			wantError(t, redeem(t.Context(), there, code), storage.ErrUsed)
			c.Add(30 * time.Second)
			wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
		})
	}
}

func TestReplayIsRecognised(t *testing.T) {
	for _, kind := range kinds {
		t.Run("REQ-107 A23 a replay after a restart is recognised: "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			code := mint(t, node(t, s, c), c.Now())
			wantError(t, redeem(t.Context(), node(t, s, c), code), nil)
			_, err := node(t, s, c).Load(t.Context(), code)
			wantError(t, err, storage.ErrUsed)
		})
		t.Run("REQ-106 A22 a replay while the access token lives is recognised: "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			codes := node(t, s, c)
			code := mint(t, codes, c.Now())
			wantError(t, redeem(t.Context(), codes, code), nil)
			c.Add(11 * time.Minute)
			sweep(t, codes)
			_, err := node(t, s, c).Load(t.Context(), code)
			wantError(t, err, storage.ErrUsed)
		})
	}
	t.Run("REQ-107 the used-set outlives a reload, whatever became of the storage", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		shared := func(o *storage.Options) { o.Used = nil }
		old := node(t, memory, c, shared)
		code := mint(t, old, c.Now())
		backup := memory.Snapshot()
		wantError(t, redeem(t.Context(), old, code), nil)
		memory.Restore(backup)
		_, err := node(t, memory, c, shared).Load(t.Context(), code)
		wantError(t, err, storage.ErrUsed)
	})
	t.Run("a code that is claimed while it is looked for counts as used", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		code := mint(t, codes, c.Now())
		found, n := load(t, codes, code), 0
		memory.Before(func(ctx context.Context, call storagetest.Call) error {
			if n++; n == 2 { // the marker was looked for, the record is next
				wantError(t, codes.Redeem(t.Context(), found), nil)
			}
			return nil
		})
		_, err := codes.Load(t.Context(), code)
		wantError(t, err, storage.ErrUsed)
	})
	t.Run("a restored backup revives nothing once the code has expired", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		code := mint(t, codes, c.Now())
		backup := memory.Snapshot()
		wantError(t, redeem(t.Context(), codes, code), nil)
		c.Add(time.Minute)
		memory.Restore(backup)
		wantError(t, redeem(t.Context(), node(t, memory, c), code), storage.ErrExpired)
	})
}

func TestRefusedCodeChangesNothing(t *testing.T) {
	t.Run("REQ-105 loading writes nothing", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		code := mint(t, codes, c.Now())
		memory.Reset()
		for range 5 {
			load(t, codes, code)
		}
		if n := memory.Count(storagetest.OpStore, storagetest.OpDelete); n != 0 {
			t.Errorf("%d writes", n)
		}
		wantError(t, redeem(t.Context(), codes, code), nil)
	})
	t.Run("a code of another instance is not redeemed", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		here, there := node(t, memory, c), node(t, memory, c)
		code := mint(t, here, c.Now())
		for _, found := range []*storage.Code{nil, {}, load(t, there, code)} {
			if here.Redeem(t.Context(), found) == nil {
				t.Error("it was redeemed")
			}
		}
		wantError(t, redeem(t.Context(), here, code), nil)
	})
	t.Run("a request that went away before the claim leaves the code good", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		code := mint(t, codes, c.Now())
		found := load(t, codes, code)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		wantError(t, codes.Redeem(gone, found), storage.ErrUnavailable)
		wantError(t, codes.Redeem(t.Context(), found), nil)
	})
	t.Run("a code that expired after it was loaded is not claimed", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		found := load(t, codes, mint(t, codes, c.Now()))
		c.Add(time.Minute)
		memory.Reset()
		wantError(t, codes.Redeem(t.Context(), found), storage.ErrExpired)
		if memory.Count() != 0 {
			t.Error("the storage was called")
		}
	})
}

func TestClaimIsDetachedFromTheRequest(t *testing.T) {
	c, memory := noon(), storagetest.NewMemory()
	codes := node(t, memory, c)
	found := load(t, codes, mint(t, codes, c.Now()))
	ctx, cancel := context.WithCancel(t.Context())
	memory.Before(func(callCtx context.Context, _ storagetest.Call) error {
		cancel()
		return callCtx.Err()
	})
	wantError(t, codes.Redeem(ctx, found), nil)
}

func TestClaimThatTookTooLong(t *testing.T) {
	slow := func(t *testing.T, op storagetest.Op, d time.Duration) (*storage.Codes, *storage.Code) {
		memory := storagetest.NewMemory()
		codes := node(t, memory, nil)
		codes.SetCallLimit(time.Hour)
		found := load(t, codes, mint(t, codes, time.Now()))
		memory.After(func(_ context.Context, call storagetest.Call) error {
			if call.Op == op {
				time.Sleep(d)
			}
			return nil
		})
		return codes, found
	}
	t.Run("F33 a winner that was stopped for ten seconds does not answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			codes, found := slow(t, storagetest.OpDelete, storage.ClaimLimit)
			wantError(t, codes.Redeem(t.Context(), found), storage.ErrUncertain)
			wantError(t, codes.Redeem(t.Context(), found), storage.ErrUsed)
		})
	})
	t.Run("F33 one that was stopped for less does", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			codes, found := slow(t, storagetest.OpDelete, storage.ClaimLimit-time.Nanosecond)
			wantError(t, codes.Redeem(t.Context(), found), nil)
		})
	})
	t.Run("F19 a marker whose write was not answered promptly may come twice: nobody wins", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			codes, found := slow(t, storagetest.OpStore, storage.Promptly)
			wantError(t, codes.Redeem(t.Context(), found), storage.ErrUncertain)
			wantError(t, codes.Redeem(t.Context(), found), storage.ErrUsed)
		})
	})
	t.Run("F19 no client of a storage repeats a write within that time", func(t *testing.T) {
		// Modules have their timeouts in whole seconds.
		if storage.Promptly >= time.Second {
			t.Errorf("it is %s", storage.Promptly)
		}
	})
	t.Run("F19 one whose write was answered sooner is good", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			codes, found := slow(t, storagetest.OpStore, storage.Promptly-time.Nanosecond)
			wantError(t, codes.Redeem(t.Context(), found), nil)
		})
	})
	t.Run("F33 a code that expired meanwhile is spent", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		found := load(t, codes, mint(t, codes, c.Now()))
		memory.Before(func(context.Context, storagetest.Call) error {
			c.Add(15 * time.Second)
			return nil
		})
		wantError(t, codes.Redeem(t.Context(), found), storage.ErrExpired)
	})
}

// Which calls of the storage a request makes, in order: two to find the code,
// five to claim it.
const loadCalls, claimCalls = 2, 5

func TestEveryStorageCallFailsInTurn(t *testing.T) {
	faults := []struct {
		name string
		set  func(*storagetest.Memory, storagetest.Hook)
		err  func() error
	}{
		{"fails without effect", (*storagetest.Memory).Before, func() error { return errFault }},
		{"fails after its effect", (*storagetest.Memory).After, func() error { return errFault }},
		{"F53 panics", (*storagetest.Memory).Before, func() error { panic("nil response") }},
		{"F53 panics after its effect", (*storagetest.Memory).After, func() error { panic("nil response") }},
	}
	for _, fault := range faults {
		for n := 1; n <= loadCalls+claimCalls; n++ {
			name := "REQ-113 F01 before the claim the code stays good: "
			if n > loadCalls {
				name = "REQ-105 F05 F07 F08 once the claim may have landed the code is spent: "
			}
			t.Run(fmt.Sprintf("%scall %d %s", name, n, fault.name), func(t *testing.T) {
				testFailingCall(t, n, fault.set, fault.err)
			})
		}
	}
}

func testFailingCall(t *testing.T, n int, set func(*storagetest.Memory, storagetest.Hook), fault func() error) {
	c, memory := noon(), storagetest.NewMemory()
	var told atomic.Int32
	here := node(t, memory, c, func(o *storage.Options) {
		o.Observe = func(e storage.Event) {
			if e.Err != nil {
				told.Add(1)
			}
		}
	})
	there := node(t, memory, c)
	code := mint(t, here, c.Now())
	mint(t, there, c.Now()) // it has probed the storage then
	memory.Reset()
	// After a call that fails by itself no hook runs: an absent key counts, too.
	hit := false
	hook := func(_ context.Context, call storagetest.Call) error {
		if call.N != n {
			return nil
		}
		hit = true
		return fault()
	}
	set(memory, hook)
	err := redeem(t.Context(), here, code)
	memory.Reset()
	if !hit {
		wantError(t, err, nil) // the call answered that the key is absent
		wantError(t, redeem(t.Context(), there, code), storage.ErrUsed)
		return
	}
	if told.Load() != 1 {
		t.Errorf("told of %d failures, want 1", told.Load())
	}
	if n <= loadCalls {
		wantError(t, err, storage.ErrUnavailable)
		wantError(t, redeem(t.Context(), here, code), nil)
		return
	}
	wantError(t, err, storage.ErrUncertain)
	wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
	if again := redeem(t.Context(), there, code); n > loadCalls+1 {
		wantError(t, again, storage.ErrUsed)
	}
}

// What a storage does between the steps of a claim decides who wins.
func TestGenericClaimIsLost(t *testing.T) {
	rows := []struct {
		name string
		do   func(m *storagetest.Memory, call storagetest.Call, record, marker string)
	}{
		{"where the record is another than was opened", func(m *storagetest.Memory, call storagetest.Call, record, _ string) {
			if call.N == 1 {
				edit(m, func(all map[string][]byte) { all[record] = append(all[record], 0) })
			}
		}},
		{"where the record is gone", func(m *storagetest.Memory, call storagetest.Call, record, _ string) {
			if call.N == 1 {
				edit(m, func(all map[string][]byte) { delete(all, record) })
			}
		}},
		{"where the record stays though deleted", func(m *storagetest.Memory, call storagetest.Call, record, marker string) {
			if call.N == 3 {
				edit(m, func(all map[string][]byte) { all[record] = all[marker] })
			}
		}},
		{"where the marker is another's", func(m *storagetest.Memory, call storagetest.Call, _, marker string) {
			if call.N == 4 {
				edit(m, func(all map[string][]byte) { all[marker][0] ^= 1 })
			}
		}},
		{"where the marker is gone", func(m *storagetest.Memory, call storagetest.Call, _, marker string) {
			if call.N == 3 {
				edit(m, func(all map[string][]byte) { delete(all, marker) })
			}
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, memory := noon(), storagetest.NewMemory()
			codes := node(t, memory, c)
			code := mint(t, codes, c.Now())
			found := load(t, codes, code)
			recordKey, marker := codes.Keys(code)
			memory.Reset()
			change := func(_ context.Context, call storagetest.Call) error {
				row.do(memory, call, recordKey, marker)
				return nil
			}
			memory.After(change) // the fourth call finds nothing, and no hook runs after it
			memory.Before(func(ctx context.Context, call storagetest.Call) error {
				if call.N == 4 {
					return change(ctx, call)
				}
				return nil
			})
			wantError(t, codes.Redeem(t.Context(), found), storage.ErrLost)
		})
	}
}

func edit(m *storagetest.Memory, change func(map[string][]byte)) {
	all := m.Snapshot()
	change(all)
	m.Restore(all)
}

func TestErrorsReportedAsAbsence(t *testing.T) {
	for n := 1; n <= loadCalls+claimCalls; n++ {
		t.Run(fmt.Sprintf("F04 call %d of the first request never makes a second success", n), func(t *testing.T) {
			c, memory := noon(), storagetest.NewMemory()
			here, there := node(t, memory, c), node(t, memory, c)
			code := mint(t, here, c.Now())
			mint(t, there, c.Now())
			memory.Reset()
			memory.Before(func(_ context.Context, call storagetest.Call) error {
				if call.N == n {
					return fs.ErrNotExist
				}
				return nil
			})
			wins := 0
			for _, codes := range []*storage.Codes{here, there, here, there} {
				if redeem(t.Context(), codes, code) == nil {
					wins++
				}
			}
			if wins > 1 {
				t.Errorf("%d successes", wins)
			}
		})
	}
}

func TestStoringFails(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("REQ-113 no code is handed out, with the record there: %v", after), func(t *testing.T) {
			c, memory := noon(), storagetest.NewMemory()
			codes := node(t, memory, c)
			mint(t, codes, c.Now())
			memory.Reset()
			set := memory.Before
			if after {
				set = memory.After
			}
			set(func(context.Context, storagetest.Call) error { return errFault })
			code, err := codes.Store(t.Context(), record(c.Now()))
			wantError(t, err, storage.ErrUnavailable)
			wantError(t, err, errFault)
			if code != "" {
				t.Error("a code was handed out")
			}
		})
	}
}

func TestErrorsDoNotNameTheRecord(t *testing.T) {
	for _, kind := range kinds[:2] {
		t.Run(kind.name, func(t *testing.T) {
			c := noon()
			s := kind.new(t)
			codes := node(t, s, c)
			code := mint(t, codes, c.Now())
			key, _ := codes.Keys(code)
			name := key[len(key)-64:]
			switch s := s.(type) {
			case *storagetest.Memory:
				s.Before(func(_ context.Context, call storagetest.Call) error {
					return fmt.Errorf("loading %s: %w", call.Key, errFault)
				})
			case *certmagic.FileStorage:
				codes.SetFaults(&storage.Faults{Before: func(storage.Step) error { return &fs.PathError{Op: "open", Path: s.Filename(key), Err: errFault} }})
			}
			_, err := codes.Load(t.Context(), code)
			wantError(t, err, storage.ErrUnavailable)
			wantError(t, err, errFault)
			if text := err.Error(); contains(text, name) || contains(text, code) {
				t.Error("the error names the record")
			}
		})
	}
}

func TestOneNode(t *testing.T) {
	for _, kind := range kinds {
		t.Run("REQ-104 A02 of 64 requests at once exactly one wins: "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			codes := node(t, s, c)
			for range 20 {
				code := mint(t, codes, c.Now())
				won, errs := race(t, 64, code, codes)
				if won != 1 {
					t.Fatalf("%d winners", won)
				}
				for _, err := range errs {
					if !errors.Is(err, storage.ErrUsed) {
						t.Errorf("a loser got %v", err)
					}
				}
			}
		})
	}
}

func TestTwoNodes(t *testing.T) {
	for _, kind := range kinds {
		exact := kind.name != "generic claim"
		t.Run("REQ-104 REQ-245 A04 F24 two nodes at once never both win: "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			here, there := node(t, s, c), node(t, s, c)
			for range 300 {
				code := mint(t, here, c.Now())
				won, errs := race(t, 2, code, here, there)
				if won > 1 || exact && won != 1 {
					t.Fatalf("%d winners", won)
				}
				for _, err := range errs {
					if !errors.Is(err, storage.ErrUsed) && !errors.Is(err, storage.ErrLost) && !errors.Is(err, storage.ErrUnknown) {
						t.Errorf("a loser got %v", err)
					}
				}
			}
		})
	}
}

// race redeems one code n times at once, each time on another node in turn.
func race(t *testing.T, n int, code string, nodes ...*storage.Codes) (won int, errs []error) {
	t.Helper()
	var (
		start, done sync.WaitGroup
		mu          sync.Mutex
	)
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			err := redeem(t.Context(), nodes[i%len(nodes)], code)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				errs = append(errs, err)
			}
		})
	}
	start.Done()
	done.Wait()
	return won, errs
}

func TestClaimer(t *testing.T) {
	rows := []struct {
		name string
		fail error
		want error
		then error
	}{
		{"an error may have claimed", errFault, storage.ErrUncertain, storage.ErrUsed},
		{"one that changed nothing leaves the code good", fmt.Errorf("no connection: %w", storage.ErrUnavailable), storage.ErrUnavailable, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, s := noon(), newClaimer()
			codes := node(t, s, c)
			code := mint(t, codes, c.Now())
			s.fail = row.fail
			wantError(t, redeem(t.Context(), codes, code), row.want)
			s.fail = nil
			wantError(t, redeem(t.Context(), codes, code), row.then)
		})
	}
	t.Run("a claim that is lost is lost", func(t *testing.T) {
		c, s := noon(), newClaimer()
		here, there := node(t, s, c), node(t, s, c)
		code := mint(t, here, c.Now())
		a, b := load(t, here, code), load(t, there, code)
		wantError(t, here.Redeem(t.Context(), a), nil)
		wantError(t, there.Redeem(t.Context(), b), storage.ErrLost)
	})
	for _, kind := range []string{"", "generic/v1", "file/v2"} {
		t.Run(fmt.Sprintf("the name %q is not allowed", kind), func(t *testing.T) {
			s := newClaimer()
			s.kind = kind
			if _, err := storage.New(storage.Options{Storage: s, Issuer: issuer}); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestClaimKindsDoNotMix(t *testing.T) {
	files := func(t *testing.T) (direct, wrapped certmagic.Storage) {
		f := &certmagic.FileStorage{Path: t.TempDir()}
		return f, storagetest.Wrap(f)
	}
	own := func(*testing.T) (certmagic.Storage, certmagic.Storage) {
		s := newClaimer()
		return s, s.Memory
	}
	other := func(*testing.T) (certmagic.Storage, certmagic.Storage) {
		s := newClaimer()
		return s, &claimer{Memory: s.Memory, kind: "memory-rename/v2"}
	}
	rows := []struct {
		name  string
		nodes func(*testing.T) (certmagic.Storage, certmagic.Storage)
	}{
		{"a folder and the same folder behind a wrapper", files},
		{"a storage's own claim and the generic one", own},
		{"two versions of a storage's own claim", other},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := noon()
			a, b := row.nodes(t)
			here, there := node(t, a, c), node(t, b, c)
			for _, pair := range [][2]*storage.Codes{{here, there}, {there, here}} {
				code := mint(t, pair[0], c.Now())
				_, err := pair[1].Load(t.Context(), code)
				wantError(t, err, storage.ErrClaimKind)
				wantError(t, redeem(t.Context(), pair[0], code), nil)
			}
		})
	}
}

func TestUsedSetIsBounded(t *testing.T) {
	c, memory := noon(), storagetest.NewMemory()
	used := storage.NewUsedSet()
	codes := node(t, memory, c, func(o *storage.Options) { o.Used = used })
	for range 10 {
		wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
	}
	// The codes expire at 12:01:07, their bucket ends at 12:02.
	t.Run("codes are kept for a minute of clock difference", func(t *testing.T) {
		c.Set(time.Date(2026, 3, 1, 12, 3, 0, 0, time.UTC))
		used.Purge(c.Now())
		if used.Len() != 10 {
			t.Errorf("%d of 10 codes are remembered", used.Len())
		}
	})
	t.Run("the next redemption after that forgets them", func(t *testing.T) {
		c.Add(time.Minute)
		wantError(t, redeem(t.Context(), codes, mint(t, codes, c.Now())), nil)
		if used.Len() != 1 {
			t.Errorf("%d codes are remembered, want 1", used.Len())
		}
	})
}

func TestOptionsThatAreMissing(t *testing.T) {
	rows := []struct {
		name   string
		change func(*storage.Options)
	}{
		{"storage", func(o *storage.Options) { o.Storage = nil }},
		{"issuer", func(o *storage.Options) { o.Issuer = "" }},
		{"retention below zero", func(o *storage.Options) { o.Retention = -1 }},
		{"short encryption key", func(o *storage.Options) { o.EncryptionKeys = [][]byte{make([]byte, 31)} }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o := storage.Options{Storage: storagetest.NewMemory(), Issuer: issuer}
			row.change(&o)
			if _, err := storage.New(o); err == nil {
				t.Error("New took it")
			}
		})
	}
}

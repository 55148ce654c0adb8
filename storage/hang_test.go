package storage_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// hang makes calls of these operations wait until release, whatever their
// context says.
func hang(memory *storagetest.Memory, ops ...storagetest.Op) (release func()) {
	free := make(chan struct{})
	memory.Before(func(_ context.Context, call storagetest.Call) error {
		for _, op := range ops {
			if call.Op == op {
				<-free
			}
		}
		return nil
	})
	return func() { close(free); synctest.Wait(); memory.Reset() }
}

func within(t *testing.T, began time.Time, limit time.Duration) {
	t.Helper()
	if took := time.Since(began); took > limit {
		t.Errorf("it took %s, want at most %s", took, limit)
	}
}

func TestStorageThatHangs(t *testing.T) {
	t.Run("F02 F31 a code that cannot be found in time is not available and stays good", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, nil)
			code := mint(t, codes, time.Now())
			release := hang(memory, storagetest.OpLoad)
			began := time.Now()
			_, err := codes.Load(t.Context(), code)
			wantError(t, err, storage.ErrUnavailable)
			within(t, began, storage.CallLimit)
			release()
			wantError(t, redeem(t.Context(), codes, code), nil)
		})
	})
	t.Run("F02 F31 a code that cannot be stored in time is not handed out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, nil)
			mint(t, codes, time.Now())
			release := hang(memory, storagetest.OpStore)
			defer release()
			began := time.Now()
			_, err := codes.Store(t.Context(), record(began))
			wantError(t, err, storage.ErrUnavailable)
			within(t, began, storage.CallLimit)
		})
	})
	for _, op := range []storagetest.Op{storagetest.OpStore, storagetest.OpLoad, storagetest.OpDelete} {
		t.Run("F02 F19 a claim that hangs is spent after its deadline: "+string(op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := storagetest.NewMemory()
				codes := node(t, memory, nil)
				found := load(t, codes, mint(t, codes, time.Now()))
				release := hang(memory, op)
				began := time.Now()
				wantError(t, codes.Redeem(t.Context(), found), storage.ErrUncertain)
				within(t, began, storage.CallLimit)
				release()
				wantError(t, codes.Redeem(t.Context(), found), storage.ErrUsed)
			})
		})
	}
	t.Run("F48 past the bound requests are refused at once, and served when it is over", func(t *testing.T) {
		synctest.Test(t, testShedding)
	})
	for _, row := range []struct {
		name   string
		places int
		ask    func(ctx context.Context, codes *storage.Codes, grantRef string) error
	}{
		{"C11 F48 strangers fill the places of strangers alone", storage.MaxStrangers, func(ctx context.Context, codes *storage.Codes, _ string) error {
			_, err := codes.LoadForStranger(ctx, storage.NewCodeAt(time.Now()))
			return err
		}},
		{"C11 F48 bearers of tokens fill the places of grants alone", storage.MaxGrants, func(ctx context.Context, codes *storage.Codes, grantRef string) error {
			_, err := codes.Grant(ctx, grantRef)
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, told := storagetest.NewMemory(), new(failuresTold)
				codes := node(t, memory, nil, told.observe)
				found, code := load(t, codes, mint(t, codes, time.Now())), mint(t, codes, time.Now())
				wantError(t, codes.Redeem(t.Context(), found), nil)
				memory.Reset()
				release := hang(memory, storagetest.OpLoad)
				for range row.places {
					go row.ask(t.Context(), codes, found.GrantRef())
				}
				synctest.Wait()
				wantError(t, row.ask(t.Context(), codes, found.GrantRef()), storage.ErrUnavailable)
				told.want(t) // the storage did nothing wrong
				if calls := memory.Count(); calls != row.places {
					t.Errorf("%d calls of the storage", calls)
				}
				for range storage.MaxInFlight {
					go codes.Load(t.Context(), code)
				}
				synctest.Wait()
				if calls := memory.Count(); calls != row.places+storage.MaxInFlight {
					t.Errorf("%d calls of the storage, others' included", calls)
				}
				release()
			})
		})
	}
	t.Run("F48 a claim that finds no place leaves the code good", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, nil)
			now := time.Now()
			code, other := mint(t, codes, now), mint(t, codes, now)
			found := load(t, codes, code)
			release := hang(memory, storagetest.OpLoad)
			for range storage.MaxInFlight {
				go codes.Load(t.Context(), other)
			}
			synctest.Wait()
			wantError(t, codes.Redeem(t.Context(), found), storage.ErrUnavailable)
			release()
			wantError(t, codes.Redeem(t.Context(), found), nil)
		})
	})
}

func testShedding(t *testing.T) {
	memory := storagetest.NewMemory()
	codes := node(t, memory, nil)
	code := mint(t, codes, time.Now())
	release := hang(memory, storagetest.OpLoad)
	var requests sync.WaitGroup
	for range storage.MaxInFlight {
		requests.Go(func() {
			_, err := codes.Load(t.Context(), code)
			wantError(t, err, storage.ErrUnavailable)
		})
	}
	synctest.Wait()
	began := time.Now()
	_, err := codes.Load(t.Context(), code)
	wantError(t, err, storage.ErrUnavailable)
	within(t, began, 0)
	requests.Wait()
	// They gave up, but their calls are still under way.
	_, err = codes.Load(t.Context(), code)
	wantError(t, err, storage.ErrUnavailable)
	if n := memory.Count(storagetest.OpLoad); n > storage.MaxInFlight+10 {
		t.Errorf("%d calls of the storage", n)
	}
	release()
	load(t, codes, code)
}

func TestClaimThatNeverBegan(t *testing.T) {
	t.Run("F02 a folder that hangs before the link leaves the code good, and is not linked to later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := &clock{t: time.Now()}
			codes, faults := fileNode(t, t.TempDir(), c, true, boot)
			found := load(t, codes, mint(t, codes, c.Now()))
			free := make(chan struct{})
			faults.Reset()
			faults.Before = func(s storage.Step) error {
				if s.Op == "mkdir" {
					<-free
				}
				return nil
			}
			wantError(t, codes.Redeem(t.Context(), found), storage.ErrUnavailable)
			close(free)
			synctest.Wait()
			if n := count(faults, "link", "remove"); n != 0 {
				t.Errorf("%d writes after the claim was given up", n)
			}
			faults.Reset()
			wantError(t, codes.Redeem(t.Context(), found), nil)
		})
	})
}

// failuresTold collects the operations that a node is told failed.
type failuresTold struct {
	mu  sync.Mutex
	ops []string
}

func (f *failuresTold) observe(o *storage.Options) {
	o.Observe = func(e storage.Event) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if e.Err != nil {
			f.ops = append(f.ops, e.Operation)
		}
	}
}

func (f *failuresTold) want(t *testing.T, ops ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.ops, ops) {
		t.Errorf("told of %q, want %q", f.ops, ops)
	}
}

// A hang is told of once, whether the storage ignores its context or ends with
// it.
func TestHangIsToldOfOnce(t *testing.T) {
	ignores := func(ctx context.Context, free chan struct{}) error { <-free; return nil }
	obeys := func(ctx context.Context, free chan struct{}) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-free:
			return nil
		}
	}
	for _, storageThat := range []struct {
		name string
		hang func(context.Context, chan struct{}) error
	}{{"a storage that ignores its context", ignores}, {"a storage that obeys its context", obeys}} {
		for _, row := range []struct {
			name string
			op   storagetest.Op // hangs
			do   func(context.Context, *storage.Codes, *storage.Code, string) error
			want error
			told []string
		}{
			{"while a code is found", storagetest.OpLoad, loadOnly, storage.ErrUnavailable, []string{"load"}},
			{"while a code is stored", storagetest.OpStore, storeOnly, storage.ErrUnavailable, []string{"store"}},
			{"while a code is claimed", storagetest.OpStore, redeemOnly, storage.ErrUncertain, []string{"claim"}},
		} {
			t.Run("F02 "+storageThat.name+" hangs "+row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					memory, told := storagetest.NewMemory(), new(failuresTold)
					codes := node(t, memory, nil, told.observe)
					code := mint(t, codes, time.Now())
					found, free := load(t, codes, code), make(chan struct{})
					memory.Before(func(ctx context.Context, call storagetest.Call) error {
						if call.Op == row.op {
							return storageThat.hang(ctx, free)
						}
						return nil
					})
					wantError(t, row.do(t.Context(), codes, found, code), row.want)
					synctest.Wait()
					told.want(t, row.told...)
					close(free)
				})
			})
		}
		t.Run("a client that goes away while "+storageThat.name+" hangs is no failure", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, told := storagetest.NewMemory(), new(failuresTold)
				codes := node(t, memory, nil, told.observe)
				code, free := mint(t, codes, time.Now()), make(chan struct{})
				memory.Before(func(ctx context.Context, _ storagetest.Call) error { return storageThat.hang(ctx, free) })
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				_, err := codes.Load(ctx, code)
				wantError(t, err, storage.ErrUnavailable)
				synctest.Wait()
				told.want(t)
				close(free)
			})
		})
		t.Run("F02 "+storageThat.name+" hangs while it is probed", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, told := storagetest.NewMemory(), new(failuresTold)
				codes, free := node(t, memory, nil, told.observe), make(chan struct{})
				memory.Before(func(ctx context.Context, _ storagetest.Call) error { return storageThat.hang(ctx, free) })
				_, err := codes.Store(t.Context(), record(time.Now()))
				wantError(t, err, storage.ErrUnavailable)
				synctest.Wait()
				told.want(t, "probe")
				close(free)
			})
		})
	}
	t.Run("F21 a storage that is refused is told of", func(t *testing.T) {
		told := new(failuresTold)
		codes := node(t, forgetful{storagetest.NewMemory()}, nil, told.observe)
		_, err := codes.Store(t.Context(), record(time.Now()))
		wantError(t, err, storage.ErrRefused)
		told.want(t, "probe")
	})
	t.Run("a call that fails while the storage is probed is told of as itself", func(t *testing.T) {
		memory, told := storagetest.NewMemory(), new(failuresTold)
		codes := node(t, memory, nil, told.observe)
		memory.Before(func(_ context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpLoad {
				return errFault
			}
			return nil
		})
		_, err := codes.Store(t.Context(), record(time.Now()))
		wantError(t, err, storage.ErrUnavailable)
		told.want(t, "load")
	})
}

func loadOnly(ctx context.Context, c *storage.Codes, _ *storage.Code, code string) error {
	_, err := c.Load(ctx, code)
	return err
}

func storeOnly(ctx context.Context, c *storage.Codes, _ *storage.Code, _ string) error {
	_, err := c.Store(ctx, record(time.Now()))
	return err
}

func redeemOnly(ctx context.Context, c *storage.Codes, found *storage.Code, _ string) error {
	return c.Redeem(ctx, found)
}

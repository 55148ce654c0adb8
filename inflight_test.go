package oidctoken

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestInFlight(t *testing.T) {
	t.Run("closed while empty it is idle at once", func(t *testing.T) {
		var f inFlight
		if !f.begin() {
			t.Fatal("it is closed to begin with")
		}
		f.end()
		if !closed(f.close()) {
			t.Error("it is not idle")
		}
	})
	t.Run("closed it lets nothing begin, and is idle when the last has ended", func(t *testing.T) {
		var f inFlight
		f.begin()
		f.begin()
		idle := f.close()
		if f.begin() {
			t.Error("something began")
		}
		f.end()
		if closed(idle) {
			t.Error("it is idle before the last ended")
		}
		f.end()
		if !closed(idle) {
			t.Error("it is not idle")
		}
	})
	t.Run("F36 nothing is under way once it is idle, whoever begins meanwhile", func(t *testing.T) {
		var f inFlight
		var wg sync.WaitGroup
		var mu sync.Mutex
		inside := 0
		for range 8 {
			wg.Go(func() {
				for f.begin() {
					mu.Lock()
					inside++
					mu.Unlock()
					mu.Lock()
					inside--
					mu.Unlock()
					f.end()
				}
			})
		}
		<-f.close()
		mu.Lock()
		if inside != 0 {
			t.Errorf("%d are", inside)
		}
		mu.Unlock()
		wg.Wait()
	})
}

// stopping is an app with one issuer, and how long its Stop took, once it has
// ended.
func stopping(t *testing.T, i *issuer) <-chan time.Duration {
	a := &App{issuers: map[string]*sharedIssuer{i.identifier: {issuer: i}}, logger: zap.NewNop()}
	took := make(chan time.Duration, 1)
	go func() {
		began := time.Now()
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
		if err := a.Cleanup(); err != nil { // as Caddy does next
			t.Error(err)
		}
		took <- time.Since(began)
	}()
	synctest.Wait()
	return took
}

// loaded is a fresh code at i, loaded.
func loaded(t *testing.T, i *issuer) *storage.Code {
	t.Helper()
	minted, err := i.mint(t.Context(), &MintRequest{ClientID: "web", Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	code, err := i.codes.Load(t.Context(), minted.Code)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestStopWaits(t *testing.T) {
	test := func(name string, f func(t *testing.T, i *issuer, memory *storagetest.Memory)) {
		t.Run(name, func(t *testing.T) {
			key := es256File(t)
			synctest.Test(t, func(t *testing.T) {
				memory := storagetest.NewMemory()
				f(t, generation(t, memory, key, nil), memory)
			})
		})
	}
	// hung makes the claim that comes next wait for release.
	hung := func(memory *storagetest.Memory) (release func()) {
		free := make(chan struct{})
		memory.Before(func(_ context.Context, call storagetest.Call) error {
			if call.Op == storagetest.OpDelete {
				<-free
			}
			return nil
		})
		return func() { close(free) }
	}
	test("F36 not at all where nothing is under way", func(t *testing.T, i *issuer, _ *storagetest.Memory) {
		if took := <-stopping(t, i); took != 0 {
			t.Errorf("it took %s", took)
		}
	})
	test("F36 F38 for a request, as long as it takes and no longer", func(t *testing.T, i *issuer, _ *storagetest.Memory) {
		code := loaded(t, i)
		i.requests.begin()
		took := stopping(t, i)
		time.Sleep(4 * time.Second) // of the bubble's clock
		if err := i.endpoint.Codes.Redeem(t.Context(), code); err != nil {
			t.Error(err)
		}
		i.end()
		if d := <-took; d != 4*time.Second {
			t.Errorf("it took %s", d)
		}
	})
	test("F38 for five seconds, after which nothing is claimed and the code stays good", func(t *testing.T, i *issuer, memory *storagetest.Memory) {
		code := loaded(t, i)
		i.requests.begin()
		if d := <-stopping(t, i); d != stopTimeout {
			t.Errorf("it took %s", d)
		}
		memory.Reset()
		if err := i.endpoint.Codes.Redeem(t.Context(), code); !errors.Is(err, storage.ErrUnavailable) || memory.Count() != 0 {
			t.Errorf("the code is claimed: %v, %v", err, memory.Calls())
		}
		if err := i.codes.Redeem(t.Context(), code); err != nil {
			t.Errorf("the code is spent: %v", err)
		}
		i.end()
	})
	test("F38 for a claim that began late, to its end", func(t *testing.T, i *issuer, memory *storagetest.Memory) {
		code := loaded(t, i)
		release := hung(memory)
		i.requests.begin()
		took := stopping(t, i)
		time.Sleep(4 * time.Second)
		redeemed := make(chan error, 1)
		go func() { redeemed <- i.endpoint.Codes.Redeem(t.Context(), code); i.end() }()
		time.Sleep(4 * time.Second)
		release()
		if err := <-redeemed; err != nil {
			t.Error(err)
		}
		if d := <-took; d != 8*time.Second {
			t.Errorf("it took %s", d)
		}
	})
	test("F38 no longer than a claim may take, whatever hangs", func(t *testing.T, i *issuer, memory *storagetest.Memory) {
		code := loaded(t, i)
		release := hung(memory)
		i.requests.begin()
		took := stopping(t, i)
		time.Sleep(4 * time.Second)
		i.claims.begin() // of another code, by what never ends
		if err := i.endpoint.Codes.Redeem(t.Context(), code); !errors.Is(err, storage.ErrUncertain) {
			t.Errorf("a claim that hangs: %v", err)
		}
		if d := <-took; d != 2*stopTimeout {
			t.Errorf("it took %s", d)
		}
		release()
	})
}

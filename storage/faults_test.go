package storage_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// TestSlowStorage sends 200 requests a second for fifteen seconds while each call
// of the storage takes long, and then looks at what is left. With two seconds a
// call no claim ends in time, with less some do.
func TestSlowStorage(t *testing.T) {
	for _, row := range []struct {
		name string
		each time.Duration
		wins bool
	}{
		{"F48 each call takes two seconds", 2 * time.Second, false},
		{"F48 each call takes most of a second", 800 * time.Millisecond, true},
	} {
		t.Run(row.name, func(t *testing.T) { testSlowness(t, row.each, row.wins) })
	}
}

func testSlowness(t *testing.T, each time.Duration, wins bool) {
	const every, requests = 5 * time.Millisecond, 3000
	crowd, slow, after := newCrowd(), new(slowness), error(nil)
	synctest.Test(t, func(t *testing.T) {
		memory := storagetest.NewMemory()
		codes, other := node(t, memory, nil), node(t, storagetest.NewMemory(), nil)
		wantError(t, redeem(t.Context(), codes, mint(t, codes, time.Now())), nil)
		var minted []string
		for range requests / 2 {
			minted = append(minted, mint(t, codes, time.Now()))
		}
		memory.Before(slow.hook(each))
		for n := range requests {
			crowd.send(t, codes, minted[n/2]) // each code twice
			if n%200 == 0 {
				began := time.Now()
				wantError(t, redeem(t.Context(), other, mint(t, other, began)), nil)
				within(t, began, 0)
			}
			time.Sleep(every)
		}
		crowd.Wait()
		if won := len(crowd.won); (won > 0) != wins {
			t.Errorf("%d successes while the storage is slow", won)
		}
		memory.Reset()
		time.Sleep(each) // the calls that were given up come to their ends
		began := time.Now()
		after = redeem(t.Context(), codes, mint(t, codes, began))
		within(t, began, 0)
		for _, code := range minted {
			crowd.send(t, codes, code)
		}
		crowd.Wait()
	})
	t.Run("REQ-105 F48 no code has two successes", func(t *testing.T) {
		if len(crowd.won) == 0 {
			t.Error("there was no success")
		}
		for _, won := range crowd.won {
			if won > 1 {
				t.Errorf("a code succeeded %d times", won)
			}
		}
	})
	t.Run("F48 past the bound a request is refused at once, and the others within their deadlines", func(t *testing.T) {
		if crowd.shed < requests/2 || crowd.longest > 2*storage.CallLimit {
			t.Errorf("%d of %d were refused at once, and one took %s", crowd.shed, requests, crowd.longest)
		}
	})
	t.Run("F48 the calls that a slow storage holds are bounded", func(t *testing.T) {
		if most := slow.most.Load(); most < 100 || most > storage.MaxInFlight {
			t.Errorf("%d calls at once", most)
		}
	})
	t.Run("F48 once the storage is fast again requests are served at once", func(t *testing.T) { wantError(t, after, nil) })
}

// slowness makes calls of a storage take long, and counts them.
type slowness struct{ now, most atomic.Int64 }

func (s *slowness) hook(each time.Duration) storagetest.Hook {
	return func(context.Context, storagetest.Call) error {
		n := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		}
		time.Sleep(each)
		return nil
	}
}

// crowd counts what became of its requests.
type crowd struct {
	sync.WaitGroup

	mu      sync.Mutex // guards everything below
	won     map[string]int
	shed    int // refused without waiting
	longest time.Duration
}

func newCrowd() *crowd { return &crowd{won: make(map[string]int)} }

func (c *crowd) send(t *testing.T, codes *storage.Codes, code string) {
	c.Go(func() {
		began := time.Now()
		err := redeem(t.Context(), codes, code)
		took := time.Since(began)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.longest = max(c.longest, took)
		switch {
		case err == nil:
			c.won[code]++
		case took == 0 && errors.Is(err, storage.ErrUnavailable):
			c.shed++
		}
	})
}

func TestSweepingGoesBySlices(t *testing.T) {
	t.Run("F49 a sweep pauses after each thousand records, and leaves the storage to others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, nil)
			for range 3500 {
				mint(t, codes, time.Now())
			}
			time.Sleep(time.Hour)
			began := time.Now()
			if n := sweep(t, codes); n != 3500 {
				t.Errorf("swept %d", n)
			}
			if paused := time.Since(began); paused != 60*time.Millisecond {
				t.Errorf("it paused for %s, want three times 20 ms", paused)
			}
		})
	})
}

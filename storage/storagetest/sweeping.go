package storagetest

import (
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// sweeps are what is promised of codes that have expired.
var sweeps = []trial{
	{"what expired is swept, and nothing else", testSweep},
	{"what expired later is swept later", testBuckets},
	{"REQ-106 a used-mark stays while an access token may live", testMarks},
	{"F52 several nodes sweep at once", testSweepers},
	{"another process sweeps what was minted here", testForeignSweep},
}

// at is a node whose clock shows the time that now points to.
func at(t *testing.T, s certmagic.Storage, now *time.Time) *storage.Codes {
	t.Helper()
	return node(t, s, func(o *storage.Options) { o.Now = func() time.Time { return *now } })
}

func wantSwept(t *testing.T, codes *storage.Codes, want int) {
	t.Helper()
	if n, err := codes.Sweep(t.Context()); err != nil || n != want {
		t.Errorf("Sweep = %d, %v, want %d", n, err, want)
	}
}

func testSweep(t *testing.T, s certmagic.Storage) {
	now := time.Now()
	codes := at(t, s, &now)
	expired, used := mint(t, codes, now), mint(t, codes, now)
	wantError(t, redeem(t.Context(), codes, used), nil)
	const beside = "certificates/suite/example.com.key"
	store(t, s, beside, binary)
	now = now.Add(time.Hour)
	live := mint(t, codes, now)
	wantSwept(t, codes, 2)
	for _, gone := range []string{expired, used} {
		_, err := node(t, s).Load(t.Context(), gone)
		wantError(t, err, storage.ErrUnknown)
	}
	wantSwept(t, codes, 0)
	wantError(t, redeem(t.Context(), codes, live), nil)
	wantValue(t, s, beside, binary)
}

// testBuckets mints a code every three minutes. Each is swept between two and
// four minutes after it expired: there is a folder for each minute.
func testBuckets(t *testing.T, s certmagic.Storage) {
	start := time.Now()
	now := start
	codes := at(t, s, &now)
	var records []string
	for i := range 4 {
		code := mint(t, codes, start.Add(time.Duration(i)*3*time.Minute))
		records = append(records, recordKey(t, s, code))
	}
	for i := range records[1:] {
		now = start.Add(time.Duration(i)*3*time.Minute + 5*time.Minute)
		wantSwept(t, codes, 1)
		wantAbsent(t, s, records[i])
		if _, err := s.Load(t.Context(), records[i+1]); err != nil {
			t.Errorf("the record of a minute that is not over: %v", err)
		}
	}
}

// testMarks: a replay is to be recognised for as long as what the code was
// redeemed for is good.
func testMarks(t *testing.T, s certmagic.Storage) {
	now := time.Now()
	retention := 10 * time.Minute
	codes := node(t, s, func(o *storage.Options) {
		o.Now, o.Retention = func() time.Time { return now }, retention
	})
	used := mint(t, codes, now)
	wantError(t, redeem(t.Context(), codes, used), nil)
	now = now.Add(time.Minute + retention)
	wantSwept(t, codes, 0)
	wantError(t, redeem(t.Context(), node(t, s), used), storage.ErrUsed)
	now = now.Add(time.Hour)
	wantSwept(t, codes, 1)
}

func testSweepers(t *testing.T, s certmagic.Storage) {
	const codes = 60
	now := time.Now()
	minter := at(t, s, &now)
	for range codes {
		mint(t, minter, now)
	}
	later := now.Add(time.Hour)
	var sweepers []*storage.Codes
	for range 5 {
		sweepers = append(sweepers, at(t, s, &later))
	}
	live := mint(t, sweepers[0], later)
	var mu sync.Mutex
	var work sync.WaitGroup
	swept := 0
	for _, sweeper := range sweepers {
		work.Go(func() {
			n, err := sweeper.Sweep(t.Context())
			if err != nil {
				t.Errorf("Sweep: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			swept += n
		})
	}
	work.Wait()
	if swept < codes {
		t.Errorf("five sweepers swept %d of %d", swept, codes)
	}
	wantSwept(t, sweepers[0], 0)
	wantError(t, redeem(t.Context(), sweepers[1], live), nil)
}

// testForeignSweep rests on List alone: this process remembers where it wrote.
func testForeignSweep(t *testing.T, s certmagic.Storage) {
	now := time.Now()
	minter := at(t, s, &now)
	for range 3 {
		mint(t, minter, now)
	}
	later := now.Add(time.Hour)
	wantSwept(t, at(t, s, &later), 3)
}

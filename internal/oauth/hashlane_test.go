package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countedHash is a slow hash that counts what is computed.
func countedHash(secret string, work int, computed *atomic.Int64) Secret {
	return Secret{slow: &slowHash{
		configured: "hash of " + secret, work: work,
		matches: func(presented string) bool {
			computed.Add(1)
			return presented == secret
		},
	}}
}

// withSlowHashes registers human (with slow hashes) beside web, post and spa.
func withSlowHashes(f *fixture, secrets ...Secret) {
	clients := testClients(f.t)
	human := *clients[0]
	human.ID, human.Secrets = "human", secrets
	f.register(append(clients, &human)...)
}

func TestWorkOfAFailure(t *testing.T) {
	for _, hashes := range []int{0, 1, 2} {
		for _, row := range []struct {
			name    string
			present func(*tokenRequest, *fixture)
		}{
			{"an unknown client", basicAuth("nobody", "x")},
			{"an unknown client with a client_secret", only("client_id", "nobody", "client_secret", "x")},
			{"a wrong secret beside a slow hash", basicAuth("human", "x")},
			{"a wrong secret beside a fast hash", basicAuth("web", "x")},
			{"the right secret by another method", instead("post", secretOf("post"))},
			{"the right slow secret by another method", only("client_id", "human", "client_secret", "human0")},
			{"a public client with a secret", basicAuth("spa", "x")},
		} {
			t.Run(fmt.Sprintf("REQ-045 REQ-046 C10 with %d slow hashes the same work is done for %s", hashes, row.name), func(t *testing.T) {
				f := newFixture(t)
				var computed atomic.Int64
				secrets := []Secret{hashed(t, "fast")}
				for i := range hashes {
					secrets = append(secrets, countedHash("human"+strconv.Itoa(i), 1, &computed))
				}
				withSlowHashes(f, secrets...)
				q := f.valid("web")
				row.present(q, f)
				if _, _, err := f.respond(q); err == nil || err.Kind != InvalidClient {
					t.Fatalf("answered %v", err)
				}
				if got := computed.Load(); got != int64(hashes) {
					t.Errorf("%d hashes were computed", got)
				}
			})
		}
	}
	t.Run("REQ-046 REQ-174 as many digests are compared for everybody", func(t *testing.T) {
		f := newFixture(t)
		withSlowHashes(f, hashed(t, "a"), hashed(t, "b"), hashed(t, "c"))
		all := []*registration{f.endpoint.Clients.stranger}
		for _, client := range f.endpoint.Clients.All() {
			all = append(all, f.endpoint.Clients.find(client.ID))
		}
		for _, r := range all {
			if len(r.fast) != 3 {
				t.Errorf("%d digests for %v", len(r.fast), r.client)
			}
			if slices.Contains(r.fast, [32]byte{}) {
				t.Error("a digest is zero")
			}
		}
	})
	t.Run("REQ-046 strangers pay the costliest hash", func(t *testing.T) {
		f := newFixture(t)
		var cheap, costly atomic.Int64
		clients := testClients(t)
		clients[0].Secrets = []Secret{countedHash("a", 1, &cheap)}
		clients[1].Secrets = []Secret{countedHash("b", 2, &costly)}
		f.register(clients...)
		q := f.valid("web")
		q.basic("nobody", "x")
		f.fails(q, invalidClient(ClientUnknown))
		if cheap.Load() != 0 || costly.Load() != 1 {
			t.Errorf("%d cheap and %d costly hashes", cheap.Load(), costly.Load())
		}
	})
	t.Run("C09 nothing is hashed without a secret, or for one that nobody can have", func(t *testing.T) {
		f := newFixture(t)
		var computed atomic.Int64
		withSlowHashes(f, countedHash("human", 1, &computed))
		for _, present := range []func(*tokenRequest, *fixture){only(), only("client_id", "human"), only("client_id", "nobody"), basicAuth("human", "x\x00")} {
			q := f.valid("web")
			present(q, f)
			if _, _, err := f.respond(q); err == nil || err.Kind != InvalidClient {
				t.Fatalf("answered %v", err)
			}
		}
		if got := computed.Load(); got != 0 {
			t.Errorf("%d hashes were computed", got)
		}
	})
}

func TestVerifiedOnce(t *testing.T) {
	t.Run("REQ-047 a slow hash is computed once for a right secret, and each time for a wrong one", func(t *testing.T) {
		f := newFixture(t)
		var computed atomic.Int64
		withSlowHashes(f, countedHash("human", 1, &computed))
		right := func() *tokenRequest {
			q := f.valid("human")
			q.form.Set("redirect_uri", redirectOf("human"))
			q.basic("human", "human")
			return q
		}
		for range 3 {
			f.succeeds(right())
		}
		if got := computed.Load(); got != 1 {
			t.Errorf("three right secrets cost %d hashes", got)
		}
		wrong := right()
		wrong.basic("human", "wrong")
		f.failTimes(3, wrong)
		if got := computed.Load(); got != 4 {
			t.Errorf("three wrong secrets cost %d hashes", got-1)
		}
	})
	t.Run("REQ-047 a fast secret of a client with slow hashes costs none", func(t *testing.T) {
		f := newFixture(t)
		var computed atomic.Int64
		withSlowHashes(f, countedHash("human", 1, &computed))
		f.succeeds(f.valid("web"))
		if got := computed.Load(); got != 0 {
			t.Errorf("it cost %d", got)
		}
	})
	t.Run("C15 a secret that was removed from the configuration is not remembered", func(t *testing.T) {
		f := newFixture(t)
		var computed atomic.Int64
		withSlowHashes(f, countedHash("old", 1, &computed))
		q := f.valid("human")
		q.basic("human", "old")
		f.succeeds(q)
		withSlowHashes(f, countedHash("new", 1, &computed))
		q = f.valid("human")
		q.basic("human", "old")
		f.fails(q, invalidClient(SecretMismatch))
	})
	t.Run("what is remembered is bounded", func(t *testing.T) {
		v := newVerifiedSet()
		hash := []*slowHash{{configured: "a"}}
		for i := range maxVerified + 10 {
			v.add(hash[0], strconv.Itoa(i))
			v.add(hash[0], strconv.Itoa(i))
		}
		if len(v.known) != maxVerified || len(v.order) != maxVerified {
			t.Errorf("%d are known, %d in order", len(v.known), len(v.order))
		}
		if v.any(hash, "9") || !v.any(hash, "10") || !v.any(hash, strconv.Itoa(maxVerified+9)) {
			t.Error("not the oldest were forgotten")
		}
		if v.any([]*slowHash{{configured: "b"}}, "10") || v.any(nil, "10") {
			t.Error("it is remembered for another hash")
		}
	})
	t.Run("real hashes work behind the endpoint", func(t *testing.T) {
		f := newFixture(t)
		slow, err := ParseSecret(argon2idOf("human", minArgon2Memory, 1, 1))
		if err != nil {
			t.Fatal(err)
		}
		withSlowHashes(f, slow)
		q := f.valid("human")
		q.basic("human", "humaN")
		f.fails(q, invalidClient(SecretMismatch))
		q.basic("human", "human")
		f.succeeds(q)
	})
}

// blockingHash is a slow hash that takes until release is closed.
func blockingHash(release <-chan struct{}, computed *atomic.Int64) Secret {
	return Secret{slow: &slowHash{configured: "blocking", matches: func(string) bool {
		computed.Add(1)
		<-release
		return false
	}}}
}

var testPrefix = addressPrefix(testAddr)

func TestHashLanes(t *testing.T) {
	busy := want{503, "temporarily_unavailable", HashingBusy, ""}
	t.Run("C09 hashes in flight are bounded, and who waits too long is told to come again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			var computed atomic.Int64
			release := make(chan struct{})
			withSlowHashes(f, blockingHash(release, &computed))
			slots := cap(f.endpoint.Throttle.hashes.normal)
			q := f.valid("human")
			q.basic("human", "x")
			var wg sync.WaitGroup
			for n := range slots {
				r, addr := q.http(), netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})
				wg.Go(func() { _, _, _ = respond(f.endpoint, r, addr) })
			}
			synctest.Wait()
			began := time.Now()
			e := f.fails(q, busy)
			if took := time.Since(began); took != hashPatience || e.RetryAfter != time.Second {
				t.Errorf("told after %v to come again after %v", took, e.RetryAfter)
			}
			if got := computed.Load(); got != int64(slots) {
				t.Errorf("%d hashes in flight, want %d", got, slots)
			}
			// Right credentials that need no slow hash are served meanwhile.
			f.succeeds(f.valid("web"))
			close(release)
			wg.Wait()
		})
	})
	t.Run("C09 a flood costs one hash per second, and is told to come again", func(t *testing.T) {
		f := newFixture(t)
		var computed atomic.Int64
		withSlowHashes(f, countedHash("human", 1, &computed))
		q := f.valid("human")
		q.basic("human", "x")
		f.failTimes(10, q)
		before := computed.Load()
		statuses := map[int]int{}
		for range 50 {
			_, _, err := f.respond(q)
			statuses[err.Status()]++
		}
		if got := computed.Load() - before; got != 1 {
			t.Errorf("50 requests at once cost %d hashes", got)
		}
		if statuses[http.StatusTooManyRequests] != 1 || statuses[http.StatusServiceUnavailable] != 49 {
			t.Errorf("answered %v", statuses)
		}
		f.time = f.time.Add(penaltyInterval)
		f.fails(q, throttled)
	})
	t.Run("REQ-047 C12 a right secret that is slow to verify passes a flood of wrong ones, and is never 429", func(t *testing.T) {
		f := newFixture(t)
		var computed atomic.Int64
		withSlowHashes(f, countedHash("human", 1, &computed))
		wrong, right := f.valid("human"), f.valid("human")
		wrong.basic("human", "x")
		right.basic("human", "human")
		f.failTimes(10, wrong)
		f.fails(wrong, throttled)
		f.fails(right, busy)
		f.time = f.time.Add(penaltyInterval)
		f.succeeds(right)
		again := f.valid("human")
		again.basic("human", "human")
		f.fails(wrong, busy)
		f.succeeds(again)
	})
	t.Run("C09 at most half of the processors hash", func(t *testing.T) {
		if got, most := cap(newHashLanes().normal), max(1, runtime.GOMAXPROCS(0)/2); got < 1 || got > most {
			t.Errorf("%d hash at a time, want at most %d", got, most)
		}
	})
	t.Run("a client that hangs up waits for no place", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newHashLanes()
			for range cap(l.normal) {
				l.normal <- struct{}{}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			began := time.Now()
			if _, err := l.enter(ctx, testPrefix, false, began); !errors.Is(err, errHashingBusy) || time.Since(began) != 0 {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	})
	t.Run("REQ-047 C12 who comes from one address is not before another's in the queue, however many they are", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newHashLanes()
			l.normal = make(chan struct{}, 1)
			const hashing = time.Second
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if leave, err := l.enter(t.Context(), testPrefix, false, time.Now()); err == nil {
						time.Sleep(hashing)
						leave()
					}
				})
			}
			synctest.Wait()
			began := time.Now()
			leave, err := l.enter(t.Context(), addressPrefix(netip.MustParseAddr("203.0.113.7")), false, began)
			if took := time.Since(began); err != nil || took != hashing {
				t.Fatalf("after %v: %v", took, err)
			}
			leave()
			wg.Wait()
			if len(l.addresses) != 0 || len(l.normal) != 0 {
				t.Errorf("%d addresses are still there, %d places are taken", len(l.addresses), len(l.normal))
			}
		})
	})
	t.Run("the lane of penalties has one place", func(t *testing.T) {
		l := newHashLanes()
		now := time.Unix(1_700_000_000, 0)
		leave, err := l.enter(t.Context(), testPrefix, true, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.enter(t.Context(), testPrefix, true, now.Add(time.Hour)); err == nil {
			t.Error("a second hash is in it")
		}
		leave()
		if _, err := l.enter(t.Context(), testPrefix, true, now.Add(time.Hour)); err != nil {
			t.Error("it is not left")
		}
	})
	t.Run("a clock that is set back does not close the lane", func(t *testing.T) {
		l := newHashLanes()
		now := time.Unix(1_700_000_000, 0)
		leave, err := l.enter(t.Context(), testPrefix, true, now)
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if _, err := l.enter(t.Context(), testPrefix, true, now.Add(-time.Hour)); err != nil {
			t.Error("it does")
		}
	})
	t.Run("first requests that come together share one hash", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.endpoint.Throttle.hashes.normal = make(chan struct{}, 1)
			var computed atomic.Int64
			secret := countedHash("human", 1, &computed)
			matches := secret.slow.matches
			secret.slow.matches = func(presented string) bool {
				time.Sleep(100 * time.Millisecond) // of the test's own clock
				return matches(presented)
			}
			withSlowHashes(f, secret)
			var wg sync.WaitGroup
			for range 8 {
				q := f.valid("human")
				q.basic("human", "human")
				r := q.http()
				wg.Go(func() {
					if _, _, err := respond(f.endpoint, r, testAddr); err != nil {
						t.Errorf("refused: %v", err)
					}
				})
			}
			wg.Wait()
			if got := computed.Load(); got != 1 {
				t.Errorf("eight requests cost %d hashes", got)
			}
		})
	})
}

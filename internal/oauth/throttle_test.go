package oauth

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	unthrottled = want{401, "invalid_client", ClientAuthFailed, SecretMismatch}
	throttled   = want{429, "temporarily_unavailable", RateLimited, SecretMismatch}
)

// failing returns a request that fails for web from addr.
func (f *fixture) failing(addr string) *tokenRequest {
	q := f.valid("web")
	q.basic("web", "wrong")
	q.addr = netip.MustParseAddr(addr)
	return q
}

// failTimes has a request fail n times, unthrottled.
func (f *fixture) failTimes(n int, q *tokenRequest) {
	f.t.Helper()
	for range n {
		if _, _, err := f.respond(q); err == nil || err.Kind != InvalidClient {
			f.t.Fatalf("answered %v, want invalid_client", err)
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Run("REQ-047 C11 ten failures a minute have their own answer and the next is 429", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		f.failTimes(10, q)
		e := f.fails(q, throttled)
		if e.RetryAfter != minPenalty || !e.Security || !strings.Contains(e.Hint, "secret is wrong") {
			t.Errorf("Retry-After %v, hint %q", e.RetryAfter, e.Hint)
		}
		f.time = f.time.Add(20 * time.Second)
		if e := f.fails(q, throttled); e.RetryAfter != minPenalty-20*time.Second {
			t.Errorf("Retry-After %v after 20 s", e.RetryAfter)
		}
	})
	t.Run("REQ-047 C12 right credentials are never 429, from the same address or another", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		f.failTimes(10, q)
		for range 200 {
			f.fails(q, throttled)
		}
		same, other := f.valid("web"), f.valid("web")
		other.addr = netip.MustParseAddr("198.51.100.7")
		f.succeeds(same)
		f.succeeds(other)
	})
	t.Run("REQ-047 another address and another client_id have their own buckets", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		f.failTimes(10, q)
		f.fails(q, throttled)
		f.fails(f.failing("192.0.2.2"), unthrottled)
		q.basic("web2", "wrong")
		f.fails(q, unthrottled)
	})
	t.Run("REQ-047 another issuer has its own buckets", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		f.failTimes(10, q)
		f.endpoint.Issuer = "https://other.example"
		f.fails(q, unthrottled)
	})
	t.Run("REQ-045 REQ-047 unknown and registered ids are throttled alike", func(t *testing.T) {
		f := newFixture(t)
		var answered [2]string
		for i, id := range []string{"web", "nobody"} {
			q := f.failing("192.0.2.1")
			q.basic(id, "wrong")
			for range 15 {
				_, _, err := f.respond(q)
				answered[i] += fmt.Sprint(err.Status(), err.Code(), err.Description(), err.RetryAfter, " ")
			}
		}
		if answered[0] != answered[1] {
			t.Errorf("registered: %s\nunknown: %s", answered[0], answered[1])
		}
	})
	t.Run("REQ-047 missing credentials count", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		only()(q, f)
		f.failTimes(10, q)
		f.fails(q, want{429, "temporarily_unavailable", RateLimited, CredentialsMissing})
	})
	t.Run("REQ-047 structural errors do not count", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		broken := q.clone()
		broken.form.Add("code", "x")
		for range 20 {
			f.fails(broken, invalidRequest(ParameterRepeated))
		}
		f.fails(q, unthrottled)
	})
	t.Run("an authenticated client is not throttled for wrong codes", func(t *testing.T) {
		f := newFixture(t)
		q := f.valid("web")
		q.form.Set("code", "nope")
		for range 30 {
			f.fails(q, invalidGrant(CodeUnknown, ""))
		}
	})
	t.Run("F54 one address cannot escape by making up ids", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		for i := range addressLimit {
			q.basic("nobody"+strconv.Itoa(i), "wrong")
			f.fails(q, invalidClient(ClientUnknown))
		}
		q.basic("somebody", "wrong")
		f.fails(q, want{429, "temporarily_unavailable", RateLimited, ClientUnknown})
		f.succeeds(f.valid("web"))
	})
	t.Run("C11 the penalty doubles while failures go on and ends after a quiet time", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		f.failTimes(10, q)
		var penalties []time.Duration
		for range 7 {
			e := f.fails(q, throttled)
			penalties = append(penalties, e.RetryAfter)
			f.time = f.time.Add(e.RetryAfter - time.Second)
			f.fails(q, throttled)
			f.time = f.time.Add(time.Second)
		}
		if got := fmt.Sprint(penalties); got != "[1m0s 2m0s 4m0s 8m0s 15m0s 15m0s 15m0s]" {
			t.Errorf("penalties %s", got)
		}
		f.time = f.time.Add(maxPenalty)
		f.failTimes(10, q)
		f.fails(q, throttled)
	})
	t.Run("F40 a penalty ends where the clock is set back", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		f.failTimes(10, q)
		f.fails(q, throttled)
		f.time = f.time.Add(-time.Second)
		f.fails(q, throttled)
		f.time = f.time.Add(-6 * time.Hour)
		if s := f.endpoint.Throttle.source(testIssuer, "web", q.addr); f.endpoint.Throttle.exhausted(s, f.time) {
			t.Error("the next failure would be in it")
		}
		f.failTimes(10, q)
		f.fails(q, throttled)
	})
	t.Run("ten failures of a minute are forgotten in the next", func(t *testing.T) {
		f := newFixture(t)
		q := f.failing("192.0.2.1")
		for range 3 {
			f.failTimes(10, q)
			f.time = f.time.Add(failureWindow)
		}
		f.fails(q, unthrottled)
	})
}

func TestAddressPrefix(t *testing.T) {
	for _, row := range []struct{ name, a, b string }{
		{"REQ-047 an IPv6 subscriber is one address", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9"},
		{"an IPv4 address in IPv6 form is itself", "192.0.2.1", "::ffff:192.0.2.1"},
		{"a zone is no other address", "fe80::1%eth0", "fe80::1%eth1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if a, b := addressPrefix(netip.MustParseAddr(row.a)), addressPrefix(netip.MustParseAddr(row.b)); a != b || !a.IsValid() {
				t.Errorf("%v and %v", a, b)
			}
		})
	}
	t.Run("two IPv6 subscribers are two, and so are two IPv4 addresses", func(t *testing.T) {
		seen := map[netip.Prefix]bool{}
		for _, s := range []string{"2001:db8:1:2::1", "2001:db8:1:3::1", "192.0.2.1", "192.0.2.2"} {
			seen[addressPrefix(netip.MustParseAddr(s))] = true
		}
		seen[addressPrefix(netip.Addr{})] = true
		if len(seen) != 5 {
			t.Errorf("they are %v", seen)
		}
	})
}

func TestClientSlowDown(t *testing.T) {
	fromEverywhere := func(th *Throttle, n int) (late time.Duration) {
		for i := range n {
			addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
			_, more := th.fail(th.source(testIssuer, "web", addr), time.Now())
			late += more
		}
		return late
	}
	t.Run("C11 failures for one client from everywhere are answered late, by at most a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			th := NewThrottle()
			if took := fromEverywhere(th, clientLimit); took != 0 {
				t.Errorf("the first %d took %v", clientLimit, took)
			}
			if took := fromEverywhere(th, 1); took != delayStep {
				t.Errorf("the next took %v", took)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			th := NewThrottle()
			for i := range 1000 {
				addr := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
				th.failures.fail(th.source(testIssuer, "web", addr).client, math.MaxInt64, time.Now())
			}
			if took := fromEverywhere(th, 1); took != maxDelay {
				t.Errorf("after 1000 it took %v", took)
			}
		})
	})
	t.Run("C12 the slow-down is never a 429 and never meets right credentials", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			q := f.failing("192.0.2.1")
			for i := range 300 {
				q.addr = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
				f.fails(q, unthrottled)
			}
			began := time.Now()
			f.succeeds(f.valid("web"))
			if took := time.Since(began); took != 0 {
				t.Errorf("right credentials took %v", took)
			}
		})
	})
	t.Run("C11 an answer is held where nothing is that a reload waits for, until its context ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.endpoint.Throttle, f.endpoint.Now = NewThrottle(), time.Now
			fromEverywhere(f.endpoint.Throttle, clientLimit)
			q, began := f.failing("192.0.2.1"), time.Now()
			_, _, refusal := f.respond(q)
			if took := time.Since(began); refusal == nil || took != 0 {
				t.Fatalf("Respond took %v and said %v", took, refusal)
			}
			f.endpoint.Refused(t.Context(), refusal, q.addr)
			if took := time.Since(began); took != delayStep {
				t.Errorf("it is held for %v", took)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			f.endpoint.Refused(ended, refusal, q.addr)
			if took := time.Since(began); took != delayStep {
				t.Errorf("once its context has ended it is held for %v", took-delayStep)
			}
		})
	})
	t.Run("not too many answers are held at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			th := NewThrottle()
			for range maxDelayed {
				go delay(t.Context(), th.delayed, maxDelay)
			}
			synctest.Wait()
			began := time.Now()
			delay(t.Context(), th.delayed, maxDelay)
			if took := time.Since(began); took != 0 {
				t.Errorf("one more was held for %v", took)
			}
			time.Sleep(maxDelay) // until all have ended
		})
	})
}

func TestRefusedRequests(t *testing.T) {
	flooder, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	refuse := func(t *testing.T, th *Throttle, addr netip.Addr, n int) time.Duration {
		began := time.Now()
		for range n {
			th.refused(t.Context(), testIssuer, addr, time.Now())
		}
		return time.Since(began)
	}
	t.Run("C11 beyond so many in a minute each is answered late, and nobody else's are", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			th := NewThrottle()
			if took := refuse(t, th, flooder, RefusalLimit); took != 0 {
				t.Errorf("the first %d took %v", RefusalLimit, took)
			}
			if took := refuse(t, th, flooder, 3); took != 3*RefusalDelay {
				t.Errorf("the next three took %v", took)
			}
			if took := refuse(t, th, other, 1); took != 0 {
				t.Errorf("one from another address took %v", took)
			}
			time.Sleep(failureWindow)
			if took := refuse(t, th, flooder, 1); took != 0 {
				t.Errorf("one a minute later took %v", took)
			}
		})
	})
	t.Run("C11 a flood from everywhere is answered late at its issuer, and not at another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			th := NewThrottle()
			began, from := time.Now(), netip.MustParseAddr("198.18.0.0")
			for range IssuerRefusalLimit {
				from = from.Next()
				th.refused(t.Context(), testIssuer, from, time.Now())
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("the first %d took %v", IssuerRefusalLimit, took)
			}
			if took := refuse(t, th, other, 3); took != 3*RefusalDelay {
				t.Errorf("the next three took %v", took)
			}
			began = time.Now()
			th.refused(t.Context(), "https://other.example", other, time.Now())
			if took := time.Since(began); took != 0 {
				t.Errorf("one of another issuer took %v", took)
			}
		})
	})
	t.Run("C12 a good request from the same address is not held", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			q := f.valid("web")
			for range max(RefusalLimit, IssuerRefusalLimit) + 1 {
				f.endpoint.throttle().refused(t.Context(), f.endpoint.Issuer, q.addr, f.time)
			}
			began := time.Now()
			f.succeeds(q)
			if took := time.Since(began); took != 0 {
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("C11 an answer that was held back leaves its place to the next", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			places := make(chan struct{}, 1)
			for n := range 2 {
				began := time.Now()
				delay(t.Context(), places, RefusalDelay)
				if took := time.Since(began); took != RefusalDelay {
					t.Errorf("answer %d took %v", n+1, took)
				}
			}
		})
	})
	t.Run("C11 our own faults are nobody's", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.endpoint.Throttle, f.endpoint.Now = NewThrottle(), time.Now
			began := time.Now()
			for range RefusalLimit + 2 {
				f.endpoint.Refused(t.Context(), &Error{Kind: TemporarilyUnavailable}, flooder)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("they took %v", took)
			}
		})
	})
	for reason, why := range map[Reason]string{
		KeysUnavailable:    "anybody can name a key that is not to be had",
		HashingBusy:        "anybody can send secrets that take long to verify",
		StorageUnavailable: "anybody can ask for more codes than a storage can look for",
	} {
		t.Run("C11 a fault of ours counts where "+why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.endpoint.Throttle, f.endpoint.Now = NewThrottle(), time.Now
				began := time.Now()
				for range RefusalLimit + 1 {
					f.endpoint.Refused(t.Context(), &Error{Kind: TemporarilyUnavailable, Reason: reason}, flooder)
				}
				if took := time.Since(began); took != RefusalDelay {
					t.Errorf("they took %v", took)
				}
			})
		})
	}
	t.Run("C12 what one address sends beyond its limit makes nobody else's late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			th, now := NewThrottle(), time.Now()
			refuse(t, th, flooder, RefusalLimit)
			for range IssuerRefusalLimit {
				go th.refused(t.Context(), testIssuer, flooder, now)
			}
			time.Sleep(RefusalDelay)
			if took := refuse(t, th, other, 1); took != 0 {
				t.Errorf("one from another address took %v", took)
			}
		})
	})
	t.Run("C11 addresses that are none are counted for themselves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			th := NewThrottle()
			refuse(t, th, other, RefusalLimit)
			if took := refuse(t, th, netip.Addr{}, 1); took != 0 {
				t.Errorf("one without an address took %v", took)
			}
		})
	})
}

func TestThrottleMemory(t *testing.T) {
	t.Run("F54 C09 random ids cost no memory and do not push an address out", func(t *testing.T) {
		th := NewThrottle()
		now := time.Unix(1_700_000_000, 0)
		fail := func(i int) time.Duration {
			retryAfter, _ := th.fail(th.source(testIssuer, "id"+strconv.Itoa(i), testAddr), now)
			return retryAfter
		}
		for i := range addressLimit {
			fail(i)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 50_000 {
			if fail(i+addressLimit) <= 0 {
				t.Fatalf("after %d ids the address is free again", i)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("50,000 ids cost %d bytes", grown)
		}
	})
	t.Run("a full set gives up the key that failed the longest ago", func(t *testing.T) {
		tb := newTable()
		now := time.Unix(1_700_000_000, 0)
		for i := range uint64(tableWays + 1) {
			tb.fail(1+i*tableSets, 1, now.Add(time.Duration(i)))
		}
		for i := range uint64(tableWays + 1) {
			if found := tb.find(1+i*tableSets) != nil; found != (i > 0) {
				t.Errorf("key %d is there: %t", i, found)
			}
		}
	})
}

func TestProcessThrottle(t *testing.T) {
	t.Run("F36 an endpoint without a throttle of its own has the process's, which outlives it", func(t *testing.T) {
		a, b := newFixture(t), newFixture(t)
		a.endpoint.Throttle, b.endpoint.Throttle = nil, nil
		a.endpoint.Issuer = "https://" + strings.ToLower(t.Name()) + ".example"
		b.endpoint.Issuer = a.endpoint.Issuer
		q := a.failing("192.0.2.99")
		a.failTimes(10, q)
		b.fails(q, throttled)
	})
}

package keys

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// nodes are two processes with one storage and a clock each.
func nodes(t *testing.T, store *memory, fault func(operation, key string) error) (a, b *fixture) {
	c := newClock()
	return nodeOn(t, store, c, fault, 0), nodeOn(t, store, c, fault, 1)
}

func nodeOn(t *testing.T, store *memory, c *clock, fault func(operation, key string) error, rsaKey int) *fixture {
	f := newFixture(t, store, c, func(o *Options) {
		if fault != nil {
			o.Storage = store.node(fault)
		}
	})
	f.generate = pooled(rsaKey)
	return f
}

// mustPublish asserts what holds the issuer together: what one node signs with
// the other publishes, from the next time it is asked on.
func mustPublish(t *testing.T, signer, publisher *fixture) {
	t.Helper()
	for _, alg := range signer.algorithms {
		key, err := signer.SigningKey(context.Background(), alg)
		if errors.Is(err, ErrNotYet) || errors.Is(err, ErrUnavailable) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := publisher.JWKS(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(kidsOf(t, raw), key.ID) {
			t.Fatalf("the other node does not publish the %s key that this one signs with", alg)
		}
	}
}

func TestTwoNodesStartTogether(t *testing.T) {
	for _, row := range []struct {
		name  string
		fault func(operation, key string) error
	}{
		{"F43 two nodes on an empty storage end with one key set", nil},
		{"F30 two nodes on an empty storage end with one key set where the lock fails", faultOn("lock")},
	} {
		t.Run(row.name, func(t *testing.T) {
			for range 60 {
				store := newMemory()
				a, b := nodes(t, store, row.fault)
				start := make(chan struct{})
				var group sync.WaitGroup
				for _, f := range []*fixture{a, b} {
					group.Go(func() {
						<-start
						if err := f.tryRound(); err != nil {
							t.Error(err)
						}
					})
				}
				// Requests come while the nodes start.
				for range 2 {
					group.Go(func() { <-start; mustPublishSoon(t, a, b) })
					group.Go(func() { <-start; mustPublishSoon(t, b, a) })
				}
				close(start)
				group.Wait()
				mustPublish(t, a, b)
				mustPublish(t, b, a)
				a.clock.advance(2 * time.Second)
				for _, alg := range a.algorithms {
					if x, y := a.signer(alg), b.signer(alg); x.ID != y.ID {
						t.Fatalf("%s: the nodes do not agree", alg)
					}
				}
				if !slices.Equal(a.kids(), b.kids()) {
					t.Fatalf("got %v and %v", a.kids(), b.kids())
				}
				if row.fault == nil && len(a.kids()) != 2 {
					t.Fatalf("%d keys in spite of the lock", len(a.kids()))
				}
			}
		})
	}
}

// mustPublishSoon is mustPublish while the publisher may have to be waited for.
func mustPublishSoon(t *testing.T, signer, publisher *fixture) {
	for _, alg := range signer.algorithms {
		key, err := signer.SigningKey(context.Background(), alg)
		if err != nil {
			continue // a first key of this algorithm is on its way
		}
		raw, err := publisher.JWKS(context.Background())
		if err != nil || !slices.Contains(kidsOf(t, raw), key.ID) {
			t.Errorf("%s key is not published: %v", alg, err)
		}
	}
}

// TestTwoNodesInterleaved runs two nodes through their lives in random steps,
// with storage faults, late rounds, rotations by hand and requests at any
// point, and asserts after each step that neither signs with what the other
// does not publish.
func TestTwoNodesInterleaved(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("F43 F44 F46 nothing is signed that is not published, seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			store, faulty := newMemory(), false
			fault := func(operation, _ string) error {
				if operation == "lock" && seed%2 == 0 {
					return errFault
				}
				if faulty && operation == "store" && random.IntN(3) == 0 {
					return errFault
				}
				return nil
			}
			a, b := nodes(t, store, fault)
			a.algorithms, b.algorithms = []token.Algorithm{token.ES256}, []token.Algorithm{token.ES256}
			for range 120 {
				x, y := a, b
				if random.IntN(2) == 0 {
					x, y = b, a
				}
				switch random.IntN(8) {
				case 0:
					faulty = !faulty
				case 1:
					x.clock.advance(time.Duration(random.Int64N(int64(40 * time.Second))))
				case 2:
					x.clock.advance(time.Duration(random.Int64N(int64(20 * 24 * time.Hour))))
					x.tryRound() // each node has done its rounds in such a time
					y.tryRound()
				case 3:
					x.clock.advance(time.Duration(random.Int64N(int64(6 * time.Second))))
				case 4, 5:
					x.tryRound()
				case 6:
					if random.IntN(4) == 0 {
						x.Rotate(context.Background(), false)
					}
				case 7: // a restart
					if random.IntN(4) == 0 {
						*x = *nodeOn(t, store, x.clock, fault, 0)
						x.algorithms = []token.Algorithm{token.ES256}
						x.tryRound()
					}
				}
				if x.current.Load() != nil && y.current.Load() != nil {
					mustPublish(t, x, y)
					mustPublish(t, y, x)
				}
			}
		})
	}
}

// TestStaleNode: the case the settle time is for. A key that is just stored is
// not yet in a set that another node may publish for some seconds more.
func TestStaleNode(t *testing.T) {
	start := func(t *testing.T) (a, b *fixture) {
		a, b = nodes(t, newMemory(), nil)
		a.round()
		b.round()
		a.clock.advance(time.Hour)
		a.round()
		b.round()
		return a, b
	}
	t.Run("F46 no node signs with a rotated key while another may publish a set without it", func(t *testing.T) {
		a, b := start(t)
		if _, err := a.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			mustPublish(t, a, b)
			a.clock.advance(time.Second)
		}
	})
	t.Run("F39 not even a node that takes the key's time to have come", func(t *testing.T) {
		a, b := start(t)
		ahead := a.clock.split()
		fast := newFixture(t, a.store, ahead, nil)
		ahead.advance(time.Minute)
		fast.round()
		if _, err := a.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		fast.round()
		mustPublish(t, fast, b)
	})
	t.Run("a node that starts anew after a rotation signs with the old key until it has settled", func(t *testing.T) {
		a, b := start(t)
		old := a.signer(token.ES256).ID
		if _, err := a.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		a.clock.advance(settle)
		c := nodeOn(t, a.store, a.clock, nil, 3)
		c.round()
		if got := c.signer(token.ES256).ID; got != old {
			t.Fatal("signs with a key it has only seen for a moment")
		}
		mustPublish(t, c, b)
		c.clock.advance(settle)
		if got := c.signer(token.ES256).ID; got == old {
			t.Fatal("still signs with the old key")
		}
	})
	t.Run("F33 a key whose maker slept between making and storing it settles like any other", func(t *testing.T) {
		a, b := start(t)
		old := a.signer(token.ES256).ID
		createdAt := a.clock.Now()
		signer, err := generate(token.ES256)
		if err != nil {
			t.Fatal(err)
		}
		late, err := a.vault.newRecord(token.ES256, signer, createdAt, createdAt)
		if err != nil {
			t.Fatal(err)
		}
		a.clock.advance(time.Hour)
		b.round()
		if err := a.Automatic.store(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		a.round()
		mustPublish(t, a, b)
		if a.signer(token.ES256).ID != old {
			t.Fatal("signs with a key it has only seen for a moment")
		}
		a.clock.advance(settle)
		if a.signer(token.ES256).ID != late.key.ID {
			t.Fatal("does not sign with it later")
		}
		mustPublish(t, a, b)
	})
	t.Run("a node that starts long after a rotation signs with the new key at once", func(t *testing.T) {
		a, _ := start(t)
		if _, err := a.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		a.clock.advance(youth)
		c := nodeOn(t, a.store, a.clock, nil, 3)
		c.round()
		if c.signer(token.ES256).ID != a.signer(token.ES256).ID {
			t.Fatal("signs with another")
		}
	})
	t.Run("a node sees that another dropped the old keys and publishes the new ones", func(t *testing.T) {
		a, b := start(t)
		if _, err := a.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		a.clock.advance(jwksMaxAge + 1)
		mustPublish(t, a, b)
		b.round()
		mustPublish(t, b, a)
		if !slices.Equal(a.kids(), b.kids()) {
			t.Fatalf("got %v and %v", a.kids(), b.kids())
		}
	})
}

// split returns a clock of its own that shows the same time.
func (c *clock) split() *clock { return &clock{now: c.Now()} }

// TestCrash stops a node at each call to the storage and lets a fresh one
// finish.
func TestCrash(t *testing.T) {
	for _, row := range []struct {
		name  string
		begin func(*fixture) // brings about what is to be done
	}{
		{"first keys", func(*fixture) {}},
		{"a rotation", func(f *fixture) { f.round(); f.clock.advance(89 * 24 * time.Hour) }},
	} {
		for after := range 2 {
			for n := range 26 { // an empty storage is listed eight times before the first lock
				moment := [2]string{"before", "after"}[after]
				t.Run(fmt.Sprintf("F44 a crash %s call %d of %s", moment, n, row.name), func(t *testing.T) {
					crash(t, row.begin, n, after == 1)
				})
			}
		}
	}
}

func crash(t *testing.T, begin func(*fixture), n int, after bool) {
	store, c := newMemory(), newClock()
	f := nodeOn(t, store, c, nil, 0)
	begin(f)
	before := map[token.Algorithm]string{}
	if f.current.Load() != nil {
		for _, alg := range f.algorithms {
			before[alg] = f.signer(alg).ID
		}
	}
	calls := 0
	store.before = func(operation, _ string) error {
		if calls++; operation != "unlock" && (calls > n+1 || !after && calls > n) {
			return errFault
		}
		return nil
	}
	f.tryRound()
	store.before = nil
	store.locks = map[string]chan struct{}{} // went stale

	g := nodeOn(t, store, c, nil, 2)
	g.round()
	g.round()
	for alg, kid := range before {
		if got := g.signer(alg).ID; got != kid {
			t.Errorf("%s: a new identity", alg)
		}
	}
	c.advance(youth)
	g.round()
	kids := g.kids()
	for _, kid := range before {
		if !slices.Contains(kids, kid) {
			t.Error("the old key is not published")
		}
	}
	if len(before) > 0 && len(kids) != 4 {
		t.Errorf("%d keys are published, want an old and a new one of each", len(kids))
	}
	for _, alg := range g.algorithms {
		if key := g.signer(alg); key.Algorithm != alg {
			t.Errorf("%s is signed with %s", alg, key.Algorithm)
		}
	}
}

// TestTimeline lets two nodes live for 400 days, with rounds out of step, and
// looks at each hour from where a verifier stands.
func TestTimeline(t *testing.T) {
	const lifetime, cache = 2 * time.Hour, 3 * time.Hour
	store := newMemory()
	a, b := nodes(t, store, nil)
	for _, f := range []*fixture{a, b} {
		f.schedule.retention = lifetime + cache + youth
		f.algorithms = []token.Algorithm{token.ES256}
		f.round()
	}
	published := map[string]time.Time{} // since when
	signed := map[string]time.Time{}    // first
	type issued struct {
		kid  string
		till time.Time
	}
	var outstanding []issued
	begin := a.clock.Now()
	for hour := range 400 * 24 {
		x, y := a, b
		if hour%2 == 1 {
			x, y = b, a
		}
		x.round()
		now := x.clock.Now()
		kids := y.kids()
		for _, kid := range kids {
			if _, known := published[kid]; !known {
				published[kid] = now
			}
		}
		kid := x.signer(token.ES256).ID
		if _, known := signed[kid]; !known {
			signed[kid] = now
		}
		outstanding = append(outstanding, issued{kid, now.Add(lifetime + cache)})
		outstanding = slices.DeleteFunc(outstanding, func(i issued) bool { return i.till.Before(now) })
		for _, i := range outstanding {
			if !slices.Contains(kids, i.kid) {
				t.Fatalf("REQ-196 T03: after %s a token lives whose key is not published", now.Sub(begin))
			}
		}
		x.clock.advance(time.Hour)
	}
	if len(signed) != 5 {
		t.Errorf("%d keys have signed in 400 days, want 5", len(signed))
	}
	for kid, at := range signed {
		if ahead := at.Sub(published[kid]); ahead < 24*time.Hour && !at.Equal(begin) {
			t.Errorf("REQ-208 T04: a key was published only %s before it signed", ahead)
		}
	}
	if n := len(store.all()); n > 2 {
		t.Errorf("%d keys are left in storage", n)
	}
}

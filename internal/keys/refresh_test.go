package keys

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestFreshness(t *testing.T) {
	settled := func(t *testing.T) *fixture {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.clock.advance(time.Hour)
		f.round()
		return f
	}
	t.Run("a reading of at most five seconds is published without another", func(t *testing.T) {
		f := settled(t)
		before := f.store.count("list")
		f.clock.advance(jwksMaxAge)
		f.kids()
		if f.store.count("list") != before {
			t.Fatal("read again")
		}
		f.clock.advance(time.Nanosecond)
		f.kids()
		if f.store.count("list") != before+1 {
			t.Fatal("not read again")
		}
	})
	t.Run("F46 while a key is young each JWKS is read from storage", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		before := f.store.count("list")
		f.kids()
		f.kids()
		if f.store.count("list") != before+2 {
			t.Fatal("not read again")
		}
	})
	t.Run("keys that are held are not loaded again", func(t *testing.T) {
		f := settled(t)
		before := f.store.count("load")
		f.clock.advance(time.Hour)
		f.kids()
		if f.store.count("load") != before {
			t.Fatal("loaded again")
		}
	})
	t.Run("signing with settled keys does no I/O", func(t *testing.T) {
		f := settled(t)
		f.clock.advance(time.Minute)
		f.store.before = func(string, string) error { panic("touched") }
		f.signer(token.ES256)
	})
	t.Run("signing with young keys reads once a second at most", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		before := f.store.count("list")
		f.clock.advance(time.Second)
		f.signer(token.ES256)
		if f.store.count("list") != before {
			t.Fatal("read again")
		}
		f.clock.advance(time.Nanosecond)
		f.signer(token.ES256)
		f.signer(token.ES256)
		if f.store.count("list") != before+1 {
			t.Fatal("not read once")
		}
	})
	t.Run("F16 where the storage fails keys are signed with and published from memory", func(t *testing.T) {
		f := settled(t)
		want := f.kids()
		f.clock.advance(time.Hour)
		f.store.before = func(string, string) error { return errFault }
		if !slices.Equal(f.kids(), want) || f.signer(token.ES256) == nil {
			t.Fatal("another set")
		}
		f.wantError(f.tryRound(), errFault)
		if !slices.Equal(f.kids(), want) {
			t.Fatal("another set")
		}
	})
	t.Run("F02 a storage that hangs holds a request for two seconds and the next not at all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Now = time.Now })
			f.round()
			time.Sleep(time.Hour)
			release := make(chan struct{})
			f.store.before = func(string, string) error { <-release; return nil }
			began := time.Now()
			f.kids()
			if took := time.Since(began); took != pathTimeout {
				t.Errorf("took %s", took)
			}
			f.kids()
			if took := time.Since(began); took != pathTimeout {
				t.Errorf("took %s", took)
			}
			close(release)
		})
	})
	t.Run("a client that hangs up does not keep the set from being read for others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), func(o *Options) { o.Now = time.Now })
			f.round()
			time.Sleep(time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			f.store.before = func(string, string) error { time.Sleep(time.Millisecond); return nil }
			f.JWKS(ctx)
			time.Sleep(10 * time.Millisecond)
			before := f.store.count("list")
			time.Sleep(jwksMaxAge)
			f.JWKS(ctx)
			f.kids()
			if f.store.count("list") == before {
				t.Error("not read again")
			}
		})
	})
	t.Run("concurrent requests share a reading that begins after they came", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, newMemory(), newClock(), nil)
			f.round()
			f.store.before = func(string, string) error { time.Sleep(time.Second); return nil }
			before := f.store.count("list")
			var group sync.WaitGroup
			group.Go(func() { f.kids() })
			synctest.Wait()
			for range 50 {
				group.Go(func() { f.kids() })
			}
			group.Wait()
			if n := f.store.count("list") - before; n != 2 {
				t.Errorf("%d readings, want the one under way and one more", n)
			}
		})
	})
	t.Run("F53 a storage that panics while it is read does not end the server", func(t *testing.T) {
		f := settled(t)
		f.clock.advance(time.Hour)
		f.store.before = func(string, string) error { panic("nil map") }
		if len(f.kids()) != 2 {
			t.Fatal("no keys")
		}
	})
	t.Run("F40 after the clock is set back the storage is read again", func(t *testing.T) {
		f := settled(t)
		before := f.store.count("list")
		f.clock.advance(-time.Minute)
		f.kids()
		if f.store.count("list") == before {
			t.Fatal("not read again")
		}
	})
}

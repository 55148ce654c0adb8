package oidctoken

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
)

func TestLiveCodes(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	web, other := codeOwner{issuer: "https://id.example", client: "web"}, codeOwner{issuer: "https://id.example", client: "other"}
	// filled has 3 of 3 codes of web, which expire after 10, 20 and 30 seconds.
	filled := func(t *testing.T) *liveCodes {
		t.Helper()
		l := &liveCodes{counts: make(map[codeOwner]*codeCount)}
		for n := range 3 {
			if !l.add(web, start, start.Add(time.Duration(n+1)*10*time.Second), 3) {
				t.Fatalf("code %d is refused", n+1)
			}
		}
		return l
	}
	add := func(l *liveCodes, owner codeOwner, after time.Duration) bool {
		now := start.Add(after)
		return l.add(owner, now, now.Add(time.Minute), 3)
	}
	t.Run("F50 one more than the limit is refused, and counts for nothing", func(t *testing.T) {
		l := filled(t)
		if add(l, web, 0) || add(l, web, 9*time.Second) || l.counts[web].total != 3 {
			t.Errorf("there are %d", l.counts[web].total)
		}
	})
	t.Run("the limit is a client's", func(t *testing.T) {
		if l := filled(t); !add(l, other, 0) {
			t.Error("another client is refused")
		}
	})
	t.Run("without a limit every code is counted", func(t *testing.T) {
		l := filled(t)
		if !l.add(web, start, start.Add(time.Minute), 0) || l.counts[web].total != 4 {
			t.Errorf("there are %d", l.counts[web].total)
		}
	})
	t.Run("what has expired makes room", func(t *testing.T) {
		l := filled(t)
		if !add(l, web, 10*time.Second) || add(l, web, 10*time.Second) || add(l, web, 19*time.Second) || !add(l, web, 20*time.Second) {
			t.Errorf("there are %d", l.counts[web].total)
		}
	})
	t.Run("what is redeemed makes room, once", func(t *testing.T) {
		l := filled(t)
		l.remove(web, start.Add(20*time.Second))
		l.remove(web, start.Add(20*time.Second))
		l.remove(web, start.Add(25*time.Second)) // minted elsewhere
		if !add(l, web, 0) || add(l, web, 0) {
			t.Errorf("there are %d", l.counts[web].total)
		}
	})
	t.Run("a client without codes takes no memory", func(t *testing.T) {
		l := filled(t)
		for n := range 3 {
			l.remove(web, start.Add(time.Duration(n+1)*10*time.Second))
		}
		if len(l.counts) != 0 {
			t.Errorf("there are %v", l.counts)
		}
	})
	t.Run("one whose codes have expired takes none either", func(t *testing.T) {
		l := filled(t)
		add(l, other, 30*time.Second)
		if len(l.counts) != 1 {
			t.Errorf("there are %v", l.counts)
		}
	})
	t.Run("of one person there are as many as one may have, whoever redeems them", func(t *testing.T) {
		l := &liveCodes{counts: make(map[codeOwner]*codeCount)}
		record := func(subject string) *storage.Record {
			return &storage.Record{Issuer: web.issuer, ClientID: web.client, Subject: subject, ExpiresAt: start.Add(time.Minute)}
		}
		for range maxPersonalCodes {
			if err := l.admit(record("alice"), start, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.admit(record("alice"), start, true); !errors.Is(err, errCodesCapped) {
			t.Errorf("one more: %v", err)
		}
		if err := l.admit(record("bob"), start, true); err != nil {
			t.Errorf("another person: %v", err)
		}
		if err := l.admit(record("alice"), start, false); err != nil {
			t.Errorf("a door that is not capped: %v", err)
		}
		l.release(record("alice"))
		if err := l.admit(record("alice"), start, true); err != nil || l.counts[web].total != maxPersonalCodes+2 {
			t.Errorf("once one is redeemed: %v, %d", err, l.counts[web].total)
		}
	})
	t.Run("a client that has as many as it may have takes none of a person's", func(t *testing.T) {
		l := &liveCodes{counts: make(map[codeOwner]*codeCount)}
		for range maxLiveCodes {
			l.add(web, start, start.Add(time.Minute), 0)
		}
		record := &storage.Record{Issuer: web.issuer, ClientID: web.client, Subject: "alice", ExpiresAt: start.Add(time.Minute)}
		if err := l.admit(record, start, true); !errors.Is(err, errCodesCapped) || len(l.counts) != 1 {
			t.Errorf("%v, owners %d", err, len(l.counts))
		}
	})
	t.Run("of many at once as many as the limit are let through", func(t *testing.T) {
		l := &liveCodes{counts: make(map[codeOwner]*codeCount)}
		var wg sync.WaitGroup
		var mu sync.Mutex
		let := 0
		for range 64 {
			wg.Go(func() {
				if l.add(web, start, start.Add(time.Minute), 10) {
					mu.Lock()
					let++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if let != 10 {
			t.Errorf("%d were", let)
		}
	})
}

package keys

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// at makes a record without key material; its times count from the beginning
// of the test's clock.
func at(kid string, alg token.Algorithm, created, signs time.Duration) *record {
	epoch := newClock().Now()
	return &record{key: &token.Key{ID: kid, Algorithm: alg}, storageKey: kid, createdAt: epoch.Add(created), signsAt: epoch.Add(signs)}
}

func TestLine(t *testing.T) {
	const h = time.Hour
	a, b, c := at("a", token.ES256, 0, h), at("b", token.ES256, 0, h), at("c", token.ES256, 0, 2*h)
	other := at("d", token.RS256, 0, 0)
	for _, records := range [][]*record{{a, b, c, other}, {c, other, b, a}, {b, a, other, c}} {
		t.Run("F43 every node puts the same keys in the same order, of two with one time the smaller kid last", func(t *testing.T) {
			var kids []string
			for _, r := range lineOf(records, token.ES256) {
				kids = append(kids, r.key.ID)
			}
			if got := strings.Join(kids, ""); got != "bac" {
				t.Fatalf("got %s", got)
			}
		})
	}
}

func TestDue(t *testing.T) {
	const day = 24 * time.Hour
	epoch := newClock().Now()
	s := newSchedule(Options{DefaultAlgorithm: token.ES256, Rotation: 90 * day})
	algs := []token.Algorithm{token.ES256, token.RS256}
	es256, rs256 := at("a", token.ES256, 0, 0), at("b", token.RS256, 0, 0)
	for _, row := range []struct {
		name    string
		records []*record
		now     time.Duration
		want    string
	}{
		{"without keys all are due and sign at once", nil, 0, "ES256+0s RS256+0s"},
		{"F44 after a crash between two first keys the other is a first key, too", []*record{es256}, youth - 1, "RS256+0s"},
		{"later a missing algorithm settles first", []*record{es256}, youth, "RS256+10s"},
		{"nothing is due between rotations", []*record{es256, rs256}, 89*day - 1, ""},
		{"a successor is due its lead ahead", []*record{es256, rs256}, 89 * day, "ES256+24h0m0s RS256+24h0m0s"},
		{"a successor is not due twice", []*record{es256, rs256, at("c", token.ES256, 89*day, 90*day)}, 89 * day, "RS256+24h0m0s"},
		{"a successor that is waiting is succeeded in its turn", []*record{at("c", token.ES256, 89*day, 90*day), rs256}, 179 * day, "ES256+24h0m0s RS256+24h0m0s late"},
		{"a late successor still has its whole lead", []*record{es256, rs256}, 95 * day, "ES256+24h0m0s late RS256+24h0m0s late"},
		{"a day late is not overdue yet", []*record{es256, rs256}, 90 * day, "ES256+24h0m0s RS256+24h0m0s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			now := epoch.Add(row.now)
			var got []string
			for _, c := range s.due(row.records, algs, now) {
				text := string(c.alg) + "+" + c.signsAt(now).Sub(now).String()
				if c.overdue {
					text += " late"
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestSignerChoice(t *testing.T) {
	epoch := newClock().Now()
	s := newSchedule(Options{DefaultAlgorithm: token.ES256, TokenLifetime: time.Hour})
	seen := func(r *record, at time.Duration) *record {
		copied := *r
		copied.seenAt = epoch.Add(at)
		return &copied
	}
	const h = time.Hour
	old, next, later := at("a", token.ES256, 0, 0), at("b", token.ES256, h, h+settle), at("c", token.ES256, h, h+settle)
	for _, row := range []struct {
		name    string
		records []*record
		now     time.Duration
		want    string
	}{
		{"the latest key whose time has come signs", []*record{seen(old, 0), seen(next, h)}, h + settle, "b"},
		{"a key that is held for less than ten seconds does not", []*record{seen(old, 0), seen(next, h+1)}, h + settle, "a"},
		{"before its time a key does not", []*record{seen(old, 0), seen(next, h)}, h + settle - 1, "a"},
		{"F43 of two with one time the smaller kid signs", []*record{seen(old, 0), seen(later, h), seen(next, h)}, h + settle, "b"},
		{"where no key has settled the latest signs", []*record{seen(old, h), seen(next, h)}, h + 1, "a"},
		{"a key that is withdrawn does not sign, whatever else has not settled",
			[]*record{seen(old, 0), seen(next, 3*h)}, 3 * h, "b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			now := epoch.Add(row.now)
			v := viewWithoutJWKS(s, row.records, now)
			got := v.signer(token.ES256, now)
			if got == nil || got.key.ID != row.want {
				t.Fatalf("got %v, want %s", got, row.want)
			}
		})
	}
	t.Run("beside settled keys one that has not settled does not sign, and none is better", func(t *testing.T) {
		now := epoch.Add(h + settle)
		records := []*record{seen(at("r", token.RS256, 0, 0), 0), seen(next, h+settle)}
		if got := viewWithoutJWKS(s, records, now).signer(token.ES256, now); got != nil {
			t.Fatalf("got %v", got)
		}
	})
}

// The first keys of an issuer are not all seen in one moment.
func TestSignerOfANewIssuer(t *testing.T) {
	epoch := newClock().Now()
	s := newSchedule(Options{DefaultAlgorithm: token.ES256, TokenLifetime: time.Hour})
	first := at("r", token.RS256, 0, 0)
	first.seenAt = epoch
	for _, row := range []struct {
		name   string
		key    *record
		seenAt time.Duration
		now    time.Duration
		want   bool
	}{
		{"F43 one that has not settled signs while another has", at("e", token.ES256, time.Millisecond, time.Millisecond), time.Second, settle, true},
		{"F33 one that was stored late does not, once nodes look no more before they publish", at("e", token.ES256, 0, 0), youth / 2, youth / 2, false},
		{"F43 one that came later does not", at("e", token.ES256, time.Second, settle), time.Second, settle, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.key.seenAt = epoch.Add(row.seenAt)
			now := epoch.Add(row.now)
			got := viewWithoutJWKS(s, []*record{first, row.key}, now).signer(token.ES256, now)
			if (got != nil) != row.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// viewWithoutJWKS is at for records without key material.
func viewWithoutJWKS(s schedule, records []*record, now time.Time) *view {
	v := &view{signers: map[token.Algorithm][]*record{}, until: now.Add(time.Hour)}
	for _, alg := range token.Algorithms() {
		if line := lineOf(records, alg); len(line) > 0 {
			s.add(v, line, now)
		}
	}
	return v
}

func TestViewEndsWithTheNextChange(t *testing.T) {
	f := newFixture(t, newMemory(), newClock(), nil)
	f.algorithms = []token.Algorithm{token.ES256}
	f.round()
	f.clock.advance(89 * 24 * time.Hour)
	f.round()
	current := f.current.Load()
	now := f.clock.Now()
	var changes []time.Duration
	for range 6 {
		v := f.schedule.at(current, now)
		for _, d := range []time.Duration{0, v.until.Sub(now) / 2, v.until.Sub(now) - 1} {
			if got := f.schedule.at(current, now.Add(d)); !slices.Equal(got.states, v.states) || string(got.jwks) != string(v.jwks) {
				t.Fatalf("changes before its end")
			}
			if !v.validAt(current, now.Add(d)) {
				t.Fatal("not valid before its end")
			}
		}
		if v.validAt(current, v.until) || v.validAt(current, now.Add(-1)) || v.validAt(nil, now) {
			t.Fatal("valid beyond its end")
		}
		changes = append(changes, v.until.Sub(f.clock.Now()))
		now = v.until
	}
	if len(changes) != 6 || changes[0] != 24*time.Hour || changes[1] != 24*time.Hour+time.Hour+17*time.Minute {
		t.Fatalf("changes at %v", changes)
	}
}

package keys

import (
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

func TestClockThatWasAhead(t *testing.T) {
	const day = 24 * time.Hour
	const years = 5 * 365 * day
	t.Run("F40 keys that a clock years ahead made for a new issuer are succeeded a day after it is right again", func(t *testing.T) {
		store, wrong, right := newMemory(), newClock(), newClock()
		wrong.advance(years)
		newFixture(t, store, wrong, nil).round()
		f := newFixture(t, store, right, nil)
		f.generate = pooled(1)
		f.round()
		first := f.signer(token.ES256).ID
		f.round()
		f.wantStates("ES256 pending", "ES256 signing", "RS256 pending", "RS256 signing")
		if n := strings.Count(f.log.String(), "made in the future"); n != 1 {
			t.Errorf("said %d times that a clock was wrong", n)
		}
		right.advance(day - 1)
		f.round()
		if f.signer(token.ES256).ID != first {
			t.Error("the successor signs early")
		}
		right.advance(1)
		f.round()
		second := f.signer(token.ES256).ID
		if second == first {
			t.Error("the successor does not sign")
		}
		for range 91 {
			right.advance(day)
			f.round()
		}
		if f.signer(token.ES256).ID == second || f.signer(token.ES256).ID == first {
			t.Error("the rotation after it does not happen")
		}
	})
	t.Run("F40 a key that a clock years ahead made in between does not stop rotation", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.algorithms = []token.Algorithm{token.ES256}
		f.round()
		old := f.signer(token.ES256).ID
		wrong := newFixture(t, f.store, f.clock.split(), nil)
		wrong.algorithms = f.algorithms
		wrong.clock.advance(years)
		wrong.round()
		if n := len(f.store.all()); n != 2 {
			t.Fatalf("%d keys in storage", n)
		}
		for range 91 {
			f.clock.advance(day)
			f.round()
		}
		if f.signer(token.ES256).ID == old {
			t.Error("the first key still signs")
		}
		if n := len(f.store.all()); n != 3 {
			t.Errorf("%d keys in storage, want the old one, its successor and that from the future", n)
		}
	})
	epoch := newClock().Now()
	s := newSchedule(Options{DefaultAlgorithm: token.ES256, Rotation: 90 * day})
	never := newSchedule(Options{DefaultAlgorithm: token.ES256})
	for _, row := range []struct {
		name    string
		of      schedule
		records []*record
		want    []creation
	}{
		{"a key made within what clocks differ by is succeeded in its turn", s, []*record{at("a", token.ES256, youth, youth)}, nil},
		{"F40 one made later counts for nothing", s, []*record{at("a", token.ES256, youth+1, youth+1)},
			[]creation{{alg: token.ES256, delay: day, rotation: true, overdue: true}}},
		{"F40 also where it is the last of several", s, []*record{at("a", token.ES256, -90*day, -90*day), at("b", token.ES256, years, years+day)},
			[]creation{{alg: token.ES256, delay: day, notBefore: epoch, rotation: true}}},
		{"without rotation it is not succeeded", never, []*record{at("a", token.ES256, years, years)}, nil},
		{"F40 but where no key signs at all one is made that does soon", never, []*record{at("a", token.ES256, years, years+day)},
			[]creation{{alg: token.ES256, delay: settle, rotation: true, overdue: true}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := row.of.due(row.records, []token.Algorithm{token.ES256}, epoch)
			if len(got) != len(row.want) {
				t.Fatalf("got %+v, want %+v", got, row.want)
			}
			for i := range got {
				if got[i].notBefore.Equal(row.want[i].notBefore) {
					got[i].notBefore = row.want[i].notBefore
				}
				if len(row.records) == 2 {
					got[i].overdue = row.want[i].overdue
				}
				if got[i] != row.want[i] {
					t.Errorf("got %+v, want %+v", got[i], row.want[i])
				}
			}
		})
	}
}

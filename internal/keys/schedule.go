package keys

import (
	"cmp"
	"slices"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

const (
	// youth is how long a new key is looked at with suspicion: as long as some
	// node may have read the storage without it, whatever two clocks within a
	// minute of the right time say.
	youth = 2 * time.Minute
	// settle is how long a process holds a key before it signs with it: twice
	// as long as any node publishes a set without looking for a newer one.
	settle = 10 * time.Second
	// minLead is the least time a key is published before it signs for
	// verifiers that were there before it.
	minLead = 24 * time.Hour
	// purgeAfter is how long an unpublished key stays in storage: nodes may
	// differ in their lifetimes while a config is rolled out.
	purgeAfter = 24 * time.Hour
)

// schedule says what each key is at a time: a pure function of the records, so
// that nodes with the same records agree without talking.
type schedule struct {
	defaultAlgorithm token.Algorithm
	rotation         time.Duration // 0: never
	lead             time.Duration // published before it signs
	retention        time.Duration // published after its successor signs
}

func newSchedule(o Options) schedule {
	return schedule{
		defaultAlgorithm: o.DefaultAlgorithm,
		rotation:         o.Rotation,
		lead:             max(minLead, o.CacheLifetime),
		retention:        o.TokenLifetime + o.CacheLifetime + youth,
	}
}

// lineOf returns the keys of one algorithm in the order in which they sign. Of
// two with the same time the smaller kid comes last, and so wins.
func lineOf(records []*record, alg token.Algorithm) []*record {
	var line []*record
	for _, r := range records {
		if r.key.Algorithm == alg {
			line = append(line, r)
		}
	}
	slices.SortFunc(line, func(a, b *record) int {
		return cmp.Or(a.signsAt.Compare(b.signsAt), cmp.Compare(b.key.ID, a.key.ID))
	})
	return line
}

// started reports whether the time of line[i] has come. That of an issuer's
// first key has, as long as no other's has: it signs at once, and a node whose
// clock is behind the maker's must not be left without a key.
func started(line []*record, i int, now time.Time) bool {
	if !line[i].signsAt.After(now) {
		return true
	}
	return line[i].first() && !anyStarted(line[:i], now)
}

func anyStarted(line []*record, now time.Time) bool {
	return slices.ContainsFunc(line, func(r *record) bool { return r.first() || !r.signsAt.After(now) })
}

// maturesAt returns when an algorithm that came to an issuer with keys may be
// used for verifiers that did not ask for it by name.
func (s schedule) maturesAt(line []*record) time.Time {
	if slices.ContainsFunc(line, (*record).first) { // not only the oldest: a clock may have been wrong
		return time.Time{}
	}
	oldest := slices.MinFunc(line, func(a, b *record) int { return a.createdAt.Compare(b.createdAt) })
	return oldest.createdAt.Add(s.lead)
}

// creation is a key that is due to be made.
type creation struct {
	alg       token.Algorithm
	delay     time.Duration // from its creation to its first signature, at least
	notBefore time.Time     // of its first signature
	rotation  bool          // it succeeds a key
	overdue   bool          // its lead is short by more than a day
}

// signsAt returns when a key made at createdAt signs.
func (c creation) signsAt(createdAt time.Time) time.Time {
	if at := createdAt.Add(c.delay); at.After(c.notBefore) {
		return at
	}
	return c.notBefore
}

// due returns the keys that algs lack at now. The default algorithm is first in
// algs and so is made first: after a crash in between, the rest needs least.
func (s schedule) due(records []*record, algs []token.Algorithm, now time.Time) []creation {
	isNew := !slices.ContainsFunc(records, func(r *record) bool { return !r.young(now) })
	var due []creation
	for _, alg := range algs {
		line := lineOf(records, alg)
		switch {
		case len(line) == 0 && isNew:
			due = append(due, creation{alg: alg})
		case len(line) == 0:
			due = append(due, creation{alg: alg, delay: settle})
		default:
			due = append(due, s.successor(line, alg, now)...)
		}
	}
	return due
}

// successor returns the key that is to succeed line's, if it is due. A key from
// the future is not succeeded in its turn: that would be as far off as the
// clock was wrong. Where there is no other nobody can say when its turn was.
func (s schedule) successor(line []*record, alg token.Algorithm, now time.Time) []creation {
	c := creation{alg: alg, delay: s.lead, rotation: true, overdue: true}
	past := slices.DeleteFunc(slices.Clone(line), func(r *record) bool { return r.ahead(now) })
	switch {
	case len(past) == 0 && !anyStarted(line, now):
		c.delay = settle
	case s.rotation == 0:
		return nil
	case len(past) > 0:
		c.notBefore = past[len(past)-1].signsAt.Add(s.rotation)
		late := now.Sub(c.notBefore.Add(-s.lead))
		if late < 0 {
			return nil
		}
		c.overdue = late > 24*time.Hour
	}
	return []creation{c}
}

package keys

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// view is what the records are from one instant until the next change.
type view struct {
	of          *snapshot
	from, until time.Time
	states      []State                       // published keys, those that sign first
	jwks        json.RawMessage               // in the same order
	published   []*record                     // in the same order
	signers     map[token.Algorithm][]*record // whose time has come, the latest first
	maturesAt   time.Time                     // when the default algorithm may be used by default
	purgeable   []*record                     // not published for long
}

// at returns the view of the records at now.
func (s schedule) at(of *snapshot, now time.Time) *view {
	v := &view{
		of: of, from: now, until: now.Add(24 * time.Hour),
		signers: map[token.Algorithm][]*record{}, maturesAt: now.Add(s.lead),
	}
	for _, alg := range token.Algorithms() {
		if line := lineOf(of.records, alg); len(line) > 0 {
			s.add(v, line, now)
		}
	}
	s.order(v)
	var public []*token.Key
	for _, r := range v.published {
		public = append(public, r.key)
	}
	v.jwks = jwks(public)
	return v
}

// add enters the keys of one algorithm.
func (s schedule) add(v *view, line []*record, now time.Time) {
	maturesAt := s.maturesAt(line)
	if line[0].key.Algorithm == s.defaultAlgorithm {
		v.maturesAt = maturesAt
	} else {
		maturesAt = time.Time{}
	}
	v.changesAt(maturesAt, now)
	for i, r := range line {
		state := State{ID: r.key.ID, Algorithm: r.key.Algorithm, State: Signing, CreatedAt: r.createdAt, SignsAt: r.signsAt}
		switch {
		case !started(line, i, now):
			state.State = Pending
			v.changesAt(r.signsAt, now)
		case i+1 < len(line) && started(line, i+1, now):
			state.State = Retired
			unpublishAt := line[i+1].signsAt.Add(s.retention)
			v.changesAt(unpublishAt, now)
			v.changesAt(unpublishAt.Add(purgeAfter), now)
			if !now.Before(unpublishAt.Add(purgeAfter)) {
				v.purgeable = append(v.purgeable, r)
			}
			if !now.Before(unpublishAt) {
				continue
			}
		}
		if state.State != Pending {
			v.signers[r.key.Algorithm] = slices.Insert(v.signers[r.key.Algorithm], 0, r)
		}
		if state.State != Retired && now.Before(maturesAt) {
			state.State = Pending
			if maturesAt.After(state.SignsAt) {
				state.SignsAt = maturesAt
			}
		}
		v.states, v.published = append(v.states, state), append(v.published, r)
	}
}

// changesAt ends the view's validity at t, if that is to come.
func (v *view) changesAt(t, now time.Time) {
	if t.After(now) && t.Before(v.until) {
		v.until = t
	}
}

func (v *view) validAt(of *snapshot, now time.Time) bool {
	return v != nil && v.of == of && !now.Before(v.from) && now.Before(v.until)
}

// order sorts what is published: signing keys first, the default algorithm's
// before others, since some verifiers take the first key they find.
func (s schedule) order(v *view) {
	rank := map[string]int{Signing: 0, Pending: 1, Retired: 2}
	index := make([]int, len(v.states))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int {
		x, y := v.states[a], v.states[b]
		byDefault := 0
		if (x.Algorithm == s.defaultAlgorithm) != (y.Algorithm == s.defaultAlgorithm) {
			byDefault = 1
			if x.Algorithm == s.defaultAlgorithm {
				byDefault = -1
			}
		}
		return cmp.Or(cmp.Compare(rank[x.State], rank[y.State]), byDefault)
	})
	states, published := v.states, v.published
	v.states, v.published = nil, nil
	for _, i := range index {
		v.states, v.published = append(v.states, states[i]), append(v.published, published[i])
	}
}

// signer returns the key that signs with alg: the latest that every node
// publishes. Where the issuer is new, all keys are young, and every node looks
// into the storage before it publishes; then the latest will do. One key may
// have settled then while another that was made with it has not quite. nil: none.
func (v *view) signer(alg token.Algorithm, now time.Time) *record {
	candidates := v.signers[alg]
	for _, r := range candidates {
		if r.settled(now) {
			return r
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	latest := candidates[0]
	waits := slices.ContainsFunc(v.published, func(r *record) bool {
		return r.settled(now) && !(latest.first() && r.ofNewIssuer(now))
	})
	if waits {
		return nil
	}
	return latest
}

package keys

import (
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/place"
)

// unattendedFor is how long after the last round of Run a set may still be
// taken over: no process that goes on lets more time pass between two rounds,
// but for what a busy machine adds.
const unattendedFor = longestInterval + 10*time.Second

// attendance says when an issuer's keys were last looked after.
type attendance struct {
	rounds  int       // under way: one may take minutes where the storage hangs
	endedAt time.Time // of the last round
}

// arrive begins a round at p, also one that will fail.
func (k *known) arrive(p place.Place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.attended == nil {
		k.attended = map[place.Place]attendance{}
	}
	h := k.attended[p]
	h.rounds++
	k.attended[p] = h
}

// leave ends a round at p.
func (k *known) leave(p place.Place, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.attended[p] = attendance{rounds: k.attended[p].rounds - 1, endedAt: now}
}

// attendedLocked reports whether the keys at p have been looked after until now.
// With a clock that was set back nobody can say.
func (k *known) attendedLocked(p place.Place, now time.Time) bool {
	h := k.attended[p]
	since := now.Sub(h.endedAt)
	return h.rounds > 0 || since >= 0 && since <= unattendedFor
}

package storage_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// stage plays what the model says can happen, call by call, with real Codes on
// a real storage, so that what the model takes a storage, a used-set and a node
// for cannot drift away from what they are.
type stage struct {
	world  *world
	actors []*actor
	events chan appearance
	code   string
}

// actor is one redeemer.
type actor struct {
	codes *storage.Codes
	// hook has the storage tell before each call, and take an error that fails
	// it, and ask after each for another one.
	hook  func(marker string, before func(call) error, after func() error)
	cue   chan error // lets its call happen, or fail without an effect
	after error      // fails it after its effect
}

// appearance is an actor before a call, or at its end.
type appearance struct {
	actor int
	call  call
	err   error
}

// newStage puts an actor on the stage for each redeemer. Those of one node
// share its used-set.
func newStage(t *testing.T, w *world, cast func(used func(*storage.Options)) *actor) *stage {
	t.Helper()
	s := &stage{world: w, events: make(chan appearance)}
	sets := [maxRacers]*storage.UsedSet{storage.NewUsedSet(), storage.NewUsedSet(), storage.NewUsedSet()}
	for _, node := range w.nodes {
		a := cast(func(o *storage.Options) { o.Used = sets[node] })
		// It knows the storage and the folders then.
		wantError(t, redeem(t.Context(), a.codes, mint(t, a.codes, noon().Now())), nil)
		a.cue = make(chan error)
		s.actors = append(s.actors, a)
	}
	return s
}

// enter makes a new code for the actors.
func (s *stage) enter(t *testing.T) {
	for _, a := range s.actors {
		a.hook("", func(call) error { return nil }, func() error { return nil })
	}
	s.code = mint(t, s.actors[0].codes, noon().Now())
	for i, a := range s.actors {
		_, marker := a.codes.Keys(s.code)
		a.hook(marker, func(c call) error {
			s.events <- appearance{actor: i, call: c}
			return <-a.cue
		}, func() error { return a.after })
	}
}

// play plays one step and returns how the actor appears next.
func (s *stage) play(t *testing.T, m moment) appearance {
	t.Helper()
	i := int(m.who)
	a := s.actors[i]
	if m.call == lookUsed {
		go func() {
			err := redeem(t.Context(), a.codes, s.code)
			s.events <- appearance{actor: i, call: ended, err: err}
		}()
		return s.appears(t, m)
	}
	a.after = nil
	switch {
	case m.note == landed:
		a.after = told(m.told)
		a.cue <- nil
	case m.fails():
		a.cue <- told(m.told)
	default:
		a.cue <- nil
	}
	return s.appears(t, m)
}

// appears waits for whoever appears next. An actor that waits for what the
// model does not know of never does.
func (s *stage) appears(t *testing.T, m moment) appearance {
	t.Helper()
	select {
	case next := <-s.events:
		return next
	case <-time.After(30 * time.Second):
		t.Fatalf("nobody appears after: %s", m)
		return appearance{}
	}
}

// fails reports whether the storage does something else than it should.
func (m moment) fails() bool { return m.note != asItIs || m.told == failing }

// rehearse goes some way through the model and plays it at once. It returns how
// many have won.
func (s *stage) rehearse(t *testing.T, random *rand.Rand) uint8 {
	t.Helper()
	s.enter(t)
	at := s.world.begin()
	for !s.world.over(&at) {
		next, m := s.world.choose(at, random)
		i, was := int(m.who), at
		at = next
		// The used-set follows the call before, and nobody comes between.
		for c := s.world.call(&at, i); c == joinUsed || c == leaveUsed; c = s.world.call(&at, i) {
			told := s.world.perform(&at, i)
			at = s.world.tell(at, i, told)
		}
		s.compare(t, &was, &at, i, s.play(t, m))
		if t.Failed() {
			t.Fatalf("after: %s", m)
		}
	}
	return at.wins
}

// choose takes a step of a redeemer, seldom one that fails.
func (w *world) choose(s state, random *rand.Rand) (next state, by moment) {
	failed, n := random.IntN(8) == 0, 0
	for n == 0 {
		w.follow(s, func(option state, m moment) {
			if m.who < 0 || !failed && m.fails() {
				return
			}
			if n++; random.IntN(n) == 0 {
				next, by = option, m
			}
		})
	}
	return next, by
}

// compare holds what an actor did against what the model says of it.
func (s *stage) compare(t *testing.T, was, is *state, i int, got appearance) {
	t.Helper()
	want, node := s.world.call(is, i), s.world.nodes[i]
	if want == lookUsed { // it asks again later
		want = ended
	}
	wins := is.wins > was.wins
	switch {
	case got.actor != i:
		t.Errorf("it is %d's turn, and %d appears", i, got.actor)
	case got.call != want:
		t.Errorf("%d %v, the model says that it %v", i, got.call, want)
	case want == ended && (got.err == nil) != wins:
		t.Errorf("%d ends with %v, the model says that it wins: %v", i, got.err, wins)
	}
	if claimed := s.actors[i].codes.Claimed(s.code); claimed != (is.used>>node&1 == 1) {
		t.Errorf("that its node remembers the code is %v, and not what the model says", claimed)
	}
}

func TestWhatTheModelSaysHappens(t *testing.T) {
	failing := faults{readError: true, readAbsent: true, writeError: true, writeLanded: true}
	refused := failing
	refused.denied, refused.deniedLanded, refused.retransmit, refused.unlinkable = true, true, true, true
	rows := []struct {
		name  string
		learn func(*testing.T) *automaton
		cast  func(*testing.T) func(func(*storage.Options)) *actor
		fail  faults
	}{
		{"by the generic claim", func(t *testing.T) *automaton { return learnGeneric(t, "") }, castGeneric, failing},
		{"by link", func(t *testing.T) *automaton { return learnFiles(t, true) }, castLinks, refused},
		{"by exclusive create", func(t *testing.T) *automaton { return learnFiles(t, false) }, castCreates, refused},
	}
	for _, row := range rows {
		by := row.learn(t)
		play := func(t *testing.T, f faults) {
			plays := 30
			if raceEnabled {
				plays = 10
			}
			random := rand.New(rand.NewPCG(7, 77))
			for _, m := range teams(t) {
				s := newStage(t, m.world(f, by), row.cast(t))
				wins := make(map[uint8]int)
				for range plays {
					wins[s.rehearse(t, random)]++
				}
				t.Logf("%s: winners by how often: %v", m.name, wins)
				if wins[1] == 0 || wins[0]+wins[1] != plays {
					t.Errorf("%s: winners by how often: %v", m.name, wins)
				}
			}
		}
		t.Run("REQ-104 F24 F33 "+row.name, func(t *testing.T) { play(t, faults{}) })
		t.Run("F04 F05 F08 F18 with calls that fail, "+row.name, func(t *testing.T) { play(t, row.fail) })
	}
}

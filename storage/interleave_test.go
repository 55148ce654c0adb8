package storage_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// schedule runs racers one storage call at a time, in the order that choose
// decides. A racer that is stopped for good at some call is covered as well: it
// is one whose remaining calls come last.
type schedule struct {
	memory  *storagetest.Memory
	racers  []*storage.Codes
	pending []chan struct{} // closed to let a racer's next call happen
	events  chan event
}

// event is a racer that waits before a call, or that is done.
type event struct {
	racer int
	go_   chan struct{} // nil: done
	err   error
}

type racerKey struct{}

func newSchedule(t *testing.T, racers int) *schedule {
	s := &schedule{memory: storagetest.NewMemory(), events: make(chan event)}
	c := noon()
	for range racers {
		codes := node(t, s.memory, c)
		mint(t, codes, c.Now()) // it has probed the storage then
		s.racers = append(s.racers, codes)
	}
	s.pending = make([]chan struct{}, racers)
	return s
}

func (s *schedule) stop(ctx context.Context, _ storagetest.Call) error {
	racer, ok := ctx.Value(racerKey{}).(int)
	if !ok {
		return nil
	}
	e := event{racer: racer, go_: make(chan struct{})}
	s.events <- e
	<-e.go_
	return nil
}

// run races for one code and returns how many won. choose is given the racers
// that can go on.
func (s *schedule) run(t *testing.T, choose func([]int) int) (won int) {
	code := mint(t, s.racers[0], noon().Now())
	s.memory.Reset()
	s.memory.Before(s.stop)
	defer s.memory.Reset()
	for i, codes := range s.racers {
		ctx := context.WithValue(t.Context(), racerKey{}, i)
		go func() { s.events <- event{racer: i, err: redeem(ctx, codes, code)} }()
	}
	for range s.racers {
		won += s.next()
	}
	for {
		var waiting []int
		for i, p := range s.pending {
			if p != nil {
				waiting = append(waiting, i)
			}
		}
		if len(waiting) == 0 {
			return won
		}
		racer := choose(waiting)
		go_ := s.pending[racer]
		s.pending[racer] = nil
		close(go_)
		won += s.next()
	}
}

// next waits until a racer stops or is done, and counts it if it won.
func (s *schedule) next() int {
	e := <-s.events
	s.pending[e.racer] = e.go_
	if e.go_ == nil && e.err == nil {
		return 1
	}
	return 0
}

func TestEveryInterleavingOfTwoNodes(t *testing.T) {
	t.Run("REQ-104 REQ-245 A04 F10 F26 F30 F33 no order of their calls makes two winners", func(t *testing.T) {
		s := newSchedule(t, 2)
		outcomes := make(map[int]int)
		var path []int // the choice at each call
		for {
			taken, options := 0, []int{}
			won := s.run(t, func(waiting []int) int {
				if taken == len(path) {
					path = append(path, 0)
				}
				options = append(options, len(waiting))
				taken++
				return waiting[path[taken-1]]
			})
			outcomes[won]++
			for len(path) > 0 && path[len(path)-1] == options[len(path)-1]-1 {
				path = path[:len(path)-1]
			}
			if len(path) == 0 {
				break
			}
			path[len(path)-1]++
		}
		if outcomes[2] != 0 {
			t.Errorf("%d interleavings have two winners", outcomes[2])
		}
		if outcomes[1] == 0 || outcomes[0]+outcomes[1] < 100 {
			t.Errorf("the search is too small to say anything: %v", outcomes)
		}
	})
	t.Run("REQ-104 REQ-245 nor of three, in a sample", func(t *testing.T) {
		s := newSchedule(t, 3)
		random := rand.New(rand.NewPCG(7, 77))
		winners := 0
		for range 1000 {
			won := s.run(t, func(waiting []int) int { return waiting[random.IntN(len(waiting))] })
			if won > 1 {
				t.Fatalf("%d winners", won)
			}
			winners += won
		}
		if winners == 0 {
			t.Error("nobody ever wins")
		}
	})
}

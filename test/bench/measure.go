//go:build linux

package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/authentiq/caddy-oidc-token/test/bench/load"
)

// sample is one burst.
type sample struct {
	Connections int     `json:"connections"`
	Requests    int     `json:"requests"`
	CPU         float64 `json:"cpu_us"`       // of the server, for each request
	FloorCPU    float64 `json:"floor_cpu_us"` // of lean with the same algorithm, around this burst
	BesideCPU   float64 `json:"beside_cpu_us,omitempty"`
	Rate        float64 `json:"rate"` // requests per second
	FloorRate   float64 `json:"floor_rate"`
	P50         float64 `json:"p50_us"`
	P99         float64 `json:"p99_us"`
	Signatures  float64 `json:"signatures_us,omitempty"` // CPU of two bare ones, right after this burst
}

// rows is what was measured of a subject.
type rows struct {
	samples []sample
	rss     int64
	claims  [][]string // names of the claims in its tokens
}

// wide and narrow are the numbers of connections.
const (
	wide   = 32
	narrow = 1
)

// burst redeems n fresh codes after warm others that do not count.
func (s *subject) burst(connections, n, warm int) (sample, error) {
	requests, err := s.requests(warm + n)
	if err != nil {
		return sample{}, err
	}
	if warm > 0 {
		if _, err := s.send(connections, requests[:warm], http.StatusOK); err != nil {
			return sample{}, err
		}
	}
	return s.send(connections, requests[warm:], http.StatusOK)
}

// send measures requests that are all answered with one status.
func (s *subject) send(connections int, requests [][]byte, status int) (sample, error) {
	return s.sendBy(load.Run, connections, requests, status)
}

func (s *subject) sendBy(run func([]*load.Conn, [][]byte) (*load.Result, error), connections int, requests [][]byte, status int) (sample, error) {
	before, err := s.clocks()
	if err != nil {
		return sample{}, err
	}
	result, err := run(s.conns[:connections], requests)
	if err := s.answered(status, result, err); err != nil {
		return sample{}, err
	}
	after, err := s.clocks()
	if err != nil {
		return sample{}, err
	}
	n := len(requests)
	return sample{
		Connections: connections, Requests: n,
		CPU:       micros(after[0]-before[0]) / float64(n),
		BesideCPU: micros(after[1]-before[1]) / float64(n),
		Rate:      result.Rate(),
		P50:       micros(result.Quantile(.5)),
		P99:       micros(result.Quantile(.99)),
	}, nil
}

// answered wants one status throughout: another answer costs something else.
func (s *subject) answered(status int, result *load.Result, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	for other := range maps.Keys(result.Statuses) {
		if other != status {
			return fmt.Errorf("%s answered %v, by status: %s", s.name, result.Statuses, complaint(s.server.log))
		}
	}
	return nil
}

// clocks are the CPU clocks of the server and of the one beside it.
func (s *subject) clocks() (clocks [2]time.Duration, err error) {
	for i, server := range []*server{s.server, s.beside} {
		if server == nil {
			continue
		}
		if clocks[i], err = cpuTime(server.pid); err != nil {
			return clocks, err
		}
	}
	return clocks, nil
}

// visit measures a subject between bursts at its floor.
func (b *bench) visit(s, floor *subject) error {
	for _, connections := range []int{wide, narrow} {
		n := b.size(s.alg, connections)
		before, err := floor.burst(connections, n, n/10)
		if err != nil {
			return err
		}
		measured, err := s.burst(connections, n, n/10)
		if err != nil {
			return err
		}
		if s.alg == "RS256" && connections == wide { // they are next to all of it
			if measured.Signatures, err = b.signed(s.alg); err != nil {
				return err
			}
		}
		after, err := floor.burst(connections, n, n/10)
		if err != nil {
			return err
		}
		measured.FloorCPU = (before.CPU + after.CPU) / 2
		measured.FloorRate = (before.Rate + after.Rate) / 2
		s.samples = append(s.samples, measured)
		floor.samples = append(floor.samples, ownFloor(before), ownFloor(after))
	}
	for _, visited := range []*subject{s, floor} {
		rss, err := visited.server.residentSet()
		if err != nil {
			return err
		}
		visited.rss = max(visited.rss, rss)
	}
	return nil
}

func ownFloor(s sample) sample {
	s.FloorCPU, s.FloorRate = s.CPU, s.Rate
	return s
}

// size is how many requests a burst has: so many that the garbage is collected
// several times in one of ours.
func (b *bench) size(alg string, connections int) int {
	n := 2000
	if alg == "RS256" {
		n = 320
	}
	if connections == narrow {
		n /= 2
	}
	if b.quick {
		n /= 16
	}
	return max(n, 2*connections)
}

// median of what f says of the bursts at so many connections.
func (r *rows) median(connections int, f func(sample) float64) float64 {
	return median(r.values(connections, f))
}

// values are what f says of each of them.
func (r *rows) values(connections int, f func(sample) float64) (values []float64) {
	for _, s := range r.samples {
		if s.Connections == connections {
			values = append(values, f(s))
		}
	}
	return values
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

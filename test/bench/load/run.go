package load

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// runLimit is how long a run may take: a server that hangs must not hang us.
const runLimit = 5 * time.Minute

// Result is what a run took.
type Result struct {
	Statuses  map[int]int
	Elapsed   time.Duration
	latencies []time.Duration // sorted
}

// Quantile returns the latency that q of all requests did not exceed.
func (r *Result) Quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(q*float64(len(r.latencies))), len(r.latencies)-1)]
}

// Rate returns requests per second.
func (r *Result) Rate() float64 { return float64(len(r.latencies)) / r.Elapsed.Seconds() }

// Run sends each request once, as fast as they are answered, each connection
// taking the next.
func Run(conns []*Conn, requests [][]byte) (*Result, error) {
	return run(conns, requests, now, (*Conn).Do)
}

// RunInTurn sends each request once, as Run does, and then on the same
// connection what next makes of its answer. A latency is of both, a status of
// the second.
func RunInTurn(conns []*Conn, requests [][]byte, next func(Answer) ([]byte, error)) (*Result, error) {
	return run(conns, requests, now, func(c *Conn, request []byte) (Answer, error) {
		answer, err := c.Do(request)
		if err != nil {
			return Answer{}, err
		}
		second, err := next(answer)
		if err != nil {
			return Answer{}, err
		}
		return c.Do(second)
	})
}

func now(int) time.Time { return time.Now() }

// RunPaced sends each request once, one every interval. A latency counts from
// when its request was due, also where no connection was free then: a server
// that stalls makes all wait that would have come meanwhile.
func RunPaced(conns []*Conn, requests [][]byte, interval time.Duration) (*Result, error) {
	start := time.Now()
	return run(conns, requests, func(i int) time.Time {
		due := start.Add(time.Duration(i) * interval)
		time.Sleep(time.Until(due))
		return due
	}, (*Conn).Do)
}

// run sends request i when due returns; what that returns is when its latency
// begins.
func run(conns []*Conn, requests [][]byte, due func(i int) time.Time, do func(*Conn, []byte) (Answer, error)) (*Result, error) {
	n := len(requests)
	latencies := make([]time.Duration, n)
	statuses := make([]int, n)
	errs := make([]error, len(conns))
	var next atomic.Int64
	next.Store(int64(len(conns))) // each connection begins with one of its own
	var workers sync.WaitGroup
	start := time.Now()
	for w, conn := range conns {
		workers.Go(func() {
			if errs[w] = conn.net.SetDeadline(start.Add(runLimit)); errs[w] != nil {
				return
			}
			for i := w; i < n; i = int(next.Add(1)) - 1 {
				since := due(i)
				answer, err := do(conn, requests[i])
				if err != nil {
					errs[w] = fmt.Errorf("request %d of %d: %w", i+1, n, err)
					return
				}
				latencies[i] = time.Since(since)
				statuses[i] = answer.Status
			}
		})
	}
	workers.Wait()
	r := &Result{Elapsed: time.Since(start), latencies: latencies, Statuses: make(map[int]int)}
	for _, status := range statuses {
		r.Statuses[status]++
	}
	slices.Sort(r.latencies)
	return r, errors.Join(errs...)
}

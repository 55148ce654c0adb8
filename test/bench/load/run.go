package load

import (
	"errors"
	"fmt"
	"iter"
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
	return run(conns, requests, atOnce(conns, requests), (*Conn).Do)
}

// RunInTurn sends each request once, as Run does, and then on the same
// connection what next makes of its answer. A latency is of both, a status of
// the second.
func RunInTurn(conns []*Conn, requests [][]byte, next func(Answer) ([]byte, error)) (*Result, error) {
	return run(conns, requests, atOnce(conns, requests), func(c *Conn, request []byte) (Answer, error) {
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

// turns are the requests that a connection sends, and when the latency of each
// begins.
type turns func(connection int) iter.Seq2[int, time.Time]

// atOnce has each connection begin with a request of its own.
func atOnce(conns []*Conn, requests [][]byte) turns {
	var next atomic.Int64
	next.Store(int64(len(conns)))
	return func(connection int) iter.Seq2[int, time.Time] {
		return func(yield func(int, time.Time) bool) {
			for i := connection; i < len(requests) && yield(i, time.Now()); i = int(next.Add(1)) - 1 {
			}
		}
	}
}

// RunPaced sends each request once, one every interval, by wait, which returns
// at a time. A latency counts from when its request was due, also where no
// connection was free then: a server that stalls makes all wait that would have
// come meanwhile.
func RunPaced(conns []*Conn, requests [][]byte, interval time.Duration, wait func(until time.Time)) (*Result, error) {
	start := time.Now()
	due := func(i int) time.Time { return start.Add(time.Duration(i) * interval) }
	ready := make(chan int, len(requests)) // of which none is held up
	go func() {
		defer close(ready)
		for i := range requests {
			wait(due(i))
			ready <- i
		}
	}()
	return run(conns, requests, func(int) iter.Seq2[int, time.Time] {
		return func(yield func(int, time.Time) bool) {
			for i := range ready {
				if !yield(i, due(i)) {
					return
				}
			}
		}
	}, (*Conn).Do)
}

func run(conns []*Conn, requests [][]byte, turns turns, do func(*Conn, []byte) (Answer, error)) (*Result, error) {
	n := len(requests)
	latencies := make([]time.Duration, n)
	statuses := make([]int, n)
	errs := make([]error, len(conns))
	var workers sync.WaitGroup
	start := time.Now()
	for w, conn := range conns {
		workers.Go(func() {
			if errs[w] = conn.net.SetDeadline(start.Add(runLimit)); errs[w] != nil {
				return
			}
			for i, since := range turns(w) {
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

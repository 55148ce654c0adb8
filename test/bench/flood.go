//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/authentiq/caddy-oidc-token/test/bench/load"
)

// steadyRequests is how many good requests there are at least, for a p99.
const steadyRequests = 500

// paced is what good requests saw at a steady rate, in µs.
type paced struct{ p50, p99 float64 }

// flood is requests that are refused, as fast as they are answered.
type flood struct {
	refusal
	from        string
	connections int
	address     func() string // of the next request
	free        int           // how many of a minute are answered at once
}

// floods are those of each kind. Wrong secrets for one client from one address
// end in 429, and from everywhere in 401 that come late.
var floods = []flood{
	{refusals[1], "one address", 1, oneAddress, 3000},
	{refusals[1], "one address", wide, oneAddress, 3000},
	{refusal{"wrong secret (401)", http.StatusUnauthorized, sameWrongSecret, true}, "many addresses", wide, manyAddresses, 200},
	{refusals[2], "one address", 1, oneAddress, 3000},
	{refusals[2], "one address", wide, oneAddress, 3000},
	{refusals[2], "many addresses", wide, manyAddresses, 6000},
	{refusals[3], "one address", 1, oneAddress, 3000},
	{refusals[3], "one address", wide, oneAddress, 3000},
	{refusals[3], "many addresses", wide, manyAddresses, 6000},
}

func (f flood) name() string {
	return fmt.Sprintf("%s, %d connections from %s", f.refusal.name, f.connections, f.from)
}

// measureFlood sends good requests at a fifth of what the server can do, alone
// and while another client at other addresses floods it. Each flood has a server
// of its own: one that has refused thousands in a minute answers late.
func (b *bench) measureFlood(ctx context.Context) error {
	table := section{Title: "A flood of refusals",
		Text:    "Good requests at a steady fifth of what the server can do, while others send refused ones as fast as they are answered. The first of a minute are answered at once: 3,000 from one address, 6,000 from everywhere, and 100 wrong secrets of one client, where address and client have not had too many yet. What is measured is what follows, and is answered late. The flood and the good requests come from the same core.",
		Columns: []string{"", "good requests/s", "p50 µs", "p99 µs", "p99 ÷ alone", "flood, requests/s"}}
	for _, f := range floods {
		row, met, err := b.flooded(ctx, f)
		if err != nil {
			return fmt.Errorf("flood of %s: %w", f.name(), err)
		}
		table.Rows = append(table.Rows, row)
		b.found = append(b.found, met)
	}
	b.sections = append(b.sections, table)
	return nil
}

func oneAddress() string { return floodAddress }

// manyAddresses are so many that none of them has many refused.
func manyAddresses() string { return fmt.Sprintf("198.18.%d.%d", rand.N(256), rand.N(256)) }

func (b *bench) flooded(ctx context.Context, f flood) ([]string, target, error) {
	s, err := b.startRefusing(ctx)
	if err != nil {
		return nil, target{}, err
	}
	defer s.server.stop()
	full, err := s.burst(wide, b.size("ES256", wide), 0)
	if err != nil {
		return nil, target{}, err
	}
	interval := time.Duration(5 * float64(time.Second) / full.Rate)
	redeemed, err := s.requests(1000)
	if err != nil {
		return nil, target{}, err
	}
	if _, err := s.send(wide, redeemed, http.StatusOK); err != nil {
		return nil, target{}, err
	}
	requests, err := f.refusal.from(s, 1000, redeemed, f.address)
	if err != nil {
		return nil, target{}, err
	}
	for sent := 0; sent < f.free; sent += len(requests) { // whatever the answers of the first are
		if _, err := load.Run(s.conns, requests[:min(len(requests), f.free-sent)]); err != nil {
			return nil, target{}, err
		}
	}
	var p50, p99, ratios, rates []float64
	for range max(b.rounds, 5) {
		alone, err := b.steady(s, interval)
		if err != nil {
			return nil, target{}, err
		}
		end, err := f.start(s.server.address, requests)
		if err != nil {
			return nil, target{}, err
		}
		beside, err := b.steady(s, interval)
		rate, ended := end()
		if err := errors.Join(err, ended); err != nil {
			return nil, target{}, err
		}
		p50, p99, ratios, rates = append(p50, beside.p50), append(p99, beside.p99), append(ratios, beside.p99/alone.p99), append(rates, rate)
	}
	row := []string{f.name(), format("%.0f", full.Rate/5), format("%.0f", median(p50)), format("%.0f", median(p99)), format("%.2f", median(ratios)), format("%.0f", median(rates))}
	return row, atMost("flood of "+f.name()+": p99 of others ÷ alone", median(ratios), 2), nil
}

// steady sends good requests at a steady rate.
func (b *bench) steady(s *subject, interval time.Duration) (paced, error) {
	requests, err := s.requests(max(int(time.Second/interval), steadyRequests))
	if err != nil {
		return paced{}, err
	}
	return s.paced(requests, interval)
}

// paced sends good requests, one every interval.
func (s *subject) paced(requests [][]byte, interval time.Duration) (paced, error) {
	pacer := startPacer()
	defer pacer.stop()
	result, err := load.RunPaced(s.conns, requests, interval, pacer.wait)
	if err := s.answered(http.StatusOK, result, err); err != nil {
		return paced{}, err
	}
	return paced{micros(result.Quantile(.5)), micros(result.Quantile(.99))}, nil
}

// start sends requests over and over, as fast as they are answered, until end is
// called, which returns how many a second it were. Another answer than theirs is
// an error.
func (f flood) start(address string, requests [][]byte) (end func() (float64, error), err error) {
	var conns []*load.Conn
	for range f.connections {
		conn, err := load.Dial(address)
		if err != nil {
			for _, dialled := range conns {
				dialled.Close()
			}
			return nil, err
		}
		conns = append(conns, conn)
	}
	var over atomic.Bool
	var sent atomic.Int64
	began := time.Now()
	var running errgroup.Group
	for _, conn := range conns {
		running.Go(func() error {
			defer conn.Close()
			for !over.Load() {
				answer, err := conn.Do(requests[int(sent.Add(1))%len(requests)])
				if err != nil {
					return err
				}
				if answer.Status != f.status {
					return fmt.Errorf("a refused request was answered %d, not %d", answer.Status, f.status)
				}
			}
			return nil
		})
	}
	return func() (float64, error) {
		over.Store(true)
		err := running.Wait()
		return float64(sent.Load()) / time.Since(began).Seconds(), err
	}, nil
}

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

// sendAny sends requests whatever the answers are.
func sendAny(s *subject, requests [][]byte) (*load.Result, error) { return load.Run(s.conns, requests) }

// steadyRequests is how many good requests there are at least, for a p99.
const steadyRequests = 500

// paced is what good requests saw at a steady rate, in µs.
type paced struct{ p50, p99 float64 }

// measureFlood sends good requests at a fifth of what the server can do, alone
// and while another client at other addresses floods it with requests that are
// refused, as fast as they are answered.
func (b *bench) measureFlood(ctx context.Context) error {
	s, err := b.startRefusing(ctx)
	if err != nil {
		return err
	}
	defer s.server.stop()
	full, err := s.burst(wide, b.size("ES256", wide), 0)
	if err != nil {
		return err
	}
	interval := time.Duration(5 * float64(time.Second) / full.Rate)
	table := section{Title: "A flood of refusals", Text: fmt.Sprintf(
		"Good requests at a steady %.0f a second, a fifth of what the server can do, while others send refused ones as fast as they are answered, which is late once there were 3,000 in a minute from one address or 6,000 from everywhere. The flood and the good requests come from the same core.", full.Rate/5),
		Columns: []string{"", "p50 µs", "p99 µs", "p99 ÷ alone", "flood, requests/s"}}
	for _, kind := range refusals[1:] { // the first cannot be kept up: it turns into the next
		for _, from := range []source{{"one address", 1, oneAddress}, {"one address", wide, oneAddress}, {"many addresses", wide, manyAddresses}} {
			row, met, err := b.flooded(s, kind, from, interval)
			if err != nil {
				return err
			}
			table.Rows = append(table.Rows, row)
			b.found = append(b.found, met)
		}
	}
	b.sections = append(b.sections, table)
	return nil
}

// source is where a flood comes from.
type source struct {
	name        string
	connections int
	address     func() string // of the next request
}

func oneAddress() string { return floodAddress }

// manyAddresses are so many that none of them has many refused.
func manyAddresses() string { return fmt.Sprintf("198.18.%d.%d", rand.N(256), rand.N(256)) }

func (b *bench) flooded(s *subject, kind refusal, from source, interval time.Duration) ([]string, target, error) {
	var p50, p99, ratios, rates []float64
	for range max(b.rounds/2, 3) {
		alone, _, err := b.steady(s, nil, 0, interval)
		if err != nil {
			return nil, target{}, err
		}
		redeemed, err := s.requests(1000)
		if err != nil {
			return nil, target{}, err
		}
		if _, err := sendAny(s, redeemed); err != nil {
			return nil, target{}, err
		}
		requests, err := kind.from(s, 1000, redeemed, from.address)
		if err != nil {
			return nil, target{}, err
		}
		beside, rate, err := b.steady(s, requests, from.connections, interval)
		if err != nil {
			return nil, target{}, err
		}
		p50, p99, ratios, rates = append(p50, beside.p50), append(p99, beside.p99), append(ratios, beside.p99/alone.p99), append(rates, rate)
	}
	name := fmt.Sprintf("%s, %d connections from %s", kind.name, from.connections, from.name)
	row := []string{name, format("%.0f", median(p50)), format("%.0f", median(p99)), format("%.2f", median(ratios)), format("%.0f", median(rates))}
	return row, atMost("flood of "+name+": p99 of others ÷ alone", median(ratios), 2), nil
}

// steady sends good requests at a steady rate, beside a flood where there is
// one. rate is what the flood reached.
func (b *bench) steady(s *subject, flood [][]byte, connections int, interval time.Duration) (good paced, rate float64, err error) {
	requests, err := s.requests(max(int(time.Second/interval), steadyRequests))
	if err != nil {
		return paced{}, 0, err
	}
	end, err := startFlood(s.server.address, flood, connections)
	if err != nil {
		return paced{}, 0, err
	}
	good, err = s.paced(requests, interval)
	rate, ended := end()
	return good, rate, errors.Join(err, ended)
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

// startFlood sends requests over and over, as fast as they are answered, until
// end is called, which returns how many a second it were.
func startFlood(address string, requests [][]byte, connections int) (end func() (float64, error), err error) {
	var conns []*load.Conn
	for range connections {
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
	var flood errgroup.Group
	for _, conn := range conns {
		flood.Go(func() error {
			defer conn.Close()
			for !over.Load() {
				if _, err := conn.Do(requests[int(sent.Add(1))%len(requests)]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return func() (float64, error) {
		over.Store(true)
		err := flood.Wait()
		return float64(sent.Load()) / time.Since(began).Seconds(), err
	}, nil
}

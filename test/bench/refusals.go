//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/authentiq/caddy-oidc-token/test/bench/load"
)

// refusedClients are so many that none fails often enough to be held back.
const refusedClients = 200

// refusal is a kind of request that is refused.
type refusal struct {
	name   string
	status int
	// requests makes n of them. redeemed are requests that succeeded just before.
	requests func(s *subject, n int, redeemed [][]byte) ([][]byte, error)
	// spread: each comes from an address of its own in a burst, as one that sends
	// many is answered late.
	spread bool
}

var refusals = []refusal{
	{"wrong secret (401)", http.StatusUnauthorized, wrongSecrets, true},
	{"wrong secret, many times (429)", http.StatusTooManyRequests, sameWrongSecret, false},
	{"unknown code", http.StatusBadRequest, unknownCodes, true},
	{"replay", http.StatusBadRequest, func(_ *subject, _ int, redeemed [][]byte) ([][]byte, error) { return redeemed, nil }, true},
}

// burst makes n requests that may be sent as fast as they are answered.
func (r refusal) burst(s *subject, n int, redeemed [][]byte) ([][]byte, error) {
	address := randomAddress()
	return r.from(s, n, redeemed, func() string {
		if r.spread {
			address = randomAddress()
		}
		return address
	})
}

// from makes n requests from such addresses.
func (r refusal) from(s *subject, n int, redeemed [][]byte, address func() string) ([][]byte, error) {
	requests, err := r.requests(s, n, redeemed)
	if err != nil {
		return nil, err
	}
	sent := make([][]byte, len(requests))
	for i, request := range requests {
		sent[i] = withAddress(request, address())
	}
	return sent, nil
}

// withAddress is a request as a proxy passes it on.
func withAddress(request []byte, address string) []byte {
	line, rest, _ := bytes.Cut(request, []byte("\r\n"))
	return fmt.Appendf(nil, "%s\r\nX-Forwarded-For: %s\r\n%s", line, address, rest)
}

// wrongSecrets come from clients that have not failed before.
func wrongSecrets(s *subject, n int, _ [][]byte) ([][]byte, error) {
	requests := make([][]byte, n)
	for i := range requests {
		id := "client-" + strconv.Itoa(i%refusedClients)
		requests[i] = tokenRequest(s.server.address, s.path, basic(id, rand.Text()), neverACode())
	}
	return requests, nil
}

// sameWrongSecret comes from one client.
func sameWrongSecret(s *subject, n int, _ [][]byte) ([][]byte, error) {
	requests := make([][]byte, n)
	for i := range requests {
		requests[i] = tokenRequest(s.server.address, s.path, basic("client-flood", rand.Text()), neverACode())
	}
	return requests, nil
}

// floodAddress is where all of a flood comes from.
const floodAddress = "203.0.113.7"

// unknownCodes are well formed and belong to a minute that has codes.
func unknownCodes(s *subject, n int, _ [][]byte) ([][]byte, error) {
	codes, err := s.codes(1)
	if err != nil {
		return nil, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(codes[0])
	if err != nil {
		return nil, err
	}
	requests := make([][]byte, n)
	for i := range requests {
		rand.Read(raw[4:]) // never fails
		requests[i] = s.request(base64.RawURLEncoding.EncodeToString(raw))
	}
	return requests, nil
}

func neverACode() string { return base64.RawURLEncoding.EncodeToString(make([]byte, 36)) }

// randomAddress is one of 2^24 that nobody has.
func randomAddress() string {
	var b [3]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("10.%d.%d.%d", b[0], b[1], b[2])
}

// startRefusing starts an endpoint on the file system with many clients, behind
// a proxy that says where requests come from.
func (b *bench) startRefusing(ctx context.Context) (*subject, error) {
	x := special{name: "refusals", storage: "file_system", options: object{
		"trusted_proxies": object{"source": "static", "ranges": []string{"127.0.0.1/32"}},
	}}
	x.clients = append(x.clients, client("client-flood", hashed(rand.Text())))
	for i := range refusedClients {
		x.clients = append(x.clients, client("client-"+strconv.Itoa(i), hashed(rand.Text())))
	}
	return b.startSpecial(ctx, x)
}

// measureRefusals measures each kind right after successes. Each round has a
// server of its own: one that has refused thousands in a minute answers late.
func (b *bench) measureRefusals(ctx context.Context) error {
	cpu, ratios, writes := make([][]float64, len(refusals)), make([][]float64, len(refusals)), make([]int, len(refusals))
	var successes []float64
	round := func() error {
		s, err := b.startRefusing(ctx)
		if err != nil {
			return err
		}
		defer s.server.stop()
		for i, kind := range refusals {
			success, refused, written, err := b.refuseOnce(s, kind, filepath.Join(b.dir, "storage-refusals"))
			if err != nil {
				return fmt.Errorf("measuring %s: %w", kind.name, err)
			}
			successes, writes[i] = append(successes, success), writes[i]+written
			cpu[i], ratios[i] = append(cpu[i], refused), append(ratios[i], refused/success)
		}
		return nil
	}
	for range max(b.rounds, 5) {
		if err := round(); err != nil {
			return err
		}
	}
	table := section{Title: "Refusals", Text: "File system, ES256, 32 connections.", Columns: []string{"", "CPU µs", "÷ success", "files written"}}
	table.Rows = append(table.Rows, []string{"success", format("%.0f", median(successes)), "1.00"})
	for i, kind := range refusals {
		table.Rows = append(table.Rows, []string{kind.name, format("%.0f", median(cpu[i])), format("%.2f", median(ratios[i])), strconv.Itoa(writes[i])})
		b.found = append(b.found, atMost(kind.name+": CPU ÷ success", median(ratios[i]), 1), none(kind.name+": files written", writes[i]))
	}
	b.sections = append(b.sections, table)
	return nil
}

// refuseOnce measures redemptions and then refusals of a kind.
func (b *bench) refuseOnce(s *subject, kind refusal, root string) (success, refused float64, written int, err error) {
	n := b.size("ES256", wide) / 2
	redeemed, err := s.requests(n)
	if err != nil {
		return 0, 0, 0, err
	}
	good, err := s.send(wide, redeemed, http.StatusOK)
	if err != nil {
		return 0, 0, 0, err
	}
	requests, err := kind.burst(s, n, redeemed)
	if err != nil {
		return 0, 0, 0, err
	}
	if kind.status == http.StatusTooManyRequests { // the first of a minute are still answered
		if _, err := load.Run(s.conns, requests); err != nil {
			return 0, 0, 0, err
		}
	}
	before, err := fingerprint(root)
	if err != nil {
		return 0, 0, 0, err
	}
	bad, err := s.send(wide, requests, kind.status)
	if err != nil {
		return 0, 0, 0, err
	}
	after, err := fingerprint(root)
	for file, changed := range after {
		if before[file] != changed {
			written++
		}
	}
	return good.CPU, bad.CPU, written, err
}

// fingerprint is when each file of a folder was changed.
func fingerprint(root string) (map[string]int64, error) {
	files := make(map[string]int64)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			files[path] = info.ModTime().UnixNano()
		}
		return err
	})
	return files, err
}

func none(what string, n int) target {
	return target{What: what, Wanted: "0", Got: strconv.Itoa(n), Met: n == 0}
}

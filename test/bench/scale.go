//go:build linux

package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// fewCodes and manyCodes are numbers of live codes, sweptCodes of those that
// expired.
const (
	fewCodes   = 1_000
	manyCodes  = 100_000
	sweptCodes = 1_000_000
)

// number is how many of something there are in this run.
func (b *bench) number(n int) int {
	if b.quick {
		return n / 100
	}
	return n
}

// noise is what two bursts of the same may differ by.
const noise = 1.15

// measureCodes compares servers that hold few and many live codes, and then one
// that holds as many used ones.
func (b *bench) measureCodes(ctx context.Context) error {
	few, many := b.number(fewCodes), b.number(manyCodes)
	table := section{Title: "Numbers of codes", Text: "ES256, 32 connections.", Columns: []string{"", "CPU µs", "against", "CPU µs", "ratio"}}
	for _, storage := range []string{"memory", "file_system"} {
		small, err := b.startSpecial(ctx, special{name: "few-" + storage, storage: storage, lifetime: "10m"})
		if err != nil {
			return err
		}
		large, err := b.startSpecial(ctx, special{name: "many-" + storage, storage: storage, lifetime: "10m"})
		if err != nil {
			return err
		}
		if _, err := small.codes(few); err != nil {
			return err
		}
		live, err := large.requests(many)
		if err != nil {
			return err
		}
		if err := b.compareInto(&table, storage+", ", fmt.Sprintf("%d live codes", many), fmt.Sprintf("%d live codes", few), small, large); err != nil {
			return err
		}
		if _, err := large.send(wide, live, 200); err != nil {
			return err
		}
		if err := b.compareInto(&table, storage+", ", fmt.Sprintf("%d used codes", many), fmt.Sprintf("%d live codes", few), small, large); err != nil {
			return err
		}
		small.server.stop()
		large.server.stop()
	}
	b.sections = append(b.sections, table)
	return nil
}

// measureSwept compares a server whose storage has had many codes swept with a
// fresh one.
func (b *bench) measureSwept(ctx context.Context) error {
	table := section{Title: "After a sweep", Text: "File system, ES256, 32 connections.", Columns: []string{"", "CPU µs", "against", "CPU µs", "ratio"}}
	fresh, err := b.startSpecial(ctx, special{name: "fresh", storage: "file_system"})
	if err != nil {
		return err
	}
	defer fresh.server.stop()
	old, err := b.startSpecial(ctx, special{name: "swept", storage: "file_system"})
	if err != nil {
		return err
	}
	defer old.server.stop()
	swept := b.number(b.swept)
	path := fmt.Sprintf("/bench/sweep?issuer=%s&n=%d", url.QueryEscape("http://"+old.server.address), swept)
	if _, err := old.server.ask(path); err != nil {
		return err
	}
	if err := b.compareInto(&table, "", fmt.Sprintf("%d codes swept", swept), "none", fresh, old); err != nil {
		return err
	}
	b.sections = append(b.sections, table)
	return nil
}

func (b *bench) compareInto(table *section, prefix, what, against string, first, second *subject) error {
	c, err := b.compare(first, second)
	if err != nil {
		return err
	}
	table.Rows = append(table.Rows, []string{prefix + what, format("%.0f", c.second), against, format("%.0f", c.first), format("%.2f", c.ratio)})
	b.found = append(b.found, atMost(prefix+what+" against "+against+": CPU", c.ratio, noise))
	return nil
}

// manyClients is how many clients a large config has.
const manyClients = 10_000

// measureClients compares a server that knows many clients with one that knows
// one, and says how long it takes to start.
func (b *bench) measureClients(ctx context.Context) error {
	table := section{Title: "Number of clients", Text: "Memory, ES256, 32 connections.", Columns: []string{"", "CPU µs", "against", "CPU µs", "ratio"}}
	one, err := b.startSpecial(ctx, special{name: "one-client", storage: "memory"})
	if err != nil {
		return err
	}
	defer one.server.stop()
	var clients []any
	for i := range manyClients - 1 {
		id := "client-" + strconv.Itoa(i)
		clients = append(clients, client(id, hashed(id)))
	}
	many, err := b.startSpecial(ctx, special{name: "many-clients", storage: "memory", clients: clients})
	if err != nil {
		return err
	}
	defer many.server.stop()
	if err := b.compareInto(&table, "", fmt.Sprintf("%d clients", manyClients), "1 client", one, many); err != nil {
		return err
	}
	b.sections = append(b.sections, table)
	b.found = append(b.found, within(fmt.Sprintf("start with %d clients", manyClients), many.server.took, 2*time.Second))
	return nil
}

func within(what string, got, limit time.Duration) target {
	return target{What: what, Wanted: "≤ " + limit.String(), Got: got.Round(100 * time.Microsecond).String(), Met: got <= limit}
}

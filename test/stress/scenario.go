//go:build linux

package main

import "time"

// scenario is what is done to the nodes and their storage while codes are sent.
type scenario struct {
	name    string
	codes   int           // its share
	time    int           // its share
	atLeast time.Duration // that it takes
	rules   rules
	offsets [nodes]time.Duration
	faults  []injector
	// mounts: it needs a file system of the program's own.
	mounts bool
}

// aFault is time for one fault at least, also where the system refuses the first:
// a scenario without any is a violation.
const aFault = 5 * time.Second

var (
	calm       = scenario{name: "calm", codes: 4, time: 5, rules: rules{faultless: true}}
	kill       = scenario{name: "kill", codes: 3, time: 12, atLeast: aFault, faults: []injector{kills}}
	stops      = scenario{name: "pause", codes: 3, time: 18, atLeast: 17 * time.Second, faults: []injector{longStops, shortStops}}
	reloadLoop = scenario{name: "reload", codes: 3, time: 8, atLeast: aFault, rules: rules{reloading: true}, faults: []injector{reloads}}
	clock      = scenario{name: "clocks", codes: 2, time: 6, rules: rules{faultless: true},
		offsets: [nodes]time.Duration{0, -skew, 0, skew}}

	diskFull = scenario{name: "disk-full", codes: 3, time: 12, atLeast: aFault, mounts: true,
		faults: []injector{diskFaults(true, func(p *plan, d *disk) diskFault {
			if p.below(2) == 0 {
				return d.noSpace()
			}
			return d.noInodes()
		})}}
	readOnly = scenario{name: "read-only", codes: 3, time: 10, atLeast: aFault, mounts: true,
		faults: []injector{diskFaults(true, func(_ *plan, d *disk) diskFault { return d.readOnly() })}}
	noAccess = scenario{name: "permissions", codes: 3, time: 10, atLeast: aFault, faults: []injector{diskFaults(true, losePermission)}}

	redisKill = scenario{name: "redis-kill", codes: 3, time: 12, atLeast: aFault, faults: []injector{redisKills}}
	redisStop = scenario{name: "redis-stop", codes: 2, time: 14, atLeast: aFault, faults: []injector{redisStops}}
)

func losePermission(p *plan, d *disk) diskFault {
	if p.below(2) == 0 {
		return d.noAccess()
	}
	return d.noWriting()
}

// mixed is everything at once.
func mixed(storage ...injector) scenario {
	return scenario{name: "mixed", codes: 3, time: 20, atLeast: 17 * time.Second,
		faults: append(storage, kills, longStops, shortStops, reloads)}
}

// anyDiskFault is one of those that are to be had here.
func anyDiskFault(p *plan, d *disk) diskFault {
	switch p.below(5) {
	case 0:
		return d.noAccess()
	case 1:
		return d.noWriting()
	case 2:
		return d.noSpace()
	case 3:
		return d.noInodes()
	}
	return d.readOnly()
}

// storages are what lanes run on, and the scenarios of each in their order. That
// of Redis ends its connections when a reload has replaced its config, as
// published modules do: a reload that came before its requests would show.
var storages = []struct {
	name      string
	claim     claim
	scenarios []scenario
}{
	{"file", fileClaim, []scenario{calm, kill, stops, reloadLoop, clock, mixed()}},
	{"file-small", fileClaim, []scenario{calm, diskFull, readOnly, noAccess, mixedDisk}},
	{"redis", genericClaim, []scenario{calm, kill, stops, reloadLoop, clock, redisKill, redisStop, mixed(redisFaults)}},
	{"redis-claim", ownClaim, []scenario{calm, kill, stops, reloadLoop, clock, redisKill, redisStop, mixed(redisFaults)}},
}

var mixedDisk = func() scenario {
	s := mixed(diskFaults(false, anyDiskFault))
	s.mounts = true
	return s
}()

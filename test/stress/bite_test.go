//go:build linux

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// bitten is a fault that was to be felt from 10 to 20 ms.
func bitten(what string, shows []answer) fault {
	return fault{what: what, from: 5 * time.Millisecond, to: 25 * time.Millisecond,
		bite: bite{from: 10 * time.Millisecond, to: 20 * time.Millisecond, shows: shows}}
}

func TestAFaultThatNobodyFeltIsAViolation(t *testing.T) {
	readOnly := bitten("read-only", diskAway)
	killed := bitten("node 2 killed and started", lost)
	killed.killed = &node{index: 2}
	redisKilled := bitten("Redis killed and started", storageAway)
	redisKilled.bite.outlasted = true
	many := func(n int, o operation) []operation { return slices.Repeat([]operation{o}, n) }
	in := op(11, 19, issued, 2)
	for _, row := range []struct {
		name   string
		faults []fault
		codes  int
		ops    []operation // of each code
		want   string
	}{
		{"nothing was sent meanwhile", []fault{readOnly}, 1, many(20, op(21, 22, issued)), ""},
		{"few codes succeed in its midst", []fault{readOnly}, enough - 1, many(1, in), ""},
		{"many codes succeed in its midst", []fault{readOnly}, enough, many(1, in),
			`1 times "read-only", and no answer shows it; 10 codes succeeded meanwhile`},
		{"many succeed, in the midst of several", slices.Repeat([]fault{readOnly}, 2), enough / 2, many(1, in),
			`2 times "read-only", and no answer shows it; 10 codes succeeded meanwhile`},
		{"many succeed, having been sent before", []fault{readOnly}, 50, many(1, op(9, 19, issued)), ""},
		{"many succeed, and are answered later", []fault{readOnly}, 50, many(1, op(11, 21, issued)), ""},
		{"many succeed, and one is answered 503", []fault{readOnly}, 50, []operation{in, op(11, 21, unavailable)}, ""},
		{"many succeed, and 503 comes before and after", []fault{readOnly}, enough, []operation{in, op(1, 9, unavailable), op(21, 22, unavailable)},
			`1 times "read-only", and no answer shows it; 10 codes succeeded meanwhile`},
		{"many succeed, and what is answered does not show it", []fault{readOnly}, enough, []operation{in, op(11, 12, refused), op(11, 12, unanswered)},
			`1 times "read-only", and no answer shows it; 10 codes succeeded meanwhile`},
		{"one kind is felt, and another is not", []fault{readOnly, bitten("no inodes", storageAway)}, enough, []operation{in, op(11, 12, failed)},
			`1 times "read-only", and no answer shows it; 10 codes succeeded meanwhile`},
		{"a fault that need not be felt", []fault{bitten("disk full", nil)}, 50, many(1, in), ""},
		{"many succeed at a node that was killed", []fault{killed}, enough, many(1, in),
			`1 times "a node killed and started", and no answer shows it; 10 codes succeeded meanwhile`},
		{"many succeed at others than was killed", []fault{killed}, 50, many(1, op(11, 19, issued, 1)), ""},
		{"many succeed, and one does not reach the node that was killed", []fault{killed}, 50, []operation{in, op(12, 12, unsent, 2)}, ""},
		{"many succeed, and one does not reach another", []fault{killed}, enough, []operation{in, op(12, 12, unsent, 3)},
			`1 times "a node killed and started", and no answer shows it; 10 codes succeeded meanwhile`},
		{"of many codes none met any of many", slices.Repeat([]fault{readOnly}, enoughBites), enoughCodes, nil,
			`5 times "read-only", and no answer shows it; 0 codes succeeded meanwhile`},
		{"of many codes all outlasted each of many that can be", slices.Repeat([]fault{redisKilled}, enoughBites), enoughCodes, many(1, op(11, 21, issued)), ""},
		{"many succeed in the midst of one that can be outlasted", []fault{redisKilled}, enough, many(1, in),
			`1 times "Redis killed and started", and no answer shows it; 10 codes succeeded meanwhile`},
		{"of many codes none met any of few", slices.Repeat([]fault{readOnly}, enoughBites-1), enoughCodes, nil, ""},
		{"of few codes none met any of many", slices.Repeat([]fault{readOnly}, enoughBites), enoughCodes - 1, nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := new(verdict)
			c := &circumstances{faults: row.faults}
			c.judgeEffects(v, slices.Repeat([]*history{{operations: row.ops}}, row.codes))
			var got string
			for _, f := range v.wrong {
				got += f.what
			}
			if got != row.want {
				t.Errorf("found %q, want %q", got, row.want)
			}
		})
	}
}

func TestTheVerdictIsAboutEffects(t *testing.T) {
	c := &circumstances{faults: []fault{bitten("read-only", diskAway)}}
	v := c.judge(rules{}, slices.Repeat([]*history{{operations: []operation{op(11, 19, issued)}}}, enough))
	if len(v.wrong) != 1 {
		t.Errorf("found %v", v.wrong)
	}
}

func TestBiteOfADiskFault(t *testing.T) {
	l := &lane{tally: new(tally)}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l.now = func() time.Duration { return time.Since(began) }
		ctx, stop := context.WithCancel(t.Context())
		slow := func() error { time.Sleep(time.Second); return nil }
		f := diskFault{name: "read-only", shows: diskAway, begin: slow, end: func() error { stop(); return slow() }}
		if err := diskFaults(false, func(*plan, *disk) diskFault { return f })(ctx, l, newPlan(1, "bite")); err != nil {
			t.Error(err)
		}
	})
	if len(l.faults) != 1 {
		t.Fatalf("%d faults", len(l.faults))
	}
	if f := l.faults[0]; f.bite.from != f.from+time.Second || f.bite.to != f.to-time.Second || !slices.Equal(f.bite.shows, diskAway) {
		t.Errorf("it lasts from %v to %v and is felt from %v to %v, by %v", f.from, f.to, f.bite.from, f.bite.to, f.bite.shows)
	}
}

func TestBiteOfAStop(t *testing.T) {
	launcher := newLauncher()
	for _, row := range []struct {
		name string
		took time.Duration
		want bite
	}{
		{"a stop that a call outlasts need not be felt", 5 * time.Second, bite{}},
		{"a longer one must be, by 503 or 500", 6 * time.Second, bite{from: aMoment, to: 6 * time.Second, shows: storageAway}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var passed time.Duration
			l := &lane{now: func() time.Duration { now := passed; passed = row.took; return now }}
			l.redis = &process{launcher: launcher, name: "redis", path: "/bin/sleep", args: []string{"60"}, log: filepath.Join(t.TempDir(), "log")}
			if err := l.redis.start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.redis.kill)
			if err := l.stopRedis(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			if got := l.faults[0].bite; got.from != row.want.from || got.to != row.want.to || !slices.Equal(got.shows, row.want.shows) {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

func TestPermissionToClaim(t *testing.T) {
	d := &disk{launcher: newLauncher(), path: t.TempDir()}
	f := d.noWriting()
	t.Run("where nothing was claimed yet it cannot be taken", func(t *testing.T) {
		if err := f.begin(); !errors.Is(err, errNotNow) {
			t.Errorf("got %v", err)
		}
	})
	used, records := filepath.Join(d.path, "issuer", "used"), filepath.Join(d.path, "issuer", "codes", "0001")
	minute := filepath.Join(used, "0001")
	for _, dir := range []string{minute, records} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	modes := func() (list []fs.FileMode) {
		for _, dir := range []string{used, minute, records} {
			info, err := os.Stat(dir)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, info.Mode().Perm())
		}
		return list
	}
	t.Run("it is taken from every folder of used-markers and from where they are made", func(t *testing.T) {
		if err := f.begin(); err != nil {
			t.Fatal(err)
		}
		if got := modes(); !slices.Equal(got, []fs.FileMode{0o500, 0o500, 0o700}) {
			t.Errorf("the modes are %o", got)
		}
	})
	t.Run("and given back", func(t *testing.T) {
		if err := f.end(); err != nil {
			t.Fatal(err)
		}
		if got := modes(); !slices.Equal(got, []fs.FileMode{0o700, 0o700, 0o700}) {
			t.Errorf("the modes are %o", got)
		}
	})
}

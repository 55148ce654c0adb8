//go:build linux

package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPlan(t *testing.T) {
	t.Run("the same seed makes the same choices", func(t *testing.T) {
		a, b, other := newPlan(7, "kill"), newPlan(7, "kill"), newPlan(8, "kill")
		var same, differs bool
		for range 100 {
			x, xOnly := a.sendings(time.Second)
			y, yOnly := b.sendings(time.Second)
			z, _ := other.sendings(time.Second)
			same = same || reflect.DeepEqual(x, z)
			differs = differs || !reflect.DeepEqual(x, y) || xOnly != yOnly
		}
		if differs || same {
			t.Errorf("one seed differs: %v, another is the same: %v", differs, same)
		}
	})
	t.Run("each code is sent 2 to 8 times, some at once, some later, some to one node only", func(t *testing.T) {
		p := newPlan(1, "")
		const latest = time.Second
		var only, later, many int
		seen := map[int]bool{}
		for range 1000 {
			list, node := p.sendings(latest)
			seen[len(list)] = true
			if list[0].delay != 0 {
				t.Fatal("the first is late")
			}
			for _, s := range list {
				if node != anyNode && s.node != node || s.node < 0 || s.node >= nodes || s.delay > latest {
					t.Fatalf("%+v of a code for node %d", s, node)
				}
				if s.delay > 0 {
					later++
				}
			}
			if node != anyNode {
				only++
			}
			many += len(list)
		}
		if len(seen) != maxSends-minSends+1 || !seen[minSends] || !seen[maxSends] {
			t.Errorf("codes are sent so many times: %v", seen)
		}
		if only < 100 || only > 250 || later < many/5 || later > many*4/5 {
			t.Errorf("%d of 1000 to one node, %d of %d later", only, later, many)
		}
	})
}

func TestChoose(t *testing.T) {
	t.Run("all scenarios together get the codes that were asked for", func(t *testing.T) {
		o := options{codes: 20_000, time: time.Minute}
		codes := 0
		for _, plan := range o.choose() {
			var took time.Duration
			for _, s := range plan.scenarios {
				codes += s.codes
				took += s.time
			}
			if took > o.time || took < o.time-time.Second {
				t.Errorf("%s takes %v", plan.name, took)
			}
		}
		if codes < o.codes || codes > o.codes+100 {
			t.Errorf("%d codes", codes)
		}
	})
	t.Run("a storage and a scenario can be chosen", func(t *testing.T) {
		o := options{codes: 100, time: time.Minute, storages: "redis,file", scenario: "kill"}
		plans := o.choose()
		if len(plans) != 2 || plans[0].name != "file" || plans[1].name != "redis" {
			t.Fatalf("%+v", plans)
		}
		for _, plan := range plans {
			if len(plan.scenarios) != 1 || plan.scenarios[0].name != "kill" || plan.scenarios[0].codes != 50 || plan.scenarios[0].time != time.Minute {
				t.Errorf("%+v", plan)
			}
		}
	})
	t.Run("F36 F38 a reload may cause 5xx on no storage, also where its module closes", func(t *testing.T) {
		o := options{codes: 100, time: time.Minute, scenario: "reload"}
		plans := o.choose()
		if len(plans) != 3 {
			t.Errorf("%d storages are reloaded on", len(plans))
		}
		for _, plan := range plans {
			if !plan.scenarios[0].rules.reloading {
				t.Error(plan.name)
			}
		}
	})
}

func TestUnknownNamesAreErrors(t *testing.T) {
	for _, row := range []struct{ name, storages, scenarios, want string }{
		{"everything", "", "", ""},
		{"some that there are", "redis,file", "kill,mixed", ""},
		{"a storage that there is not", "file,radis", "", `there is no storage "radis"; there are: file, file-small, redis, redis-claim`},
		{"a scenario that there is not", "", "kil", `there is no scenario "kil"; there are: calm, kill, pause, reload, clocks, mixed, disk-full`},
		{"a comma too many", "file,", "", `there is no storage ""`},
		{"a scenario of other storages", "file", "redis-kill", "there is no scenario redis-kill on storage file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := (&options{codes: 100, time: time.Minute, storages: row.storages, scenario: row.scenarios}).check()
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.HasPrefix(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

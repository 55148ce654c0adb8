//go:build linux

package main

import (
	"strings"
	"testing"
	"time"
)

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

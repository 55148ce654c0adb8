//go:build linux

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// check finds names of storages and scenarios that there are not, with which
// nothing would be run, or not what was meant.
func (o *options) check() error {
	var known, scenarios []string
	for _, s := range storages {
		known = append(known, s.name)
		for _, sc := range s.scenarios {
			if !slices.Contains(scenarios, sc.name) {
				scenarios = append(scenarios, sc.name)
			}
		}
	}
	if err := errors.Join(allKnown("storage", o.storages, known), allKnown("scenario", o.scenario, scenarios)); err != nil {
		return err
	}
	if len(o.choose()) == 0 {
		return fmt.Errorf("there is no scenario %s on storage %s", o.scenario, o.storages)
	}
	return nil
}

func allKnown(what, list string, known []string) error {
	if list == "" {
		return nil
	}
	for _, name := range strings.Split(list, ",") {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no %s %q; there are: %s", what, name, strings.Join(known, ", "))
		}
	}
	return nil
}

// choose shares codes and time out among the chosen scenarios. Lanes run side
// by side, so each has all of the time.
func (o *options) choose() []lanePlan {
	var plans []lanePlan
	codes := 0
	for _, s := range storages {
		if !chosen(o.storages, s.name) {
			continue
		}
		plan, parts := lanePlan{name: s.name, claim: s.claim}, 0
		for _, sc := range s.scenarios {
			if chosen(o.scenario, sc.name) {
				plan.scenarios = append(plan.scenarios, share{scenario: sc})
				codes += sc.codes
				parts += sc.time
			}
		}
		for i := range plan.scenarios {
			plan.scenarios[i].time = o.time * time.Duration(plan.scenarios[i].scenario.time) / time.Duration(parts)
		}
		if len(plan.scenarios) > 0 {
			plans = append(plans, plan)
		}
	}
	for _, plan := range plans {
		for i := range plan.scenarios {
			s := &plan.scenarios[i]
			s.codes = (o.codes*s.scenario.codes + codes - 1) / codes // together no fewer than asked for
		}
	}
	return plans
}

func chosen(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}

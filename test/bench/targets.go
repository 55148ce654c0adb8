//go:build linux

package main

import "fmt"

// target is what this plugin set out to reach, and whether it did.
type target struct {
	What   string `json:"what"`
	Wanted string `json:"wanted"`
	Got    string `json:"got"`
	Met    bool   `json:"met"`
}

// targets judges what was measured; what was not is left out.
func (b *bench) targets() []target {
	var all []target
	memory, file := b.named("oidc_token/memory/ES256/sha256"), b.named("oidc_token/file_system/ES256/sha256")
	if memory != nil {
		all = append(all, atMost("memory, ES256: CPU ÷ lean", memory.median(wide, cpuRatio), 1.3))
	}
	if file != nil {
		all = append(all, atMost("file system, ES256: CPU ÷ lean", file.median(wide, cpuRatio), 1.7))
		all = append(all, b.againstPeers(file)...)
	}
	for _, storage := range storages {
		s := b.named("oidc_token/" + storage + "/RS256/sha256")
		if s == nil || storage == "redis" {
			continue
		}
		over := s.median(wide, func(x sample) float64 { return x.CPU / x.Signatures })
		all = append(all, atMost(storage+", RS256: CPU ÷ two bare signatures", over, 1.1))
	}
	return all
}

// againstPeers compares the default storage with what peers do in memory.
func (b *bench) againstPeers(file *subject) []target {
	var all []target
	for _, p := range b.subjects {
		if !p.peer || p.alg != file.alg {
			continue
		}
		all = append(all, atMost("file system, ES256: CPU ÷ "+p.name+" in memory", file.median(wide, cpuRatio)/p.median(wide, cpuRatio), 1))
		if p.name != "oidc-provider/ES256" {
			continue
		}
		all = append(all, atLeast("file system, ES256: requests/s ÷ "+p.name, file.median(wide, rateRatio)/p.median(wide, rateRatio), 2.2))
	}
	return all
}

// named is a subject that was measured.
func (b *bench) named(name string) *subject {
	for _, s := range b.subjects {
		if s.name == name {
			return s
		}
	}
	return nil
}

func atMost(what string, got, limit float64) target {
	return target{What: what, Wanted: fmt.Sprintf("≤ %.4g", limit), Got: fmt.Sprintf("%.2f", got), Met: got <= limit}
}

func atLeast(what string, got, limit float64) target {
	return target{What: what, Wanted: fmt.Sprintf("≥ %.4g", limit), Got: fmt.Sprintf("%.2f", got), Met: got >= limit}
}

// targetSection is the table of targets.
func targetSection(targets []target) section {
	s := section{Title: "Targets", Columns: []string{"", "wanted", "got", "met"}}
	for _, t := range targets {
		met := "no"
		if t.Met {
			met = "yes"
		}
		s.Rows = append(s.Rows, []string{t.What, t.Wanted, t.Got, met})
	}
	return s
}

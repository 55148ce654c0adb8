//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// profileSeconds is how long a profile is.
const profileSeconds = 5

// writeProfiles writes a CPU profile of each Caddy with this plugin while it
// does nothing but redeem, by Caddy's own pprof endpoint.
func (b *bench) writeProfiles(context.Context) error {
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	for _, s := range b.subjects {
		if s.floor() || s.peer {
			continue
		}
		file := filepath.Join(b.profile, strings.ReplaceAll(s.name, "/", "-")+".pprof")
		if err := b.writeProfile(s, file); err != nil {
			return fmt.Errorf("profiling %s: %w", s.name, err)
		}
		fmt.Fprintln(os.Stderr, "wrote", file)
	}
	return nil
}

func (b *bench) writeProfile(s *subject, file string) error {
	rate := s.median(wide, func(x sample) float64 { return x.Rate })
	requests, err := s.requests(int(profileSeconds * rate))
	if err != nil {
		return err
	}
	profiled := make(chan error, 1)
	go func() {
		response, err := s.server.door.Get(fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", s.server.doorURL, profileSeconds))
		if err != nil {
			profiled <- err
			return
		}
		defer response.Body.Close()
		profile, err := io.ReadAll(response.Body)
		if err == nil {
			err = os.WriteFile(file, profile, 0o644)
		}
		profiled <- err
	}()
	if _, err := s.send(wide, requests, http.StatusOK); err != nil {
		return err
	}
	return <-profiled
}

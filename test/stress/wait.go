//go:build linux

package main

import (
	"context"
	"time"
)

// eventually calls f until it succeeds, the limit has passed or ctx ends.
func eventually(ctx context.Context, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		if !pause(ctx, 25*time.Millisecond) {
			return err
		}
	}
}

// pause waits and reports whether ctx lasted.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

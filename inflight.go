package oidctoken

import (
	"context"
	"fmt"
	"sync"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// inFlight counts what has begun and not ended, until it is closed: then
// nothing begins any more. The zero value is open. Safe for concurrent use.
type inFlight struct {
	mu    sync.Mutex // guards what follows
	count int
	idle  chan struct{} // made by close; closed when all has ended
}

// begin reports whether one more may begin. If so, end follows.
func (f *inFlight) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.idle != nil {
		return false
	}
	f.count++
	return true
}

func (f *inFlight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count--; f.count == 0 && f.idle != nil {
		close(f.idle)
	}
}

// close lets nothing begin any more. The channel it returns is closed when all
// that has begun has ended. It is called once.
func (f *inFlight) close() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = make(chan struct{})
	if f.count == 0 {
		close(f.idle)
	}
	return f.idle
}

// servedCodes are an issuer's codes as its token endpoint has them.
type servedCodes struct {
	*storage.Codes
	claims *inFlight
}

// Redeem claims nothing once the config has been given up: its storage is about
// to be closed, and a claim that breaks off spends the code for nothing.
func (c servedCodes) Redeem(ctx context.Context, code *storage.Code) error {
	if !c.claims.begin() {
		return fmt.Errorf("redeeming authorization code: %w: the config was replaced", storage.ErrUnavailable)
	}
	defer c.claims.end()
	if err := c.Codes.Redeem(ctx, code); err != nil {
		return err
	}
	codeCounts.release(&code.Record)
	return nil
}

package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

// probePause is how long a probe without an answer speaks for the next
// requests: each asks the storage to write, and anybody can send one.
const probePause = time.Second

// probe is the state of a storage's examination. A wrong answer stands for
// good; where there was no answer a later request asks again.
type probe struct {
	passed  atomic.Bool
	mu      sync.Mutex   // guards running
	running *examination // or the last
}

// examination is one run of the probe, shared by all who wait for it.
type examination struct {
	done     chan struct{} // closed when err is set
	err      error
	silentAt time.Time // when it ended without an answer; zero: it did not
}

// ready examines the storage before it is first used, rather than at load: a
// config is also loaded to validate it, and a storage that is down must not
// take other sites with it. Errors: ErrRefused, ErrUnavailable.
func (c *Codes) ready(ctx context.Context) error {
	if c.probe.passed.Load() {
		return nil
	}
	e := c.examination(context.WithoutCancel(ctx))
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return fmt.Errorf("probing storage: %w: %w", ErrUnavailable, ctx.Err())
	}
}

// examination returns the one under way, or the one that refused the storage,
// or one that has just failed, or begins another.
func (c *Codes) examination(ctx context.Context) *examination {
	c.probe.mu.Lock()
	defer c.probe.mu.Unlock()
	if c.probe.running.over(c.now()) {
		c.probe.running = &examination{done: make(chan struct{})}
		go c.examine(ctx, c.probe.running)
	}
	return c.probe.running
}

// over reports whether another examination may begin. A clock that was set back
// must not put that off.
func (e *examination) over(now time.Time) bool {
	if e == nil {
		return true
	}
	since := now.Sub(e.silentAt)
	return !e.silentAt.IsZero() && (since < 0 || since >= probePause)
}

func (c *Codes) examine(ctx context.Context, e *examination) {
	_, err := call(ctx, c, "probe", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.prove(ctx)
	})
	if errors.Is(err, ErrRefused) { // whatever else failed was told of where it failed
		c.failed("probe", err)
	}
	c.probe.mu.Lock()
	defer c.probe.mu.Unlock()
	switch {
	case err == nil:
		c.probe.passed.Store(true)
	case errors.Is(err, ErrRefused):
		e.err = err
	default:
		e.err = fmt.Errorf("probing storage: %w: %w", ErrUnavailable, err)
		e.silentAt = c.now()
	}
	close(e.done)
}

// prove examines the storage unless this process has done so before.
func (c *Codes) prove(ctx context.Context) error {
	if c.name == "" {
		_, err := examineBackend(ctx, c.backend)
		return err
	}
	if e, ok := c.proven.get(c.name); ok && c.backend.resume(ctx, e) {
		return nil
	}
	e, err := examineBackend(ctx, c.backend)
	switch {
	case err == nil:
		c.proven.put(c.name, e)
	case errors.Is(err, ErrRefused):
		c.proven.remove(c.name)
	}
	return err
}

// examineBackend asks of the storage what the redemption of a code asks of it,
// with bytes that are not text, as sealed records are not.
func examineBackend(ctx context.Context, b backend) (evidence, error) {
	var random [48]byte
	rand.Read(random[:]) // never fails
	key := "oidc_token/probe/" + hex.EncodeToString(random[:16])
	first := append([]byte{0, 0xff, '\n', 0x80}, random[:]...)
	second := append([]byte{0xfe, 0, '\r', 0xc0, 0xaf}, random[16:]...)
	if err := examineKey(ctx, b, key, first, second); err != nil {
		_ = b.remove(ctx, key) // the storage is at fault already
		return evidence{}, err
	}
	return b.prepare(ctx)
}

func examineKey(ctx context.Context, b backend, key string, first, second []byte) error {
	if err := examineStore(ctx, b, key, first, "it does not return what was stored"); err != nil {
		return err
	}
	if err := examineStore(ctx, b, key, second, "it does not return what was stored last"); err != nil {
		return err
	}
	if err := b.remove(ctx, key); err != nil {
		return err
	}
	_, err := b.load(ctx, key)
	if err == nil {
		return refusal(b, "it returns what was deleted")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func examineStore(ctx context.Context, b backend, key string, value []byte, fault string) error {
	if err := b.store(ctx, key, value); err != nil {
		return err
	}
	got, err := b.load(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return refusal(b, fault)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(got, value) {
		return refusal(b, fault)
	}
	return nil
}

func refusal(b backend, reason string) error {
	return fmt.Errorf("%w: %s: %s", ErrRefused, typeName(b), reason)
}

// typeName is what an operator calls the storage.
func typeName(b backend) string {
	switch s := b.(type) {
	case *fileStore:
		return fmt.Sprintf("%T", s.files)
	case *claimerStore:
		return fmt.Sprintf("%T", s.storage)
	case *genericStore:
		return fmt.Sprintf("%T", s.storage)
	}
	return fmt.Sprintf("%T", b)
}

package storage_test

import (
	"context"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// script answers what is asked about one code, as it is told, and stops the
// redemption at the first call it was told nothing about.
type script struct {
	codes          *storage.Codes
	clock          *clock
	code           string
	record, marker string // the code's keys
	sealed, own    []byte // the record, and what the redeemer wrote as its marker
	others         []byte // what it wrote in an earlier run: the marker of somebody else

	pauses  map[call]time.Duration // how long the storage takes to answer
	history []answer
	late    bool
	at      int
	stopped bool
	waiting call
}

func newScript(t *testing.T, codes *storage.Codes, c *clock) *script {
	s := &script{codes: codes, clock: c, code: mint(t, codes, c.Now())}
	s.record, s.marker = codes.Keys(s.code)
	return s
}

// run redeems the code with these answers.
func (s *script) run(t *testing.T, history []answer, late bool) point {
	t.Helper()
	if s.own != nil {
		s.others = s.own
	}
	s.history, s.late, s.at, s.stopped, s.own = history, late, 0, false, nil
	s.clock.Set(noon().Now())
	s.codes.Remember(s.code, s.ask(lookUsed) == taken)
	found, err := s.codes.Load(t.Context(), s.code)
	if s.stopped {
		return point{call: s.waiting}
	}
	if err != nil {
		return point{call: ended, err: err}
	}
	held := s.ask(joinUsed) == taken
	if s.stopped {
		return point{call: s.waiting}
	}
	s.codes.Remember(s.code, held)
	err = s.codes.Redeem(t.Context(), found)
	switch {
	case s.stopped:
		return point{call: s.waiting}
	case s.at < len(history):
		t.Fatalf("%d answers of %v were not asked for", len(history)-s.at, history)
	case err == nil && !s.codes.Claimed(s.code):
		t.Fatal("a winner left the used-set")
	case !s.codes.Claimed(s.code):
		return point{call: leaveUsed, err: err}
	}
	return point{call: ended, won: err == nil, err: err}
}

// ask returns the next answer.
func (s *script) ask(c call) answer {
	if s.stopped {
		return failing
	}
	if s.at == len(s.history) {
		s.stopped, s.waiting = true, c
		return failing
	}
	time.Sleep(s.pauses[c])
	told := s.history[s.at]
	s.at++
	if s.late && s.at == len(s.history) {
		s.clock.Add(time.Hour)
	}
	return told
}

// told is the error of an answer.
func told(a answer) error {
	switch a {
	case absent:
		return &fs.PathError{Op: "call", Path: "key", Err: syscall.ENOENT}
	case taken:
		return &fs.PathError{Op: "call", Path: "key", Err: syscall.EEXIST}
	case failing:
		return &fs.PathError{Op: "call", Path: "key", Err: syscall.EIO}
	case denied:
		return &fs.PathError{Op: "call", Path: "key", Err: syscall.EROFS}
	case unlinkable:
		return &fs.PathError{Op: "call", Path: "key", Err: syscall.EPERM}
	}
	return nil
}

// read is what an answer to a load is. Somebody else's marker is one that the
// same code has made, so that two that cannot be told apart make two winners.
func (s *script) read(c call) ([]byte, error) {
	a := s.ask(c)
	switch {
	case a == empty:
		return nil, nil
	case a == theirs && c == loadMarker && s.others != nil:
		return s.others, nil
	case a == theirs:
		return append([]byte(strings.Repeat("f0", 16)), s.sealed...), nil
	case a != fine:
		return nil, told(a)
	case c == loadMarker:
		return s.own, nil
	}
	return s.sealed, nil
}

// scriptedStorage is a storage that is in order, but for one code.
type scriptedStorage struct {
	*storagetest.Memory
	*script
}

func (s *scriptedStorage) Load(ctx context.Context, key string) ([]byte, error) {
	switch {
	case s.script == nil:
	case key == s.marker:
		return s.read(loadMarker)
	case key == s.record:
		return s.read(loadRecord)
	}
	return s.Memory.Load(ctx, key)
}

func (s *scriptedStorage) Store(ctx context.Context, key string, value []byte) error {
	if s.script == nil || key != s.marker {
		return s.Memory.Store(ctx, key, value)
	}
	s.own = value
	return told(s.ask(storeMarker))
}

func (s *scriptedStorage) Delete(ctx context.Context, key string) error {
	if s.script == nil || key != s.record {
		return s.Memory.Delete(ctx, key)
	}
	return told(s.ask(deleteRecord))
}

// learnGeneric learns the redemption by the generic claim, or by one of these
// steps instead.
func learnGeneric(t *testing.T, steps string) *automaton {
	t.Helper()
	s := scriptGeneric(t, steps)
	return newAutomaton(func(history []answer, late bool) point { return s.run(t, history, late) })
}

func scriptGeneric(t *testing.T, steps string) *script {
	t.Helper()
	c, scripted := noon(), &scriptedStorage{Memory: storagetest.NewMemory()}
	codes := node(t, scripted, c)
	if steps != "" {
		codes.SetClaim(steps)
	}
	s := newScript(t, codes, c)
	sealed, err := scripted.Load(t.Context(), s.record)
	if err != nil {
		t.Fatal(err)
	}
	s.sealed, scripted.script = sealed, s
	return s
}

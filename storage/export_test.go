package storage

import (
	"context"
	"io/fs"
	"os"
	"sync"
	"time"
)

// What follows opens to the tests what cannot be had from outside: limits that
// would take real time, and the operating system below the file storage.

const (
	ClaimLimit   = claimLimit
	Promptly     = promptly
	CallLimit    = callLimit
	MaxInFlight  = maxInFlight
	MaxStrangers = maxStrangers
	MaxGrants    = maxGrants
	ProbePause   = probePause
	SweepDelay   = sweepDelay
	CodeLength   = codeLength
)

// SetCallLimit changes how long a call of the storage may take.
func (c *Codes) SetCallLimit(d time.Duration) { c.callLimit = d }

// Keys returns where a code's record and used-marker are.
func (c *Codes) Keys(code string) (record, marker string) {
	id, _ := c.identify(code)
	return id.record, id.marker
}

// Prefix returns the storage prefix of the issuer.
func (c *Codes) Prefix() string { return c.prefix }

// Seal seals any plaintext where the code's record belongs.
func (c *Codes) Seal(code string, plain []byte) []byte {
	id, _ := c.identify(code)
	sealed, err := c.ring.Seal(id.grant[:], label(c.issuer, id), plain)
	if err != nil {
		panic(err)
	}
	return sealed
}

// Unseal opens a stored record.
func (c *Codes) Unseal(code string, sealed []byte) []byte {
	id, _ := c.identify(code)
	plain, _, err := c.ring.Open(id.grant[:], label(c.issuer, id), sealed)
	if err != nil {
		panic(err)
	}
	return plain
}

// DeriveIDs returns the jti and the grant id of a code.
func DeriveIDs(code string) (tokenID, grantID string) { return deriveIDs(code) }

// DeriveGrantSecret returns what the storage keys and the sealing key of a code
// come from.
func DeriveGrantSecret(code string) []byte { g := deriveGrantSecret(code); return g[:] }

// NewCodeAt returns a random code of a bucket.
func NewCodeAt(t time.Time) string { return newCode(bucketOf(t)) }

// BucketName reports whether a folder of that name is a bucket.
func BucketName(name string) bool { _, ok := parseBucket(name); return ok }

// NewMark returns the mark of a generic claim.
func NewMark() []byte { return newMark() }

// Purge forgets what expired.
func (s *UsedSet) Purge(now time.Time) { s.purge(now) }

// Noted returns how many buckets are remembered for sweeping.
func (c *Codes) Noted() int { return len(c.used.noted(c.prefix)) }

// Process is what one process has found out about storages.
type Process = proven

// SetProcess lets these codes be those of another process, or of another config
// of the same.
func (c *Codes) SetProcess(p *Process) { c.proven = p }

// SetLocal decides what the file system is taken for.
func (c *Codes) SetLocal(local bool, boot string) {
	f := c.backend.(*fileStore)
	f.isLocal = func(string) bool { return local }
	f.bootID = func() string { return boot }
}

// Traits returns what the file system was found to be.
func (c *Codes) Traits() (boot string, durable, links bool) {
	t := c.backend.(*fileStore).traits()
	return t.boot, t.durable, t.links
}

// Step is one call of the operating system.
type Step struct {
	Op string // "read", "mkdir", "create", "write", "sync", "close", "rename", "link", "remove", "stat", "syncdir"
	N  int    // from 1
	// Name is that of the file or folder, of a rename or link the new one.
	Name string
}

// Faults makes calls of the operating system fail.
type Faults struct {
	mu     sync.Mutex
	n      int
	Before func(Step) error // fails without effect
	After  func(Step) error // fails after the effect
	Steps  []Step
}

// SetFaults puts faults between the file storage and the operating system.
func (c *Codes) SetFaults(f *Faults) { c.backend.(*fileStore).os = &faulty{f: f} }

func (f *Faults) around(op, name string, effect func() error) error {
	f.mu.Lock()
	f.n++
	step := Step{op, f.n, name}
	f.Steps = append(f.Steps, step)
	before, after := f.Before, f.After
	f.mu.Unlock()
	if before != nil {
		if err := before(step); err != nil {
			return err
		}
	}
	if err := effect(); err != nil {
		return err
	}
	if after != nil {
		return after(step)
	}
	return nil
}

// Reset forgets the steps and the faults.
func (f *Faults) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n, f.Steps, f.Before, f.After = 0, nil, nil, nil
}

// faulty has the production code make each call, so that what is tested with
// faults is that, too.
type faulty struct {
	f  *Faults
	os operatingSystem
}

func (o *faulty) ReadFile(name string) (b []byte, err error) {
	err = o.f.around("read", name, func() error { b, err = o.os.ReadFile(name); return err })
	return b, err
}

func (o *faulty) MkdirAll(dir string) error {
	return o.f.around("mkdir", dir, func() error { return o.os.MkdirAll(dir) })
}

func (o *faulty) Rename(from, to string) error {
	return o.f.around("rename", to, func() error { return o.os.Rename(from, to) })
}

func (o *faulty) Link(from, to string) error {
	return o.f.around("link", to, func() error { return o.os.Link(from, to) })
}

func (o *faulty) Remove(name string) error {
	return o.f.around("remove", name, func() error { return o.os.Remove(name) })
}

func (o *faulty) Stat(name string) (info fs.FileInfo, err error) {
	err = o.f.around("stat", name, func() error { info, err = o.os.Stat(name); return err })
	return info, err
}

func (o *faulty) SyncDir(dir string) error {
	return o.f.around("syncdir", dir, func() error { return o.os.SyncDir(dir) })
}

func (o *faulty) Create(name string) (made file, err error) {
	err = o.f.around("create", name, func() error { made, err = o.os.Create(name); return err })
	if err != nil {
		return nil, err
	}
	return &faultyFile{o.f, name, made}, nil
}

type faultyFile struct {
	f    *Faults
	name string
	file file
}

func (f *faultyFile) Write(p []byte) (n int, err error) {
	err = f.f.around("write", f.name, func() error { n, err = f.file.Write(p); return err })
	return n, err
}
func (f *faultyFile) Sync() error  { return f.f.around("sync", f.name, f.file.Sync) }
func (f *faultyFile) Close() error { return f.f.around("close", f.name, f.file.Close) }

// SetOverwriting makes the operating system take a name that exists.
func (c *Codes) SetOverwriting(op string) {
	s := c.backend.(*fileStore)
	s.os = &overwriting{s.os, op}
}

type overwriting struct {
	fileSystem
	op string
}

func (o *overwriting) Create(name string) (file, error) {
	if o.op == "create" {
		_ = os.Remove(name)
	}
	return o.fileSystem.Create(name)
}

func (o *overwriting) Link(from, to string) error {
	if o.op == "link" {
		_ = os.Remove(to)
	}
	return o.fileSystem.Link(from, to)
}

// FileSystem and File are what the file storage needs of an operating system.
type (
	FileSystem = fileSystem
	File       = file
)

// SetFileSystem puts another operating system below the file storage.
func (c *Codes) SetFileSystem(wrap func(FileSystem) FileSystem) {
	s := c.backend.(*fileStore)
	s.os = wrap(s.os)
}

// Claimed reports whether the process remembers that it claimed a code.
func (c *Codes) Claimed(code string) bool {
	id, _ := c.identify(code)
	return c.used.has(id)
}

// Remember makes the process remember that it claimed a code, or not.
func (c *Codes) Remember(code string, claimed bool) {
	id, _ := c.identify(code)
	if c.used.remove(id); claimed {
		c.used.add(id, c.now())
	}
}

// ClaimGivenUp has the backend claim a code when nobody waits for it any more,
// and reports whether it says that nothing was changed.
func (c *Codes) ClaimGivenUp(ctx context.Context, code *Code) (nothingChanged bool, err error) {
	t := transfer{from: code.id.record, to: code.id.marker, sealed: code.sealed}
	result, err := c.backend.claim(ctx, t, func() bool { return false })
	return result == unchanged, err
}

package storage

import (
	"context"

	"github.com/caddyserver/certmagic"
)

// Claimer is implemented by a certmagic.Storage that can claim a code in one
// atomic step of its own.
//
// What a process learns of a storage outlives a config reload under the
// storage's type and its String(). Where a storage has that method, it must name
// the server, the database and the prefix of its keys, and no secret: two that
// say the same are taken for one. One without it, or that returns "", is
// examined again after each reload.
type Claimer interface {
	// ClaimKind names the primitive and its version, for example
	// "redis-renamenx/v1". It is sealed into every record; a redeemer of
	// another kind refuses the code. It is constant, not empty, and begins
	// neither with "generic/" nor with "file/".
	ClaimKind() string
	// Claim moves the value at from to key to, which must not exist, in one
	// atomic step. Of any number of callers with the same from, at most one
	// ever gets won == true; the others get false and no error, also where
	// there is nothing at from. It is called concurrently. ctx does not end with
	// the request; it has a deadline of 5 s, after which the answer is not
	// waited for and the code counts as spent. Errors: ErrUnavailable where
	// nothing was changed; any other means that the outcome is not known.
	Claim(ctx context.Context, from, to string) (won bool, err error)
}

// Kinds of claim of our own.
const (
	genericKind = "generic/v1"
	fileKind    = "file/v1"
)

// backend is what redemption, probing and sweeping need of a storage. Errors of
// absent keys wrap fs.ErrNotExist. No error's text names the key.
type backend interface {
	kind() string
	boot() string // empty: nothing depends on the operating system's start
	// exclusive reports whether claim is lost wherever the marker stands, also
	// beside the record.
	exclusive() bool
	load(ctx context.Context, key string) ([]byte, error)
	store(ctx context.Context, key string, value []byte) error
	remove(ctx context.Context, key string) error
	// prepare finds out what the storage can do, once it has answered rightly.
	prepare(ctx context.Context) (evidence, error)
	// resume goes on with what prepare found in the config before, and reports
	// whether that still holds. It writes nothing.
	resume(ctx context.Context, e evidence) bool
	// claim calls begin before its first write and writes nothing if it
	// answers false.
	claim(ctx context.Context, t transfer, begin func() bool) (outcome, error)
	sweep(ctx context.Context, b *broom) error
}

// transfer is a record that is to become a used-marker.
type transfer struct {
	from, to string
	sealed   []byte // the record as it was opened
}

// newBackend recognises the file storage by its type alone: behind a wrapper it
// is a storage like any other, with another kind of claim.
func newBackend(s certmagic.Storage, failed func(string, error)) (backend, error) {
	g := &genericStore{storage: s, failures: failures{failed}}
	if claimer, ok := s.(Claimer); ok {
		return newClaimerStore(g, claimer)
	}
	if files, ok := s.(*certmagic.FileStorage); ok {
		return newFileStore(files, failed), nil
	}
	return g, nil
}

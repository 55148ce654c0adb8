package storagetest

import (
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// Run tells whether a storage can carry single-use authorization codes and
// signing keys, and if not, which promise it breaks: that is the name of the
// test that fails. One line in a test of the storage's module is enough:
//
//	func TestSingleUse(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) certmagic.Storage { return open(t) })
//	}
//
// newStorage returns an empty storage and has t clean up after it; Run calls it
// once for each test. Several nodes use the storage at once. A storage that has
// connections of its own, a cache or anything else that each process has for
// itself shows its real face only if each node opens it anew: let it implement
// Shared then, if only in the test. What the storage implements beyond
// certmagic.Storage must stay visible: embed it by its type.
//
// The tests come in four groups. "contract" is what is asked of any
// certmagic.Storage. It is less than its documentation: Exists and Stat are
// never called, and no lock is relied on. A storage that fails here is not
// tried further, since all else rests on it. "storage.Claimer" is what is asked
// of a storage that implements it. "own claim" and "generic claim" redeem codes
// and sweep them: the one by what the storage can do itself, the other by what
// every storage must carry, because another may be wrapped around it. The last
// has the calls of a redemption fail, panic and hang.
//
// A String() method, where the storage has one, is not tried, and must name the
// server, the database and the prefix of its keys, as storage.Claimer says: two
// storages of one type that say the same are taken for one.
//
// A run makes some thousand calls. One test waits for the five seconds that a
// storage is given to answer; it is parallel to others and left out by -short.
func Run(t *testing.T, newStorage func(t *testing.T) certmagic.Storage) {
	if !t.Run("contract", func(t *testing.T) { runContract(t, newStorage) }) {
		t.Log("the contract is broken: redemption is not tried")
		return
	}
	runOwnClaim(t, newStorage)
	t.Run("generic claim", func(t *testing.T) {
		newStorage := func(t *testing.T) certmagic.Storage { return hidden{newStorage(t)} }
		runKind(t, newStorage)
		t.Run("faults", func(t *testing.T) { runFaults(t, newStorage) })
	})
}

// runOwnClaim tries what a storage can do itself, where it can.
func runOwnClaim(t *testing.T, newStorage func(t *testing.T) certmagic.Storage) {
	own := newStorage(t)
	claimer, ok := own.(storage.Claimer)
	if ok && !t.Run("storage.Claimer", func(t *testing.T) { runClaimer(t, claimer.ClaimKind(), newStorage) }) {
		t.Log("the storage's own claim is broken: redemption by it is not tried")
		return
	}
	if _, files := own.(*certmagic.FileStorage); ok || files {
		t.Run("own claim", func(t *testing.T) { runKind(t, newStorage) })
		t.Run("REQ-104 REQ-245 a code is redeemed by the kind of claim it was issued for", func(t *testing.T) {
			testKinds(t, newStorage(t))
		})
	}
}

// Shared is a storage that can be opened again, as by another node.
type Shared interface {
	certmagic.Storage
	// Again returns the same storage, with nothing of this process in it that
	// another process would not have.
	Again() certmagic.Storage
}

// again returns s as another node sees it.
func again(s certmagic.Storage) certmagic.Storage {
	switch s := s.(type) {
	case Shared:
		return s.Again()
	case *certmagic.FileStorage:
		return &certmagic.FileStorage{Path: s.Path}
	case hidden:
		return hidden{again(s.Storage)}
	}
	return s
}

// hidden is a storage as it is seen through a wrapper around it: codes in it
// are redeemed by the generic claim.
type hidden struct{ certmagic.Storage }

// trial is a test of one promise.
type trial struct {
	name string
	test func(t *testing.T, s certmagic.Storage)
}

func try(t *testing.T, newStorage func(t *testing.T) certmagic.Storage, trials []trial) {
	for _, trial := range trials {
		t.Run(trial.name, func(t *testing.T) { trial.test(t, newStorage(t)) })
	}
}

// runKind redeems and sweeps codes by one kind of claim.
func runKind(t *testing.T, newStorage func(t *testing.T) certmagic.Storage) {
	t.Run("claim", func(t *testing.T) { try(t, newStorage, claims) })
	t.Run("sweeping", func(t *testing.T) { try(t, newStorage, sweeps) })
}

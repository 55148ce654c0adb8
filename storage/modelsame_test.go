package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// The search is shown to find wrong claims by one that is made of named steps.
// That says something of the generic claim as long as the two are the same:
// whatever they are told, and however long that takes, they make the same call
// next or end in the same way. A step that is left out of either is a difference.
func TestTheVariantIsTheGenericClaim(t *testing.T) {
	for _, row := range []struct {
		name, steps string
		same        bool
	}{
		{"with all steps it is", "bcdge", true},
		{"without the marker it is not", "cdge", false},
		{"nor with one that may be stored slowly", "scdge", false},
		{"nor without a look for the record", "bdge", false},
		{"nor without its deletion", "bcge", false},
		{"nor without a look whether it is gone", "bcde", false},
		{"nor without a look at the marker", "bcdg", false},
		{"nor where anybody's marker will do", "bcdgp", false},
		{"nor in another order", "bcdeg", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				found := difference(t, scriptGeneric(t, ""), scriptGeneric(t, row.steps))
				if (found == "") != row.same {
					t.Errorf("the difference is: %q", found)
				}
			})
		})
	}
}

// difference tells of the first point at which two redemptions differ. Empty:
// there is none.
func difference(t *testing.T, a, b *script) string {
	t.Helper()
	for _, pauses := range []map[call]time.Duration{
		nil,
		{storeMarker: storage.Promptly - time.Nanosecond},
		{storeMarker: storage.Promptly},
		{loadRecord: storage.Promptly},
		{loadMarker: storage.Promptly},
		{deleteRecord: storage.Promptly},
	} {
		a.pauses, b.pauses = pauses, pauses
		if found := differenceAfter(t, a, b, nil); found != "" {
			return found
		}
	}
	return ""
}

func differenceAfter(t *testing.T, a, b *script, history []answer) string {
	t.Helper()
	for _, late := range []bool{true, false} {
		p, q := a.run(t, history, late), b.run(t, history, late)
		if p.call != q.call || p.won != q.won || verdict(p.err) != verdict(q.err) {
			return fmt.Sprintf("told %v, late %t, taking %v: one %v with %v, the other %v with %v", history, late, a.pauses, p.call, p.err, q.call, q.err)
		}
		if late { // what comes after is the same
			continue
		}
		for _, told := range tellable(p.call) {
			if found := differenceAfter(t, a, b, append(slices.Clip(history), told)); found != "" {
				return found
			}
		}
	}
	return ""
}

// tellable returns what a call of the generic claim may be told.
func tellable(c call) []answer {
	switch c {
	case lookUsed, joinUsed:
		return []answer{fine, taken}
	case loadMarker, loadRecord:
		return []answer{fine, absent, theirs, empty, failing}
	case storeMarker, deleteRecord:
		return []answer{fine, absent, failing, denied}
	}
	return nil // it has ended
}

// verdict returns what a redeemer is told about the code.
func verdict(err error) error {
	for _, verdict := range []error{storage.ErrUnknown, storage.ErrUsed, storage.ErrLost, storage.ErrExpired, storage.ErrNotYetValid, storage.ErrBoot,
		storage.ErrClaimKind, storage.ErrCorrupt, storage.ErrUnavailable, storage.ErrUncertain, storage.ErrRefused} {
		if errors.Is(err, verdict) {
			return verdict
		}
	}
	return err
}

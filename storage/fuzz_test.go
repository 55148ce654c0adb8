package storage_test

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// FuzzCode: only the exact form of a code reaches the storage, under a key in
// which nothing of the code is but hex.
func FuzzCode(f *testing.F) {
	ours := regexp.MustCompile(`^oidc_token/[0-9a-f]{32}/(codes|used)/[0-9a-f]{8}/[0-9a-f]{64}$`)
	f.Add(storage.NewCodeAt(noon().Now()))
	for _, seed := range []string{"", ".", "../../../etc/passwd", strings.Repeat("A", storage.CodeLength), strings.Repeat("/", storage.CodeLength),
		strings.Repeat("A", storage.CodeLength-1) + "=", strings.Repeat("A", storage.CodeLength-1) + "\n", strings.Repeat("-_", storage.CodeLength/2)} {
		f.Add(seed)
	}
	c, memory := noon(), storagetest.NewMemory()
	codes := node(f, memory, c)
	mint(f, codes, c.Now()) // the storage is probed
	f.Fuzz(func(t *testing.T, code string) {
		memory.Reset()
		_, err := codes.Load(t.Context(), code)
		if !errors.Is(err, storage.ErrUnknown) {
			t.Errorf("a code that nobody minted is %v", err)
		}
		if storage.WellFormed(code) != (storage.Ref(code) != "") {
			t.Errorf("well-formed %t, ref %q", storage.WellFormed(code), storage.Ref(code))
		}
		if !storage.WellFormed(code) {
			if memory.Count() != 0 {
				t.Errorf("%d calls of the storage", memory.Count())
			}
			return
		}
		for _, call := range memory.Calls() {
			if !ours.MatchString(call.Key) || call.Op != storagetest.OpLoad {
				t.Errorf("%v of %q", call.Op, call.Key)
			}
		}
		if strings.Contains(storage.Ref(code), code) || len(code) != storage.CodeLength {
			t.Errorf("ref %q of %d characters", storage.Ref(code), len(code))
		}
	})
}

// FuzzRecord: whatever is sealed at a code's place loads as exactly what can be
// stored again, to the byte, or is refused as one of the sentinel errors:
// nothing in it is passed over.
func FuzzRecord(f *testing.F) {
	c := noon()
	code := storage.NewCodeAt(c.Now().Add(time.Minute))
	seed := node(f, storagetest.NewMemory(), c)
	memory := storagetest.NewMemory()
	original := node(f, memory, c)
	stored := mint(f, original, c.Now())
	at, _ := original.Keys(stored)
	plain := original.Unseal(stored, memory.Snapshot()[at])
	f.Add(plain)
	for _, change := range [][2]string{
		{"\x00\x00\x07grafana", "\x00\x00\x07grafana\x00\x00\x01x"}, {"grafana", "grafanas"}, {"email", "gmail"},
		{"generic/v1", "generic/v2"}, {issuer, strings.Replace(issuer, "id", "di", 1)}, {"S256", "S255"}, {`"<a`, "\"\xff\x00"},
	} {
		f.Add(bytes.Replace(plain, []byte(change[0]), []byte(change[1]), 1))
	}
	f.Add(plain[:len(plain)/2])
	f.Add(append(bytes.Clone(plain), plain...))
	f.Add([]byte{})
	f.Add([]byte("\x01{}"))
	f.Add([]byte("\x02{}"))
	f.Add([]byte("\x01null"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		memory := storagetest.NewMemory()
		codes := node(t, memory, c)
		place, _ := codes.Keys(code)
		if err := memory.Store(t.Context(), place, seed.Seal(code, plain)); err != nil {
			t.Fatal(err)
		}
		first, err := codes.Load(t.Context(), code)
		if err != nil {
			if !knownRefusal(err) || len(plain) > 20 && strings.Contains(err.Error(), string(plain[1:])) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if first.Record.IssuedAt.IsZero() || !first.Record.ExpiresAt.After(first.Record.IssuedAt) {
			return // Store makes none like it
		}
		again, err := codes.Store(t.Context(), &first.Record)
		if err != nil {
			t.Fatalf("what was loaded cannot be stored: %v", err)
		}
		second, err := codes.Load(t.Context(), again)
		if err != nil {
			t.Fatalf("what was stored again does not load: %v", err)
		}
		place, _ = codes.Keys(again)
		if sealed := codes.Unseal(again, memory.Snapshot()[place]); !bytes.Equal(sealed, plain) {
			t.Errorf("%q was read as %q", plain, sealed)
		}
		if !reflect.DeepEqual(first.Record, second.Record) {
			t.Errorf("stored again %+v is %+v", first.Record, second.Record)
		}
	})
}

func knownRefusal(err error) bool {
	for _, known := range []error{storage.ErrCorrupt, storage.ErrExpired, storage.ErrNotYetValid, storage.ErrBoot, storage.ErrClaimKind} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// FuzzStoredRecord: a record that a writer of the storage changed, in whatever
// way, is refused as corrupt, and leaves the code to be redeemed by nobody.
func FuzzStoredRecord(f *testing.F) {
	c := noon()
	f.Add(uint16(0), byte(1), uint16(0), []byte{})
	f.Add(uint16(1), byte(255), uint16(1), []byte{})
	f.Add(uint16(9), byte(128), uint16(0), []byte("more"))
	f.Add(uint16(21), byte(0), uint16(65535), []byte{})
	f.Add(uint16(400), byte(16), uint16(0), []byte{})
	memory := storagetest.NewMemory()
	codes := node(f, memory, c)
	code := mint(f, codes, c.Now())
	place, _ := codes.Keys(code)
	sealed := memory.Snapshot()[place]
	f.Fuzz(func(t *testing.T, at uint16, flip byte, cut uint16, tail []byte) {
		changed := bytes.Clone(sealed)
		changed[int(at)%len(changed)] ^= flip
		changed = append(changed[:len(changed)-int(cut)%len(changed)], tail...)
		if bytes.Equal(changed, sealed) {
			return
		}
		memory.Reset()
		if err := memory.Store(t.Context(), place, changed); err != nil {
			t.Fatal(err)
		}
		if err := redeem(t.Context(), codes, code); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("changed at %d it is %v", at, err)
		}
	})
}

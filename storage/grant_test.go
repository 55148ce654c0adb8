package storage_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// grantSecretOf is what a GrantRef holds beside the bucket.
func grantSecretOf(t testing.TB, codes *storage.Codes, code string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(load(t, codes, code).GrantRef())
	if err != nil || len(raw) != 36 {
		t.Fatalf("the reference has %d bytes, %v", len(raw), err)
	}
	return raw[4:]
}

// redeemed mints a code, redeems it and returns it with its grant's reference.
func redeemed(t testing.TB, codes *storage.Codes, now time.Time) (code, ref string) {
	t.Helper()
	code = mint(t, codes, now)
	found := load(t, codes, code)
	if err := codes.Redeem(t.Context(), found); err != nil {
		t.Fatalf("Redeem: %v", err)
	}
	return code, found.GrantRef()
}

// grantKinds are the ways in which a used-marker comes about.
var grantKinds = []struct {
	name string
	node func(t *testing.T, c *clock) *storage.Codes
}{
	{"generic claim", func(t *testing.T, c *clock) *storage.Codes { return node(t, storagetest.NewMemory(), c) }},
	{"storage's own claim", func(t *testing.T, c *clock) *storage.Codes { return node(t, newClaimer(), c) }},
	{"file claim by a link", func(t *testing.T, c *clock) *storage.Codes {
		codes, _ := fileNode(t, t.TempDir(), c, true, boot)
		return codes
	}},
	{"file claim by a marker that is made", func(t *testing.T, c *clock) *storage.Codes {
		codes, _ := fileNode(t, t.TempDir(), c, false, boot)
		return codes
	}},
}

func TestGrantIsTheRecordOfARedeemedCode(t *testing.T) {
	for _, row := range grantKinds {
		t.Run(row.name+" keeps the record, whole", func(t *testing.T) {
			c := noon()
			codes := row.node(t, c)
			_, ref := redeemed(t, codes, c.Now())
			got, err := codes.Grant(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if want := record(c.Now()); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
		t.Run(row.name+" has no grant of a code that was not redeemed", func(t *testing.T) {
			c := noon()
			codes := row.node(t, c)
			_, err := codes.Grant(t.Context(), load(t, codes, mint(t, codes, c.Now())).GrantRef())
			wantError(t, err, storage.ErrUnknown)
		})
	}
	t.Run("it is one call of the storage, which writes nothing", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		code, ref := redeemed(t, codes, c.Now())
		_, marker := codes.Keys(code)
		memory.Reset()
		_, err := node(t, memory, c).Grant(t.Context(), ref)
		wantError(t, err, nil)
		if calls := memory.Calls(); len(calls) != 1 || calls[0].Op != storagetest.OpLoad || calls[0].Key != marker {
			t.Errorf("calls are %v", calls)
		}
	})
}

// TestGrantRefIsNoCode: whoever is shown an access token must not be able to
// redeem anything with what is in it, nor find a code's grant by the code.
func TestGrantRefIsNoCode(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			c := noon()
			codes := node(t, kind.new(t), c)
			code := mint(t, codes, c.Now())
			found := load(t, codes, code)
			if len(found.GrantRef()) != storage.CodeLength || found.GrantRef() == code {
				t.Errorf("the reference has %d characters, want those of a code, and another", len(found.GrantRef()))
			}
			_, err := codes.Load(t.Context(), found.GrantRef())
			wantError(t, err, storage.ErrUnknown)
			wantError(t, codes.Redeem(t.Context(), found), nil)
			_, err = codes.Load(t.Context(), found.GrantRef())
			wantError(t, err, storage.ErrUnknown)
			_, err = codes.Grant(t.Context(), code)
			wantError(t, err, storage.ErrUnknown)
		})
	}
	t.Run("nothing that is logged leads to it", func(t *testing.T) {
		c := noon()
		codes := node(t, storagetest.NewMemory(), c)
		found := load(t, codes, mint(t, codes, c.Now()))
		for _, public := range []string{found.TokenID(), found.GrantID(), found.Ref()} {
			if strings.Contains(found.GrantRef(), public) {
				t.Error("the reference holds a public identifier")
			}
		}
	})
}

func TestHostileGrantRefsNeverReachTheStorage(t *testing.T) {
	memory := storagetest.NewMemory()
	codes := node(t, memory, nil)
	for _, row := range hostile {
		t.Run(row.name, func(t *testing.T) {
			_, err := codes.Grant(t.Context(), row.code)
			wantError(t, err, storage.ErrUnknown)
			if n := memory.Count(); n != 0 {
				t.Errorf("%d calls of the storage", n)
			}
		})
	}
}

// A grant belongs to its issuer and to its place, as a code does.
func TestGrantOfAnotherOrOfADamagedRecord(t *testing.T) {
	c, memory := noon(), storagetest.NewMemory()
	codes := node(t, memory, c)
	code, ref := redeemed(t, codes, c.Now())
	_, marker := codes.Keys(code)
	t.Run("REQ-085 A13 another issuer's is unknown", func(t *testing.T) {
		other := node(t, memory, c, func(o *storage.Options) { o.Issuer += "/other" })
		_, err := other.Grant(t.Context(), ref)
		wantError(t, err, storage.ErrUnknown)
	})
	own := memory.Snapshot()[marker]
	otherCode, _ := redeemed(t, codes, c.Now())
	_, otherMarker := codes.Keys(otherCode)
	otherIssuer := bytes.Replace(codes.Unseal(code, own[32:]), []byte(issuer), []byte(strings.Replace(issuer, "id", "di", 1)), 1)
	for _, row := range []struct {
		name  string
		value []byte
	}{
		{"F03 empty", nil},
		{"F03 cut", own[:len(own)-1]},
		{"F03 cut to its mark", own[:32]},
		{"F03 one bit flipped", append(bytes.Clone(own[:len(own)-1]), own[len(own)-1]^1)},
		{"F03 another grant's", memory.Snapshot()[otherMarker]},
		{"with a mark that is none", append([]byte("G"), own[1:]...)},
		{"REQ-085 sealed for another issuer", append(bytes.Clone(own[:32]), codes.Seal(code, otherIssuer)...)},
	} {
		t.Run(row.name+" does not open", func(t *testing.T) {
			all := memory.Snapshot()
			all[marker] = row.value
			memory.Restore(all)
			got, err := codes.Grant(t.Context(), ref)
			wantError(t, err, storage.ErrCorrupt)
			if got != nil {
				t.Error("it opened")
			}
		})
	}
}

// TestCopyOfTheStorageRevealsNoGrant: neither what was known before nor the
// codes' public identifiers open a marker; the reference alone does.
func TestCopyOfTheStorageRevealsNoGrant(t *testing.T) {
	c, memory := noon(), storagetest.NewMemory()
	codes := node(t, memory, c)
	code, _ := redeemed(t, codes, c.Now())
	place, marker := codes.Keys(code)
	sealed := memory.Snapshot()[marker][32:]
	label := seal.Label{Type: "code", Issuer: issuer, Key: place}
	tokenID, grantID := storage.DeriveIDs(code)
	for name, secret := range map[string]string{"the jti": tokenID, "the grant id": grantID, "the log's reference": storage.Ref(code), "the marker's name": marker[len(marker)-64:]} {
		if _, _, err := new(seal.Ring).Open([]byte(secret), label, sealed); err == nil {
			t.Errorf("%s opens the grant", name)
		}
	}
	if _, _, err := new(seal.Ring).Open(storage.DeriveGrantSecret(code), label, sealed); err != nil {
		t.Errorf("the grant secret does not: %v", err)
	}
	for key, value := range memory.Snapshot() {
		if bytes.Contains(value, []byte("alice")) || strings.Contains(key, string(storage.DeriveGrantSecret(code))) {
			t.Errorf("%s shows what is in it", key)
		}
	}
}

// A grant is read and not claimed, so that what could spoil a claim does not
// matter to it.
func TestGrantOutlivesWhatAClaimDoesNot(t *testing.T) {
	t.Run("a start of the operating system", func(t *testing.T) {
		c, dir := noon(), t.TempDir()
		before, _ := fileNode(t, dir, c, true, boot)
		_, ref := redeemed(t, before, c.Now())
		unredeemed := mint(t, before, c.Now())
		after, _ := fileNode(t, dir, c, true, boot+"-again")
		_, err := after.Load(t.Context(), unredeemed)
		wantError(t, err, storage.ErrBoot)
		_, err = after.Grant(t.Context(), ref)
		wantError(t, err, nil)
	})
	t.Run("a wrapper around the storage", func(t *testing.T) {
		c, own := noon(), newClaimer()
		direct := node(t, own, c)
		wrapped := node(t, own.Memory, c)
		for minter, reader := range map[*storage.Codes]*storage.Codes{direct: wrapped, wrapped: direct} {
			_, ref := redeemed(t, minter, c.Now())
			_, err := reader.Grant(t.Context(), ref)
			wantError(t, err, nil)
		}
	})
	t.Run("another encryption key, while the former is kept", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		keys := [][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)}
		with := func(keys ...[]byte) *storage.Codes {
			return node(t, memory, c, func(o *storage.Options) { o.EncryptionKeys = keys })
		}
		_, ref := redeemed(t, with(keys[0]), c.Now())
		_, err := with(keys[1], keys[0]).Grant(t.Context(), ref)
		wantError(t, err, nil)
		_, err = with(keys[1]).Grant(t.Context(), ref)
		wantError(t, err, storage.ErrCorrupt)
	})
}

// TestGrantIsThereAsLongAsTheTokens: a code redeemed in its last moment yields
// an access token that lives for Retention from then.
func TestGrantIsThereAsLongAsTheTokens(t *testing.T) {
	const lifetime = 10 * time.Minute
	for _, row := range grantKinds {
		t.Run("REQ-106 "+row.name, func(t *testing.T) {
			c := noon()
			codes := row.node(t, c)
			code := mint(t, codes, c.Now())
			c.Add(time.Minute - time.Nanosecond)
			found := load(t, codes, code)
			wantError(t, codes.Redeem(t.Context(), found), nil)
			end := c.Now().Add(lifetime)
			// A node whose clock is a minute ahead sweeps in the token's last moment.
			c.Set(end.Add(time.Minute - time.Nanosecond))
			if n, err := codes.Sweep(t.Context()); err != nil || n != 0 {
				t.Errorf("swept %d, %v", n, err)
			}
			c.Set(end.Add(-time.Nanosecond))
			_, err := codes.Grant(t.Context(), found.GrantRef())
			wantError(t, err, nil)
			c.Set(end.Add(storage.SweepDelay + time.Minute))
			if n, err := codes.Sweep(t.Context()); err != nil || n != 1 {
				t.Errorf("swept %d, %v, want the one", n, err)
			}
			_, err = codes.Grant(t.Context(), found.GrantRef())
			wantError(t, err, storage.ErrUnknown)
		})
	}
}

func TestGrantWhileTheStorageFails(t *testing.T) {
	t.Run("F01 it says so, and changes nothing", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		var told []string
		codes := node(t, memory, c, func(o *storage.Options) {
			o.Observe = func(e storage.Event) { told = append(told, e.Operation) }
		})
		_, ref := redeemed(t, codes, c.Now())
		memory.Before(func(context.Context, storagetest.Call) error { return errFault })
		_, err := codes.Grant(t.Context(), ref)
		wantError(t, err, storage.ErrUnavailable)
		if strings.Contains(err.Error(), ref) || strings.Join(told, " ") != "load" {
			t.Errorf("told of %v, %v", told, err)
		}
		memory.Before(nil)
		_, err = codes.Grant(t.Context(), ref)
		wantError(t, err, nil)
	})
	t.Run("F02 it does not wait for one that hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, nil)
			_, ref := redeemed(t, codes, time.Now())
			free := make(chan struct{})
			memory.Before(func(context.Context, storagetest.Call) error { <-free; return nil })
			began := time.Now()
			_, err := codes.Grant(t.Context(), ref)
			wantError(t, err, storage.ErrUnavailable)
			if took := time.Since(began); took != storage.CallLimit {
				t.Errorf("it took %s", took)
			}
			close(free)
			synctest.Wait()
		})
	})
}

package storage_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func TestRecordComesBackWhole(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			c := noon()
			codes := node(t, kind.new(t), c)
			want := record(c.Now())
			got := load(t, codes, mint(t, codes, c.Now())).Record
			if !reflect.DeepEqual(&got, want) {
				t.Errorf("stored %+v\nloaded %+v", want, got)
			}
		})
	}
	t.Run("with nothing optional set", func(t *testing.T) {
		c := noon()
		codes := node(t, storagetest.NewMemory(), c)
		want := &storage.Record{Issuer: issuer, IssuedAt: c.Now(), ExpiresAt: c.Now().Add(time.Second)}
		code, err := codes.Store(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		if got := load(t, codes, code).Record; !reflect.DeepEqual(&got, want) || !got.AuthTime.IsZero() {
			t.Errorf("stored %+v\nloaded %+v", want, got)
		}
	})
}

func TestRecordsThatCannotBeStored(t *testing.T) {
	c, memory := noon(), storagetest.NewMemory()
	codes := node(t, memory, c)
	rows := []struct {
		name   string
		change func(*storage.Record)
	}{
		{"REQ-085 another issuer's", func(r *storage.Record) { r.Issuer = "https://other.example.com" }},
		{"no issue time", func(r *storage.Record) { r.IssuedAt = time.Time{} }},
		{"no expiry", func(r *storage.Record) { r.ExpiresAt = time.Time{} }},
		{"expiry at issue", func(r *storage.Record) { r.IssuedAt = r.ExpiresAt }},
		{"expired already", func(r *storage.Record) { r.IssuedAt = r.IssuedAt.Add(-time.Hour); r.ExpiresAt = c.Now() }},
		{"claims that are not JSON", func(r *storage.Record) { r.Claims["email"] = json.RawMessage(`{`) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := record(c.Now())
			row.change(r)
			if code, err := codes.Store(t.Context(), r); err == nil || code != "" {
				t.Error("it was stored")
			}
			for _, key := range memory.Keys() {
				t.Errorf("the storage has %s", key)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if _, err := codes.Store(t.Context(), nil); err == nil {
			t.Error("it was stored")
		}
	})
}

func TestCodeOfAnotherIssuerIsUnknown(t *testing.T) {
	for _, kind := range kinds {
		t.Run("REQ-085 A13 "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			here := node(t, s, c)
			there := node(t, s, c, func(o *storage.Options) { o.Issuer = "https://other.example.com" })
			code := mint(t, here, c.Now())
			_, err := there.Load(t.Context(), code)
			wantError(t, err, storage.ErrUnknown)
			wantError(t, redeem(t.Context(), here, code), nil)
		})
	}
	t.Run("REQ-085 also where its record was copied", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		here := node(t, memory, c)
		there := node(t, memory, c, func(o *storage.Options) { o.Issuer = "https://my.example.com" })
		code := mint(t, here, c.Now())
		from, _ := here.Keys(code)
		to, _ := there.Keys(code)
		if path.Dir(from) == path.Dir(to) || path.Base(from) == path.Base(to) {
			t.Error("two issuers share a folder or a name in it")
		}
		move(t, memory, from, to)
		_, err := there.Load(t.Context(), code)
		wantError(t, err, storage.ErrCorrupt)
	})
	t.Run("REQ-085 also where it was sealed for this one and names another", func(t *testing.T) {
		c, memory := noon(), storagetest.NewMemory()
		codes := node(t, memory, c)
		code := mint(t, codes, c.Now())
		put(t, memory, codes, code, func(plain string) string {
			return strings.Replace(plain, issuer, strings.Replace(issuer, "id", "di", 1), 1)
		})
		_, err := codes.Load(t.Context(), code)
		wantError(t, err, storage.ErrCorrupt)
	})
}

func TestExpiry(t *testing.T) {
	c := noon()
	rows := []struct {
		name string
		at   time.Duration // after issue
		want error
	}{
		{"REQ-086 good at once", 0, nil},
		{"REQ-086 good until just before expiry", time.Minute - 1, nil},
		{"REQ-086 REQ-244 expired at expiry, without grace", time.Minute, storage.ErrExpired},
		{"F39 REQ-086 expired after 62 seconds", 62 * time.Second, storage.ErrExpired},
		{"F39 F40 REQ-244 good a minute before its issue, for clocks differ", -time.Minute, nil},
		{"F39 F40 REQ-244 not good more than a minute before its issue", -time.Minute - 1, storage.ErrNotYetValid},
		{"F40 not good when the clock went back an hour", -time.Hour, storage.ErrNotYetValid},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			memory, now := storagetest.NewMemory(), c.Now()
			code := mint(t, node(t, memory, c), now)
			there := node(t, memory, &clock{t: now.Add(row.at)})
			_, err := there.Load(t.Context(), code)
			wantError(t, err, row.want)
			wantError(t, redeem(t.Context(), there, code), row.want)
		})
	}
}

func TestRecordThatIsNotTheOneStoredDoesNotOpen(t *testing.T) {
	c := noon()
	rows := []struct {
		name   string
		change func(own, other []byte) []byte
	}{
		{"F03 empty", func(own, _ []byte) []byte { return nil }},
		{"F03 cut", func(own, _ []byte) []byte { return own[:len(own)-1] }},
		{"F03 cut to its head", func(own, _ []byte) []byte { return own[:20] }},
		{"F03 one bit flipped", func(own, _ []byte) []byte { own[len(own)/2] ^= 4; return own }},
		{"F03 zeroed", func(own, _ []byte) []byte { clear(own); return own }},
		{"F03 swapped with another code's", func(_, other []byte) []byte { return other }},
		{"F56 of another format", func(own, _ []byte) []byte { own[0]++; return own }},
		{"longer", func(own, _ []byte) []byte { return append(own, 0) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, c)
			code, other := mint(t, codes, c.Now()), mint(t, codes, c.Now())
			all := memory.Snapshot()
			key, _ := codes.Keys(code)
			otherKey, _ := codes.Keys(other)
			all[key] = row.change(all[key], all[otherKey])
			memory.Restore(all)
			found, err := codes.Load(t.Context(), code)
			wantError(t, err, storage.ErrCorrupt)
			if found != nil {
				t.Error("it opened")
			}
		})
	}
}

// What the code leaves alone is in the key of the seal; the rest is authenticated
// beside.
func TestRecordIsSealedAsWhatItIs(t *testing.T) {
	c, memory := noon(), storagetest.NewMemory()
	codes := node(t, memory, c)
	code := mint(t, codes, c.Now())
	key, marker := codes.Keys(code)
	rows := []struct {
		name  string
		label seal.Label
		want  error
	}{
		{"a code's record of this issuer at its place", seal.Label{Type: "code", Issuer: issuer, Key: key}, nil},
		{"not another type", seal.Label{Type: "key", Issuer: issuer, Key: key}, seal.ErrAuthentic},
		{"not another issuer's", seal.Label{Type: "code", Key: key}, seal.ErrAuthentic},
		{"not at another place", seal.Label{Type: "code", Issuer: issuer, Key: marker}, seal.ErrAuthentic},
		{"not without a place", seal.Label{Type: "code", Issuer: issuer}, seal.ErrAuthentic},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := new(seal.Ring).Open(grantSecretOf(t, codes, code), row.label, memory.Snapshot()[key])
			wantError(t, err, row.want)
		})
	}
}

// expiry is how a record has it.
func expiry(t time.Time) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(t.Unix())))
}

// wholeRecord stands for all of a record.
const wholeRecord = "\x00"

func TestRecordOfAnotherVersionIsNotReadInPart(t *testing.T) {
	c := noon()
	rows := []struct {
		name, from, to string
	}{
		{"F56 a later version", "\x01\x00\x00\x0ageneric/v1", "\x02\x00\x00\x0ageneric/v1"},
		{"F56 no version", "\x01\x00\x00\x0ageneric/v1", "\x00\x00\x0ageneric/v1"},
		{"F56 nothing but a version", wholeRecord, "\x01"},
		{"F56 nothing at all", wholeRecord, ""},
		{"F56 a member more", "\x00\x00\x05alice", "\x00\x00\x05alice\x00\x00\x05alice"},
		{"F56 a member less", "\x00\x00\x05alice", ""},
		{"another expiry than the key says", expiry(c.Now().Add(time.Minute)), expiry(c.Now().Add(9 * time.Minute))},
		{"a claim that is not JSON", `["<a&b>",7]`, `["<a&b>",7}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			memory := storagetest.NewMemory()
			codes := node(t, memory, c)
			code := mint(t, codes, c.Now())
			put(t, memory, codes, code, func(plain string) string {
				if row.from == wholeRecord {
					return row.to
				}
				changed := strings.Replace(plain, row.from, row.to, 1)
				if changed == plain {
					t.Fatal("the row changes nothing")
				}
				return changed
			})
			_, err := codes.Load(t.Context(), code)
			wantError(t, err, storage.ErrCorrupt)
		})
	}
	t.Run("a record sealed anew as it was opens", func(t *testing.T) {
		memory := storagetest.NewMemory()
		codes := node(t, memory, c)
		code := mint(t, codes, c.Now())
		put(t, memory, codes, code, func(plain string) string { return plain })
		wantError(t, redeem(t.Context(), codes, code), nil)
	})
}

func TestEncryptionKeys(t *testing.T) {
	keys := func(bs ...byte) func(*storage.Options) {
		return func(o *storage.Options) {
			for _, b := range bs {
				o.EncryptionKeys = append(o.EncryptionKeys, bytes.Repeat([]byte{b}, 32))
			}
		}
	}
	rows := []struct {
		name        string
		seals, open func(*storage.Options)
		want        error
	}{
		{"the same key opens", keys(1), keys(1), nil},
		{"an older key opens", keys(2), keys(1, 2), nil},
		{"no key opens nothing that was sealed with one", keys(1), keys(), storage.ErrCorrupt},
		{"a key opens nothing that was sealed without", keys(), keys(1), storage.ErrCorrupt},
		{"a key that was dropped opens no more", keys(2), keys(1), storage.ErrCorrupt},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, memory := noon(), storagetest.NewMemory()
			code := mint(t, node(t, memory, c, row.seals), c.Now())
			_, err := node(t, memory, c, row.open).Load(t.Context(), code)
			wantError(t, err, row.want)
		})
	}
}

func TestCopyOfTheStorageRevealsNothing(t *testing.T) {
	for _, kind := range kinds {
		t.Run("REQ-088 "+kind.name, func(t *testing.T) {
			c, s := noon(), kind.new(t)
			codes := node(t, s, c)
			open, spent := mint(t, codes, c.Now()), mint(t, codes, c.Now())
			if err := redeem(t.Context(), codes, spent); err != nil {
				t.Fatal(err)
			}
			secrets := []string{open, spent, "alice", "grafana", "n-0S6_WzA2Mj", "E9Melhoa2", "openid", "example", "tenant"}
			for key, value := range everything(t, s) {
				for i, secret := range secrets {
					if strings.Contains(key, secret) || bytes.Contains(value, []byte(secret)) {
						t.Errorf("the copy shows secret %d at %s", i, key)
					}
				}
			}
		})
	}
}

func TestCodeShowsNoCodeWhenPrinted(t *testing.T) {
	c := noon()
	codes := node(t, storagetest.NewMemory(), c)
	code := mint(t, codes, c.Now())
	found := load(t, codes, code)
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if strings.Contains(fmt.Sprintf(verb, *found), code) {
			t.Errorf("%s prints the code", verb)
		}
	}
}

// put replaces a code's record by a changed one, sealed as a genuine one is.
func put(t *testing.T, memory *storagetest.Memory, codes *storage.Codes, code string, change func(string) string) {
	t.Helper()
	key, _ := codes.Keys(code)
	plain := codes.Unseal(code, memory.Snapshot()[key])
	if err := memory.Store(t.Context(), key, codes.Seal(code, []byte(change(string(plain))))); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, memory *storagetest.Memory, from, to string) {
	t.Helper()
	all := memory.Snapshot()
	all[to] = all[from]
	memory.Restore(all)
}

func everything(t *testing.T, s certmagic.Storage) map[string][]byte {
	t.Helper()
	keys, err := s.List(t.Context(), "oidc_token", true)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, key := range keys {
		info, err := s.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if !info.IsTerminal {
			continue
		}
		if all[key], err = s.Load(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != 2 {
		t.Fatalf("the storage has %d values, want a record and a marker", len(all))
	}
	return all
}

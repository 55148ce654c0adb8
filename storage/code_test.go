package storage_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func TestCodesAreRandomAndOfUnreservedCharacters(t *testing.T) {
	t.Run("REQ-088 REQ-212 a thousand codes differ and are long enough", func(t *testing.T) {
		c := noon()
		codes := node(t, storagetest.NewMemory(), c)
		unreserved := regexp.MustCompile(`^[A-Za-z0-9_-]{48}$`)
		seen := make(map[string]bool)
		for range 1000 {
			code := mint(t, codes, c.Now())
			if !unreserved.MatchString(code) || !storage.WellFormed(code) {
				t.Fatal("a code is not 48 unreserved characters")
			}
			raw, _ := base64.RawURLEncoding.DecodeString(code)
			if random := string(raw[4:]); seen[random] {
				t.Fatal("a code came twice")
			} else {
				seen[random] = true
			}
		}
	})
}

func TestBucketIsTheMinuteAfterExpiry(t *testing.T) {
	rows := []struct {
		name    string
		expires time.Time
		want    uint32
	}{
		{"on the minute", time.Unix(120, 0), 2},
		{"a nanosecond past it", time.Unix(120, 1), 3},
		{"a nanosecond before the next", time.Unix(180, -1), 3},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			raw, err := base64.RawURLEncoding.DecodeString(storage.NewCodeAt(row.expires))
			if err != nil {
				t.Fatal(err)
			}
			if got := binary.BigEndian.Uint32(raw); got != row.want {
				t.Errorf("bucket is %d, want %d", got, row.want)
			}
		})
	}
}

func TestBucketNames(t *testing.T) {
	for name, want := range map[string]bool{
		"00000000": true, "0123cdef": true, "ffffffff": true,
		"": false, "0": false, "0000000": false, "000000000": false, "0000000A": false, "0000000g": false, "+0000001": false, "0x000001": false, "........": false,
	} {
		if got := storage.BucketName(name); got != want {
			t.Errorf("%q counts as a bucket: %v, want %v", name, got, want)
		}
	}
}

// hostile is what a client can send for a code.
var hostile = []struct{ name, code string }{
	{"A26 empty", ""},
	{"A26 a space", " "},
	{"A26 a dot", "."},
	{"A25 path traversal never reaches a key", "../../../etc/passwd"},
	{"A25 path traversal of a code's length", strings.Repeat("../", 16)},
	{"A25 path traversal percent-encoded", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"},
	{"A25 path traversal with backslashes", `..\..\windows`},
	{"A25 a drive", "C:"},
	{"A25 a device", "CON"},
	{"A25 NUL", strings.Repeat("\x00", 48)},
	{"A25 NUL inside", strings.Repeat("A", 47) + "\x00"},
	{"A25 four kilobytes", strings.Repeat("A", 4096)},
	{"a line break that lenient base64 skips", strings.Repeat("A", 47) + "\n"},
	{"line breaks beyond the length", strings.Repeat("A", 48) + "\r\n"},
	{"a character of the other alphabet", strings.Repeat("A", 47) + "+"},
	{"padding", strings.Repeat("A", 46) + "=="},
	{"one character less", strings.Repeat("A", 47)},
	{"one character more", strings.Repeat("A", 49)},
	{"a multi-byte character", strings.Repeat("A", 46) + "é"},
}

func TestHostileCodesNeverReachTheStorage(t *testing.T) {
	memory := storagetest.NewMemory()
	codes := node(t, memory, nil)
	for _, row := range hostile {
		t.Run(row.name, func(t *testing.T) {
			found, err := codes.Load(t.Context(), row.code)
			wantError(t, err, storage.ErrUnknown)
			if found != nil {
				t.Error("something was found")
			}
			if storage.WellFormed(row.code) || storage.Ref(row.code) != "" {
				t.Error("it counts as well-formed")
			}
			if n := memory.Count(); n != 0 {
				t.Errorf("%d calls of the storage", n)
			}
		})
	}
}

func TestKeysAreHexBelowTheIssuer(t *testing.T) {
	shape := regexp.MustCompile(`^oidc_token/[0-9a-f]{32}/(codes|used)/[0-9a-f]{8}/[0-9a-f]{64}$`)
	probe := regexp.MustCompile(`^oidc_token/probe/[0-9a-f]{32}$`)
	c, memory := noon(), storagetest.NewMemory()
	codes := node(t, memory, c)
	code := mint(t, codes, c.Now())
	if err := redeem(t.Context(), codes, code); err != nil {
		t.Fatal(err)
	}
	if _, err := codes.Load(t.Context(), strings.Repeat("_", 48)); err == nil {
		t.Error("a code of underscores is known")
	}
	for _, call := range memory.Calls() {
		if !shape.MatchString(call.Key) && !probe.MatchString(call.Key) {
			t.Errorf("%s of a key of another shape: %q", call.Op, call.Key)
		}
		if strings.Contains(call.Key, code) {
			t.Error("the code is in a key")
		}
		if call.Op == storagetest.OpExists || call.Op == storagetest.OpStat || call.Op == storagetest.OpLock {
			t.Errorf("a decision goes by %s", call.Op)
		}
	}
}

func TestDerivedIdentifiers(t *testing.T) {
	c, memory := noon(), storagetest.NewMemory()
	a, b := node(t, memory, c), node(t, memory, c)
	code, other := mint(t, a, c.Now()), mint(t, a, c.Now())
	x, y, z := load(t, a, code), load(t, b, code), load(t, a, other)
	t.Run("REQ-212 are the same for one code on every node", func(t *testing.T) {
		if x.TokenID() != y.TokenID() || x.GrantID() != y.GrantID() {
			t.Error("two nodes derive different identifiers")
		}
	})
	t.Run("differ between codes and from each other", func(t *testing.T) {
		all := map[string]bool{x.TokenID(): true, x.GrantID(): true, z.TokenID(): true, z.GrantID(): true,
			storage.Ref(code): true, storage.Ref(other): true}
		if len(all) != 6 {
			t.Errorf("%d of 6 identifiers differ", len(all))
		}
	})
	t.Run("are the one-step derivation of SP 800-56C, so that every version of this program derives the same", func(t *testing.T) {
		const code = "AAAAAgECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
		want := func(info string) []byte {
			sum := sha256.Sum256([]byte("\x00\x00\x00\x01" + code + info))
			return sum[:]
		}
		tokenID, grantID := storage.DeriveIDs(code)
		for info, got := range map[string]string{"oidc_token/jti/v1": tokenID, "oidc_token/grant/v1": grantID} {
			if got != base64.RawURLEncoding.EncodeToString(want(info)[:16]) {
				t.Errorf("%s gives %s", info, got)
			}
		}
		if storage.Ref(code) != hex.EncodeToString(want("oidc_token/ref/v1")[:8]) {
			t.Errorf("the reference is %q", storage.Ref(code))
		}
		if !bytes.Equal(storage.DeriveGrantSecret(code), want("oidc_token/grant-secret/v1")) {
			t.Error("the grant secret is another")
		}
	})
	t.Run("the reference of a code that was found is that of the code", func(t *testing.T) {
		if x.Ref() == "" || x.Ref() != storage.Ref(code) {
			t.Errorf("got %q, want %q", x.Ref(), storage.Ref(code))
		}
	})
	t.Run("have 128 bits, and 64 in logs", func(t *testing.T) {
		for _, id := range []string{x.TokenID(), x.GrantID()} {
			if raw, err := base64.RawURLEncoding.DecodeString(id); err != nil || len(raw) != 16 {
				t.Errorf("identifier has %d bytes, %v", len(raw), err)
			}
		}
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(storage.Ref(code)) {
			t.Error("the reference is not 16 hex digits")
		}
	})
}

package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
)

var (
	secret = []byte("a secret of the caller")
	label  = seal.Label{Type: "code", Issuer: "https://id.example.com", Key: "oidc_token/a/codes/b/c"}
	plain  = []byte(`{"sub":"alice"}`)
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }

func ring(t *testing.T, keys ...[]byte) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealed(t *testing.T, r *seal.Ring, secret []byte, l seal.Label) []byte {
	t.Helper()
	s, err := r.Seal(secret, l, plain)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedRecordOpensWhereItWasSealed(t *testing.T) {
	rows := []struct {
		name   string
		ring   *seal.Ring
		secret []byte
	}{
		{"under the caller's secret alone", ring(t), secret},
		{"under the caller's secret alone by the nil ring", nil, secret},
		{"under an encryption key and a secret", ring(t, key(1)), secret},
		{"under an encryption key alone", ring(t, key(1)), nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := sealed(t, row.ring, row.secret, label)
			if bytes.Contains(s, []byte("alice")) {
				t.Error("the sealed record shows what it contains")
			}
			got, stale, err := row.ring.Open(row.secret, label, s)
			if err != nil || stale || !bytes.Equal(got, plain) {
				t.Errorf("Open = %q, stale %v, %v", got, stale, err)
			}
		})
	}
}

func TestSealingTwiceGivesTwoRecords(t *testing.T) {
	r := ring(t, key(1))
	if bytes.Equal(sealed(t, r, secret, label), sealed(t, r, secret, label)) {
		t.Error("the nonce was used again")
	}
}

func TestSealedRecordOpensAsNothingElse(t *testing.T) {
	r := ring(t, key(1))
	change := func(f func(*seal.Label)) seal.Label {
		l := label
		f(&l)
		return l
	}
	rows := []struct {
		name   string
		secret []byte
		label  seal.Label
	}{
		{"another secret", []byte("another"), label},
		{"no secret", nil, label},
		{"another type", secret, change(func(l *seal.Label) { l.Type = "key" })},
		{"another issuer", secret, change(func(l *seal.Label) { l.Issuer += "/" })},
		{"another issuer of the same length", secret, change(func(l *seal.Label) { l.Issuer = "https://my.example.com" })},
		{"another place of the same length", secret, change(func(l *seal.Label) { l.Key = "oidc_token/a/codes/b/d" })},
		{"another place", secret, change(func(l *seal.Label) { l.Key += "d" })},
		{"a place whose name begins in the issuer's", secret, change(func(l *seal.Label) {
			l.Issuer, l.Key = l.Issuer+l.Key[:1], l.Key[1:]
		})},
	}
	s := sealed(t, r, secret, label)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got, _, err := r.Open(row.secret, row.label, s); !errors.Is(err, seal.ErrAuthentic) || got != nil {
				t.Errorf("Open = %q, %v, want ErrAuthentic", got, err)
			}
		})
	}
}

func TestEveryAlteredByteKeepsARecordShut(t *testing.T) {
	for _, r := range []*seal.Ring{ring(t), ring(t, key(1), key(2))} {
		s := sealed(t, r, secret, label)
		for i := range s {
			altered := bytes.Clone(s)
			altered[i] ^= 1
			if _, _, err := r.Open(secret, label, altered); err == nil {
				t.Errorf("opened with byte %d of %d altered", i, len(s))
			}
		}
	}
}

func TestCutRecordStaysShut(t *testing.T) {
	r := ring(t, key(1))
	s := sealed(t, r, secret, label)
	for n := range len(s) {
		if _, _, err := r.Open(secret, label, s[:n]); err == nil {
			t.Errorf("opened with %d of %d bytes", n, len(s))
		}
	}
	if _, _, err := r.Open(secret, label, append(bytes.Clone(s), 0)); !errors.Is(err, seal.ErrAuthentic) {
		t.Errorf("opened with a byte more: %v", err)
	}
}

func TestUnknownFormatVersionIsNamed(t *testing.T) {
	r := ring(t)
	s := sealed(t, r, secret, label)
	s[0]++
	if _, _, err := r.Open(secret, label, s); !errors.Is(err, seal.ErrVersion) {
		t.Errorf("Open = %v, want ErrVersion", err)
	}
}

func TestKeysOfARing(t *testing.T) {
	rows := []struct {
		name        string
		seals, open *seal.Ring
		want        error
		stale       bool
	}{
		{"the first of two keys opens", ring(t, key(1)), ring(t, key(1), key(2)), nil, false},
		{"an older key opens and is stale", ring(t, key(2)), ring(t, key(1), key(2)), nil, true},
		{"the first key seals, not the older one", ring(t, key(1), key(2)), ring(t, key(2)), seal.ErrKey, false},
		{"a key that is not configured does not open", ring(t, key(3)), ring(t, key(1), key(2)), seal.ErrKey, false},
		{"what was sealed without a key does not open with one", ring(t), ring(t, key(1)), seal.ErrKey, false},
		{"what was sealed with a key does not open without", ring(t, key(1)), ring(t), seal.ErrKey, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := sealed(t, row.seals, secret, label)
			got, stale, err := row.open.Open(secret, label, s)
			if !errors.Is(err, row.want) || stale != row.stale {
				t.Fatalf("Open = stale %v, %v, want stale %v, %v", stale, err, row.stale, row.want)
			}
			if (row.want == nil) != bytes.Equal(got, plain) {
				t.Errorf("Open = %q", got)
			}
		})
	}
}

// A forger who writes the storage can put the id of a configured key, or no id,
// on what he sealed under the secret alone.
func TestRecordWithAForgedKeyIDStaysShut(t *testing.T) {
	with, without := ring(t, key(1)), ring(t)
	genuine, forged := sealed(t, with, secret, label), sealed(t, without, secret, label)
	copy(forged[1:9], genuine[1:9])
	if _, _, err := with.Open(secret, label, forged); !errors.Is(err, seal.ErrAuthentic) {
		t.Errorf("Open = %v, want ErrAuthentic", err)
	}
}

func TestRingKeepsItsKeys(t *testing.T) {
	mine := key(1)
	r := ring(t, mine)
	s := sealed(t, r, secret, label)
	clear(mine)
	if _, _, err := r.Open(secret, label, s); err != nil {
		t.Errorf("the ring changed with the caller's slice: %v", err)
	}
}

func TestRingWantsWholeKeys(t *testing.T) {
	for _, size := range []int{0, seal.KeySize - 1, seal.KeySize + 1} {
		_, err := seal.NewRing(key(1), bytes.Repeat([]byte{'k'}, size))
		if err == nil {
			t.Errorf("NewRing took a key of %d bytes", size)
		} else if !strings.Contains(err.Error(), "encryption key 2") || strings.Contains(err.Error(), "kkk") {
			t.Errorf("the error names not the key's place, or the key: %v", err)
		}
	}
}

func TestConfigured(t *testing.T) {
	if (*seal.Ring)(nil).Configured() || ring(t).Configured() || !ring(t, key(1)).Configured() {
		t.Error("Configured is not whether the ring has keys")
	}
}

func TestSealingNeedsSomethingSecret(t *testing.T) {
	if _, err := ring(t).Seal(nil, label, plain); err == nil {
		t.Error("sealed under nothing")
	}
	s := sealed(t, ring(t), secret, label)
	if _, _, err := ring(t).Open(nil, label, s); err == nil {
		t.Error("opened under nothing")
	}
}

package seal

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzOpen: arbitrary bytes never open, under no ring, and each refusal is one
// of the three.
func FuzzOpen(f *testing.F) {
	key := bytes.Repeat([]byte{7}, KeySize)
	ring, err := NewRing(key)
	if err != nil {
		f.Fatal(err)
	}
	label := Label{Type: "code", Issuer: "https://id.example", Key: "oidc_token/x"}
	for _, r := range []*Ring{nil, ring} {
		sealed, err := r.Seal([]byte("secret"), label, []byte("plain"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sealed)
		f.Add(sealed[:len(sealed)-1])
	}
	f.Add([]byte{})
	f.Add([]byte{version})
	f.Add(append([]byte{version + 1}, make([]byte, overhead)...))
	f.Add(append([]byte{version}, make([]byte, overhead-1)...))
	// Not the secret that the seeds were sealed under: whatever opens is forged.
	secret := []byte("another secret")
	f.Fuzz(func(t *testing.T, sealed []byte) {
		for _, r := range []*Ring{nil, ring} {
			plain, stale, err := r.Open(secret, label, sealed)
			known := errors.Is(err, ErrVersion) || errors.Is(err, ErrKey) || errors.Is(err, ErrAuthentic)
			if !known || plain != nil || stale {
				t.Errorf("opened %d bytes: %d bytes, stale %t, %v", len(sealed), len(plain), stale, err)
			}
		}
	})
}

// FuzzSeal: what is sealed opens under the same label and secret, and under no
// other, and not with one bit changed.
func FuzzSeal(f *testing.F) {
	f.Add([]byte("a code"), "code", "https://id.example", "oidc_token/x", []byte("plain"), []byte{}, uint16(0))
	f.Add([]byte{}, "", "", "", []byte{}, bytes.Repeat([]byte{1}, KeySize), uint16(8*idSize))
	f.Add([]byte{0}, "key", "a", "bc", []byte{0}, bytes.Repeat([]byte{0}, KeySize), uint16(9999))
	f.Fuzz(func(t *testing.T, secret []byte, recordType, issuer, key string, plain, encryptionKey []byte, bit uint16) {
		var r *Ring
		if len(encryptionKey) > 0 {
			var err error
			if r, err = NewRing(encryptionKey); err != nil {
				if len(encryptionKey) == KeySize {
					t.Errorf("a key of the right length is refused: %v", err)
				}
				return
			}
		}
		label := Label{Type: recordType, Issuer: issuer, Key: key}
		sealed, err := r.Seal(secret, label, plain)
		if err != nil {
			if len(secret) > 0 || r.Configured() {
				t.Errorf("not sealed: %v", err)
			}
			return
		}
		if got, stale, err := r.Open(secret, label, sealed); err != nil || stale || !bytes.Equal(got, plain) {
			t.Errorf("opened as %d bytes of %d, stale %t, %v", len(got), len(plain), stale, err)
		}
		for name, other := range map[string]Label{
			"type":   {recordType + "x", issuer, key},
			"issuer": {recordType, issuer + "x", key},
			"key":    {recordType, issuer, key + "x"},
			"border": {recordType, issuer + key, ""},
		} {
			if other == label {
				continue
			}
			if _, _, err := r.Open(secret, other, sealed); err == nil {
				t.Errorf("it opens under another %s", name)
			}
		}
		if _, _, err := r.Open(append([]byte("x"), secret...), label, sealed); err == nil {
			t.Error("it opens under another secret")
		}
		sealed[int(bit/8)%len(sealed)] ^= 1 << (bit % 8)
		if _, _, err := r.Open(secret, label, sealed); err == nil {
			t.Errorf("it opens with bit %d changed", bit)
		}
	})
}

package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
)

// TestFormat opens a record with nothing but the format in mind: version 1, key
// id, nonce, AES-256-GCM under HKDF's key, and every member of the label in the
// additional data. What another version of this program sealed is opened by
// this one only as long as neither changes.
func TestFormat(t *testing.T) {
	label := seal.Label{Type: "code", Issuer: "https://id.example.com", Key: "oidc_token/a/codes/b/c"}
	for _, row := range []struct {
		name string
		key  []byte
	}{
		{"without an encryption key", nil},
		{"with an encryption key", bytes.Repeat([]byte{7}, seal.KeySize)},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, id := new(seal.Ring), make([]byte, 8)
			if row.key != nil {
				var err error
				if r, err = seal.NewRing(row.key); err != nil {
					t.Fatal(err)
				}
				id, _ = hkdf.Expand(sha256.New, row.key, "oidc_token/encryption-key-id/v1", 8)
			}
			sealed, err := r.Seal([]byte("a code"), label, []byte("plain"))
			if err != nil {
				t.Fatal(err)
			}
			if sealed[0] != 1 || !bytes.Equal(sealed[1:9], id) {
				t.Errorf("it begins with % x", sealed[:9])
			}
			key, _ := hkdf.Key(sha256.New, []byte("a code"), row.key, "oidc_token/code/v1", 32)
			block, err := aes.NewCipher(key)
			if err != nil {
				t.Fatal(err)
			}
			gcm, err := cipher.NewGCM(block)
			if err != nil {
				t.Fatal(err)
			}
			ad := []byte{1}
			for _, member := range []string{label.Type, label.Issuer, label.Key} {
				ad = append(binary.BigEndian.AppendUint32(ad, uint32(len(member))), member...)
			}
			if plain, err := gcm.Open(nil, sealed[9:21], sealed[21:], ad); err != nil || string(plain) != "plain" {
				t.Errorf("it opens as %q, %v", plain, err)
			}
		})
	}
}

package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"strings"
	"testing"
)

// publicKey is a key of which only the public part is known.
type publicKey struct{ key crypto.PublicKey }

func (p publicKey) Public() crypto.PublicKey { return p.key }
func (p publicKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	panic("not a private key")
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestThumbprint(t *testing.T) {
	const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj" +
		"hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5h" +
		"ajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	x, y := decode(t, "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"), decode(t, "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA")
	p256, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		alg  Algorithm
		pub  crypto.PublicKey
		kid  string
	}{
		{"REQ-194 kid matches the P-256 key of RFC 9449", ES256, p256, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
		{"REQ-194 kid matches the RSA key of RFC 7638 §3.1", RS256,
			&rsa.PublicKey{N: new(big.Int).SetBytes(decode(t, n)), E: 65537}, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{"REQ-194 kid matches the Ed25519 key of RFC 8037 A.3", EdDSA,
			ed25519.PublicKey(decode(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	} {
		t.Run(row.name, func(t *testing.T) {
			key, err := NewKey(row.alg, publicKey{row.pub})
			if err != nil || key.ID != row.kid {
				t.Fatalf("got %v, %v, want %s", key, err, row.kid)
			}
		})
	}
}

func TestJWK(t *testing.T) {
	want := map[string][]string{
		"RSA": {"kty", "use", "alg", "kid", "n", "e"},
		"EC":  {"kty", "use", "alg", "kid", "crv", "x", "y"},
		"OKP": {"kty", "use", "alg", "kid", "crv", "x"},
	}
	for _, alg := range Algorithms() {
		key := newTestKey(t, alg)
		t.Run("REQ-193 REQ-194 REQ-211 the JWK of "+string(alg)+" has the members of its kty in their order and no others", func(t *testing.T) {
			var m map[string]string
			if err := json.Unmarshal(key.JWK(), &m); err != nil {
				t.Fatal(err)
			}
			names := memberNames(t, key.JWK())
			if strings.Join(names, " ") != strings.Join(want[m["kty"]], " ") {
				t.Fatalf("members %v", names)
			}
			if m["use"] != "sig" || m["alg"] != string(alg) || m["kid"] != key.ID {
				t.Fatalf("got %v", m)
			}
			for _, name := range []string{"x", "y", "n", "e"} {
				if value, ok := m[name]; ok {
					decode(t, value)
				}
			}
		})
	}
}

func memberNames(t *testing.T, raw []byte) (names []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	for depth, key := 0, true; ; {
		tok, err := d.Token()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, delim := tok.(json.Delim); delim {
			depth++
			continue
		}
		if key && depth == 1 {
			names = append(names, tok.(string))
		}
		key = !key
	}
}

func TestJWKCoordinatesHaveFullLength(t *testing.T) {
	for _, c := range curves {
		t.Run("REQ-193 coordinates on "+c.curve.Params().Name+" keep their leading zeros", func(t *testing.T) {
			size := (c.curve.Params().BitSize + 7) / 8
			for range 4000 {
				private, err := ecdsa.GenerateKey(c.curve, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				point, err := private.PublicKey.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				// On P-521 the first byte holds one bit, so the second decides.
				if point[1] != 0 && point[1+size] != 0 {
					continue
				}
				m := publicMembers(private.Public())
				if len(decode(t, m.X)) != size || len(decode(t, m.Y)) != size {
					t.Fatalf("x has %d bytes, y %d, want %d", len(decode(t, m.X)), len(decode(t, m.Y)), size)
				}
				return
			}
			t.Fatal("no key with a leading zero")
		})
	}
}

func TestCheckKey(t *testing.T) {
	modulus := func(bits uint) *big.Int {
		return new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), bits-1), 0, 1)
	}
	p256, p384 := newTestKey(t, ES256).Signer.Public(), newTestKey(t, ES384).Signer.Public()
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed := newTestKey(t, EdDSA).Signer.Public()
	rsa2048 := &rsa.PublicKey{N: modulus(2048), E: 65537}
	for _, row := range []struct {
		name string
		alg  Algorithm
		pub  crypto.PublicKey
		want string // part of the error, empty: the key fits
	}{
		{"REQ-204 RSA of 2048 bits fits", RS256, rsa2048, ""},
		{"REQ-204 RSA of 2047 bits is refused", RS256, &rsa.PublicKey{N: modulus(2047), E: 65537}, "2047 bits"},
		{"REQ-204 RSA of 1024 bits is refused for PS512", PS512, &rsa.PublicKey{N: modulus(1024), E: 65537}, "1024 bits"},
		{"REQ-204 the exponent 3 is refused", RS256, &rsa.PublicKey{N: modulus(2048), E: 3}, "exponent 3"},
		{"REQ-204 the exponent 65535 is refused", RS256, &rsa.PublicKey{N: modulus(2048), E: 65535}, "exponent 65535"},
		{"REQ-204 an even exponent is refused", RS256, &rsa.PublicKey{N: modulus(2048), E: 65538}, "exponent 65538"},
		{"REQ-204 ES256 on P-384 is refused", ES256, p384, "P-256"},
		{"REQ-204 ES384 on P-256 is refused", ES384, p256, "P-384"},
		{"REQ-204 ES512 on P-256 is refused", ES512, p256, "P-521"},
		{"REQ-204 ES256 on P-224 is refused", ES256, p224.Public(), "P-224"},
		{"REQ-204 ES256 with RSA is refused", ES256, rsa2048, "P-256"},
		{"REQ-204 ES256 with a curve that is not set is refused", ES256, &ecdsa.PublicKey{}, "P-256"},
		{"REQ-204 RS256 with P-256 is refused", RS256, p256, "RSA"},
		{"REQ-204 EdDSA with P-256 is refused", EdDSA, p256, "Ed25519"},
		{"REQ-204 EdDSA with a short key is refused", EdDSA, ed25519.PublicKey(make([]byte, 31)), "Ed25519"},
		{"EdDSA with Ed25519 fits", EdDSA, ed, ""},
		{"REQ-124 none is refused", "none", ed, "not known"},
		{"HS256 is refused", "HS256", rsa2048, "not known"},
		{"no key is refused", RS256, nil, "RSA"},
		{"REQ-204 a point off the curve is refused", ES256,
			//lint:ignore SA1019 nothing else makes a point off the curve
			&ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, "point"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := row.alg.CheckKey(row.pub)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if row.pub == nil {
				return
			}
			if _, keyErr := NewKey(row.alg, publicKey{row.pub}); (keyErr == nil) != (err == nil) {
				t.Fatalf("NewKey: %v, CheckKey: %v", keyErr, err)
			}
		})
	}
	t.Run("a key without a private key is refused", func(t *testing.T) {
		if _, err := NewKey(RS256, nil); err == nil {
			t.Fatal("accepted")
		}
	})
}

func TestAlgorithms(t *testing.T) {
	all := Algorithms()
	if all[0] != RS256 || len(all) != 10 {
		t.Fatalf("got %v", all)
	}
	for _, alg := range all {
		if !alg.Known() {
			t.Errorf("%s is not known", alg)
		}
	}
	for _, alg := range []Algorithm{"", "none", "HS256", "rs256", "Ed25519", "ES256K"} {
		if alg.Known() {
			t.Errorf("%q is known", alg)
		}
	}
}

package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestSignaturesVerify(t *testing.T) {
	for _, alg := range Algorithms() {
		key := newTestKey(t, alg)
		jws, err := key.sign("JWT", []byte(`{"sub":"alice"}`))
		if err != nil {
			t.Fatal(err)
		}
		t.Run("REQ-124 golang-jwt verifies "+string(alg), func(t *testing.T) {
			parsed, err := jwt.Parse(jws, func(*jwt.Token) (any, error) { return key.Signer.Public(), nil },
				jwt.WithValidMethods([]string{string(alg)}))
			if err != nil || !parsed.Valid {
				t.Fatalf("valid %v, error %v", parsed.Valid, err)
			}
		})
		t.Run("the standard library verifies "+string(alg), func(t *testing.T) {
			signed, sig := splitJWS(t, jws)
			if !verifyPlain(alg, key.Signer.Public(), signed, sig) {
				t.Fatal("does not verify")
			}
			sig[0] ^= 1
			if verifyPlain(alg, key.Signer.Public(), signed, sig) {
				t.Fatal("an altered signature verifies")
			}
		})
		t.Run("golang-jwt's own method verifies "+string(alg)+", and no other text", func(t *testing.T) {
			method := jwt.GetSigningMethod(string(alg))
			signed, sig := splitJWS(t, jws)
			if err := method.Verify(signed, sig, key.Signer.Public()); err != nil {
				t.Fatal(err)
			}
			if err := method.Verify(signed+"x", sig, key.Signer.Public()); err == nil {
				t.Fatal("another text verifies")
			}
		})
	}
}

func splitJWS(t *testing.T, jws string) (signed string, sig []byte) {
	t.Helper()
	dot := strings.LastIndexByte(jws, '.')
	sig, err := base64.RawURLEncoding.Strict().DecodeString(jws[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	return jws[:dot], sig
}

func verifyPlain(alg Algorithm, pub crypto.PublicKey, signed string, sig []byte) bool {
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[string(alg)[2:]]
	var digest []byte
	if hash != 0 {
		h := hash.New()
		h.Write([]byte(signed))
		digest = h.Sum(nil)
	}
	switch alg[:2] {
	case "RS":
		return rsa.VerifyPKCS1v15(pub.(*rsa.PublicKey), hash, digest, sig) == nil
	case "PS":
		// The length is given: RFC 7518 §3.5 leaves no other salt.
		return rsa.VerifyPSS(pub.(*rsa.PublicKey), hash, digest, sig, &rsa.PSSOptions{SaltLength: hash.Size(), Hash: hash}) == nil
	case "ES":
		half := len(sig) / 2
		return ecdsa.Verify(pub.(*ecdsa.PublicKey), digest, new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:]))
	default:
		return ed25519.Verify(pub.(ed25519.PublicKey), []byte(signed), sig)
	}
}

func TestECDSASignatureForm(t *testing.T) {
	for _, c := range curves {
		t.Run("REQ-206 "+string(c.alg)+" signatures are always of one length", func(t *testing.T) {
			key := newTestKey(t, c.alg)
			for range 40 { // one in 128 has a short R or S
				sig, err := c.alg.sign(key.Signer, []byte("text"))
				if err != nil || len(sig) != c.size {
					t.Fatalf("%d bytes, error %v, want %d", len(sig), err, c.size)
				}
			}
		})
		t.Run("REQ-206 "+string(c.alg)+" pads a short R and a short S on the left", func(t *testing.T) {
			der, err := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1), big.NewInt(0x80)})
			if err != nil {
				t.Fatal(err)
			}
			sig, err := rawSignature(der, c.size/2)
			want := make([]byte, c.size)
			want[c.size/2-1], want[c.size-1] = 1, 0x80
			if err != nil || string(sig) != string(want) {
				t.Fatalf("got %x, error %v", sig, err)
			}
		})
	}
}

func TestMalformedSignerOutput(t *testing.T) {
	long, _ := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)})
	longS, _ := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 256)})
	negative, _ := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(-1), big.NewInt(1)})
	good, _ := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1), big.NewInt(1)})
	three, _ := asn1.Marshal(struct{ R, S, T *big.Int }{big.NewInt(1), big.NewInt(1), big.NewInt(1)})
	for name, der := range map[string][]byte{
		"nothing": nil, "text": []byte("signature"), "R of 257 bits": long, "S of 257 bits": longS,
		"a negative R": negative, "a byte after the sequence": append(good[:len(good):len(good)], 0),
		"a third integer": three, "half a sequence": good[:len(good)/2], "raw R and S": make([]byte, 64),
	} {
		t.Run("a P-256 key that returns "+name+" is refused", func(t *testing.T) {
			signer := outputSigner{Signer: newTestKey(t, ES256).Signer, output: der}
			if _, err := ES256.sign(signer, []byte("text")); !errors.Is(err, errSignature) {
				t.Fatalf("got %v, want errSignature", err)
			}
		})
	}
	t.Run("an Ed25519 key that returns 63 bytes is refused", func(t *testing.T) {
		signer := outputSigner{Signer: newTestKey(t, EdDSA).Signer, output: make([]byte, 63)}
		if _, err := EdDSA.sign(signer, []byte("text")); !errors.Is(err, errSignature) {
			t.Fatalf("got %v, want errSignature", err)
		}
	})
	t.Run("REQ-124 none is never signed with", func(t *testing.T) {
		if _, err := Algorithm("none").sign(newTestKey(t, ES256).Signer, []byte("text")); err == nil {
			t.Fatal("signed")
		}
	})
}

// outputSigner is a hardware key that answers as it is told.
type outputSigner struct {
	crypto.Signer
	output []byte
	err    error
}

func (s outputSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.output, s.err
}

func TestOpaqueSigner(t *testing.T) {
	for _, alg := range []Algorithm{RS256, PS256, ES256, EdDSA} {
		t.Run("a key that is only a crypto.Signer signs "+string(alg), func(t *testing.T) {
			plain := newTestKey(t, alg)
			key, err := NewKey(alg, struct{ crypto.Signer }{plain.Signer})
			if err != nil {
				t.Fatal(err)
			}
			jws, err := key.sign("JWT", []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			signed, sig := splitJWS(t, jws)
			if !verifyPlain(alg, plain.Signer.Public(), signed, sig) {
				t.Fatal("does not verify")
			}
		})
	}
}

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// signingKey signs as this plugin does, with the same calls of Go's
// cryptography, except that the plugin signs ECDSA without randomness, which
// takes less time.
type signingKey struct {
	algorithm, id string
	signer        crypto.Signer
	jwk           map[string]string
}

func newSigningKey(algorithm string) (*signingKey, error) {
	k := &signingKey{algorithm: algorithm, jwk: map[string]string{"use": "sig", "alg": algorithm}}
	var err error
	switch algorithm {
	case "RS256":
		var key *rsa.PrivateKey
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err == nil {
			k.signer, k.jwk["kty"] = key, "RSA"
			k.jwk["n"], k.jwk["e"] = base64url(key.N.Bytes()), base64url(big.NewInt(int64(key.E)).Bytes())
		}
	case "ES256":
		var key *ecdsa.PrivateKey
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
			point, _ := key.PublicKey.Bytes()
			k.signer, k.jwk["kty"], k.jwk["crv"] = key, "EC", "P-256"
			k.jwk["x"], k.jwk["y"] = base64url(point[1:33]), base64url(point[33:])
		}
	case "EdDSA":
		var public ed25519.PublicKey
		if public, k.signer, err = ed25519.GenerateKey(rand.Reader); err == nil {
			k.jwk["kty"], k.jwk["crv"], k.jwk["x"] = "OKP", "Ed25519", base64url(public)
		}
	default:
		err = fmt.Errorf("no such algorithm: %q", algorithm)
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(fmt.Sprint(k.jwk))) // as long as a thumbprint
	k.id = base64url(sum[:])
	k.jwk["kid"] = k.id
	return k, nil
}

// header is the encoded JOSE header and the dot behind it.
func (k *signingKey) header(typ string) string {
	return base64url([]byte(`{"alg":"`+k.algorithm+`","kid":"`+k.id+`","typ":"`+typ+`"}`)) + "."
}

// sign appends a JWS in its compact form.
func (k *signingKey) sign(b []byte, header string, claims []byte) ([]byte, error) {
	start := len(b)
	b = append(b, header...)
	b = base64.RawURLEncoding.AppendEncode(b, claims)
	signature, err := k.signature(b[start:])
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.AppendEncode(append(b, '.'), signature), nil
}

func (k *signingKey) signature(message []byte) ([]byte, error) {
	if k.algorithm == "EdDSA" {
		return k.signer.Sign(rand.Reader, message, crypto.Hash(0))
	}
	sum := sha256.Sum256(message)
	signature, err := k.signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil || k.algorithm == "RS256" {
		return signature, err
	}
	return rawSignature(signature)
}

// rawSignature is RFC 7518 §3.4: r and s, 32 bytes each.
func rawSignature(der []byte) ([]byte, error) {
	var sequence cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) ||
		len(r) > 32 || len(s) > 32 {
		return nil, errors.New("malformed signature")
	}
	signature := make([]byte, 64)
	copy(signature[32-len(r):], r)
	copy(signature[64-len(s):], s)
	return signature, nil
}

// digest is the hash of at_hash (Core §3.1.3.6).
func (k *signingKey) digest(token []byte) []byte {
	if k.algorithm == "EdDSA" {
		sum := sha512.Sum512(token)
		return sum[:]
	}
	sum := sha256.Sum256(token)
	return sum[:]
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

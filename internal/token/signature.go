package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// sign returns the JWS signature of message (RFC 7518 §3.3–3.5, RFC 8037 §3.1),
// made by any crypto.Signer. golang-jwt's own RSA and ECDSA methods want the
// private key itself, which a hardware key does not give, and its ES256 spends as
// long on big integers as on the curve.
func (a Algorithm) sign(signer crypto.Signer, message []byte) ([]byte, error) {
	switch {
	case !a.Known():
		return nil, fmt.Errorf("signing algorithm %q is not known", string(a))
	case a == EdDSA:
		return signEdDSA(signer, message)
	case a.RSA():
		return signer.Sign(rand.Reader, a.digest(message), a.rsaOptions())
	default:
		der, err := signer.Sign(ecdsaRandom(signer), a.digest(message), a.hash())
		if err != nil {
			return nil, err
		}
		return rawSignature(der, (a.curve().Params().BitSize+7)/8)
	}
}

func signEdDSA(signer crypto.Signer, message []byte) ([]byte, error) {
	sig, err := signer.Sign(rand.Reader, message, crypto.Hash(0))
	if err == nil && len(sig) != ed25519.SignatureSize {
		err = errSignature
	}
	return sig, err
}

// ecdsaRandom makes signatures with a key in memory deterministic: RFC 8725 §3.2
// recommends it, and the standard library takes 15 % less time for it. A key
// that is elsewhere has a way of its own and may insist on a reader.
func ecdsaRandom(signer crypto.Signer) io.Reader {
	if _, ok := signer.(*ecdsa.PrivateKey); ok {
		return nil
	}
	return rand.Reader
}

// rsaOptions: RFC 7518 §3.5 wants a salt as long as the hash.
func (a Algorithm) rsaOptions() crypto.SignerOpts {
	if a[0] == 'P' {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash()}
	}
	return a.hash()
}

var errSignature = errors.New("the key returned a malformed signature")

// rawSignature turns ECDSA's ASN.1 SEQUENCE { r, s } into R ‖ S, each with the
// full length of the curve's field (RFC 7518 §3.4), leading zeros included.
func rawSignature(der []byte, size int) ([]byte, error) {
	var seq cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&seq, asn1.SEQUENCE) || !input.Empty() ||
		!seq.ReadASN1Integer(&r) || !seq.ReadASN1Integer(&s) || !seq.Empty() ||
		len(r) > size || len(s) > size {
		return nil, errSignature
	}
	sig := make([]byte, 2*size)
	copy(sig[size-len(r):], r)
	copy(sig[2*size-len(s):], s)
	return sig, nil
}

// sign returns the JWS Compact Serialization (RFC 7515 §3.1) of claims. kid is
// always there; jwk, jku, x5u and x5c never are, so that no verifier is led to
// trust a key for standing in the token it checks.
func (k *Key) sign(typ string, claims []byte) (string, error) {
	header := newObject(headerSize)
	header.string("alg", string(k.Algorithm))
	header.string("kid", k.ID)
	header.string("typ", typ)
	b64 := base64.RawURLEncoding
	signed := make([]byte, 0, b64.EncodedLen(len(header)+1)+1+b64.EncodedLen(len(claims))+1+signatureSize)
	signed = append(b64.AppendEncode(signed, header.end()), '.')
	signed = b64.AppendEncode(signed, claims)
	sig, err := k.Algorithm.sign(k.Signer, signed)
	if err != nil {
		return "", fmt.Errorf("signing with %s key %s: %w", string(k.Algorithm), k.ID, err)
	}
	return string(b64.AppendEncode(append(signed, '.'), sig)), nil
}

package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// parsePEM returns the one private key in data. Other blocks beside it, such as
// the EC PARAMETERS that openssl ecparam writes or a certificate, say nothing
// that the key does not.
func parsePEM(data []byte) (crypto.Signer, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("is empty; put a PEM private key there, for example with: openssl genpkey -algorithm ed25519")
	}
	var signer crypto.Signer
	other := ""
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			other = block.Type
			continue
		}
		if signer != nil {
			return nil, errors.New("holds several private keys; put each into a file of its own")
		}
		var err error
		if signer, err = parseBlock(block); err != nil {
			return nil, err
		}
	}
	if signer == nil {
		return nil, noPrivateKey(other)
	}
	return signer, nil
}

func parseBlock(block *pem.Block) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errors.New("is encrypted; decrypt it with: openssl pkey -in <file> -out <new file>")
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "OPENSSH PRIVATE KEY":
		return nil, errors.New("is in OpenSSH's format; convert a copy with: ssh-keygen -p -m PKCS8 -f <copy>")
	default:
		return nil, fmt.Errorf("holds a %s, which is not one of PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("parsing its %s: %w", block.Type, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("holds a key that cannot sign (%T); use RSA, P-256, P-384, P-521 or Ed25519", key)
	}
	return signer, nil
}

func noPrivateKey(other string) error {
	switch {
	case other == "":
		return errors.New("is not PEM; convert a DER key with: openssl pkey -inform DER -in <file> -out <new file>")
	case strings.HasSuffix(other, "CERTIFICATE"):
		return errors.New("holds a certificate; name the file with its private key")
	case strings.HasSuffix(other, "PUBLIC KEY"):
		return errors.New("holds a public key; name the file with the private key, the public part follows from it")
	default:
		return fmt.Errorf("holds no private key, only %s", other)
	}
}

// algorithmFor picks the one algorithm of a key: that of its curve, or rsaAlg.
func algorithmFor(pub crypto.PublicKey, rsaAlg token.Algorithm) (token.Algorithm, error) {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		return rsaAlg, nil
	case ed25519.PublicKey:
		return token.EdDSA, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return token.ES256, nil
		case elliptic.P384():
			return token.ES384, nil
		case elliptic.P521():
			return token.ES512, nil
		}
		return "", fmt.Errorf("holds a key on %s; use P-256, P-384 or P-521", key.Curve.Params().Name)
	}
	return "", fmt.Errorf("holds a key of type %T; use RSA, P-256, P-384, P-521 or Ed25519", pub)
}

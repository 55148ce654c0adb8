package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// store is the example's, but for three things: it signs with any algorithm,
// access tokens are JWTs, and a code is found from its request without a search
// through all codes.
type store struct {
	*storage.Storage
	key key

	mu       sync.Mutex
	requests map[string]string // guarded by mu; request by code
	codes    map[string]string // guarded by mu; code by request
}

func newStore(s *storage.Storage, algorithm string) (*store, error) {
	var signer crypto.Signer
	var err error
	switch algorithm {
	case "RS256":
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("no such algorithm: %q", algorithm)
	}
	return &store{
		Storage:  s,
		key:      key{jose.SignatureAlgorithm(algorithm), signer},
		requests: make(map[string]string),
		codes:    make(map[string]string),
	}, err
}

// SaveAuthCode implements op.Storage.
func (s *store) SaveAuthCode(_ context.Context, request, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[code], s.codes[request] = request, code
	return nil
}

// AuthRequestByCode implements op.Storage.
func (s *store) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	request, ok := s.requests[code]
	s.mu.Unlock()
	if !ok {
		return nil, errors.New("code invalid or expired")
	}
	return s.AuthRequestByID(ctx, request)
}

// DeleteAuthRequest implements op.Storage.
func (s *store) DeleteAuthRequest(ctx context.Context, request string) error {
	s.mu.Lock()
	delete(s.requests, s.codes[request])
	delete(s.codes, request)
	s.mu.Unlock()
	return s.Storage.DeleteAuthRequest(ctx, request)
}

// GetClientByClientID implements op.Storage.
func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{c}, nil
}

// client is one of the example's that gets JWTs, and its email address in the
// ID token.
type client struct{ op.Client }

func (client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (client) IDTokenUserinfoClaimsAssertion() bool { return true }

// SigningKey implements op.Storage.
func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

// SignatureAlgorithms implements op.Storage.
func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{s.key.algorithm}, nil
}

// KeySet implements op.Storage.
func (s *store) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.key}}, nil }

type key struct {
	algorithm jose.SignatureAlgorithm
	signer    crypto.Signer
}

func (key) ID() string                                    { return "one" }
func (k key) Key() any                                    { return k.signer }
func (k key) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }

type publicKey struct{ key }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return k.algorithm }
func (k publicKey) Use() string                        { return oidc.KeyUseSignature }
func (k publicKey) Key() any                           { return k.signer.Public() }

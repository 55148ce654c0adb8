package oidctoken

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/authentiq/caddy-oidc-token/internal/keys"
	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// jwksLifetime is the max-age of the JWKS and the discovery documents: how
// long a client may go on with keys it has fetched.
const jwksLifetime = 15 * time.Minute

// issuer is one configured issuer, complete: everything a request needs.
// Immutable but for what it counts; its parts are safe for concurrent use.
type issuer struct {
	identifier string
	settings   *settings
	endpoint   *oauth.Endpoint
	codes      *storage.Codes
	keys       keys.Set
	automatic  *keys.Automatic // nil where signing_key files are used
	documents  documents
	logger     *zap.Logger
	now        func() time.Time

	// What uses the storage for somebody who waits. Both are closed before the
	// storage module is.
	requests inFlight // token requests that have arrived whole, reading keys, minting
	claims   inFlight // of these, codes being claimed
}

// begin returns the issuer that is to serve what came to i, and that counts it
// until its end: i, or where the config of i was replaced the issuer of the
// config that runs, with its clients and keys. The storage of a replaced config
// may be closed. The error is ErrNoIssuer.
func (i *issuer) begin() (*issuer, error) {
	if i.requests.begin() {
		return i, nil
	}
	return live.begin(i.identifier)
}

func (i *issuer) end() { i.requests.end() }

// newIssuer wires the parts. It reads signing_key files and does no other I/O.
func newIssuer(s *settings, store certmagic.Storage, logger *zap.Logger, background *slog.Logger) (*issuer, error) {
	if err := refuseStorage(store); err != nil {
		return nil, err
	}
	i := &issuer{identifier: s.issuer, settings: s, logger: logger, now: clock}
	background = background.With("issuer", s.issuer)
	if err := i.openKeys(store, background); err != nil {
		return nil, err
	}
	var err error
	i.codes, err = storage.New(storage.Options{
		Storage:        store,
		Issuer:         s.issuer,
		EncryptionKeys: s.encryptionKeys,
		Retention:      s.accessTokenLifetime,
		Now:            i.now,
		Logger:         background,
		Observe:        metrics.observeStorage,
	})
	if err != nil {
		return nil, err
	}
	i.endpoint = &oauth.Endpoint{
		Issuer:  s.issuer,
		Clients: s.clients,
		Codes:   servedCodes{i.codes, &i.claims},
		Tokens: &token.Issuer{
			Issuer:              s.issuer,
			Algorithm:           s.signingAlg,
			AccessTokenLifetime: s.accessTokenLifetime,
			IDTokenLifetime:     s.idTokenLifetime,
			Keys:                i.keys,
			Now:                 i.now,
		},
		Now: i.now,
	}
	i.documents, err = newDocuments(s, i.keys.Algorithms())
	return i, err
}

// openKeys loads the signing_key files, or prepares automatic keys.
func (i *issuer) openKeys(store certmagic.Storage, background *slog.Logger) (err error) {
	s := i.settings
	if len(s.signingKeyFiles) > 0 {
		return i.loadKeyFiles()
	}
	i.automatic, err = keys.NewAutomatic(keys.Options{
		Storage:          store,
		Issuer:           s.issuer,
		EncryptionKeys:   s.encryptionKeys,
		Algorithms:       s.algorithms(),
		DefaultAlgorithm: s.signingAlg,
		Rotation:         s.keyRotation,
		TokenLifetime:    max(s.accessTokenLifetime, s.idTokenLifetime),
		CacheLifetime:    jwksLifetime,
		Now:              i.now,
		Logger:           background,
	})
	i.keys = i.automatic
	return err
}

// algorithms returns every algorithm that signing_alg or a client asks for.
func (s *settings) algorithms() []token.Algorithm {
	algs := []token.Algorithm{s.signingAlg}
	for _, c := range s.clients.All() {
		if !slices.Contains(algs, c.IDTokenAlgorithm) {
			algs = append(algs, c.IDTokenAlgorithm)
		}
	}
	return algs
}

// loadKeyFiles loads the signing_key files. RFC 8725 §3.1: one key, one
// algorithm; so what a client asks for must be among the files.
func (i *issuer) loadKeyFiles() error {
	s := i.settings
	files, err := keys.LoadFiles(s.signingKeyFiles, s.rsaAlgorithm())
	if err != nil {
		return fmt.Errorf("signing_key: %w", err)
	}
	i.keys = files
	s.warnings = append(s.warnings, files.Warnings()...)
	held := files.Algorithms()
	if !slices.Contains(held, s.signingAlg) {
		return fmt.Errorf("signing_alg %s has no key among the signing_key files, which hold %v: "+
			"add such a key, or set signing_alg to one of these", s.signingAlg, held)
	}
	for _, c := range s.clients.All() {
		if !slices.Contains(held, c.IDTokenAlgorithm) {
			return fmt.Errorf("client %s: id_token_signed_response_alg %s has no key among the signing_key files, which hold %v",
				c.ID, c.IDTokenAlgorithm, held)
		}
	}
	return nil
}

// run does the background work until ctx is done.
func (i *issuer) run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() { i.codes.Run(ctx) })
	if i.automatic != nil {
		work.Go(func() { i.automatic.Run(ctx) })
	}
	work.Wait()
}

// describe says in a log line what an operator configured.
func (i *issuer) describe() []zap.Field {
	var clients []string
	for _, c := range i.settings.clients.All() {
		clients = append(clients, c.ID)
	}
	return []zap.Field{
		zap.String("event", "config_loaded"),
		zap.String("issuer", i.identifier),
		zap.String("token_endpoint", i.documents.tokenEndpoint),
		zap.Strings("clients", clients),
		zap.Bool("encryption_key", len(i.settings.encryptionKeys) > 0),
		zap.Bool("automatic_keys", i.automatic != nil),
	}
}

// rsaAlgorithm is the one algorithm RSA keys from files serve: the first RSA
// algorithm that signing_alg or a client asks for.
func (s *settings) rsaAlgorithm() token.Algorithm {
	for _, alg := range s.algorithms() {
		if alg[0] == 'R' || alg[0] == 'P' {
			return alg
		}
	}
	return token.RS256
}

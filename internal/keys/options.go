package keys

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// Options of NewAutomatic.
type Options struct {
	Storage          certmagic.Storage // Required.
	Issuer           string            // Required: the issuer identifier.
	EncryptionKeys   [][]byte          // 32 bytes each, the first seals; none: records are not sealed
	Algorithms       []token.Algorithm // needed by signing_alg and clients; RS256 is always added
	DefaultAlgorithm token.Algorithm   // signing_alg; empty: RS256
	Rotation         time.Duration     // 0: never; otherwise at least 24 h and CacheLifetime
	TokenLifetime    time.Duration     // the longest lifetime of any token
	CacheLifetime    time.Duration     // max-age of the JWKS
	Now              func() time.Time  // nil: time.Now
	Logger           *slog.Logger      // nil: discard
	known            *known            // nil: the process's, which outlives a config reload
}

func check(o Options, lead time.Duration) error {
	switch {
	case o.Storage == nil:
		return errors.New("automatic keys need a storage")
	case o.Issuer == "":
		return errors.New("automatic keys need an issuer")
	case o.TokenLifetime < 0 || o.CacheLifetime < 0:
		return errors.New("a lifetime is negative")
	case o.Rotation < 0 || o.Rotation > 0 && o.Rotation < lead:
		return fmt.Errorf("key_rotation is %s, but a new key is published %s before it signs: write %[2]s or more, or off", o.Rotation, lead)
	}
	return nil
}

// need lists the algorithms. RS256 is always there: Core §15.1, RFC 9068 §2.1.
func (a *Automatic) need(defaultAlgorithm token.Algorithm, algs []token.Algorithm) error {
	a.algorithms = []token.Algorithm{token.RS256}
	for _, alg := range slices.Concat([]token.Algorithm{defaultAlgorithm}, algs) {
		if alg == "" || slices.Contains(a.algorithms, alg) {
			continue
		}
		if !alg.Known() {
			return fmt.Errorf("signing algorithm %q is not known", string(alg))
		}
		a.algorithms = append(a.algorithms, alg)
	}
	return nil
}

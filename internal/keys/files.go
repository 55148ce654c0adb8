package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// maxKeyFile is more than any key needs and keeps a wrong path (a log, a
// device) from filling memory.
const maxKeyFile = 1 << 20

// Files is a Set loaded from key files. Immutable.
type Files struct {
	keys     []*token.Key
	jwks     json.RawMessage
	warnings []string
}

// LoadFiles reads PEM files (PKCS#8, PKCS#1, SEC1); the first key signs for its
// algorithm, all are published. An RSA key serves rsaAlg (RS256 when empty).
// Errors name the file and never its content.
func LoadFiles(files []string, rsaAlg token.Algorithm) (*Files, error) {
	if len(files) == 0 {
		return nil, errors.New("no key file is named")
	}
	if rsaAlg == "" {
		rsaAlg = token.RS256
	}
	if !rsaAlg.RSA() {
		return nil, fmt.Errorf("%s does not sign with an RSA key", rsaAlg)
	}
	f := new(Files)
	from := map[string]string{}
	for _, file := range files {
		key, err := f.load(file, rsaAlg)
		if err != nil {
			return nil, fmt.Errorf("key file %s: %w", file, err)
		}
		if other, again := from[key.ID]; again {
			return nil, fmt.Errorf("key file %s: holds the same key as %s; name each key once", file, other)
		}
		from[key.ID] = file
		f.keys = append(f.keys, key)
	}
	f.jwks = jwks(f.keys)
	return f, nil
}

// Warnings says which files others on this machine can read or change.
func (f *Files) Warnings() []string { return slices.Clone(f.warnings) }

// SigningKey returns the first key for alg.
func (f *Files) SigningKey(_ context.Context, alg token.Algorithm) (*token.Key, error) {
	for _, key := range f.keys {
		if key.Algorithm == alg {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: no key file holds a key for %s", ErrUnavailable, alg)
}

// JWKS returns all keys, in the order of the files.
func (f *Files) JWKS(context.Context) (json.RawMessage, error) { return f.jwks, nil }

// Algorithms lists what the files hold, in their order.
func (f *Files) Algorithms() []token.Algorithm {
	var algs []token.Algorithm
	for _, key := range f.keys {
		if !slices.Contains(algs, key.Algorithm) {
			algs = append(algs, key.Algorithm)
		}
	}
	return algs
}

// States: the first key of an algorithm signs. The others are published for
// the tokens they signed, or for those they will once they are named first;
// which of the two a file does not say.
func (f *Files) States() []State {
	var states []State
	signing := map[token.Algorithm]bool{}
	for _, key := range f.keys {
		state := State{ID: key.ID, Algorithm: key.Algorithm, State: Retired}
		if !signing[key.Algorithm] {
			signing[key.Algorithm], state.State = true, Signing
		}
		states = append(states, state)
	}
	return states
}

func (f *Files) load(file string, rsaAlg token.Algorithm) (*token.Key, error) {
	data, mode, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && mode.Perm()&0o007 != 0 {
		f.warnings = append(f.warnings, fmt.Sprintf(
			"key file %s is open to every user of this machine (mode %04o): chmod 600 it, or 640 with the group Caddy runs in", file, mode.Perm()))
	}
	signer, err := parsePEM(data)
	if err != nil {
		return nil, err
	}
	alg, err := algorithmFor(signer.Public(), rsaAlg)
	if err != nil {
		return nil, err
	}
	return token.NewKey(alg, signer)
}

func readKeyFile(file string) ([]byte, os.FileMode, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	if info.IsDir() {
		return nil, 0, errors.New("is a directory; name the file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	if len(data) > maxKeyFile {
		return nil, 0, errors.New("is longer than any key; name a PEM file with one private key")
	}
	return data, info.Mode(), nil
}

// withoutPath keeps an error from naming the file twice.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("reading it: %w", e.Err)
	}
	return err
}

// Interface guard.
var _ Set = (*Files)(nil)

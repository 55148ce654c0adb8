// Package redisstorage is a certmagic.Storage on Redis for the tests of this
// repository: the storage of a cluster. It is as weak as storages that
// operators find published: its lock locks nothing, writes are repeated where
// no answer came, and nothing expires. It must not be used for anything else.
package redisstorage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/redis/go-redis/v9"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// Storage keeps each key of certmagic as a Redis string.
type Storage struct {
	client *redis.Client
	prefix string
}

// Open returns the storage below a prefix of a Redis server. It does no I/O.
func Open(address, prefix string) *Storage {
	return &Storage{client: redis.NewClient(&redis.Options{Addr: address, ReadTimeout: readTimeout}), prefix: prefix}
}

// readTimeout is what go-redis had by default when published modules took it:
// after it a command is repeated.
const readTimeout = 3 * time.Second

// String names the storage, the same for every config that has it: what the
// process knows of it outlives a reload.
func (s *Storage) String() string { return s.client.Options().Addr + " " + s.prefix }

// Close ends the connections.
func (s *Storage) Close() error { return s.client.Close() }

// Store puts value at key.
func (s *Storage) Store(ctx context.Context, key string, value []byte) error {
	return failure("storing", s.client.Set(ctx, s.prefix+key, value, 0).Err())
}

// Load returns the value at key.
func (s *Storage) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.client.Get(ctx, s.prefix+key).Bytes()
	if err != nil {
		return nil, failure("loading", err)
	}
	return value, nil
}

// Delete removes key. One that does not exist is no error.
func (s *Storage) Delete(ctx context.Context, key string) error {
	return failure("deleting", s.client.Del(ctx, s.prefix+key).Err())
}

// Exists reports whether key is there, and that it is not where Redis does not
// answer.
func (s *Storage) Exists(ctx context.Context, key string) bool {
	n, err := s.client.Exists(ctx, s.prefix+key).Result()
	return err == nil && n == 1
}

// List returns the keys below prefix. Where recursive is false, what lies
// deeper is named by its first component, once.
func (s *Storage) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	below := strings.TrimSuffix(prefix, "/") + "/"
	if prefix == "" {
		below = ""
	}
	seen := make(map[string]struct{})
	var keys []string
	found := s.client.Scan(ctx, 0, globEscaper.Replace(s.prefix+below)+"*", 1000).Iterator()
	for found.Next(ctx) {
		key := strings.TrimPrefix(found.Val(), s.prefix)
		if !recursive {
			first, _, _ := strings.Cut(strings.TrimPrefix(key, below), "/")
			key = below + first
		}
		if _, again := seen[key]; !again { // SCAN may return a key twice
			seen[key] = struct{}{}
			keys = append(keys, key)
		}
	}
	if err := found.Err(); err != nil {
		return nil, failure("listing", err)
	}
	return keys, nil
}

var globEscaper = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)

// Stat tells of key.
func (s *Storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, err := s.Load(ctx, key)
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: key, Size: int64(len(value)), IsTerminal: true}, nil
}

// Lock locks nothing.
func (s *Storage) Lock(context.Context, string) error { return nil }

// Unlock does nothing.
func (s *Storage) Unlock(context.Context, string) error { return nil }

// Claiming is the storage with a claim of its own, as a storage module's author
// would add it.
type Claiming struct{ *Storage }

// ClaimKind implements storage.Claimer.
func (Claiming) ClaimKind() string { return "redis-renamenx/v1" }

// Claim implements storage.Claimer. RENAMENX is one step in Redis. A repetition
// after an answer that was lost finds no key at from, which Redis calls an
// error; here the claim is not won, and nobody's.
func (c Claiming) Claim(ctx context.Context, from, to string) (bool, error) {
	won, err := c.client.RenameNX(ctx, c.prefix+from, c.prefix+to).Result()
	if err != nil && strings.Contains(err.Error(), "no such key") {
		return false, nil
	}
	return won, failure("claiming", err)
}

func failure(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, redis.Nil):
		return fmt.Errorf("%s: %w", doing, fs.ErrNotExist)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

var (
	_ certmagic.Storage = (*Storage)(nil)
	_ storage.Claimer   = Claiming{}
)

package oauth

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of configured hashes. A hash below the floor protects a secret that
// people chose from nobody; one above the ceiling lets a few wrong secrets
// take the machine.
const (
	minBcryptCost   = 10
	maxBcryptCost   = 16
	maxBcryptSecret = 72

	minArgon2Memory  = 7 << 10 // KiB
	maxArgon2Memory  = 256 << 10
	maxArgon2Passes  = 16
	maxArgon2Threads = 4
)

// slowHash verifies a secret that people chose.
type slowHash struct {
	configured string // identifies it among those verified
	matches    func(presented string) bool
	work       int // about the microseconds one verification takes
}

// parseBcrypt reads a bcrypt hash.
func parseBcrypt(s string) (*slowHash, error) {
	cost, err := bcrypt.Cost([]byte(s))
	if err != nil || len(s) != 60 {
		return nil, errors.New("looks like a bcrypt hash but is none")
	}
	if cost < minBcryptCost || cost > maxBcryptCost {
		return nil, fmt.Errorf("is a bcrypt hash of cost %d; hash the secret again with a cost of %d to %d", cost, minBcryptCost, maxBcryptCost)
	}
	return &slowHash{
		configured: s,
		work:       50 << cost,
		matches: func(presented string) bool {
			// bcrypt looks at 72 bytes and no further. A longer secret that
			// begins alike is another secret; it costs the same to say so.
			head := presented[:min(len(presented), maxBcryptSecret)]
			same := bcrypt.CompareHashAndPassword([]byte(s), []byte(head)) == nil
			return same && len(presented) <= maxBcryptSecret
		},
	}, nil
}

var argon2id = regexp.MustCompile(`^\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$`)

// parseArgon2id reads a PHC string (RFC 9106 has the algorithm).
func parseArgon2id(s string) (*slowHash, error) {
	match := argon2id.FindStringSubmatch(s)
	if match == nil {
		return nil, errors.New("looks like an argon2id hash but is not $argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>")
	}
	memory, _ := strconv.Atoi(match[1])
	passes, _ := strconv.Atoi(match[2])
	threads, _ := strconv.Atoi(match[3])
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(match[4])
	hash, hashErr := base64.RawStdEncoding.Strict().DecodeString(match[5])
	switch {
	case saltErr != nil || hashErr != nil || len(salt) < 8 || len(salt) > 64 || len(hash) < 16 || len(hash) > 64:
		return nil, errors.New("is an argon2id hash whose salt (8 to 64 bytes) or hash (16 to 64 bytes) is not right")
	case memory < minArgon2Memory || memory > maxArgon2Memory:
		return nil, fmt.Errorf("is an argon2id hash with m=%d; hash the secret again with an m of %d to %d", memory, minArgon2Memory, maxArgon2Memory)
	case passes < 1 || passes > maxArgon2Passes:
		return nil, fmt.Errorf("is an argon2id hash with t=%d; hash the secret again with a t of 1 to %d", passes, maxArgon2Passes)
	case threads < 1 || threads > maxArgon2Threads:
		return nil, fmt.Errorf("is an argon2id hash with p=%d; hash the secret again with a p of 1 to %d", threads, maxArgon2Threads)
	}
	return &slowHash{
		configured: s,
		work:       memory * passes,
		matches: func(presented string) bool {
			key := argon2.IDKey([]byte(presented), salt, uint32(passes), uint32(memory), uint8(threads), uint32(len(hash)))
			return subtle.ConstantTimeCompare(key, hash) == 1
		},
	}, nil
}

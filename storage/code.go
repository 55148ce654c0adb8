package storage

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// An authorization code is base64url(expiry bucket ‖ 32 random bytes). The
// bucket, the minute in which the record will have expired, lets the key be
// found and lets sweeping go by folder; it is not trusted for expiry, which is
// sealed in the record. RFC 6749 §10.10 asks for 128 bits and better 160; these
// are 256, of unreserved characters only (appendix A.11).
const (
	bucketSize  = 4
	randomSize  = 32
	codeLength  = (bucketSize + randomSize) * 4 / 3
	bucketWidth = time.Minute
)

// WellFormed reports whether code has the form of a code of ours, without
// looking anything up.
func WellFormed(code string) bool {
	_, ok := decodeCode(code)
	return ok
}

// Ref is a short hash of a code for logs. It cannot be turned back, for a code
// is random. Empty for a code that is not WellFormed.
func Ref(code string) string {
	if !WellFormed(code) {
		return ""
	}
	return deriveRef(code)
}

func newCode(bucket uint32) string {
	raw := binary.BigEndian.AppendUint32(make([]byte, 0, bucketSize+randomSize), bucket)
	raw = raw[:bucketSize+randomSize]
	rand.Read(raw[bucketSize:]) // never fails: without randomness the process ends
	return base64.RawURLEncoding.EncodeToString(raw)
}

// decodeCode takes one spelling of a code only: whole bytes fill its 48
// characters, so that no bit is left over, and the line breaks that decoding
// skips leave too few bytes.
func decodeCode(code string) (raw []byte, ok bool) {
	if len(code) != codeLength {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil || len(raw) != bucketSize+randomSize {
		return nil, false
	}
	return raw, true
}

// bucketOf returns the minute at whose beginning everything that expires at t
// has expired.
func bucketOf(t time.Time) uint32 {
	minute := t.Truncate(bucketWidth)
	if minute.Before(t) {
		minute = minute.Add(bucketWidth)
	}
	return uint32(minute.Unix() / int64(bucketWidth/time.Second))
}

// bucketEnd is when the last code of a bucket has expired.
func bucketEnd(bucket uint32) time.Time {
	return time.Unix(int64(bucket)*int64(bucketWidth/time.Second), 0)
}

// identity is where a code's record and its used-marker are, and what opens
// them.
type identity struct {
	hash   [sha256.Size]byte
	bucket uint32
	grant  grantSecret
	record string // storage key of the record
	marker string // storage key of the used-marker
}

// identify derives the storage keys of a code. Nothing a client sent reaches a
// key but through the hash and through four bytes written in hex: a key made
// of a presented code would lead FileStorage out of its folder.
func (c *Codes) identify(code string) (identity, bool) {
	raw, ok := decodeCode(code)
	if !ok {
		return identity{}, false
	}
	return c.locate(binary.BigEndian.Uint32(raw), deriveGrantSecret(code)), true
}

// locate derives the storage keys from what is left of a code once it was
// redeemed.
func (c *Codes) locate(bucket uint32, grant grantSecret) identity {
	id := identity{hash: hashGrant(c.issuer, grant), bucket: bucket, grant: grant}
	name := "/" + bucketName(id.bucket) + "/" + hex.EncodeToString(id.hash[:])
	id.record = c.prefix + "/" + recordsDir + name
	id.marker = c.prefix + "/" + markersDir + name
	return id
}

// hashGrant binds the code to its issuer: the code of one issuer is unknown to
// another one on the same storage (OpenID Connect Core §16.15).
func hashGrant(issuer string, grant grantSecret) [sha256.Size]byte {
	const context = "oidc_token/code/v2"
	b := make([]byte, 0, len(context)+4+len(issuer)+len(grant))
	b = append(b, context...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(issuer)))
	b = append(b, issuer...)
	b = append(b, grant[:]...)
	return sha256.Sum256(b)
}

// Folders below an issuer's prefix.
const (
	recordsDir = "codes"
	markersDir = "used"
)

func bucketName(bucket uint32) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, bucket))
}

// parseBucket is the inverse of bucketName and refuses everything else.
func parseBucket(name string) (bucket uint32, ok bool) {
	if len(name) != 2*bucketSize || !lowerHex(name) {
		return 0, false
	}
	raw, err := hex.DecodeString(name)
	if err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint32(raw), true
}

// recordName reports whether name is the last component of one of our keys.
func recordName(name string) bool { return len(name) == 2*sha256.Size && lowerHex(name) }

func lowerHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// derive makes a value of up to 32 bytes from a code by the one-step key
// derivation of NIST SP 800-56C with SHA-256, which is all that a secret of 256
// random bits needs.
func derive(code, info string, size int) []byte {
	b := make([]byte, 0, 4+codeLength+32)
	b = binary.BigEndian.AppendUint32(b, 1) // the one block
	b = append(b, code...)
	b = append(b, info...)
	sum := sha256.Sum256(b)
	return sum[:size]
}

func deriveRef(code string) string { return hex.EncodeToString(derive(code, "oidc_token/ref/v1", 8)) }

// deriveIDs returns the jti and the grant id.
func deriveIDs(code string) (tokenID, grantID string) {
	return base64.RawURLEncoding.EncodeToString(derive(code, "oidc_token/jti/v1", 16)),
		base64.RawURLEncoding.EncodeToString(derive(code, "oidc_token/grant/v1", 16))
}

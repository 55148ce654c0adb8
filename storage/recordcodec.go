package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// A record is written member by member, in the order of the lists below, after
// its version. Every text, list and set of claims has its length before it.
// Reading and writing go by the same lists: neither knows a member that the
// other does not, and there is one way to write a record. JSON would take
// longer to read than half a signature takes to make.

func (r *sealedRecord) texts() [10]*string {
	return [...]*string{
		&r.Claim, &r.Boot, &r.Issuer, &r.ClientID, &r.Subject, &r.RedirectURI,
		&r.Nonce, &r.CodeChallenge, &r.CodeChallengeMethod, &r.ACR,
	}
}

func (r *sealedRecord) flags() [1]*bool { return [...]*bool{&r.RedirectURISent} }

func (r *sealedRecord) lists() [2]*[]string { return [...]*[]string{&r.Scope, &r.AMR} }

func (r *sealedRecord) times() [3]*time.Time {
	return [...]*time.Time{&r.AuthTime, &r.IssuedAt, &r.ExpiresAt}
}

func (r *sealedRecord) claimSets() [2]*map[string]json.RawMessage {
	return [...]*map[string]json.RawMessage{&r.Claims, &r.AccessTokenClaims}
}

// encode fails where a claim is not JSON, or a member takes 16 MiB or more.
func (r *sealedRecord) encode() ([]byte, error) {
	b := cryptobyte.NewBuilder([]byte{recordVersion})
	for _, text := range r.texts() {
		addText(b, *text)
	}
	for _, flag := range r.flags() {
		value := uint8(0)
		if *flag {
			value = 1
		}
		b.AddUint8(value)
	}
	for _, list := range r.lists() {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, text := range *list {
				addText(b, text)
			}
		})
	}
	for _, t := range r.times() {
		b.AddUint64(uint64(t.Unix()))
		b.AddUint32(uint32(t.Nanosecond()))
	}
	for _, claims := range r.claimSets() {
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { addClaims(b, *claims) })
	}
	return b.Bytes()
}

func addText(b *cryptobyte.Builder, text string) {
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(text)) })
}

func addClaims(b *cryptobyte.Builder, claims map[string]json.RawMessage) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if !json.Valid(claims[name]) {
			b.SetError(fmt.Errorf("claim %q is not JSON", name))
			return
		}
		addText(b, name)
		addText(b, string(claims[name]))
	}
}

// decodeRecord reads what encode wrote, and nothing else.
func decodeRecord(plain []byte) (*sealedRecord, error) {
	if len(plain) == 0 || plain[0] != recordVersion {
		return nil, fmt.Errorf("the record is not of version %d", recordVersion)
	}
	r, in := new(sealedRecord), cryptobyte.String(plain[1:])
	if !r.read(&in) || !in.Empty() {
		return nil, errors.New("the record is malformed")
	}
	return r, nil
}

func (r *sealedRecord) read(in *cryptobyte.String) bool {
	for _, text := range r.texts() {
		if !readText(in, text) {
			return false
		}
	}
	for _, flag := range r.flags() {
		var value uint8
		if !in.ReadUint8(&value) || value > 1 {
			return false
		}
		*flag = value == 1
	}
	for _, list := range r.lists() {
		if !readList(in, list) {
			return false
		}
	}
	for _, t := range r.times() {
		if !readTime(in, t) {
			return false
		}
	}
	for _, claims := range r.claimSets() {
		if !readClaims(in, claims) {
			return false
		}
	}
	return true
}

func readText(in *cryptobyte.String, text *string) bool {
	var value cryptobyte.String
	ok := in.ReadUint24LengthPrefixed(&value)
	*text = string(value)
	return ok
}

func readList(in *cryptobyte.String, list *[]string) bool {
	var texts cryptobyte.String
	if !in.ReadUint24LengthPrefixed(&texts) {
		return false
	}
	for !texts.Empty() {
		var text string
		if !readText(&texts, &text) {
			return false
		}
		*list = append(*list, text)
	}
	return true
}

func readTime(in *cryptobyte.String, t *time.Time) bool {
	var seconds uint64
	var nanoseconds uint32
	if !in.ReadUint64(&seconds) || !in.ReadUint32(&nanoseconds) || nanoseconds >= uint32(time.Second) {
		return false
	}
	*t = time.Unix(int64(seconds), int64(nanoseconds)).UTC()
	return true
}

// readClaims wants names in their order, each once: of two claims of one name
// another reader might take the other.
func readClaims(in *cryptobyte.String, claims *map[string]json.RawMessage) bool {
	var pairs cryptobyte.String
	if !in.ReadUint24LengthPrefixed(&pairs) {
		return false
	}
	for last := ""; !pairs.Empty(); {
		var name, value string
		if !readText(&pairs, &name) || !readText(&pairs, &value) || !json.Valid([]byte(value)) {
			return false
		}
		if *claims == nil {
			*claims = make(map[string]json.RawMessage)
		} else if name <= last {
			return false
		}
		(*claims)[name], last = json.RawMessage(value), name
	}
	return true
}

package storage

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// everyMember has every member set, found by reflection: a member that is
// forgotten in the lists of the codec would be a check that redemption forgets.
func everyMember(t testing.TB) *sealedRecord {
	t.Helper()
	r, n := new(sealedRecord), 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			n++
			switch member := v.Field(i).Addr().Interface().(type) {
			case *string:
				*member = strings.Repeat("é", n)
			case *bool:
				*member = true
			case *[]string:
				*member = []string{"", strings.Repeat("x", n)}
			case *time.Time:
				*member = time.Date(1969+n, 1, 1, 0, 0, 0, n, time.UTC)
			case *map[string]json.RawMessage:
				*member = map[string]json.RawMessage{"": json.RawMessage("null"), "a": json.RawMessage(" [1] "), "b": json.RawMessage(`"<&>"`)}
			case *Record:
				fill(v.Field(i))
			default:
				t.Fatalf("the codec has no list for members of type %T", member)
			}
		}
	}
	fill(reflect.ValueOf(r).Elem())
	return r
}

func mustEncode(t testing.TB, r *sealedRecord) []byte {
	t.Helper()
	plain, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestRecordCodec(t *testing.T) {
	t.Run("every member comes back as it was", func(t *testing.T) {
		want := everyMember(t)
		got, err := decodeRecord(mustEncode(t, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
	t.Run("as do none at all", func(t *testing.T) {
		want := new(sealedRecord)
		got, err := decodeRecord(mustEncode(t, want))
		if err != nil || !reflect.DeepEqual(got, want) || !got.AuthTime.IsZero() {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("a time comes back without its place", func(t *testing.T) {
		r := &sealedRecord{Record: Record{IssuedAt: time.Date(2026, 3, 1, 12, 0, 0, 5, time.FixedZone("", 3600))}}
		got, err := decodeRecord(mustEncode(t, r))
		if err != nil || !got.IssuedAt.Equal(r.IssuedAt) || got.IssuedAt.Location() != time.UTC {
			t.Errorf("got %s, %v", got.IssuedAt, err)
		}
	})
	t.Run("a claim that is not JSON is an error without its value", func(t *testing.T) {
		r := &sealedRecord{Record: Record{Claims: map[string]json.RawMessage{"email": json.RawMessage(`"alice`)}}}
		if plain, err := r.encode(); err == nil || plain != nil || strings.Contains(err.Error(), "alice") {
			t.Errorf("got %q, %v", plain, err)
		}
	})
}

func TestMalformedRecords(t *testing.T) {
	r := everyMember(t)
	whole, scope := mustEncode(t, r), r.Scope[1]
	second := string(binary.BigEndian.AppendUint64(nil, uint64(r.IssuedAt.Unix())))
	nanosecond := string(binary.BigEndian.AppendUint32(nil, uint32(r.IssuedAt.Nanosecond())))
	for _, row := range []struct{ name, from, to string }{
		{"a later version", "\x01\x00\x00\x02é", "\x02\x00\x00\x02é"},
		{"no version", "\x01\x00\x00\x02é", "\x00\x00\x02é"},
		{"what was JSON", string(whole), "\x01" + `{"claim":"generic/v1"}`},
		{"F56 a member more at its end", string(whole), string(whole) + "\x00\x00\x00"},
		{"F56 a member less at its end", string(whole), string(whole[:len(whole)-4])},
		{"a text that is longer than the record", "\x01\x00\x00\x02é", "\x01\x7f\x00\x02é"},
		{"a flag that is neither", r.ACR + "\x01", r.ACR + "\x02"},
		{"a text that is longer than its list", "\x00" + string(rune(len(scope))) + scope, "\x00" + string(rune(len(scope)+1)) + scope},
		{"nanoseconds that make a second", second + nanosecond, second + "\x3b\x9a\xca\x00"},
		{"a claim that is not JSON", `"<&>"`, `"<&>}`},
		{"two claims of one name", "\x00\x00\x01b", "\x00\x00\x01a"},
		{"claims in another order", "\x00\x00\x01a", "\x00\x00\x01c"},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := bytes.Replace(whole, []byte(row.from), []byte(row.to), 1)
			if bytes.Equal(changed, whole) {
				t.Fatal("the row changes nothing")
			}
			if r, err := decodeRecord(changed); err == nil {
				t.Errorf("it reads as %+v", r)
			}
		})
	}
	for n := range whole {
		if r, err := decodeRecord(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes read as %+v", n, len(whole), r)
		}
	}
}

// FuzzRecordCodec: what is read was written by encode, byte for byte, so that
// nothing in it was passed over.
func FuzzRecordCodec(f *testing.F) {
	f.Add(mustEncode(f, everyMember(f)))
	f.Add(mustEncode(f, new(sealedRecord)))
	f.Add([]byte("\x01{}"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		r, err := decodeRecord(plain)
		if err != nil {
			return
		}
		if again := mustEncode(t, r); !bytes.Equal(again, plain) {
			t.Errorf("%q was read as %q", plain, again)
		}
	})
}

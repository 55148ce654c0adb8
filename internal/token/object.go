package token

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// object is a JSON object while it is written, member by member: tokens are
// made of few kinds of values, in an order of ours, and encoding/json spends as
// long on them as half a signature takes. Names are constants of ours that need
// no escape.
type object []byte

// newObject has room for size bytes before it is copied.
func newObject(size int) object { return append(make(object, 0, size), '{') }

func (o *object) name(name string) {
	o.separate()
	*o = append(*o, '"')
	*o = append(*o, name...)
	*o = append(*o, '"', ':')
}

// separate keeps what follows apart from the member before.
func (o *object) separate() {
	if len(*o) > 1 {
		*o = append(*o, ',')
	}
}

func (o *object) string(name, value string) {
	o.name(name)
	*o = appendString(*o, value)
}

// optional leaves a member without value out.
func (o *object) optional(name, value string) {
	if value != "" {
		o.string(name, value)
	}
}

func (o *object) number(name string, value int64) {
	o.name(name)
	*o = strconv.AppendInt(*o, value, 10)
}

func (o *object) strings(name string, values []string) {
	o.name(name)
	*o = append(*o, '[')
	for i, value := range values {
		if i > 0 {
			*o = append(*o, ',')
		}
		*o = appendString(*o, value)
	}
	*o = append(*o, ']')
}

func (o *object) optionalStrings(name string, values []string) {
	if len(values) > 0 {
		o.strings(name, values)
	}
}

func (o object) end() []byte { return append(o, '}') }

// appendString quotes s as encoding/json does, without its escapes for HTML
// pages, which this is not part of. Whatever is not plain ASCII is left to it.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			return append(b, encodeString(s)...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func encodeString(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

package oidctoken

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRegistry(t *testing.T) {
	a, younger, b := &issuer{identifier: "https://a.example"}, &issuer{identifier: "https://a.example"}, &issuer{identifier: "https://b.example"}
	var r registry
	find := func(identifier string) *issuer {
		t.Helper()
		i, err := r.find(identifier)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	if _, err := r.find(""); !errors.Is(err, ErrNoIssuer) {
		t.Errorf("the empty registry answers %v", err)
	}
	r.add(a)
	t.Run("the only issuer needs no name", func(t *testing.T) {
		if find("") != a {
			t.Error("it is another")
		}
	})
	t.Run("F36 of two generations the younger answers, and the older again when that is gone", func(t *testing.T) {
		r.add(younger)
		if find("https://a.example") != younger || find("") != younger {
			t.Error("the older answers")
		}
		r.remove(younger)
		if find("https://a.example") != a {
			t.Error("the older does not answer again")
		}
	})
	t.Run("F36 one that is just closing is never begun with", func(t *testing.T) {
		var r registry
		older, closing := &issuer{identifier: "https://a.example"}, &issuer{identifier: "https://a.example"}
		r.add(older)
		r.add(closing)
		closing.requests.close()
		time.AfterFunc(10*time.Millisecond, func() { r.remove(closing) })
		if i, err := r.begin("https://a.example"); err != nil || i != older || older.requests.count != 1 {
			t.Errorf("it is: %v", err)
		}
	})
	t.Run("of several issuers one must be named", func(t *testing.T) {
		r.add(b)
		if _, err := r.find(""); !errors.Is(err, ErrNoIssuer) || !strings.Contains(err.Error(), "https://a.example, https://b.example") {
			t.Errorf("got %v", err)
		}
		if find("https://b.example") != b {
			t.Error("it is another")
		}
	})
}

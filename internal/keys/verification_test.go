package keys

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/token"
)

// wantKey asserts that a node verifies what is signed with key, or not.
func wantKey(t *testing.T, set Set, key *token.Key, want error) {
	t.Helper()
	public, err := set.VerificationKey(context.Background(), key.ID)
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if want != nil {
		return
	}
	if public.Algorithm != key.Algorithm || !sameKey(t, public.Key, key.Signer.Public()) {
		t.Errorf("it is another %s key", public.Algorithm)
	}
}

func sameKey(t *testing.T, a, b any) bool {
	t.Helper()
	var der [2]string
	for i, key := range []any{a, b} {
		encoded, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		der[i] = string(encoded)
	}
	return der[0] == der[1]
}

func TestVerificationKey(t *testing.T) {
	t.Run("is found for as long as it is published, also when it signs no more", func(t *testing.T) {
		f := aged(t)
		former := f.signer(token.ES256)
		wantKey(t, f, former, nil)
		f.clock.advance(90 * 24 * time.Hour)
		f.round()
		f.clock.advance(25 * time.Hour)
		f.round()
		if latest := f.signer(token.ES256); latest.ID == former.ID {
			t.Fatal("the key was not rotated")
		} else {
			wantKey(t, f, latest, nil)
		}
		wantKey(t, f, former, nil)
		f.clock.advance(2 * time.Hour)
		f.round()
		wantKey(t, f, former, token.ErrUnknownKey)
	})
	t.Run("is not one that nobody made", func(t *testing.T) {
		f := aged(t)
		other := aged(t)
		wantKey(t, f, other.signer(token.ES256), token.ErrUnknownKey)
	})
	t.Run("comes from memory, whatever the storage does", func(t *testing.T) {
		f := aged(t)
		key := f.signer(token.ES256)
		f.clock.advance(time.Hour)
		f.store.before = func(string, string) error { return errFault }
		before := f.store.count("list")
		wantKey(t, f, key, nil)
		if f.store.count("list") != before {
			t.Error("the storage was asked")
		}
	})
	t.Run("F43 is that of another node that made it a moment ago", func(t *testing.T) {
		a, b := nodes(t, newMemory(), nil)
		a.round()
		b.round()
		a.clock.advance(time.Hour)
		a.round()
		b.round()
		a.clock.advance(10 * time.Second)
		if _, err := a.Rotate(context.Background(), false); err != nil {
			t.Fatal(err)
		}
		a.clock.advance(settle)
		for _, alg := range a.algorithms {
			wantKey(t, b, a.signer(alg), nil)
		}
	})
	t.Run("that is unknown has the storage asked no oftener than the JWKS has", func(t *testing.T) {
		f, other := aged(t), aged(t)
		stranger := other.signer(token.ES256)
		f.clock.advance(time.Hour)
		before := f.store.count("list")
		for range 50 {
			wantKey(t, f, stranger, token.ErrUnknownKey)
		}
		if n := f.store.count("list") - before; n != 1 {
			t.Errorf("the storage was listed %d times", n)
		}
	})
	t.Run("F44 that another node made is not unknown where the storage is away", func(t *testing.T) {
		a, b := nodes(t, newMemory(), nil)
		a.round()
		b.round()
		a.clock.advance(time.Hour)
		a.round()
		b.round()
		if _, err := a.Rotate(context.Background(), false); err != nil {
			t.Fatal(err)
		}
		a.clock.advance(settle)
		made := a.signer(token.ES256)
		a.store.before = func(string, string) error { return errFault }
		wantKey(t, b, made, ErrUnavailable)
		a.store.before = nil
		a.clock.advance(2 * time.Second)
		wantKey(t, b, made, nil)
	})
	t.Run("F44 is not unknown, either, while the node's own are so young that another may have made some", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.round()
		f.clock.advance(2 * time.Second)
		f.store.before = func(string, string) error { return errFault }
		wantKey(t, f, aged(t).signer(token.ES256), ErrUnavailable)
	})
	t.Run("where there are no keys is not unknown", func(t *testing.T) {
		f := newFixture(t, newMemory(), newClock(), nil)
		f.store.before = func(string, string) error { return errFault }
		_ = f.tryRound()
		wantKey(t, f, aged(t).signer(token.ES256), ErrUnavailable)
	})
}

func TestVerificationKeyOfFiles(t *testing.T) {
	var files []string
	for range 2 {
		signer, err := generate(token.ES256)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(signer)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	set, err := LoadFiles(files, "")
	if err != nil {
		t.Fatal(err)
	}
	for n, key := range set.keys {
		t.Run("is any of the files'", func(t *testing.T) {
			if n > 1 {
				t.Fatal("a third")
			}
			wantKey(t, set, key, nil)
		})
	}
	t.Run("is none other", func(t *testing.T) {
		wantKey(t, set, aged(t).signer(token.ES256), token.ErrUnknownKey)
	})
}

// aged is a node whose keys are known to every other.
func aged(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, newMemory(), newClock(), nil)
	f.round()
	f.clock.advance(youth)
	f.round()
	return f
}

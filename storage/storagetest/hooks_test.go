package storagetest_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

func TestEndOfACall(t *testing.T) {
	failing := func(context.Context, storagetest.Call) error { return errors.New("a fault of the test") }
	for name, set := range map[string]func(*storagetest.Hooked){
		"one that succeeds is over after its effect": func(*storagetest.Hooked) {},
		"one that fails before its effect is over":   func(h *storagetest.Hooked) { h.Before(failing) },
		"one that fails after its effect is over":    func(h *storagetest.Hooked) { h.After(failing) },
		"one that panics is over": func(h *storagetest.Hooked) {
			h.Before(func(context.Context, storagetest.Call) error { panic("a fault") })
		},
		"one that the storage itself has fail, at last, is over": func(h *storagetest.Hooked) { h.Delete(t.Context(), "a") },
	} {
		t.Run(name, func(t *testing.T) {
			memory := storagetest.NewMemory()
			if err := memory.Store(t.Context(), "a", nil); err != nil {
				t.Fatal(err)
			}
			h := storagetest.Wrap(memory)
			set(h)
			calls := len(h.Calls())
			var ended []int
			h.End(func(call storagetest.Call) { ended = append(ended, call.N-calls) })
			func() {
				defer func() { recover() }()
				h.Load(t.Context(), "a")
			}()
			if !slices.Equal(ended, []int{1}) {
				t.Errorf("the calls %v have ended", ended)
			}
		})
	}
	t.Run("it has had its effect then", func(t *testing.T) {
		memory := storagetest.NewMemory()
		h := storagetest.Wrap(memory)
		var err error
		h.End(func(storagetest.Call) { _, err = memory.Load(t.Context(), "a") })
		if h.Store(t.Context(), "a", nil); err != nil {
			t.Errorf("it is not stored: %v", err)
		}
		h.End(nil)
		err = fs.ErrExist
		if h.Delete(t.Context(), "a"); err != fs.ErrExist {
			t.Errorf("the removed hook is told: %v", err)
		}
	})
}

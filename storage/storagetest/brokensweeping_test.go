package storagetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage/storagetest"
)

// brokenSweeping keep the contract, as far as it is tried, and break what is
// promised of codes that have expired.
var brokenSweeping = []breach{
	{name: "deletes what others keep together with a used-mark", new: codesIn(broken{
		delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			if isMark(key) {
				return errors.Join(m.Delete(ctx, key), drop(ctx, m, func(key string) bool { return !strings.HasPrefix(key, "oidc_token/") }))
			}
			return m.Delete(ctx, key)
		},
	}), fails: byAny(swept)},

	{name: "keeps used-marks for good", new: codesIn(broken{
		delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			if isMark(key) {
				return nil
			}
			return m.Delete(ctx, key)
		},
	}), fails: append(byAny(swept), unused), others: byAny(markStays)},

	{name: "deletes the records of the next minutes together with one", new: codesIn(broken{
		delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			next := func(other string) bool {
				later := minute(other) - minute(key)
				return isRecord(other) && later >= 2 && later <= 5
			}
			if isRecord(key) {
				return errors.Join(m.Delete(ctx, key), drop(ctx, m, next))
			}
			return m.Delete(ctx, key)
		},
	}), fails: byAny(sweptLater)},

	{name: "drops used-marks where it finds no record of their minute", new: codesIn(broken{
		list: func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			keys, err := m.List(ctx, prefix, recursive)
			if records := minute(prefix + "/"); err != nil && records != 0 {
				drop(ctx, m, func(key string) bool { return isMark(key) && minute(key) == records })
			}
			return keys, err
		},
	}), fails: byAny(markStays), others: append(byAny(swept), unused)},

	{name: "fails to delete a record that is gone", new: codesIn(broken{
		delete: func(m *storagetest.Memory, ctx context.Context, key string) error {
			if isRecord(key) && !m.Exists(ctx, key) {
				return errors.New("404")
			}
			return m.Delete(ctx, key)
		},
		list: func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			keys, err := m.List(ctx, prefix, recursive)
			if err == nil && minute(prefix+"/") != 0 {
				time.Sleep(10 * time.Millisecond) // others list the same meanwhile
			}
			return keys, err
		},
	}), fails: byAny(sweepers), others: byGeneric(manyNodes)},

	{name: "lists no folders", new: codesIn(broken{
		list: func(m *storagetest.Memory, ctx context.Context, prefix string, recursive bool) ([]string, error) {
			keys, err := m.List(ctx, prefix, recursive)
			return slices.DeleteFunc(keys, func(key string) bool { return !slices.Contains(m.Keys(), key) }), err
		},
	}), fails: byAny(foreignSweep), others: byAny(sweepers)},
}

package main

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// sweep answers POST /bench/sweep?issuer=URL&n=COUNT after so many codes, issued
// an hour ago, were stored in Caddy's storage and swept from it.
func sweep(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	n, err := count(query)
	if err != nil {
		return err
	}
	store := caddy.ActiveContext().Storage()
	now := time.Now().Add(-time.Hour)
	codes, err := storage.New(storage.Options{
		Storage: store,
		Issuer:  query.Get("issuer"),
		Now:     func() time.Time { return now },
		Used:    storage.NewUsedSet(),
	})
	if err != nil {
		return err
	}
	for i := range n {
		record := &storage.Record{
			Issuer: query.Get("issuer"), ClientID: "web", Subject: subject, Scope: []string{"openid"},
			IssuedAt: now, ExpiresAt: now.Add(time.Duration(1+i%20) * time.Minute),
		}
		if _, err := codes.Store(r.Context(), record); err != nil {
			return err
		}
	}
	now = time.Now()
	if _, err := codes.Sweep(r.Context()); err != nil {
		return err
	}
	// Caddy's own sweeper may have taken some of them first.
	keys, err := store.List(r.Context(), "oidc_token", true)
	record := func(key string) bool { return strings.Contains(key, "/codes/") && len(path.Base(key)) == 64 }
	if err == nil && slices.ContainsFunc(keys, record) {
		err = caddy.APIError{HTTPStatus: http.StatusInternalServerError, Message: "not everything was swept"}
	}
	return err
}

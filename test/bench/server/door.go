package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	oidctoken "github.com/authentiq/caddy-oidc-token"
)

func init() { caddy.RegisterModule(new(door)) }

// door is what the benchmark does to a server outside the measured intervals.
type door struct{}

// CaddyModule returns the module's registration.
func (*door) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.bench", New: func() caddy.Module { return new(door) }}
}

// Routes implements caddy.AdminRouter.
func (*door) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/bench/codes", Handler: caddy.AdminHandlerFunc(mint)},
		{Pattern: "/bench/collect", Handler: caddy.AdminHandlerFunc(collect)},
		{Pattern: "/bench/sweep", Handler: caddy.AdminHandlerFunc(sweep)},
		{Pattern: "/bench/signatures", Handler: caddy.AdminHandlerFunc(signatures)},
	}
}

// mint answers POST /bench/codes?client=ID&n=COUNT with a code a line, and
// collects the garbage that it made.
func mint(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	n, err := count(query)
	if err != nil {
		return err
	}
	request := &oidctoken.MintRequest{
		ClientID: query.Get("client"),
		Subject:  subject,
		Scope:    scope,
		Nonce:    nonce,
		AuthTime: time.Now().Unix(),
		Claims:   map[string]json.RawMessage{"email": json.RawMessage(`"` + email + `"`)},
	}
	lines := bufio.NewWriter(w)
	for range n {
		minted, err := oidctoken.Mint(r.Context(), query.Get("issuer"), request)
		if err != nil {
			return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
		}
		fmt.Fprintln(lines, minted.Code)
	}
	runtime.GC()
	return lines.Flush()
}

// collect answers POST /bench/collect: what is left then is what is held.
func collect(w http.ResponseWriter, r *http.Request) error {
	debug.FreeOSMemory()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// signatures answers POST /bench/signatures?alg=ALG&n=COUNT after so many pairs
// of bare signatures.
func signatures(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	n, err := count(query)
	if err != nil {
		return err
	}
	key, err := bareKey(query.Get("alg"))
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	for range 2 * n {
		if _, err := key.signature([]byte("what a token would say")); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// bareKeys are the keys of bare signatures by algorithm: to make one with RSA
// takes as long as dozens of signatures.
var bareKeys sync.Map

func bareKey(algorithm string) (*signingKey, error) {
	if made, ok := bareKeys.Load(algorithm); ok {
		return made.(*signingKey), nil
	}
	key, err := newSigningKey(algorithm)
	if err != nil {
		return nil, err
	}
	made, _ := bareKeys.LoadOrStore(algorithm, key)
	return made.(*signingKey), nil
}

func count(query url.Values) (int, error) {
	n, err := strconv.Atoi(query.Get("n"))
	if err != nil || n < 0 {
		return 0, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("n is no count")}
	}
	return n, nil
}

var _ caddy.AdminRouter = (*door)(nil)

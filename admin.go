package oidctoken

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
)

// maxAdminBody bounds a request to the admin API, in bytes.
const maxAdminBody = 64 << 10

// adminAPI is the door for login applications in any language on this host,
// and for `caddy oidc-token`: Caddy's admin API. It has no state of its own,
// for Caddy makes one for every config, also for one that never goes live.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.oidc_token",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Provision notes that the config has an admin API. Caddy serves this config's
// metrics from here on, also where the config fails before it has an App and the
// one before it stays, with the issuers it has.
func (*adminAPI) Provision(ctx caddy.Context) error {
	adminDoor.opened(ctx.Done())
	if len(live.all()) == 0 {
		return nil
	}
	return registerMetrics(ctx.GetMetricsRegistry())
}

// Routes returns the routes of the admin API.
func (*adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/oidc_token/codes", Handler: caddy.AdminHandlerFunc(mintCode)},
		{Pattern: "/oidc_token/keys/rotate", Handler: caddy.AdminHandlerFunc(rotateKeys)},
		{Pattern: "/oidc_token/issuers", Handler: caddy.AdminHandlerFunc(listIssuers)},
	}
}

// mintCode answers POST /oidc_token/codes.
func mintCode(w http.ResponseWriter, r *http.Request) error {
	var request adminMintRequest
	if err := readAdminRequest(w, r, &request); err != nil {
		return err
	}
	response, err := Mint(r.Context(), request.Issuer, &request.MintRequest)
	if err != nil {
		return apiError(err)
	}
	return writeAdminResponse(w, http.StatusCreated, response)
}

// apiError says what the caller can change: who reaches the admin API may see
// the whole config anyway.
func apiError(err error) error {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, ErrRequest):
		status = http.StatusBadRequest
	case errors.Is(err, ErrNoIssuer):
		status = http.StatusNotFound
	}
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// rotatedKey is a key in the answer of POST /oidc_token/keys/rotate.
type rotatedKey struct {
	ID      string `json:"kid"`
	Alg     string `json:"alg"`
	State   string `json:"state"`
	SignsAt int64  `json:"signs_at"` // seconds since 1970
}

// rotateKeys answers POST /oidc_token/keys/rotate.
func rotateKeys(w http.ResponseWriter, r *http.Request) error {
	var request struct {
		Issuer  string `json:"issuer"`
		DropOld bool   `json:"drop_old"`
	}
	if err := readAdminRequest(w, r, &request); err != nil {
		return err
	}
	i, err := live.begin(request.Issuer)
	if err != nil {
		return apiError(err)
	}
	defer i.end()
	if i.automatic == nil {
		return caddy.APIError{HTTPStatus: http.StatusConflict,
			Err: errors.New("this issuer signs with signing_key files: replace the files and reload the config")}
	}
	states, err := i.automatic.Rotate(r.Context(), request.DropOld)
	if err != nil {
		return apiError(err)
	}
	response := []rotatedKey{}
	for _, k := range states {
		response = append(response, rotatedKey{k.ID, string(k.Algorithm), k.State, k.SignsAt.Unix()})
	}
	return writeAdminResponse(w, http.StatusOK, response)
}

// listedIssuer is an issuer in the answer of GET /oidc_token/issuers. Nothing
// in it is secret.
type listedIssuer struct {
	Issuer        string         `json:"issuer"`
	TokenEndpoint string         `json:"token_endpoint"`
	Clients       []listedClient `json:"clients"`
}

type listedClient struct {
	ClientID                string   `json:"client_id"`
	TokenEndpointAuthMethod string   `json:"token_endpoint_auth_method"`
	RequirePKCE             bool     `json:"require_pkce"`
	RedirectURIs            []string `json:"redirect_uris"`
}

// listIssuers answers GET /oidc_token/issuers.
func listIssuers(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return methodNotAllowed(http.MethodGet)
	}
	list := []listedIssuer{}
	for _, i := range live.all() {
		l := listedIssuer{Issuer: i.identifier, TokenEndpoint: i.documents.tokenEndpoint, Clients: []listedClient{}}
		for _, c := range i.settings.clients.All() {
			l.Clients = append(l.Clients, listedClient{c.ID, string(c.AuthMethod), c.RequirePKCE, c.RedirectURIs})
		}
		list = append(list, l)
	}
	return writeAdminResponse(w, http.StatusOK, list)
}

// readAdminRequest reads a JSON object. A browser page must not get here: it
// cannot send application/json elsewhere without asking first, and what it
// sends carries an Origin.
func readAdminRequest(w http.ResponseWriter, r *http.Request, into any) error {
	if r.Method != http.MethodPost {
		return methodNotAllowed(http.MethodPost)
	}
	if len(r.Header.Values("Origin")) > 0 {
		return caddy.APIError{HTTPStatus: http.StatusForbidden, Err: errors.New("requests from browser pages are refused: an Origin header is present")}
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return caddy.APIError{HTTPStatus: http.StatusUnsupportedMediaType, Err: errors.New("the body must be JSON, with Content-Type: application/json")}
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("reading the request: %w", plainJSONError(err))}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("reading the request: more than one JSON value")}
	}
	return nil
}

// plainJSONError words what encoding/json says for somebody who writes no Go.
func plainJSONError(err error) error {
	if err == io.EOF {
		return errors.New("the body is empty: send a JSON object, {} at least")
	}
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	want := map[reflect.Kind]string{
		reflect.String: "a string", reflect.Bool: "true or false", reflect.Int64: "a whole number",
		reflect.Slice: "a list", reflect.Map: "an object", reflect.Struct: "an object",
	}[mismatch.Type.Kind()]
	if want == "" {
		return err
	}
	// Field leads through the struct that a request embeds.
	name := mismatch.Field[strings.LastIndexByte(mismatch.Field, '.')+1:]
	return fmt.Errorf("%s holds a JSON %s where %s is to be", cmp.Or(name, "the body"), mismatch.Value, want)
}

func methodNotAllowed(allowed string) error {
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method not allowed, use %s", allowed)}
}

func writeAdminResponse(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// adminDoor knows which config's admin API came up last. Caddy does not tell
// an app whether its config has one.
var adminDoor door

type door struct{ config atomic.Value } // of the config's context: its Done channel

func (d *door) opened(config <-chan struct{})    { d.config.Store(config) }
func (d *door) open(config <-chan struct{}) bool { return d.config.Load() == config }

// Interface guards
var (
	_ caddy.AdminRouter = (*adminAPI)(nil)
	_ caddy.Provisioner = (*adminAPI)(nil)
)

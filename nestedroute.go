package oidctoken

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// handlersOf returns the names of all handlers in routes, also those inside
// others. Routes are JSON until they are provisioned.
func handlersOf(routes caddyhttp.RouteList) (map[string]bool, error) {
	encoded, err := json.Marshal(routes)
	if err != nil {
		return nil, fmt.Errorf("encoding routes: %w", err)
	}
	var decoded any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		return nil, fmt.Errorf("decoding routes: %w", err)
	}
	names := make(map[string]bool)
	collectHandlers(decoded, names)
	return names, nil
}

func collectHandlers(value any, names map[string]bool) {
	switch v := value.(type) {
	case []any:
		for _, member := range v {
			collectHandlers(member, names)
		}
	case map[string]any:
		if name, ok := v["handler"].(string); ok {
			names[name] = true
		}
		for _, member := range v {
			collectHandlers(member, names)
		}
	}
}

// silentWriter takes the answer of routes that nobody is to see: the headers
// are its own, and what is written is gone. It has no Unwrap, so that nothing
// reaches the writer behind by flushing or hijacking.
type silentWriter struct {
	header http.Header
	status int
}

func (w *silentWriter) Header() http.Header { return w.header }

func (w *silentWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *silentWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(b), nil
}

// failed reports whether the routes ended in a server error: err, or what was
// written.
func (w *silentWriter) failed(err error) bool {
	if err == nil {
		return w.status >= 500
	}
	e, ok := errors.AsType[caddyhttp.HandlerError](err)
	return !ok || e.StatusCode == 0 || e.StatusCode >= 500
}

// Interface guard
var _ http.ResponseWriter = (*silentWriter)(nil)

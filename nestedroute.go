package oidctoken

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// watchedWriter passes on what routes answer, and notes the status.
type watchedWriter struct {
	*caddyhttp.ResponseWriterWrapper
	status int // 0: nothing was written
}

func (w *watchedWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *watchedWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriterWrapper.Write(b)
}

func (w *watchedWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	return w.ResponseWriterWrapper.ReadFrom(r)
}

func (w *watchedWriter) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
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

// statusOf is the status that routes ended with: that of what they wrote, or
// the one the site's handle_errors is told.
func statusOf(written int, err error) int {
	if err == nil {
		return written
	}
	if e, ok := errors.AsType[caddyhttp.HandlerError](err); ok && e.StatusCode != 0 {
		return e.StatusCode
	}
	return http.StatusInternalServerError
}

// Interface guards
var (
	_ http.ResponseWriter = (*silentWriter)(nil)
	_ http.ResponseWriter = (*watchedWriter)(nil)
	_ io.ReaderFrom       = (*watchedWriter)(nil)
)

package oidctoken

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// lateWriter sends nothing before finish, and says that it flushed.
type lateWriter struct {
	*caddyhttp.ResponseWriterWrapper
	status int
}

func (w *lateWriter) WriteHeader(status int) { w.status = status }
func (w *lateWriter) FlushError() error      { return nil }

func TestHideLocation(t *testing.T) {
	const location, plain = "https://app.example/callback?code=x", "https://app.example/callback"
	always := func(int, http.Header) bool { return true }
	for _, row := range []struct {
		name string
		// around is what stands between the handler and the server, and what
		// sends the answer on in the end.
		around      func(http.ResponseWriter) (w http.ResponseWriter, finish func())
		shown       string // to whoever reads the headers later
		withoutLine bool
	}{
		{"with an access log", func(w http.ResponseWriter) (http.ResponseWriter, func()) {
			return caddyhttp.NewResponseRecorder(w, nil, nil), nil
		}, plain, false},
		{"without an access log nothing is changed", func(w http.ResponseWriter) (http.ResponseWriter, func()) {
			return w, nil
		}, location, false},
		{"where a recorder holds the answer back it stays as it is", func(w http.ResponseWriter) (http.ResponseWriter, func()) {
			recorder := caddyhttp.NewResponseRecorder(caddyhttp.NewResponseRecorder(w, nil, nil), new(bytes.Buffer), always)
			return recorder, func() { _ = recorder.WriteResponse() }
		}, location, true},
		{"where another writer might hold it back it stays as it is", func(w http.ResponseWriter) (http.ResponseWriter, func()) {
			late := &lateWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
			return caddyhttp.NewResponseRecorder(late, nil, nil), func() { w.WriteHeader(late.status) }
		}, location, true},
	} {
		t.Run("REQ-239 "+row.name, func(t *testing.T) {
			var shown string
			var withoutLine any
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
				w, finish := row.around(w)
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusSeeOther)
				hideLocation(w, r, plain)
				shown, withoutLine = w.Header().Get("Location"), caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar)
				if finish != nil {
					finish()
				}
			}))
			t.Cleanup(server.Close)
			client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			a, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			a.Body.Close()
			server.Close() // waits for the handler, which goes on after the flush
			if a.StatusCode != 303 || a.Header.Get("Location") != location {
				t.Errorf("the browser got %d to %q", a.StatusCode, a.Header.Get("Location"))
			}
			if shown != row.shown || (withoutLine == true) != row.withoutLine {
				t.Errorf("the access log shows %q, and is left out: %v", shown, withoutLine)
			}
		})
	}
}

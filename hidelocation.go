package oidctoken

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// hideLocation keeps an authorization code that has just been written in a
// Location header out of Caddy's access log, which shows the headers of a
// response and reads them from the same map later. They say plain there, where
// that cannot change what the browser gets any more; else the request has no
// line in the access log. It has one of ours in any case.
func hideLocation(w http.ResponseWriter, r *http.Request, plain string) {
	sent, logged := wayOut(w)
	if !logged {
		return
	}
	if sent && http.NewResponseController(w).Flush() == nil {
		w.Header().Set("Location", plain)
		return
	}
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
}

// wayOut looks at the writers between a handler and the connection: whether
// headers that were written and flushed have left them all, and whether one
// records the response for the access log.
func wayOut(w http.ResponseWriter) (sent, logged bool) {
	sent = true
	for {
		if recorder, ok := w.(caddyhttp.ResponseRecorder); ok {
			logged = true
			sent = sent && !recorder.Buffered()
		} else if !slices.Contains(passingWriters, fmt.Sprintf("%T", w)) {
			sent = false
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return sent, logged
		}
		w = wrapper.Unwrap()
	}
}

// passingWriters keep nothing back: the servers' own, which copy the headers
// when they are written or send them when they are flushed, those that Caddy's
// server puts around them for its timeouts, that of its header directive, and our
// own.
var passingWriters = []string{
	"*http.response", "*http.http2responseWriter", "*http2.responseWriter", "*http3.responseWriter",
	"*caddyhttp.IdleTimeoutWriter", "*caddyhttp.readDeadlineWriter", "*headers.responseWriterWrapper", "*oidctoken.watchedWriter",
}

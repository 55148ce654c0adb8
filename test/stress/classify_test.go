//go:build linux

package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"syscall"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		retry  string
		body   string
		want   answer
	}{
		{"tokens", 200, "", `{"access_token":"a","id_token":"i"}`, issued},
		{"a 200 without an ID token", 200, "", `{"access_token":"a"}`, unexpected},
		{"a 200 without an access token", 200, "", `{"id_token":"i"}`, unexpected},
		{"invalid_grant", 400, "", `{"error":"invalid_grant"}`, refused},
		{"another 400", 400, "", `{"error":"invalid_request"}`, unexpected},
		{"invalid_grant with another status", 401, "", `{"error":"invalid_grant"}`, unexpected},
		{"503 that says when to try again", 503, "1", `{"error":"temporarily_unavailable"}`, unavailable},
		{"a 503 that does not say when to try again", 503, "", `{"error":"temporarily_unavailable"}`, unexpected},
		{"500 that does not", 500, "", `{"error":"server_error"}`, failed},
		{"a 500 that invites to try again", 500, "1", `{"error":"server_error"}`, unexpected},
		{"a throttled client", 429, "1", `{"error":"temporarily_unavailable"}`, unexpected},
		{"a body that is none of ours", 500, "", `Internal Server Error`, unexpected},
	} {
		t.Run(row.name, func(t *testing.T) {
			response := &http.Response{StatusCode: row.status, Header: http.Header{}}
			if row.retry != "" {
				response.Header.Set("Retry-After", row.retry)
			}
			got, tokens, _ := classify(response, []byte(row.body))
			if got != row.want || (got == issued) != (tokens.AccessToken != "") {
				t.Errorf("it is taken for %q", got)
			}
		})
	}
}

func TestErrorsOfConnectionsAreNamedWithoutAddresses(t *testing.T) {
	for err, want := range map[error]string{
		&os.SyscallError{Err: syscall.ECONNREFUSED}: "connection refused",
		&os.SyscallError{Err: syscall.ECONNRESET}:   "connection reset",
		io.ErrUnexpectedEOF:                         "connection closed",
		os.ErrDeadlineExceeded:                      "time out",
		errors.New("127.0.0.1:1234"):                "*errors.errorString",
	} {
		if got := text(err); got != want {
			t.Errorf("%T is named %q, want %q", err, got, want)
		}
	}
}

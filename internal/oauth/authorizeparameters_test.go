package oauth

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWhereAnAuthorizationRequestIsRead(t *testing.T) {
	const form = "client_id=web&state=a%20b"
	for _, row := range []struct {
		name, method, target, body string
		header                     http.Header
		want                       string // the parameters
		refusal                    string // or the public answer
	}{
		{"GET: the query", "GET", "/authorize?" + form, "", nil, form, ""},
		{"GET: no query", "GET", "/authorize", "", nil, "", ""},
		{"H03 GET: never the body", "GET", "/authorize?" + form, "client_id=web2", http.Header{"Content-Type": {formMediaType}}, form, ""},
		{"POST: the body", "POST", "/authorize", form, http.Header{"Content-Type": {formMediaType}}, form, ""},
		{"POST: the body in UTF-8", "POST", "/authorize", form, http.Header{"Content-Type": {formMediaType + "; charset=utf-8"}}, form, ""},
		{"REQ-022 POST: another query", "POST", "/authorize?tenant=a", form, http.Header{"Content-Type": {formMediaType}}, form, ""},
		{"REQ-020 H03 POST: a parameter in the query", "POST", "/authorize?state=x", form, http.Header{"Content-Type": {formMediaType}}, "", "400 malformed parameter: state"},
		{"REQ-020 H03 POST: a parameter in the query, in disguise", "POST", "/authorize?x=1;%63lient_id=x", form, http.Header{"Content-Type": {formMediaType}}, "", "400 malformed parameter: client_id"},
		{"H02 POST: no media type", "POST", "/authorize", form, nil, "", "400 The request is malformed."},
		{"H02 POST: JSON", "POST", "/authorize", `{"client_id":"web"}`, http.Header{"Content-Type": {"application/json"}}, "", "400 The request is malformed."},
		{"H02 POST: multipart", "POST", "/authorize", form, http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, "", "400 The request is malformed."},
		{"REQ-015 POST: compressed", "POST", "/authorize", form, http.Header{"Content-Type": {formMediaType}, "Content-Encoding": {"gzip"}}, "", "415 The request body must not have a content coding."},
		{"H05 POST: above 64 KiB", "POST", "/authorize", "x=" + strings.Repeat("x", maxBody), http.Header{"Content-Type": {formMediaType}}, "", "413 The request body is too large."},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, row.target, strings.NewReader(row.body))
			if row.header != nil {
				r.Header = row.header
			}
			got, err := ReadAuthorization(r)
			if row.refusal == "" {
				if err != nil || got != row.want {
					t.Errorf("read %q: %v", got, err)
				}
				return
			}
			e := AsError(err)
			if got != "" || e == nil || fmt.Sprint(e.Status(), " ", e.Description()) != row.refusal {
				t.Errorf("read %q: %v", got, err)
			}
		})
	}
}

package oauth

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

func TestRequestMediaType(t *testing.T) {
	refused := invalidRequest(MediaType)
	run(t, []row{
		{name: "REQ-009 the type is compared without case and may have parameters",
			change: header("Content-Type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8; x=y")},
		{name: "REQ-009 H02 JSON is refused", change: header("Content-Type", "application/json"), want: refused},
		{name: "REQ-009 H02 multipart is refused", change: header("Content-Type", "multipart/form-data; boundary=x"), want: refused},
		{name: "REQ-009 text/plain is refused", change: header("Content-Type", "text/plain"), want: refused},
		{name: "REQ-009 an absent type is refused", change: header("Content-Type"), want: refused},
		{name: "H02 two types in one field are refused",
			change: header("Content-Type", "application/json, application/x-www-form-urlencoded"), want: refused},
		{name: "REQ-010 another charset is refused",
			change: header("Content-Type", "application/x-www-form-urlencoded; charset=ISO-8859-1"), want: refused},
		{name: "REQ-010 another charset is refused in its extended form",
			change: header("Content-Type", "application/x-www-form-urlencoded; charset*=utf-8''utf-16"), want: refused},
		{name: "REQ-010 a quoted charset of UTF-8 is accepted in any case",
			change: header("Content-Type", `application/x-www-form-urlencoded; charset="Utf-8"`)},
		{name: "REQ-011 two Content-Type fields are refused",
			change: header("Content-Type", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded"), want: refused},
		{name: "REQ-011 an unparsable type is refused",
			change: header("Content-Type", "application/x-www-form-urlencoded; ="), want: refused},
	})
}

func TestRequestContentCoding(t *testing.T) {
	refused := want{415, "invalid_request", ContentCoding, ""}
	run(t, []row{
		{name: "REQ-015 identity is accepted in any case", change: header("Content-Encoding", "Identity")},
		{name: "REQ-015 gzip is refused", want: refused, change: func(q *tokenRequest, _ *fixture) {
			q.body = zipped(q.form.Encode())
			q.header.Set("Content-Encoding", "gzip")
		}},
		{name: "REQ-015 gzip behind identity is refused", change: header("Content-Encoding", "identity, gzip"), want: refused},
		{name: "REQ-015 gzip in a second field is refused", change: header("Content-Encoding", "identity", "br"), want: refused},
		{name: "REQ-015 gzip bytes without the field are no form", want: invalidRequest(FormMalformed),
			change: func(q *tokenRequest, _ *fixture) { q.body = zipped(q.form.Encode()) }},
		{name: "REQ-169 the coding is looked at before the media type", want: refused, change: func(q *tokenRequest, _ *fixture) {
			q.header.Set("Content-Encoding", "gzip")
			q.header.Set("Content-Type", "application/json")
		}},
		{name: "REQ-169 the size is looked at before the coding", want: want{413, "invalid_request", BodyTooLarge, ""},
			change: func(q *tokenRequest, _ *fixture) {
				q.header.Set("Content-Encoding", "gzip")
				q.body = strings.Repeat("a", maxBody+1)
			}},
		{name: "REQ-169 the media type is looked at before the syntax", want: invalidRequest(MediaType),
			change: func(q *tokenRequest, _ *fixture) {
				q.header.Set("Content-Type", "application/json")
				q.body = "%zz"
			}},
	})
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s) // into memory
	_ = w.Close()
	return b.String()
}

// failingBody yields some of a form and then an error.
type failingBody struct {
	form string
	err  error
}

func (b *failingBody) Read(p []byte) (int, error) {
	if b.form == "" {
		return 0, b.err
	}
	n := copy(p, b.form)
	b.form = b.form[n:]
	return n, nil
}

func (*failingBody) Close() error { return nil }

// wrapped is how a body limit of the server in front wraps the error.
type wrapped struct{ err error }

func (w wrapped) Error() string { return "status 413" }
func (w wrapped) Unwrap() error { return w.err }

func TestRequestBody(t *testing.T) {
	timeout := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, row := range []struct {
		name string
		body func(form string) (io.ReadCloser, int64)
		want want
	}{
		{"REQ-013 a body without a declared length is served", func(form string) (io.ReadCloser, int64) {
			return io.NopCloser(oneByte{strings.NewReader(form)}), -1
		}, want{}},
		{"REQ-012 H05 a declared length above the limit is refused unread", func(string) (io.ReadCloser, int64) {
			return &failingBody{err: errors.New("was read")}, maxBody + 1
		}, want{413, "invalid_request", BodyTooLarge, ""}},
		{"REQ-012 H05 an undeclared length above the limit is refused", func(form string) (io.ReadCloser, int64) {
			return io.NopCloser(strings.NewReader(form + "&x=" + strings.Repeat("a", maxBody))), -1
		}, want{413, "invalid_request", BodyTooLarge, ""}},
		{"REQ-012 the limit of the server in front is the same answer", func(form string) (io.ReadCloser, int64) {
			return &failingBody{form, wrapped{&http.MaxBytesError{Limit: 10}}}, -1
		}, want{413, "invalid_request", BodyTooLarge, ""}},
		{"REQ-016 a body that ends early is no request", func(form string) (io.ReadCloser, int64) {
			return &failingBody{form, io.ErrUnexpectedEOF}, int64(len(form)) + 10
		}, invalidRequest(BodyTruncated)},
		{"REQ-016 a body that is shorter than declared is no request", func(form string) (io.ReadCloser, int64) {
			return &failingBody{form, io.EOF}, int64(len(form)) + 10
		}, invalidRequest(BodyTruncated)},
		{"REQ-016 a body whose connection breaks is no request", func(form string) (io.ReadCloser, int64) {
			return &failingBody{form, errors.New("connection reset")}, -1
		}, invalidRequest(BodyTruncated)},
		{"REQ-017 H06 a body that does not arrive in time is refused", func(form string) (io.ReadCloser, int64) {
			return &failingBody{form, fmt.Errorf("http2: %w", os.ErrDeadlineExceeded)}, -1
		}, want{408, "invalid_request", BodyTimeout, ""}},
		{"REQ-017 H06 a read timeout of the network is the same answer", func(form string) (io.ReadCloser, int64) {
			return &failingBody{form, timeout}, -1
		}, want{408, "invalid_request", BodyTimeout, ""}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			q := f.valid("web")
			r := q.http()
			r.Body, r.ContentLength = row.body(q.encoded())
			_, _, err := respond(f.endpoint, r, testAddr)
			if row.want == (want{}) {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			e := AsError(err)
			if e == nil || (want{e.Status(), e.Code(), e.Reason, e.Detail}) != row.want {
				t.Fatalf("answered %v, want %+v", err, row.want)
			}
			f.succeeds(q)
		})
	}
}

// oneByte reads one byte at a time, as from chunks of one byte.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func TestRequestForm(t *testing.T) {
	malformedForm := invalidRequest(FormMalformed)
	many := strings.Repeat("&x=1", maxParameters)
	run(t, []row{
		{name: "REQ-018 H04 malformed percent-encoding is refused as a whole", change: appendBody("&x=%zz"), want: malformedForm},
		{name: "REQ-018 a percent sign at the end is refused", change: appendBody("&x=%2"), want: malformedForm},
		{name: "REQ-018 malformed percent-encoding in a name is refused", change: appendBody("&%zz=x"), want: malformedForm},
		{name: "REQ-018 a value that is not UTF-8 is refused", change: appendBody("&x=%ff"), want: malformedForm},
		{name: "REQ-018 a name that is not UTF-8 is refused", change: appendBody("&%ff=x"), want: malformedForm},
		{name: "REQ-019 NUL in a recognised parameter is refused", change: set("code", "abc\x00"), want: invalidRequest(ParameterMalformed)},
		{name: "REQ-019 H11 a line break in a recognised parameter is refused",
			change: set("grant_type", "authorization_code\r\nX: y"), want: invalidRequest(ParameterMalformed)},
		{name: "REQ-019 DEL in a recognised parameter is refused", change: set("redirect_uri", "https://rp.example/\x7f"), want: invalidRequest(ParameterMalformed)},
		{name: "REQ-019 control characters elsewhere are ignored", change: set("x", "a\r\n\x00")},
		{name: "REQ-020 a parameter is not taken from the query", both: func(q *tokenRequest) { q.target = "/token?scope=x&grant_type=authorization_code" },
			change: set("grant_type", "x"), want: want{400, "unsupported_grant_type", GrantTypeUnknown, ""}},
		{name: "REQ-020 H03 a parameter in body and query is taken from the body", change: target("/token?grant_type=x&redirect_uri=y")},
		{name: "REQ-022 another query component is harmless", change: target("/token?tenant=a&b&=c&%zz")},
		{name: "REQ-023 an empty parameter is an absent one", change: set("code", ""), want: invalidRequest(ParameterMissing)},
		{name: "REQ-023 an empty client_secret beside Basic is absent", change: set("client_secret", "")},
		{name: "REQ-023 an empty redirect_uri is absent", change: set("redirect_uri", ""), want: invalidGrant(RedirectMismatch, RedirectMissing)},
		{name: "REQ-023 an empty verifier without a challenge is absent", mint: noChallenge, change: set("code_verifier", "")},
		{name: "REQ-024 unrecognised parameters are ignored, repeated ones too", change: appendBody("&foo=1&foo=2&audience=x")},
		{name: "REQ-025 H03 a repeated code is refused", change: func(q *tokenRequest, _ *fixture) { q.form.Add("code", q.form.Get("code")) },
			want: invalidRequest(ParameterRepeated)},
		{name: "REQ-025 a repeated grant_type is refused", change: add("grant_type", "authorization_code"), want: invalidRequest(ParameterRepeated)},
		{name: "REQ-025 a repeated client_id is refused", client: "post", change: add("client_id", "post"), want: invalidRequest(ParameterRepeated)},
		{name: "REQ-025 a repetition without a value is one", change: add("code", ""), want: invalidRequest(ParameterRepeated)},
		{name: "REQ-025 a repeated refresh_token is refused in any grant", change: appendBody("&refresh_token=a&refresh_token=b"), want: invalidRequest(ParameterRepeated)},
		{name: "REQ-025 it is repeated also where the first has no value", change: appendBody("&refresh_token=&refresh_token=b"), want: invalidRequest(ParameterRepeated)},
		{name: "REQ-025 a repetition in another encoding is one", change: appendBody("&c%6Fde=x"), want: invalidRequest(ParameterRepeated)},
		{name: "REQ-026 names are compared with case", change: func(q *tokenRequest, _ *fixture) {
			q.form.Del("grant_type")
			q.form.Set("Grant_Type", "authorization_code")
		}, want: invalidRequest(ParameterMissing)},
		{name: "REQ-026 A33 values are compared with case", change: set("grant_type", "Authorization_Code"), want: want{400, "unsupported_grant_type", GrantTypeUnknown, ""}},
		{name: "REQ-026 values are not trimmed", change: set("grant_type", " authorization_code"), want: want{400, "unsupported_grant_type", GrantTypeUnknown, ""}},
		{name: "REQ-027 a plus sign is a space and %2B a plus sign",
			mint:   func(r *storage.Record) { r.RedirectURI = "https://rp.example/a+b%20c?d=e f" },
			both:   func(q *tokenRequest) { q.form.Set("redirect_uri", "https://rp.example/a+b%20c?d=e f") },
			change: func(q *tokenRequest, _ *fixture) { q.body = q.form.Encode() }},
		{name: "REQ-028 H04 a raw semicolon is refused", change: appendBody(";client_id=evil"), want: malformedForm},
		{name: "REQ-028 an encoded semicolon is data", change: appendBody("&x=a%3Bclient_id=evil")},
		{name: "REQ-029 H05 more than 64 parameters are refused", change: appendBody(many), want: malformedForm},
		{name: "REQ-029 64 parameters are accepted", change: appendBody(many[:len(many)-4*4])},
		{name: "REQ-029 a value of 4 KiB is accepted", change: appendBody("&x=" + strings.Repeat("a", maxParameterSize))},
		{name: "REQ-029 a larger value is refused", change: appendBody("&x=" + strings.Repeat("a", maxParameterSize+1)), want: malformedForm},
		{name: "REQ-029 a larger name is refused", change: appendBody("&" + strings.Repeat("a", maxParameterSize+1)), want: malformedForm},
		{name: "REQ-029 an assertion may be larger, and is refused for what it is", want: want{400, "invalid_request", SeveralMechanisms, ""},
			change: set("client_assertion", strings.Repeat("a", maxAssertionSize))},
		{name: "REQ-029 an assertion above 16 KiB is refused", want: malformedForm,
			change: set("client_assertion", strings.Repeat("a", maxAssertionSize+1))},
		{name: "REQ-031 cookies have no effect", change: header("Cookie", "grant_type=x")},
		{name: "REQ-032 H08 the Host field has no effect", change: header("X-Forwarded-Host", "evil.example")},
		{name: "REQ-007 a method override has no effect", change: header("X-Http-Method-Override", "GET")},
		{name: "REQ-078 A33 an absent grant_type is refused before authentication", change: func(q *tokenRequest, _ *fixture) {
			q.form.Del("grant_type")
			q.basic("web", "wrong")
		}, want: invalidRequest(ParameterMissing)},
		{name: "REQ-078 an empty grant_type is refused", change: set("grant_type", ""), want: invalidRequest(ParameterMissing)},
	})
}

func TestRequestWithoutABody(t *testing.T) {
	t.Run("REQ-078 an empty request is invalid_request, not invalid_client", func(t *testing.T) {
		f := newFixture(t)
		q := &tokenRequest{header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, target: "/token", addr: testAddr}
		e := f.fails(q, invalidRequest(ParameterMissing))
		if e.Param != "grant_type" || e.Description() != "missing parameter: grant_type" {
			t.Errorf("described as %q about %q", e.Description(), e.Param)
		}
	})
}

func TestSecretsInTheURI(t *testing.T) {
	refused := invalidRequest(SecretInURI)
	rows := []row{
		{name: "REQ-021 C14 a percent-encoded name is found", change: target("/token?client%5Fsecret=x"), want: refused},
		{name: "REQ-021 a name in a malformed query is found", change: target("/token?%zz;a=%&code%5fverifier=x"), want: refused},
		{name: "REQ-021 a name behind a semicolon is found", change: target("/token?a;code=x"), want: refused},
		{name: "REQ-021 a name without a value is found", change: target("/token?code"), want: refused},
		{name: "REQ-021 a name of another case is another parameter", change: target("/token?Code=x&my_code=y&codes=z")},
	}
	for name := range secretNames {
		rows = append(rows, row{name: "REQ-021 C14 in the URI is refused: " + name, change: target("/token?a=b&" + name + "=x"), want: refused})
	}
	run(t, rows)
	t.Run("REQ-021 a rewritten query does not hide what was sent", func(t *testing.T) {
		f := newFixture(t)
		r := f.valid("web").http()
		r.RequestURI = "/token?client_secret=x"
		_, _, err := respond(f.endpoint, r, testAddr)
		if e := AsError(err); e == nil || e.Reason != SecretInURI || !e.Security || strings.Contains(e.Error(), "=x") {
			t.Errorf("answered %v", err)
		}
	})
}

// noChallenge makes a code without PKCE.
func noChallenge(r *storage.Record) { r.CodeChallenge, r.CodeChallengeMethod = "", "" }

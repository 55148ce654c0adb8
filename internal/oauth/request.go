package oauth

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
)

// maxBody is the largest request body in bytes (RFC 6749 §10.14 asks to
// validate what comes in; net/http alone would read 10 MB).
const maxBody = 64 << 10

// request is a token request whose structure is right. Nothing in it has been
// compared with anything registered, but for its origin.
type request struct {
	parameters  map[string]string // the recognised ones; "": absent, or without a value
	credentials *credentials
	origin      string // serialized; only where hasOrigin
	hasOrigin   bool
}

// parseRequest does what can be decided without a client: RFC 6749 §3.2. The
// order of its steps is the precedence of their answers. Whatever is wrong
// here is said before any credential is looked at.
func (e *Endpoint) parseRequest(r *http.Request, body Body) (*request, error) {
	if err := checkContentCoding(r.Header); err != nil {
		return nil, err
	}
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	form, err := decodeForm(string(body))
	if err != nil {
		return nil, &Error{Kind: InvalidRequest, Reason: FormMalformed, Err: err}
	}
	if err := checkURI(r); err != nil {
		return nil, err
	}
	req := new(request)
	if req.origin, req.hasOrigin, err = e.origin(r.Header); err != nil {
		return nil, err
	}
	if req.parameters, err = recognise(form); err != nil {
		return nil, err
	}
	if req.credentials, err = presented(r.Header.Values("Authorization"), req.parameters); err != nil {
		return nil, err
	}
	if req.parameters["grant_type"] == "" {
		return nil, missing("grant_type")
	}
	return req, nil
}

// Body is the body of a token request, which has arrived whole.
type Body string

// ReadBody reads the whole body before anything else is said about it, so that
// the size decides first, declared or chunked. A body that ends early is no
// request at all: what came might be the beginning of another one.
func ReadBody(r *http.Request) (Body, error) {
	if r.ContentLength > maxBody {
		return "", tooLarge(nil)
	}
	if r.Body == nil {
		return "", nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return "", readError(err)
	}
	if len(body) > maxBody {
		return "", tooLarge(nil)
	}
	if r.ContentLength > int64(len(body)) {
		return "", readError(io.ErrUnexpectedEOF)
	}
	return Body(body), nil
}

func readError(err error) error {
	// A limit that another handler has put around the body wraps the same
	// error in its own.
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(err)
	}
	// os.ErrDeadlineExceeded is one, too.
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return &Error{Kind: RequestTimeout, Reason: BodyTimeout, Err: err}
	}
	return &Error{
		Kind: InvalidRequest, Reason: BodyTruncated,
		Hint: "the body ended before it was complete",
		Err:  fmt.Errorf("reading request body: %w", err),
	}
}

func tooLarge(err error) error {
	return &Error{
		Kind: ContentTooLarge, Reason: BodyTooLarge,
		Hint: fmt.Sprintf("the body is larger than %d bytes", maxBody), Err: err,
	}
}

// checkContentCoding refuses compressed bodies: nothing is ever inflated
// (RFC 9110 §8.4).
func checkContentCoding(h http.Header) error {
	for _, field := range h.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(field, ",") {
			coding = strings.TrimSpace(coding)
			if coding != "" && !strings.EqualFold(coding, "identity") {
				return &Error{
					Kind: UnsupportedCoding, Reason: ContentCoding,
					Hint: "the body has a Content-Encoding; the client must send it as it is",
				}
			}
		}
	}
	return nil
}

// formMediaType is what RFC 6749 §4.1.3 and appendix B name.
const formMediaType = "application/x-www-form-urlencoded"

// checkMediaType insists on the one media type. Another charset is refused, not transcoded.
func checkMediaType(h http.Header) error {
	refuse := func(hint string) error {
		return &Error{Kind: InvalidRequest, Reason: MediaType, Hint: hint}
	}
	fields := h.Values("Content-Type")
	if len(fields) != 1 {
		return refuse("the request must have exactly one Content-Type field: " + formMediaType)
	}
	if fields[0] == formMediaType {
		return nil
	}
	mediaType, parameters, err := mime.ParseMediaType(fields[0])
	if err != nil {
		return refuse("the Content-Type field is malformed")
	}
	if mediaType != formMediaType {
		return refuse("the Content-Type is not " + formMediaType + "; the client must send a form")
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return refuse("the charset of the form is not UTF-8")
	}
	return nil
}

// recognise picks the parameters this endpoint knows. RFC 6749 §3.2: each at
// most once, and one without a value counts as left out, but not as absent
// when repeats are counted.
func recognise(form []parameter) (map[string]string, error) {
	parameters := make(map[string]string, min(len(form), len(recognised)))
	for _, p := range form {
		if !recognised[p.name] {
			continue
		}
		if _, repeated := parameters[p.name]; repeated {
			return nil, &Error{Kind: InvalidRequest, Param: p.name, Reason: ParameterRepeated}
		}
		// What is wrong with credentials is for authentication to say, in the
		// one answer it has.
		if p.name != "client_id" && p.name != "client_secret" && hasControl(p.value) {
			return nil, malformed(p.name, "it has a control character")
		}
		parameters[p.name] = p.value
	}
	return parameters, nil
}

func missing(name string) error {
	return &Error{Kind: InvalidRequest, Param: name, Reason: ParameterMissing}
}

func malformed(name, hint string) error {
	return &Error{Kind: InvalidRequest, Param: name, Reason: ParameterMalformed, Hint: hint}
}

package oidctoken

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// pageStyle is that of both pages: readable at any width, in light and dark.
const pageStyle = `:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:12vh auto;padding:0 1.25rem;color:#1c1e21;background:#fff}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
small{color:#5a6068}
button{font:inherit;padding:.5rem 1.25rem;border:0;border-radius:.375rem;color:#fff;background:#0b57d0;cursor:pointer}
button:focus-visible{outline:3px solid #7cacf8;outline-offset:2px}
@media(prefers-color-scheme:dark){body{color:#e8eaed;background:#17181a}small{color:#a8adb4}button{color:#062e6f;background:#a8c7fa}}`

// submitScript posts the form of the page it is in.
const submitScript = `document.forms[0].submit()`

// pageHead begins both pages.
const pageHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>` + pageStyle + `</style>
</head>
<body>
<main>
`

// errorPage names what is wrong without showing anything of the request: what
// it holds was chosen by whoever made the link.
var errorPage = template.Must(template.New("error").Parse(pageHead + `<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
<p><code>{{.Code}}</code>: {{.Description}}</p>
{{with .RequestID}}<p><small>Request <code>{{.}}</code></small></p>
{{end}}</main>
</body>
</html>
`))

// formPostPage is OAuth 2.0 Form Post Response Mode §2. Without scripts there
// is its button.
var formPostPage = template.Must(template.New("form_post").Parse(pageHead + `<h1>{{.Title}}</h1>
<form method="post" action="{{.Action}}">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<noscript><p>You are being sent back to the application.</p></noscript>
<button>Continue</button>
</form>
</main>
<script>` + submitScript + `</script>
</body>
</html>
`))

// contentSecurityPolicy lets the pages do what they do and nothing else, and
// nobody frame them. There is no form-action: browsers apply it to where the
// client redirects to after the form, too.
var contentSecurityPolicy = "default-src 'none'; style-src '" + sourceHash(pageStyle) + "'; script-src '" + sourceHash(submitScript) +
	"'; frame-ancestors 'none'; base-uri 'none'"

func sourceHash(source string) string {
	digest := sha256.Sum256([]byte(source))
	return "sha256-" + base64.StdEncoding.EncodeToString(digest[:])
}

// writeErrorPage shows the person what goes no further (RFC 6749 §4.1.2.1: the
// user agent must not be redirected).
func writeErrorPage(w http.ResponseWriter, r *http.Request, e *oauth.Error, requestID string) error {
	setErrorHeaders(w.Header(), r, e)
	page := struct{ Title, Text, Code, Description, RequestID string }{
		"You cannot be signed in",
		"The application that sent you here made a request that cannot be answered. Go back to it and try again; if that does not help, tell whoever runs it.",
		e.Code(), e.Description(), requestID,
	}
	if e.Status() >= 500 {
		page.Text = "That is a problem on this side. Go back to the application and try again in a moment."
	}
	return writePage(w, e.Status(), errorPage, page)
}

// writeFormPost has the browser post the response to the client.
func writeFormPost(w http.ResponseWriter, response oauth.AuthorizationResponse) error {
	page := struct {
		Title  string
		Action string // html/template lets http and https pass, and nothing else that runs
		Fields []formField
	}{"Signing you in", response.RedirectURI, nil}
	for _, p := range response.Parameters {
		page.Fields = append(page.Fields, formField{p.Name, inert(p.Value)})
	}
	return writePage(w, http.StatusOK, formPostPage, page)
}

// formField is a parameter in a form.
type formField struct {
	Name  string
	Value template.HTML
}

// inert writes a value with character references for all but letters and
// digits: a state that the client sent must be nothing to HTML, and nothing
// either to Caddy's templates, which may run over our pages with whatever
// delimiters the site has.
func inert(value string) template.HTML {
	var b strings.Builder
	for _, r := range value {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return template.HTML(b.String())
}

func writePage(w http.ResponseWriter, status int, page *template.Template, data any) error {
	var b bytes.Buffer
	if err := page.Execute(&b, data); err != nil {
		return fmt.Errorf("writing page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	return err
}

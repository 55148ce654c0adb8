package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// view is what the application's one page shows: who is signed in, nobody, what
// went wrong, or that there is no such page.
type view struct {
	Provider string
	Person   json.RawMessage
	Failure  string
	Missing  bool
}

// Name is the person's name, or else the subject.
func (v view) Name() string {
	var claims struct{ Name, Sub string }
	if json.Unmarshal(v.Person, &claims) != nil || claims.Name == "" {
		return claims.Sub
	}
	return claims.Name
}

// Reason is the failure as a sentence.
func (v view) Reason() string {
	return strings.ToUpper(v.Failure[:1]) + strings.TrimSuffix(v.Failure[1:], ".") + "."
}

type claim struct{ Name, Value string }

// instants are the claims that are seconds since 1970.
var instants = []string{"exp", "iat", "auth_time"}

// Claims are all that the ID token says, in its order.
func (v view) Claims() []claim {
	var claims []claim
	d := json.NewDecoder(bytes.NewReader(v.Person))
	_, _ = d.Token() // the opening brace of an object that go-oidc has decoded before
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		key, _ := name.(string)
		claims = append(claims, claim{key, inWords(key, value)})
	}
	return claims
}

func inWords(name string, value json.RawMessage) string {
	var text string
	var list []string
	var seconds int64
	switch {
	case json.Unmarshal(value, &text) == nil:
		return text
	case json.Unmarshal(value, &list) == nil:
		return strings.Join(list, ", ")
	case slices.Contains(instants, name) && json.Unmarshal(value, &seconds) == nil:
		return string(value) + time.Unix(seconds, 0).Format(" (2 January 2006, 15:04:05)")
	}
	return string(value)
}

func (a *application) show(w http.ResponseWriter, status int, v view) {
	v.Provider = a.issuer
	var page bytes.Buffer
	if err := a.page.ExecuteTemplate(&page, "page.html", v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // whoever has gone away needs no page
}

func (a *application) fail(w http.ResponseWriter, status int, err error) {
	a.show(w, status, view{Failure: err.Error()})
}

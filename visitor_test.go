package oidctoken_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// visitor is what a person sits at: it keeps cookies, answers a challenge of
// HTTP Basic, and follows redirects.
type visitor struct {
	t              testing.TB
	client         http.Client
	user, password string
	signedIn       bool        // the password is sent without a challenge, as browsers do
	header         http.Header // of every request
}

// visitor returns a new one. Without a user it leaves challenges unanswered.
func (s *site) visitor(t testing.TB, user, password string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, client: *s.client, user: user, password: password, header: make(http.Header)}
	v.client.Jar = jar
	return v
}

// open GETs a URL and follows redirects. One that leads to the address
// callback is not followed but returned; otherwise the page where it ends is.
func (v *visitor) open(address, callback string) (*url.URL, *answer) {
	v.t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.follow(r, callback)
}

// submit POSTs a form and follows redirects as open does.
func (v *visitor) submit(address string, form url.Values, callback string) (*url.URL, *answer) {
	v.t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.follow(r, callback)
}

func (v *visitor) follow(r *http.Request, callback string) (*url.URL, *answer) {
	v.t.Helper()
	for range 10 {
		a := v.send(r)
		if a.StatusCode/100 != 3 {
			return nil, a
		}
		to, err := a.Location()
		if err != nil {
			v.t.Fatal(err)
		}
		if before, _, _ := strings.Cut(to.String(), "?"); before == callback {
			secret("code", to.Query().Get("code"))
			return to, a
		}
		if r, err = http.NewRequest(http.MethodGet, to.String(), nil); err != nil {
			v.t.Fatal(err)
		}
	}
	v.t.Fatal("a circle of redirects")
	return nil, nil
}

// send sends one request, and again with the password if it is asked for.
func (v *visitor) send(r *http.Request) *answer {
	v.t.Helper()
	for name, values := range v.header {
		r.Header[name] = values
	}
	a := v.try(r)
	if v.user == "" || v.signedIn || a.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") {
		return a
	}
	again := r.Clone(v.t.Context())
	if r.GetBody != nil {
		again.Body, _ = r.GetBody()
	}
	v.signedIn = true
	if a = v.try(again); a.StatusCode == http.StatusUnauthorized {
		v.signedIn = false
	}
	return a
}

func (v *visitor) try(r *http.Request) *answer {
	v.t.Helper()
	if v.signedIn {
		r.SetBasicAuth(v.user, v.password)
	}
	response, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return read(response, body)
}

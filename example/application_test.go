package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	signedIn    = "Hello, Alice Liddell"
	notSignedIn = "An application like any other"
)

func TestTheSecondApplication(t *testing.T) {
	v := newVisitor(t)
	t.Run("nobody is signed in at first", func(t *testing.T) {
		v.want(v.application, 200, notSignedIn)
	})
	t.Run("what is not there is a page that leads back", func(t *testing.T) {
		v.want(v.application+"/elsewhere", 404, "There is no such page", `href="/"`, "/style.css")
		v.want(v.application+"/logout", 404, "There is no such page")
	})
	t.Run("a wrong password signs nobody in", func(t *testing.T) {
		right := v.password
		v.password = "wrong"
		defer func() { v.password = right }()
		v.want(v.application+"/login", 401, "You are not signed in")
		v.want(v.application, 200, notSignedIn)
	})
	t.Run("the right one does, and the claims are shown", func(t *testing.T) {
		v.want(v.application+"/login", 200, signedIn, "alice@example.com", "staff, wonderland", "auth_time")
		v.want(v.application, 200, signedIn)
	})
	t.Run("a form of another site signs nobody out", func(t *testing.T) {
		if status := v.post("/logout", "https://attacker.example"); status != 403 {
			t.Errorf("%d", status)
		}
		v.want(v.application, 200, signedIn)
	})
	t.Run("its own form does", func(t *testing.T) {
		if status := v.post("/logout", v.application); status != 200 {
			t.Errorf("%d", status)
		}
		v.want(v.application, 200, notSignedIn)
	})
}

// What comes back is the query of a good answer, changed in one place.
func TestTheSecondApplicationBelievesNoOtherAnswer(t *testing.T) {
	v := newVisitor(t)
	rows := []struct {
		name   string
		change func(answer url.Values)
		text   string
	}{
		{"another state", func(a url.Values) { a.Set("state", "another") }, "belongs to no question of this browser"},
		{"no state", func(a url.Values) { a.Del("state") }, "belongs to no question of this browser"},
		{"L11 another issuer", func(a url.Values) { a.Set("iss", "https://attacker.example") }, "of another provider"},
		{"L11 no issuer", func(a url.Values) { a.Del("iss") }, "of another provider"},
		{"an error", func(a url.Values) { a.Del("code"); a.Set("error", "access_denied") }, "The provider refused: access_denied, without a reason.<"},
		{"an error with a reason", func(a url.Values) {
			a.Del("code")
			a.Set("error", "access_denied")
			a.Set("error_description", "Not today.")
		}, "The provider refused: access_denied, Not today.<"},
		{"a code that is not one", func(a url.Values) { a.Set("code", "guessed") }, "Redeeming the code"},
		{"no code", func(a url.Values) { a.Del("code") }, "Redeeming the code"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			answer := v.answer()
			query := answer.Query()
			row.change(query)
			answer.RawQuery = query.Encode()
			v.want(answer.String(), 400, "Nobody was signed in", row.text)
			v.want(v.application, 200, notSignedIn)
		})
	}
	t.Run("A01 a good answer a second time", func(t *testing.T) {
		answer := v.answer().String()
		v.want(answer, 200, signedIn)
		v.want(answer, 400, "belongs to no question of this browser")
	})
	t.Run("the answer that another browser asked for", func(t *testing.T) {
		answer := v.answer().String()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		v.Jar = jar
		v.want(answer, 400, "belongs to no question of this browser")
	})
}

// The nonce is checked by the application, not by go-oidc.
func TestTheSecondApplicationChecksTheNonce(t *testing.T) {
	v := newVisitor(t)
	answer := v.answer()
	at, err := url.Parse(v.application)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range v.Jar.Cookies(at) {
		if cookie.Name == transactionCookie {
			parts := strings.Split(cookie.Value, ".")
			cookie.Value, cookie.Path = parts[0]+".another."+parts[2], "/"
			v.Jar.SetCookies(at, []*http.Cookie{cookie})
		}
	}
	v.want(answer.String(), 400, "The ID token answers another question")
}

func TestAProviderThatIsNotThere(t *testing.T) {
	v := &visitor{t: t, application: "http://localhost:" + port(t), site: "http://localhost:" + port(t), Client: &http.Client{Timeout: 10 * time.Second}}
	v.runApplication("a secret that nobody asks for")
	v.want(v.application+"/login", 502, "Discovering the provider")
}

func TestPeopleAreForgottenInTime(t *testing.T) {
	var p people
	for range 3 * mostPeople {
		p.remember(httptest.NewRecorder(), []byte(`{}`))
	}
	if len(p.sessions) > mostPeople {
		t.Errorf("%d are remembered", len(p.sessions))
	}
}

package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// transaction is what a sign-in began with. It stays in the browser that began
// it, so that an answer is good in no other (RFC 6749 §10.12).
type transaction struct{ state, nonce, verifier string }

func newTransaction() transaction {
	return transaction{oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()}
}

// Cookies go to every port of a host: these names are the application's own.
const (
	transactionCookie = "second_application_transaction"
	sessionCookie     = "second_application_session"
)

func (t transaction) remember(w http.ResponseWriter) {
	setCookie(w, transactionCookie, t.state+"."+t.nonce+"."+t.verifier, 10*time.Minute)
}

// recall returns the transaction once: its answer is good once too.
func recall(w http.ResponseWriter, r *http.Request) (transaction, bool) {
	cookie, err := r.Cookie(transactionCookie)
	if err != nil {
		return transaction{}, false
	}
	setCookie(w, transactionCookie, "", -time.Second)
	parts := strings.Split(cookie.Value, ".")
	if len(parts) != 3 {
		return transaction{}, false
	}
	return transaction{parts[0], parts[1], parts[2]}, true
}

// people are those who are signed in, by their session.
type people struct {
	mu       sync.Mutex // guards sessions
	sessions map[string]json.RawMessage
}

// mostPeople bounds what a demonstration keeps in memory.
const mostPeople = 100

func (p *people) remember(w http.ResponseWriter, claims json.RawMessage) {
	id := oauth2.GenerateVerifier()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sessions == nil || len(p.sessions) == mostPeople {
		p.sessions = map[string]json.RawMessage{}
	}
	p.sessions[id] = claims
	setCookie(w, sessionCookie, id, time.Hour)
}

// find returns the claims of who is signed in, nil for nobody.
func (p *people) find(r *http.Request) json.RawMessage {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[cookie.Value]
}

func (p *people) forget(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.sessions, cookie.Value)
	}
	setCookie(w, sessionCookie, "", -time.Second)
}

// setCookie: Lax, because the browser comes back from the provider, and without
// Secure, because this is http on loopback. An application on the internet sets
// it, and with form_post also SameSite=None for the transaction.
func setCookie(w http.ResponseWriter, name, value string, lifetime time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(lifetime / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

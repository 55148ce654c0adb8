package main

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

//go:embed application
var applicationFiles embed.FS

// application is a client of the provider as other programs are: a server with
// a secret, which knows of the provider only its issuer URL. It shares nothing
// with the plugin but a process.
type application struct {
	issuer, url      string
	clientID, secret string
	page             *template.Template
	people           people

	mu       sync.Mutex // guards provider
	provider *oidc.Provider
}

func newApplication(issuer, url, clientID, secret string) http.Handler {
	a := &application{
		issuer: issuer, url: url, clientID: clientID, secret: secret,
		page: template.Must(template.ParseFS(applicationFiles, "application/*.html")),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /", a.nothing)
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("POST /callback", a.callback) // response_mode=form_post
	mux.Handle("POST /logout", http.NewCrossOriginProtection().Handler(http.HandlerFunc(a.logout)))
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "site/style.css")
	})
	return withHeaders(mux)
}

func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer") // the code is in the URL of the callback
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (a *application) home(w http.ResponseWriter, r *http.Request) {
	a.show(w, http.StatusOK, view{Person: a.people.find(r)})
}

func (a *application) nothing(w http.ResponseWriter, _ *http.Request) {
	a.show(w, http.StatusNotFound, view{Missing: true})
}

func (a *application) logout(w http.ResponseWriter, r *http.Request) {
	a.people.forget(w, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// login sends the browser to the provider. With a state, a nonce and PKCE: each
// stops another way to slip somebody else's code in (RFC 9700 §2.1, §4.7).
func (a *application) login(w http.ResponseWriter, r *http.Request) {
	config, err := a.config(r.Context())
	if err != nil {
		a.fail(w, http.StatusBadGateway, err)
		return
	}
	asked := newTransaction()
	options := []oauth2.AuthCodeOption{oidc.Nonce(asked.nonce), oauth2.S256ChallengeOption(asked.verifier)}
	if r.FormValue("response_mode") == "form_post" {
		options = append(options, oauth2.SetAuthURLParam("response_mode", "form_post"))
	}
	asked.remember(w)
	http.Redirect(w, r, config.AuthCodeURL(asked.state, options...), http.StatusSeeOther)
}

// callback is the redirect URI.
func (a *application) callback(w http.ResponseWriter, r *http.Request) {
	asked, known := recall(w, r)
	if !known || r.FormValue("state") != asked.state {
		a.fail(w, http.StatusBadRequest, errors.New("this answer belongs to no question of this browser"))
		return
	}
	claims, err := a.signIn(r, asked)
	if err != nil {
		a.fail(w, http.StatusBadRequest, err)
		return
	}
	a.people.remember(w, claims)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signIn turns the provider's answer into the claims of a verified ID token.
func (a *application) signIn(r *http.Request, asked transaction) (json.RawMessage, error) {
	// RFC 9207 §2.4: another provider's answer must not be redeemed here.
	if iss := r.FormValue("iss"); iss != a.issuer {
		return nil, fmt.Errorf("the answer is of another provider, %q", iss)
	}
	if code := r.FormValue("error"); code != "" {
		return nil, fmt.Errorf("the provider refused: %s, %s", code, cmp.Or(r.FormValue("error_description"), "without a reason"))
	}
	config, err := a.config(r.Context())
	if err != nil {
		return nil, err
	}
	tokens, err := config.Exchange(withClient(r.Context()), r.FormValue("code"), oauth2.VerifierOption(asked.verifier))
	if err != nil {
		return nil, fmt.Errorf("redeeming the code: %w", err)
	}
	return a.verify(r.Context(), tokens, asked)
}

// verify does what Core §3.1.3.7 asks for.
func (a *application) verify(ctx context.Context, tokens *oauth2.Token, asked transaction) (json.RawMessage, error) {
	raw, _ := tokens.Extra("id_token").(string)
	verifier := a.provider.VerifierContext(withClient(ctx), &oidc.Config{ClientID: a.clientID})
	idToken, err := verifier.Verify(withClient(ctx), raw)
	if err != nil {
		return nil, fmt.Errorf("verifying the ID token: %w", err)
	}
	if idToken.Nonce != asked.nonce {
		return nil, errors.New("the ID token answers another question")
	}
	if err := idToken.VerifyAccessToken(tokens.AccessToken); err != nil {
		return nil, fmt.Errorf("verifying the access token: %w", err)
	}
	var claims json.RawMessage
	err = idToken.Claims(&claims)
	return claims, err
}

// config discovers the provider when it is first needed: it may start later
// than this application.
func (a *application) config(ctx context.Context) (*oauth2.Config, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.provider == nil {
		provider, err := oidc.NewProvider(withClient(ctx), a.issuer)
		if err != nil {
			return nil, fmt.Errorf("discovering the provider: %w", err)
		}
		a.provider = provider
	}
	endpoint := a.provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // a second try would be a replay
	return &oauth2.Config{
		ClientID: a.clientID, ClientSecret: a.secret, Endpoint: endpoint,
		RedirectURL: a.url + "/callback", Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}, nil
}

// withClient gives requests to the provider an end.
func withClient(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, &http.Client{Timeout: 10 * time.Second})
}

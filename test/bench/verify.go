//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authentiq/caddy-oidc-token/test/bench/load"
)

// check makes sure of what is about to be measured: a code yields an access
// token and an ID token that verify under the keys the server publishes, and
// does so once.
func (s *subject) check() error {
	codes, err := s.codes(1)
	if err != nil {
		return err
	}
	conn, err := load.Dial(s.server.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := conn.Do(s.request(codes[0]))
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if answer.Status != http.StatusOK {
		return fmt.Errorf("%s answers %d", s.name, answer.Status)
	}
	if s.keys != "" {
		if err := s.checkTokens(answer.Body); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if s.floor() {
		return nil
	}
	answer, err = conn.Do(s.request(codes[0]))
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if answer.Status != http.StatusBadRequest {
		return fmt.Errorf("%s answers %d to a code that was used", s.name, answer.Status)
	}
	return nil
}

func (s *subject) checkTokens(body []byte) error {
	var response struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		return fmt.Errorf("reading the token response: %w", err)
	}
	published, err := s.publishedKeys()
	if err != nil {
		return err
	}
	for _, t := range []struct{ what, token string }{{"access token", response.AccessToken}, {"ID token", response.IDToken}} {
		claims, err := verified(t.token, s.alg, published)
		if err != nil {
			return fmt.Errorf("verifying the %s: %w", t.what, err)
		}
		if sub := claims["sub"]; sub == nil {
			return fmt.Errorf("the %s has no subject", t.what)
		}
		if exp, _ := claims["exp"].(float64); int64(exp) <= time.Now().Unix() {
			return fmt.Errorf("the %s has expired", t.what)
		}
		s.claims = append(s.claims, names(claims))
	}
	return nil
}

func (s *subject) publishedKeys() (*jose.JSONWebKeySet, error) {
	response, err := http.Get("http://" + s.server.address + s.keys)
	if err != nil {
		return nil, fmt.Errorf("fetching the keys: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("fetching the keys: %w", err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	return &set, nil
}

// verified returns the claims of a token that one of the keys signed.
func verified(token, alg string, published *jose.JSONWebKeySet) (map[string]any, error) {
	jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return nil, errors.New("it is no JWT of this algorithm")
	}
	for _, key := range published.Key(jws.Signatures[0].Header.KeyID) {
		payload, err := jws.Verify(key)
		if err != nil {
			continue
		}
		var claims map[string]any
		return claims, json.Unmarshal(payload, &claims)
	}
	return nil, errors.New("no published key verifies it")
}

func names(claims map[string]any) []string {
	var names []string
	for name := range claims {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

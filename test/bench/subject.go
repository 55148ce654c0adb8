//go:build linux

package main

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authentiq/caddy-oidc-token/test/bench/load"
)

var algorithms = []string{"ES256", "EdDSA", "RS256"}

const (
	clientID       = "web"
	clientIDBcrypt = "web-bcrypt"
	redirectURI    = "https://app.example/callback"
)

var escapedRedirectURI = url.QueryEscape(redirectURI)

// subject is one thing that is measured.
type subject struct {
	name   string
	alg    string
	server *server
	path   string // of its token endpoint
	client string
	secret string
	// mint asks the server's door for codes; "": any code will do.
	mint string
	// keys is the path of its JWKS; "": it answers without tokens.
	keys string
	// beside is a server that works for it; nil: none.
	beside *server
	// warm is how many requests it needs before it is as fast as it gets.
	warm  int
	peer  bool
	conns []*load.Conn // that it is measured on
	rows
}

// connect opens the connections of a subject.
func (s *subject) connect() error {
	for len(s.conns) < wide {
		conn, err := load.Dial(s.server.address)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, conn)
	}
	return nil
}

// disconnect drops them.
func (s *subject) disconnect() {
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
}

func (s *subject) floor() bool { return s.mint == "" }

// codes has n codes minted.
func (s *subject) codes(n int) ([]string, error) {
	if s.floor() {
		return slices.Repeat([]string{strings.Repeat("c", 48)}, n), nil
	}
	lines, err := s.server.ask(fmt.Sprintf("%s&client=%s&n=%d", s.mint, s.client, n))
	if err != nil {
		return nil, err
	}
	codes := strings.Fields(lines)
	if len(codes) != n {
		return nil, fmt.Errorf("%s minted %d codes, not %d", s.name, len(codes), n)
	}
	return codes, nil
}

// requests are redemptions of n fresh codes.
func (s *subject) requests(n int) ([][]byte, error) {
	codes, err := s.codes(n)
	if err != nil {
		return nil, err
	}
	requests := make([][]byte, n)
	for i, code := range codes {
		requests[i] = s.request(code)
	}
	return requests, nil
}

func (s *subject) request(code string) []byte {
	return tokenRequest(s.server.address, s.path, basic(s.client, s.secret), url.QueryEscape(code))
}

// basic is RFC 6749 §2.3.1.
func basic(id, secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
}

// selected keeps the subjects that -only names.
func selected(name, only string) bool {
	if only == "" {
		return true
	}
	for part := range strings.SplitSeq(only, ",") {
		if part != "" && strings.Contains(name, part) {
			return true
		}
	}
	return false
}

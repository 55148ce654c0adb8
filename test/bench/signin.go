//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/authentiq/caddy-oidc-token/test/bench/load"
)

// measureSignIn measures an authorization request together with the redemption
// of its code, beside redemptions of codes that were minted before. The route
// that authenticates only sets a header, so that it is not what is measured.
func (b *bench) measureSignIn(ctx context.Context) error {
	table := section{
		Title:   "Sign-ins",
		Text:    "ES256, 32 connections: an authorization request and the redemption of its code, after each other on one connection.",
		Columns: []string{"", "CPU µs", "÷ redemption", "sign-ins/s", "p50 µs", "p99 µs"},
	}
	for _, storage := range []string{"memory", "file_system"} {
		s, err := b.startSpecial(ctx, special{name: "signin-" + storage, storage: storage, settings: object{
			"authorize": []any{object{"handle": []any{object{"handler": "headers", "request": object{"set": object{"Remote-User": []string{"alice"}}}}}}},
			"identity":  object{"subject": "{http.request.header.Remote-User}", "claims": []any{object{"name": "email", "value": "alice@example.com"}}},
		}})
		if err != nil {
			return err
		}
		defer s.server.stop()
		rounds := max(b.rounds, 5)
		if b.quick {
			rounds = 1
		}
		var cpu, ratios, rates, p50, p99 []float64
		for range rounds {
			redemption, signIn, err := b.signInOnce(s)
			if err != nil {
				return err
			}
			cpu, ratios = append(cpu, signIn.CPU), append(ratios, signIn.CPU/redemption.CPU)
			rates, p50, p99 = append(rates, signIn.Rate), append(p50, signIn.P50), append(p99, signIn.P99)
		}
		table.Rows = append(table.Rows, []string{storage, format("%.0f", median(cpu)), format("%.2f", median(ratios)),
			format("%.0f", median(rates)), format("%.0f", median(p50)), format("%.0f", median(p99))})
	}
	b.sections = append(b.sections, table)
	return nil
}

func (b *bench) signInOnce(s *subject) (redemption, signIn sample, err error) {
	n := b.size("ES256", wide)
	if redemption, err = s.burst(wide, n, n/10); err != nil {
		return redemption, signIn, err
	}
	requests := make([][]byte, n)
	for i := range requests {
		requests[i] = fmt.Appendf(nil, "GET /authorize?response_type=code&client_id=%s&redirect_uri=%s&scope=openid+email&state=%d&nonce=%d HTTP/1.1\r\n"+
			"Host: %s\r\nUser-Agent: bench\r\nAccept: text/html\r\n\r\n", s.client, escapedRedirectURI, i, i, s.server.address)
	}
	inTurn := func(conns []*load.Conn, requests [][]byte) (*load.Result, error) {
		return load.RunInTurn(conns, requests, func(a load.Answer) ([]byte, error) {
			code, err := codeOf(a)
			return s.request(code), err
		})
	}
	signIn, err = s.sendBy(inTurn, wide, requests, http.StatusOK)
	return redemption, signIn, err
}

// codeOf is the code that an authorization response has in its Location: RFC
// 6749 §4.1.2.
func codeOf(a load.Answer) (string, error) {
	for line := range bytes.Lines(a.Head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("Location")) {
			continue
		}
		location, err := url.Parse(string(bytes.TrimSpace(value)))
		if err != nil {
			return "", fmt.Errorf("parsing an authorization response: %w", err)
		}
		if code := location.Query().Get("code"); code != "" {
			return code, nil
		}
	}
	return "", errors.New("an authorization request was not answered with a code")
}

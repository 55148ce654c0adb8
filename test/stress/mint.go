//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// mint asks a node for a code.
func (l *lane) mint(ctx context.Context, n *node) (*history, error) {
	request := fmt.Sprintf(`{"client_id":%q,"redirect_uri":%q,"subject":"alice","scope":"openid"}`, clientID, redirectURI)
	h := &history{mintedBy: n.index, mintedAt: l.now(), only: anyNode}
	body, err := n.post(ctx, httpClient, "/oidc_token/codes", "application/json", []byte(request), http.StatusCreated)
	if err != nil {
		return nil, err
	}
	var minted struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(body, &minted); err != nil {
		return nil, fmt.Errorf("minting: %w", err)
	}
	h.code = minted.Code
	return h, nil
}

const (
	minters = 8
	// stock is how many codes are minted ahead of being sent, so that there are
	// some to send while a fault keeps nodes from minting.
	stock = 400
)

// mintAhead keeps a stock of codes until ctx ends.
func (l *lane) mintAhead(ctx context.Context, p *plan) <-chan *history {
	codes := make(chan *history, stock)
	for range minters {
		l.background.Go(func() {
			for ctx.Err() == nil {
				h, err := l.mint(ctx, l.nodes[p.node()])
				if err != nil {
					l.tally.mintFailed.Add(1)
					pause(ctx, 20*time.Millisecond)
					continue
				}
				select {
				case codes <- h:
				case <-ctx.Done():
				}
			}
		})
	}
	return codes
}

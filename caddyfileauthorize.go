package oidctoken

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// parseAuthorize reads directives as a route block does, in Caddy's order.
func parseAuthorize(p *parser, h *Handler) error {
	if p.site == nil {
		return p.d.Err("authorize can only be read inside a site block")
	}
	block := p.d.NewFromNextSegment()
	handler, err := httpcaddyfile.ParseSegmentAsSubroute(p.site.WithDispenser(block))
	if err != nil {
		return fmt.Errorf("authorize: %w", err)
	}
	subroute, ok := handler.(*caddyhttp.Subroute)
	if !ok {
		return p.d.Errf("authorize: its directives make a %T, not routes", handler)
	}
	// Not nil also where it is empty: checkIdentity says what that means.
	h.Authorize = append(caddyhttp.RouteList{}, subroute.Routes...)
	return nil
}

// identityOptions is the grammar of the identity block.
func identityOptions() []option[Identity] {
	return []option[Identity]{
		{"subject", "<value>", text(func(i *Identity) *string { return &i.Subject })},
		{"claim", "<name> <value> [string|list|boolean|number|json]", parseIdentityClaim},
		{"auth_time", "<value>", text(func(i *Identity) *string { return &i.AuthTime })},
		{"acr", "<value>", text(func(i *Identity) *string { return &i.ACR })},
		{"amr", "<value>...", list(func(i *Identity) *[]string { return &i.AMR })},
	}
}

// parseIdentity reads the identity block.
func parseIdentity(p *parser, h *Handler) error {
	if len(p.d.RemainingArgs()) > 0 {
		return p.usage()
	}
	h.Identity = new(Identity)
	p.within = "identity "
	err := parseBlock(p, h.Identity, identityOptions())
	p.within = ""
	return err
}

// parseIdentityClaim reads one claim and remembers its line.
func parseIdentityClaim(p *parser, i *Identity) error {
	values, err := p.some()
	if err != nil {
		return err
	}
	if len(values) < 2 || len(values) > 3 {
		return p.usage()
	}
	claim := &IdentityClaim{Name: values[0], Value: values[1]}
	if len(values) == 3 {
		claim.Type = values[2]
	}
	i.Claims = append(i.Claims, claim)
	p.mark(place{option: "identity claim " + claim.Name})
	return nil
}

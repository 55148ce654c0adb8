package oidctoken

import (
	"errors"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// option is one line of a block that configures a T.
type option[T any] struct {
	name  string
	usage string // what follows the name
	parse func(*parser, *T) error
}

// parser reads one oidc_token directive.
type parser struct {
	d      *caddyfile.Dispenser
	site   *httpcaddyfile.Helper // nil: not in a site block
	client string                // whose block is being read; "": none's
	within string                // what the options of another inner block begin with in errors: "identity "
	line   string                // how the option being read is written
	at     map[place]caddyfile.Dispenser
}

// place is where an option stands. Without an option it is a block.
type place struct{ client, option string }

// mark remembers where the parser is. A Dispenser is a cursor over shared
// tokens: its copy stays where it is.
func (p *parser) mark(at place) { p.at[at] = *p.d }

// locate adds file and line to what check found: those of the option, or else
// of the block that lacks it.
func (p *parser) locate(err error) error {
	found, ok := errors.AsType[*configError](err)
	if !ok {
		return p.d.WrapErr(err)
	}
	found.Issuer = "" // The line says which.
	at := place{option: found.Option}
	if e, ok := errors.AsType[*oauth.ConfigError](err); ok {
		at = place{e.Client, e.Option}
	}
	for _, at := range []place{at, {at.client, ""}, {"", ""}} {
		if d, ok := p.at[at]; ok {
			return d.WrapErr(err)
		}
	}
	return p.d.WrapErr(err)
}

// parseBlock reads the options of one block into t. Fails loudly: an option
// that is skipped would disable what the operator meant.
func parseBlock[T any](p *parser, t *T, options []option[T]) error {
	d := p.d
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		i := slices.IndexFunc(options, func(o option[T]) bool { return o.name == name })
		if i < 0 {
			return p.unknown(name, names(options))
		}
		at := place{p.client, p.within + name}
		if _, twice := p.at[at]; twice && !slices.Contains(repeatable, name) {
			return d.Errf("%s is there twice: leave one out, or put all values of a list on one line", name)
		}
		p.mark(at)
		p.line = strings.TrimSpace(name + " " + options[i].usage)
		if err := options[i].parse(p, t); err != nil {
			return err
		}
	}
	return nil
}

// repeatable are the options that may be there several times.
var repeatable = []string{"client", "claim"}

// unknown words an option that is not in the block, with the one probably meant.
func (p *parser) unknown(name string, allowed []string) error {
	if name == "{" {
		return p.d.Errf("%s takes no block: write its values on the same line", p.line)
	}
	inner, outer, person := names(clientOptions()), names(handlerOptions()), names(identityOptions())
	switch {
	case slices.Contains(person, name):
		return p.d.Errf("%s is an option of identity: write it inside an identity { ... } block", name)
	case p.client == "" && slices.Contains(inner, name):
		return p.d.Errf("%s is an option of a client: write it inside a client <client_id> { ... } block", name)
	case slices.Contains(outer, name):
		return p.d.Errf("%s is an option of the issuer: write it outside the inner blocks", name)
	}
	if meant := nearest(name, allowed); meant != "" {
		return p.d.Errf("unrecognized option %s: did you mean %s?", name, meant)
	}
	return p.d.Errf("unrecognized option %s: allowed here are %s", name, strings.Join(allowed, ", "))
}

// usage words a line with too few or too many values.
func (p *parser) usage() error {
	return p.d.Errf("wrong number of values: write %s", p.line)
}

// one reads a line's only value.
func (p *parser) one() (string, error) {
	values := p.d.RemainingArgs()
	if len(values) != 1 || values[0] == "" {
		return "", p.usage()
	}
	return values[0], nil
}

// some reads a line's values, of which there is at least one.
func (p *parser) some() ([]string, error) {
	values := p.d.RemainingArgs()
	if len(values) == 0 || slices.Contains(values, "") {
		return nil, p.usage()
	}
	return values, nil
}

// duration reads a duration. 0 is refused: it would mean the default, and
// whoever writes it means something else.
func (p *parser) duration(value string) (caddy.Duration, error) {
	d, err := caddy.ParseDuration(value)
	if err != nil {
		return 0, p.d.Errf("%q is not a duration: write a number with its unit, such as 60s, 10m, 1h or 90d", value)
	}
	if d == 0 {
		return 0, p.d.Errf("%s 0 would mean the default: leave the line out, or write how long", strings.Fields(p.line)[0])
	}
	return caddy.Duration(d), nil
}

func text[T any](field func(*T) *string) func(*parser, *T) error {
	return func(p *parser, t *T) (err error) {
		*field(t), err = p.one()
		return err
	}
}

func list[T any](field func(*T) *[]string) func(*parser, *T) error {
	return func(p *parser, t *T) (err error) {
		*field(t), err = p.some()
		return err
	}
}

func duration[T any](field func(*T) *caddy.Duration) func(*parser, *T) error {
	return func(p *parser, t *T) error {
		value, err := p.one()
		if err != nil {
			return err
		}
		*field(t), err = p.duration(value)
		return err
	}
}

// flag reads an option that is on by being there. A value is refused, or
// `require_pkce off` would turn it on.
func flag[T any](field func(*T) *bool) func(*parser, *T) error {
	return func(p *parser, t *T) error {
		if len(p.d.RemainingArgs()) > 0 {
			return p.d.Errf("%s takes no value: write it alone, or leave the line out", p.line)
		}
		*field(t) = true
		return nil
	}
}

func names[T any](options []option[T]) []string {
	var names []string
	for _, o := range options {
		names = append(names, o.name)
	}
	return names
}

// nearest returns the allowed name that is at most a few slips from name, or
// "". Names are short, so the whole table is computed.
func nearest(name string, allowed []string) string {
	best, found := 1+min(3, len(name)/3), ""
	for _, candidate := range allowed {
		if d := distance(name, candidate); d < best {
			best, found = d, candidate
		}
	}
	return found
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

package oauth

import (
	"fmt"
	"strconv"
	"strings"
)

// ConfigError is a mistake in the registration of a client. Err says what to
// write instead; it never shows a secret.
type ConfigError struct {
	Client string // its client_id, which may be the mistake
	Option string // "": the client as a whole
	Err    error
}

// Error names the client and the option. What is no client_id is quoted: it
// may be empty, or write to a terminal.
func (e *ConfigError) Error() string {
	var b strings.Builder
	client := e.Client
	if client == "" || !printableASCII(client) {
		client = strconv.Quote(client)
	}
	b.WriteString("client " + client + ": ")
	if e.Option != "" {
		b.WriteString(e.Option + ": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

func (e *ConfigError) Unwrap() error { return e.Err }

// mistake is a ConfigError about one option of the client's.
func (c *Client) mistake(option, format string, arguments ...any) error {
	return &ConfigError{Client: c.ID, Option: option, Err: fmt.Errorf(format, arguments...)}
}

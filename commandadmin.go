package oidctoken

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// adminClient is the command line's way to the admin API of a running Caddy.
type adminClient struct {
	address, config, adapter string // flags
}

// addAdminFlags gives a command the flags Caddy's own commands have.
func addAdminFlags(cmd *cobra.Command) *adminClient {
	c := new(adminClient)
	cmd.Flags().StringVar(&c.address, "address", "", "Address of the admin API (if --config is not used)")
	cmd.Flags().StringVarP(&c.config, "config", "c", "", "Configuration file to take the address from (if --address is not used)")
	cmd.Flags().StringVarP(&c.adapter, "adapter", "a", "", "Name of the config adapter (if --config is used)")
	return c
}

// call sends request, if any, as JSON and decodes the answer.
func (c *adminClient) call(method, uri string, request, answer any) error {
	address, err := caddycmd.DetermineAdminAPIAddress(c.address, nil, c.config, c.adapter)
	if err != nil {
		return fmt.Errorf("finding the admin API: %w", err)
	}
	var body io.Reader
	if request != nil {
		encoded, err := json.Marshal(request)
		if err != nil {
			return err
		}
		body = bytes.NewReader(encoded)
	}
	// The codes endpoint refuses whatever has an Origin, for a browser would
	// send one; Caddy's enforce_origin is content with a Referer.
	headers := http.Header{"Origin": nil, "Referer": {"http://" + address + "/"}}
	response, err := caddycmd.AdminAPIRequest(address, method, uri, headers, body)
	if err != nil {
		return adminError(address, err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("reading the answer of the admin API at %s: %w", address, err)
	}
	return nil
}

// adminError words what went wrong for whoever typed the command.
// AdminAPIRequest answers text only.
func adminError(address string, err error) error {
	status, body, answered := strings.Cut(strings.TrimPrefix(err.Error(), "caddy responded with error: "), ": ")
	if !answered || !strings.HasPrefix(status, "HTTP ") {
		return fmt.Errorf("no answer from the admin API at %s: is Caddy running there? --address or --config names another: %w", address, err)
	}
	var refusal struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(body), &refusal) == nil && refusal.Error != "" {
		return errors.New(refusal.Error)
	}
	if status == "HTTP 404" {
		return fmt.Errorf("the Caddy at %s does not have the oidc_token module: --address or --config names another", address)
	}
	return fmt.Errorf("the admin API at %s answered %s: %s", address, status, strings.TrimSpace(body))
}

package oidctoken

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "oidc-token",
		Usage: "<client-secret | code | rotate-key>",
		Short: "Makes client secrets, mints authorization codes, rotates signing keys",
		Long: `
Helps whoever runs an oidc_token endpoint.

'client-secret' makes a secret for a client and the hash to configure.
'code' mints an authorization code at a running Caddy, to try a client with or
to see the endpoint answer.
'rotate-key' replaces the signing keys of a running Caddy now.

The last two talk to Caddy's admin API; --address or --config says where.`,
		CobraFunc: buildCommand,
	})
}

// buildCommand adds the subcommands. cobra would answer an unknown one with
// the help and status 0, which a script takes for success.
func buildCommand(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unknown subcommand %q of oidc-token: use client-secret, code or rotate-key", args[0])
		}
		if err := cmd.Help(); err != nil {
			return err
		}
		return errors.New("a subcommand is missing: use client-secret, code or rotate-key")
	}
	cmd.AddCommand(clientSecretCommand(), codeCommand(), rotateKeyCommand())
}

func clientSecretCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "client-secret",
		Short: "Makes a client secret and its hash",
		Long: `
Prints a new client secret and its hash, each on a line of its own:

	secret: <goes to the client>
	hash:   <goes into the config, as client_secret>

The secret has 256 bits and only characters that need no encoding anywhere
(RFC 3986 §2.3), so that every client library sends it the same way. It is
stored nowhere. The hash does not reveal it and may be kept with the config.

A second client_secret may be configured while a client changes over.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printClientSecret(cmd.OutOrStdout())
		},
	}
}

func printClientSecret(w io.Writer) error {
	secret := randomText()
	_, err := fmt.Fprintf(w, "secret: %s\nhash:   %s\n", secret, hashSecret(secret))
	return err
}

// randomText is 256 random bits in characters that need no encoding anywhere.
func randomText() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(random)
}

func rotateKeyCommand() *cobra.Command {
	var issuer string
	var dropOld bool
	cmd := &cobra.Command{
		Use:   "rotate-key [--drop-old] [--issuer <url>]",
		Short: "Replaces the signing keys now",
		Long: `
Makes a new signing key for every algorithm in use and prints the keys with
the time from which each signs. The keys before them stay published until the
last token they signed has expired.

With --drop-old the keys before are withdrawn at once, for a key that got out
or keys that no longer open: every token they signed stops being valid as soon
as a client fetches the keys again.`,
		Args: cobra.NoArgs,
	}
	admin := addAdminFlags(cmd)
	cmd.Flags().StringVar(&issuer, "issuer", "", "The issuer whose keys to replace (where several are configured)")
	cmd.Flags().BoolVar(&dropOld, "drop-old", false, "Withdraw the keys before, and with them every token they signed")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		request := map[string]any{"drop_old": dropOld}
		if issuer != "" {
			request["issuer"] = issuer
		}
		var keys []rotatedKey
		if err := admin.call(http.MethodPost, "/oidc_token/keys/rotate", request, &keys); err != nil {
			return err
		}
		return printKeys(cmd.OutOrStdout(), keys)
	}
	return cmd
}

func printKeys(w io.Writer, keys []rotatedKey) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KID\tALG\tSTATE\tSIGNS FROM")
	for _, k := range keys {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", k.ID, k.Alg, k.State, time.Unix(k.SignsAt, 0).UTC().Format(time.RFC3339))
	}
	return table.Flush()
}

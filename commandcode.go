package oidctoken

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// codeOptions are the flags of `caddy oidc-token code`.
type codeOptions struct {
	issuer  string
	request MintRequest
	claims  []string
	curl    bool
}

func codeCommand() *cobra.Command {
	var o codeOptions
	cmd := &cobra.Command{
		Use:   "code --client <client_id> --subject <subject> [--curl]",
		Short: "Mints an authorization code",
		Long: `
Mints an authorization code at a running Caddy and prints it, alone, so that a
script can use it. Nobody is asked to log in: this is for trying things out.

With --curl the complete command that redeems the code is printed instead:

	caddy oidc-token code --client spa --subject alice --curl | sh

Where the client has a secret, the command takes it from the environment
variable CLIENT_SECRET.

A client that needs PKCE gets a code_verifier made for it unless
--code-challenge is given; without --curl it is printed to standard error.`,
		Args: cobra.NoArgs,
	}
	admin := addAdminFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.request.ClientID, "client", "", "The client_id the code is for (required)")
	f.StringVar(&o.request.Subject, "subject", "", "Who the tokens will be about: their sub (required)")
	f.StringVar(&o.issuer, "issuer", "", "The issuer (where several are configured)")
	f.StringVar(&o.request.RedirectURI, "redirect-uri", "", "One of the client's redirect_uris (where it has several)")
	f.StringVar(&o.request.Scope, "scope", "", `Scopes, separated by spaces (default "openid")`)
	f.StringVar(&o.request.Nonce, "nonce", "", "The nonce to put into the ID token")
	f.StringVar(&o.request.CodeChallenge, "code-challenge", "", "The S256 code_challenge of a verifier you hold")
	f.StringArrayVar(&o.claims, "claim", nil, "A claim about the subject, `name=value`; the value is JSON or else text (repeatable)")
	f.BoolVar(&o.curl, "curl", false, "Print the command that redeems the code")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return o.run(admin, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

func (o *codeOptions) run(admin *adminClient, stdout, stderr io.Writer) error {
	if o.request.ClientID == "" || o.request.Subject == "" {
		return errors.New("--client and --subject are required: code --client spa --subject alice")
	}
	var err error
	if o.request.Claims, err = parseClaims(o.claims); err != nil {
		return err
	}
	var issuers []listedIssuer
	if err := admin.call(http.MethodGet, "/oidc_token/issuers", nil, &issuers); err != nil {
		return err
	}
	issuer, client, err := find(issuers, o.issuer, o.request.ClientID)
	if err != nil {
		return err
	}
	if o.request.RedirectURI == "" && len(client.RedirectURIs) > 1 {
		return fmt.Errorf("client %s has several redirect_uris: choose one with --redirect-uri: %s", client.ClientID, strings.Join(client.RedirectURIs, ", "))
	}
	if o.request.RedirectURI == "" && o.curl && len(client.RedirectURIs) == 1 {
		o.request.RedirectURI = client.RedirectURIs[0] // as clients do
	}
	verifier := o.challenge(client)
	var minted MintResponse
	err = admin.call(http.MethodPost, "/oidc_token/codes", adminMintRequest{issuer.Issuer, o.request}, &minted)
	if err != nil {
		return err
	}
	if o.curl {
		_, err = fmt.Fprintln(stdout, redemption(issuer, client, &o.request, minted.Code, verifier))
		return err
	}
	if verifier != "" {
		fmt.Fprintf(stderr, "code_verifier: %s\n", verifier)
	}
	_, err = fmt.Fprintln(stdout, minted.Code)
	return err
}

// adminMintRequest is the body of POST /oidc_token/codes.
type adminMintRequest struct {
	Issuer string `json:"issuer"`
	MintRequest
}

// challenge adds an S256 challenge (RFC 7636 §4.2) where the client needs one
// and none was given, and returns its verifier, or "".
func (o *codeOptions) challenge(client *listedClient) string {
	if o.request.CodeChallenge != "" {
		o.request.CodeChallengeMethod = "S256"
		return ""
	}
	if !client.RequirePKCE {
		return ""
	}
	verifier := randomText() // RFC 7636 §4.1 recommends this form and entropy
	sum := sha256.Sum256([]byte(verifier))
	o.request.CodeChallenge = base64.RawURLEncoding.EncodeToString(sum[:])
	o.request.CodeChallengeMethod = "S256"
	return verifier
}

// find returns the issuer, which need not be named where there is one, and its
// client.
func find(issuers []listedIssuer, identifier, clientID string) (*listedIssuer, *listedClient, error) {
	var running []string
	var found *listedIssuer
	for i := range issuers {
		running = append(running, issuers[i].Issuer)
		if issuers[i].Issuer == identifier || identifier == "" && len(issuers) == 1 {
			found = &issuers[i]
		}
	}
	switch {
	case len(issuers) == 0:
		return nil, nil, errors.New("no oidc_token issuer is running there: load a config with an oidc_token block")
	case found == nil && identifier == "":
		return nil, nil, fmt.Errorf("several issuers are running: choose one with --issuer: %s", strings.Join(running, ", "))
	case found == nil:
		return nil, nil, fmt.Errorf("issuer %s is not running there; running: %s", identifier, strings.Join(running, ", "))
	}
	var registered []string
	for i := range found.Clients {
		if found.Clients[i].ClientID == clientID {
			return found, &found.Clients[i], nil
		}
		registered = append(registered, found.Clients[i].ClientID)
	}
	return nil, nil, fmt.Errorf("client %s is not registered with %s; registered: %s", clientID, found.Issuer, strings.Join(registered, ", "))
}

// parseClaims reads name=value. A value that is JSON keeps its type, so that
// email_verified=true is a boolean; anything else is text.
func parseClaims(flags []string) (map[string]json.RawMessage, error) {
	if len(flags) == 0 {
		return nil, nil
	}
	claims := make(map[string]json.RawMessage, len(flags))
	for _, flag := range flags {
		name, value, ok := strings.Cut(flag, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--claim %s has no name and value: write --claim email=alice@example.com", flag)
		}
		if _, twice := claims[name]; twice {
			return nil, fmt.Errorf("--claim %s is there twice: give it once; several values are a JSON array", name)
		}
		raw := json.RawMessage(value)
		if !json.Valid(raw) {
			text, err := json.Marshal(value)
			if err != nil {
				return nil, err
			}
			raw = text
		}
		claims[name] = raw
	}
	return claims, nil
}

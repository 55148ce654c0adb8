// Command zitadel is the token endpoint of github.com/zitadel/oidc as its
// example sets it up, with the storage in memory of that example. A second
// address is the benchmark's: what it asks there is done outside the measured
// intervals. A module of its own keeps it out of every other go.mod.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strconv"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	issuer := "http://" + os.Getenv("ADDRESS")
	storage.RegisterClients(storage.WebClient(os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"), os.Getenv("REDIRECT_URI")))
	store, err := newStore(storage.NewStorage(storage.NewUserStore(issuer)), os.Getenv("ALGORITHM"))
	if err != nil {
		log.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	provider := exampleop.SetupServer(issuer, store, logger, false, op.WithAllowInsecure())
	door := http.NewServeMux()
	door.HandleFunc("POST /codes", func(w http.ResponseWriter, r *http.Request) {
		if err := mint(r, w, store); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go func() { log.Fatal(http.ListenAndServe(os.Getenv("DOOR"), door)) }()
	log.Fatal(http.ListenAndServe(os.Getenv("ADDRESS"), provider))
}

// mint does what the authorization endpoint and the login of the example do.
func mint(r *http.Request, w io.Writer, store *store) error {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		return err
	}
	ctx := op.ContextWithIssuer(r.Context(), "http://"+os.Getenv("ADDRESS"))
	codes := bufio.NewWriter(w)
	for range n {
		code, err := mintOne(ctx, store)
		if err != nil {
			return err
		}
		fmt.Fprintln(codes, code)
	}
	runtime.GC()
	return codes.Flush()
}

func mintOne(ctx context.Context, store *store) (string, error) {
	request, err := store.CreateAuthRequest(ctx, &oidc.AuthRequest{
		ClientID:     os.Getenv("CLIENT_ID"),
		RedirectURI:  os.Getenv("REDIRECT_URI"),
		Scopes:       []string{"openid", "email"},
		ResponseType: oidc.ResponseTypeCode,
		Nonce:        "n-0S6_WzA2Mj",
	}, "")
	if err != nil {
		return "", err
	}
	if err := store.CheckUsernamePassword("test-user2", "verysecure", request.GetID()); err != nil {
		return "", err
	}
	return op.CreateAuthRequestCode(ctx, request, store, encrypter)
}

// encrypter makes codes as the example does; its key is the example's.
var encrypter = op.NewAESCrypto(sha256.Sum256([]byte("test")))

package oidctoken

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/authentiq/caddy-oidc-token/internal/token"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// FuzzMintRequest: what the admin API accepts is a request that its client may
// make, and is stored as such; what it refuses stores nothing.
func FuzzMintRequest(f *testing.F) {
	const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	for _, seed := range []string{
		`{"issuer":"https://id.example","client_id":"web","redirect_uri":"https://app.example/callback","subject":"alice","scope":"openid email","nonce":"n","auth_time":1790000000,"acr":"x","amr":["pwd"],"claims":{"email":"a@b","groups":["x",1,null]},"access_token_claims":{"tenant":9007199254740993}}`,
		`{"client_id":"spa","subject":"alice","code_challenge":"` + challenge + `","code_challenge_method":"S256"}`,
		`{"client_id":"spa","subject":"alice"}`,
		`{"client_id":"spa","subject":"alice","code_challenge":"` + challenge + `","code_challenge_method":"plain"}`,
		`{"client_id":"web","subject":"alice","redirect_uri":"https://app.example/callback?x"}`,
		`{"client_id":"web","subject":"\u0000","redirect_uri":"https://app.example/callback"}`,
		`{"client_id":"web","subject":"a","subject":"b","Subject":"c","redirect_uri":"https://app.example/callback"}`,
		`{"client_id":"web","subject":"a","redirect_uri":"https://app.example/callback","claims":{"iss":"x"}}`,
		`{"client_id":"web","subject":"a","redirect_uri":"https://app.example/callback","auth_time":99999999999}`,
		`{"client_id":"web","subject":"a","redirect_uri":"https://app.example/callback","sub":"b"}`,
		"{\"client_id\":\"web\",\"subject\":\"a\",\"redirect_uri\":\"https://app.example/callback\",\"claims\":{\"a\":\"\xff\"}}",
		`{"issuer":"https://other.example","client_id":"web"}`, `{} {}`, `null`, `[]`, `{"amr":null,"claims":null,"client_id":"spa"}`, ``,
	} {
		f.Add([]byte(seed))
	}
	x := newFuzzed(f)
	live.add(x.issuer)
	f.Cleanup(func() { live.remove(x.issuer) })
	if _, err := x.codes.Load(f.Context(), strings.Repeat("A", 48)); !errors.Is(err, storage.ErrUnknown) { // the storage is probed
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		x.next()
		r := httptest.NewRequest(http.MethodPost, "/oidc_token/codes", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if err := mintCode(w, r); err != nil {
			refused, ok := errors.AsType[caddy.APIError](err)
			if !ok || refused.Err == nil || refused.Err.Error() == "" || refused.HTTPStatus != http.StatusBadRequest && refused.HTTPStatus != http.StatusNotFound {
				t.Errorf("refused with %#v", err)
			}
			if left := x.memory.Keys(); len(left) != 0 {
				t.Errorf("a refused request stores %q", left)
			}
			return
		}
		var minted MintResponse
		if err := json.Unmarshal(w.Body.Bytes(), &minted); err != nil || w.Code != http.StatusCreated || minted.ExpiresIn != 60 {
			t.Fatalf("%d with %d bytes: %v", w.Code, w.Body.Len(), err)
		}
		code, err := x.codes.Load(t.Context(), minted.Code)
		if err != nil {
			t.Fatalf("the minted code is %v", err)
		}
		x.checkMinted(t, &code.Record)
		checkRequested(t, body, &code.Record)
	})
}

// checkMinted: what the token endpoint relies on.
func (x *fuzzed) checkMinted(t *testing.T, r *storage.Record) {
	t.Helper()
	client := x.settings.clients.Get(r.ClientID)
	if client == nil {
		t.Fatalf("for client %q", r.ClientID)
	}
	switch {
	case r.Issuer != fuzzIssuer || r.ExpiresAt.Sub(r.IssuedAt) != time.Minute:
		t.Errorf("of %q, good for %s", r.Issuer, r.ExpiresAt.Sub(r.IssuedAt))
	case !slices.Contains(client.RedirectURIs, r.RedirectURI) || !r.RedirectURISent && len(client.RedirectURIs) > 1:
		t.Errorf("for redirect URI %q", r.RedirectURI)
	case client.ID == "spa" && r.CodeChallenge == "", r.CodeChallenge != "" && (len(r.CodeChallenge) != 43 || r.CodeChallengeMethod != "S256"):
		t.Errorf("with challenge %q by %q", r.CodeChallenge, r.CodeChallengeMethod)
	case r.Subject == "" || len(r.Subject) > 255 || strings.ContainsFunc(r.Subject, func(c rune) bool { return c < 0x20 || c > 0x7E }):
		t.Errorf("for subject %q", r.Subject)
	case len(r.Nonce) > 4096 || r.AuthTime.After(time.Now().Add(61*time.Second)) || slices.Contains(r.AMR, ""):
		t.Errorf("with nonce of %d, auth_time %s, amr %q", len(r.Nonce), r.AuthTime, r.AMR)
	}
	for i, scope := range r.Scope {
		if !slices.Contains(client.Scope, scope) || slices.Contains(r.Scope[:i], scope) {
			t.Errorf("with scope %q", r.Scope)
		}
	}
	for _, claims := range []map[string]json.RawMessage{r.Claims, r.AccessTokenClaims} {
		for name, value := range claims {
			if name == "" || token.ProtocolClaim(name) || !json.Valid(value) {
				t.Errorf("with claim %q", name)
			}
		}
	}
}

// checkRequested reads the body with another decoder: one object, and the
// record says what it says.
func checkRequested(t *testing.T, body []byte, r *storage.Record) {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatalf("accepted, and is no JSON object: %v", err)
	}
	for member, got := range map[string]string{"client_id": r.ClientID, "subject": r.Subject, "nonce": r.Nonce, "code_challenge": r.CodeChallenge, "acr": r.ACR} {
		spellings := 0
		for name := range members {
			if strings.EqualFold(name, member) {
				spellings++
			}
		}
		// encoding/json takes the last of several; which is not ours to say.
		if sent, ok := members[member].(string); ok && spellings == 1 && bytes.Count(bytes.ToLower(body), []byte(member)) == 1 && sent != got {
			t.Errorf("%s is %q, sent was %q", member, got, sent)
		}
	}
}

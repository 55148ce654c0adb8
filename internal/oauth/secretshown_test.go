package oauth

import (
	"fmt"
	"strings"
	"testing"
)

func TestSecretIsShownAsNothing(t *testing.T) {
	secret, err := ParseSecret("0123456789abcdef012345")
	if err != nil {
		t.Fatal(err)
	}
	for verb, want := range map[string]string{"%v": "[secret]", "%+v": "[secret]", "%s": "[secret]", "%q": `"[secret]"`, "%#v": "oauth.Secret{}"} {
		t.Run("REQ-239 H16 "+verb+" shows neither a secret nor its digest", func(t *testing.T) {
			if shown := fmt.Sprintf(verb, secret); shown != want {
				t.Errorf("%d characters, want %s", len(shown), want)
			}
			shown := fmt.Sprintf(verb, Client{ID: "web", Secrets: []Secret{secret}})
			for _, digest := range []string{fmt.Sprint(secret.digest), fmt.Sprintf("%#v", secret.digest)} {
				if strings.Contains(shown, digest) {
					t.Error("its client shows it")
				}
			}
		})
	}
}

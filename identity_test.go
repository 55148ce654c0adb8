package oidctoken

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestEncodeClaim(t *testing.T) {
	for _, row := range []struct{ name, kind, value, want string }{
		{"a string", claimString, `a "b" <c>`, `"a \"b\" \u003cc\u003e"`},
		{"a string that looks like another type", claimString, "true", `"true"`},
		{"a string that is not UTF-8 is none", claimString, "a\xff", ""},
		{"a list", claimList, "a, b ,,c", `["a","b","c"]`},
		{"a list of one", claimList, "a", `["a"]`},
		{"a list of nothing is none", claimList, " , ,", ""},
		{"true", claimBoolean, "true", "true"},
		{"True", claimBoolean, "True", "true"},
		{"0", claimBoolean, "0", "false"},
		{"yes is no boolean", claimBoolean, "yes", ""},
		{"an integer", claimNumber, "-17", "-17"},
		{"a number keeps its digits", claimNumber, "12345678901234567890.10", "12345678901234567890.10"},
		{"a number in words is none", claimNumber, "ten", ""},
		{"a number with something behind is none", claimNumber, "1 2", ""},
		{"a number that JSON has not is none", claimNumber, "017", ""},
		{"true is no number", claimNumber, "true", ""},
		{"an object", claimJSON, `{"a": [1, null]}`, `{"a":[1,null]}`},
		{"half an object is none", claimJSON, `{"a":`, ""},
		{"two values are none", claimJSON, `1 2`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := string(encodeClaim(row.kind, row.value)); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

// resolvedBy has an identity resolve with these placeholders.
func resolvedBy(t *testing.T, i *Identity, values map[string]string) (subject, acr string, claims map[string]string, leftOut []string) {
	t.Helper()
	h := validConfig()
	h.Authorize = caddyhttp.RouteList{}
	h.Identity = i
	s, err := h.settings(resolveWith(nil))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/authorize", nil)
	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, httptest.NewRecorder(), new(caddyhttp.Server))
	for name, value := range values {
		repl.Set(name, value)
	}
	p, leftOut := s.identity.person(r, time.Unix(1_800_000_000, 0))
	claims = make(map[string]string)
	for name, value := range p.Claims {
		claims[name] = string(value)
	}
	return p.Subject, p.ACR, claims, leftOut
}

func TestIdentityIsResolved(t *testing.T) {
	t.Run("a value is nothing without one of its placeholders", func(t *testing.T) {
		i := &Identity{Subject: "tenant/{http.auth.user.id}", ACR: "a{http.none}", Claims: []*IdentityClaim{{Name: "picture", Value: "https://p.example/{http.auth.user.picture}.png"}}}
		subject, acr, claims, leftOut := resolvedBy(t, i, map[string]string{"http.auth.user.id": ""})
		if subject != "" || acr != "" || len(claims) != 0 || len(leftOut) != 0 {
			t.Errorf("got %q, %q, %v, %v", subject, acr, claims, leftOut)
		}
		subject, _, claims, _ = resolvedBy(t, i, map[string]string{"http.auth.user.id": "alice", "http.auth.user.picture": "7"})
		if subject != "tenant/alice" || claims["picture"] != `"https://p.example/7.png"` {
			t.Errorf("got %q, %v", subject, claims)
		}
	})
	t.Run("what a value holds is not resolved again", func(t *testing.T) {
		t.Setenv("OIDC_TOKEN_TEST_SECRET", "hunter2")
		subject, _, _, _ := resolvedBy(t, &Identity{Subject: "{http.auth.user.id}"}, map[string]string{"http.auth.user.id": "{env.OIDC_TOKEN_TEST_SECRET}"})
		if subject != "{env.OIDC_TOKEN_TEST_SECRET}" {
			t.Errorf("got %q", subject)
		}
	})
	t.Run("standard claims have the type that is theirs", func(t *testing.T) {
		i := &Identity{Subject: "{http.auth.user.id}", Claims: []*IdentityClaim{
			{Name: "email_verified", Value: "{v.true}"}, {Name: "updated_at", Value: "{v.number}"}, {Name: "address", Value: "{v.json}"}, {Name: "phone_number_verified", Value: "{v.x}"},
		}}
		_, _, claims, leftOut := resolvedBy(t, i, map[string]string{"v.true": "true", "v.number": "7", "v.json": `{"country":"UK"}`, "v.x": "maybe"})
		if want := map[string]string{"email_verified": "true", "updated_at": "7", "address": `{"country":"UK"}`}; !reflect.DeepEqual(claims, want) {
			t.Errorf("got %v", claims)
		}
		if !reflect.DeepEqual(leftOut, []string{"phone_number_verified"}) {
			t.Errorf("left out are %v", leftOut)
		}
	})
}

func TestHeadersThatAreRemoved(t *testing.T) {
	d := &identity{headers: map[string]bool{"x-company-id": true}}
	removed := []string{"Remote-User", "Remote_User", "REMOTE_USER", "remote.user", "X-Remote-Group", "X-Forwarded-User", "X_Forwarded_Email", "X-Forwarded-Groups",
		"X-Forwarded-Preferred-Username", "X-Auth-Request-User", "X-Authentik-Uid", "X-Webauth-User", "X-Token-User-Name", "X-Company-Id", "x_company.id"}
	kept := []string{"Authorization", "Cookie", "Host", "Accept", "User-Agent", "Origin", "Referer", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
		"X-Request-Id", "X-Company", "Dpop", "Cf-Access-Jwt-Assertion", "X-Auth-Token", "X-Requested-With"}
	h := make(http.Header)
	for _, name := range append(append([]string{}, removed...), kept...) {
		h[name] = []string{"x"}
	}
	d.removeHeaders(h)
	for _, name := range removed {
		if _, there := h[name]; there {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range kept {
		if _, there := h[name]; !there {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestHandlersInRoutes(t *testing.T) {
	names, err := handlersOf(caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{json.RawMessage(`{"handler":"subroute","routes":[{"handle":[{"handler":"vars","x":{"handler":"deep"}}]}]}`)}}})
	if err != nil || !names["subroute"] || !names["vars"] || !names["deep"] || len(names) != 3 {
		t.Errorf("got %v, %v", names, err)
	}
	if _, err := handlersOf(caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{json.RawMessage(`{`)}}}); err == nil || strings.Contains(err.Error(), "panic") {
		t.Errorf("got %v", err)
	}
}

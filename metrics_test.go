package oidctoken

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
)

// An alert on an increase needs a series that was there before.
func TestWhatIsWorthAnAlertIsCountedFromZero(t *testing.T) {
	exposed := seriesOf(t, newCollectors())
	for _, series := range []string{
		`storage_errors_total{operation="load"}`,
		`storage_errors_total{operation="store"}`,
		`storage_errors_total{operation="claim"}`,
		`storage_errors_total{operation="delete"}`,
		`storage_errors_total{operation="list"}`,
		`storage_errors_total{operation="probe"}`,
		`redemptions_total{result="replayed"}`,
		`requests_total{grant="authorization_code",outcome="server_error",reason="internal"}`,
		`requests_total{grant="",outcome="server_error",reason="panic"}`,
		`requests_total{grant="authorization_code",outcome="server_error",reason="claim_unknown"}`,
		`requests_total{grant="authorization_code",outcome="temporarily_unavailable",reason="storage_refused"}`,
		`requests_total{grant="authorization_code",outcome="temporarily_unavailable",reason="signing_key_unavailable"}`,
		`requests_total{grant="authorization_code",outcome="invalid_grant",reason="record_corrupt"}`,
		`requests_total{grant="authorization_code",outcome="invalid_grant",reason="code_replayed"}`,
		`requests_total{grant="authorization_code",outcome="invalid_grant",reason="code_not_yet_valid"}`,
		`authorizations_total{outcome="server_error",reason="internal"}`,
		`authorizations_total{outcome="server_error",reason="identity_malformed"}`,
		`authorizations_total{outcome="temporarily_unavailable",reason="storage_unavailable"}`,
		`authorizations_total{outcome="temporarily_unavailable",reason="storage_refused"}`,
		`authorizations_total{outcome="temporarily_unavailable",reason="authentication_unavailable"}`,
		`authorizations_total{outcome="temporarily_unavailable",reason="codes_capped"}`,
		`authorizations_total{outcome="access_denied",reason="identity_missing"}`,
		`userinfo_requests_total{outcome="server_error",reason="internal"}`,
		`userinfo_requests_total{outcome="temporarily_unavailable",reason="storage_refused"}`,
		`userinfo_requests_total{outcome="invalid_token",reason="record_corrupt"}`,
	} {
		if value, there := exposed[series]; !there || value != 0 {
			t.Errorf("%s is %v (there: %t)", series, value, there)
		}
	}
}

// What is counted is counted in the series that was there.
func TestFaultsAreCountedWhereTheyWereExposed(t *testing.T) {
	m := newCollectors()
	before := seriesOf(t, m)
	for _, f := range tokenFaults {
		m.observeRequest(oauth.Attempt{GrantType: oauth.GrantAuthorizationCode}, &oauth.Error{Kind: f.kind, Reason: f.reason}, 0)
	}
	for _, f := range authorizationFaults {
		m.observeAuthorization(&oauth.Error{Kind: f.kind, Reason: f.reason}, 0)
	}
	for _, f := range userInfoFaults {
		m.observeUserInfo(&oauth.Error{Kind: f.kind, Reason: f.reason})
	}
	for series := range seriesOf(t, m) {
		if _, there := before[series]; !there {
			t.Errorf("%s is new", series)
		}
	}
}

func TestEveryStorageOperationThatFailsIsCounted(t *testing.T) {
	files, err := filepath.Glob("storage/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	named := regexp.MustCompile(`(?:failure|failed|call)\((?:ctx, )?(?:c, )?"([a-z]+)"|call\(context\.WithoutCancel\(ctx\), c, "([a-z]+)"`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(source), -1) {
			found++
			if operation := m[1] + m[2]; !slices.Contains(storageOperations, operation) {
				t.Errorf("%s: %s is not among the operations that are counted from 0", file, operation)
			}
		}
	}
	if found < len(storageOperations) {
		t.Errorf("found %d operations in the sources", found)
	}
}

// seriesOf are the counters of m with their values, by their names in PromQL
// without the prefix.
func seriesOf(t *testing.T, m *collectors) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{m.requests, m.authorizations, m.redemptions, m.userInfo, m.storageErrors, m.swept} {
		registry.MustRegister(c)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := make(map[string]float64)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, l := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := strings.TrimPrefix(family.GetName(), "caddy_oidc_token_")
			series[name+"{"+strings.Join(labels, ",")+"}"] = metric.GetCounter().GetValue()
		}
	}
	return series
}

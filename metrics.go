package oidctoken

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authentiq/caddy-oidc-token/internal/oauth"
	"github.com/authentiq/caddy-oidc-token/storage"
)

// metrics counts for the process: Caddy makes a new registry for every config,
// and the counts outlive it. No label holds anything a client sent unchecked.
var metrics = newCollectors()

type collectors struct {
	requests       *prometheus.CounterVec
	duration       *prometheus.HistogramVec
	authorizations *prometheus.CounterVec
	signIn         *prometheus.HistogramVec
	redemptions    *prometheus.CounterVec
	userInfo       *prometheus.CounterVec
	storageErrors  *prometheus.CounterVec
	swept          prometheus.Counter
}

// requestBuckets are those of the histograms of requests, in seconds.
var requestBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}

func newCollectors() *collectors {
	name := func(n string) string { return prometheus.BuildFQName("caddy", "oidc_token", n) }
	m := &collectors{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("requests_total"), Help: "Token requests by grant type, outcome (success or the error code) and reason.",
		}, []string{"grant", "outcome", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name("request_duration_seconds"), Help: "Time to answer a token request.",
			Buckets: requestBuckets,
		}, []string{"outcome"}),
		authorizations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("authorizations_total"), Help: "Authorization requests by outcome (success or the error code) and reason.",
		}, []string{"outcome", "reason"}),
		signIn: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name("authorization_duration_seconds"), Help: "Time to answer an authorization request, the directives in authorize included.",
			Buckets: requestBuckets,
		}, []string{"outcome"}),
		redemptions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("redemptions_total"), Help: "Authorization codes presented by an authenticated client: won, lost to a concurrent request, or replayed.",
		}, []string{"result"}),
		userInfo: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("userinfo_requests_total"), Help: "UserInfo requests by outcome (success or the error code) and reason.",
		}, []string{"outcome", "reason"}),
		storageErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("storage_errors_total"), Help: "Storage operations that failed, by operation.",
		}, []string{"operation"}),
		swept: prometheus.NewCounter(prometheus.CounterOpts{
			Name: name("swept_records_total"), Help: "Expired authorization code records removed from storage.",
		}),
	}
	// A counter that appears with its first event has no increase to alert on.
	for _, result := range []string{"won", "lost", "replayed"} {
		m.redemptions.WithLabelValues(result)
	}
	m.userInfo.WithLabelValues("success", "")
	m.requests.WithLabelValues(oauth.GrantAuthorizationCode, "invalid_grant", string(oauth.RecordCorrupt))
	m.requests.WithLabelValues(oauth.GrantAuthorizationCode, "invalid_grant", string(oauth.CodeReplayed))
	m.authorizations.WithLabelValues("temporarily_unavailable", string(oauth.CodesCapped))
	m.authorizations.WithLabelValues("success", "")
	m.signIn.WithLabelValues("success")
	return m
}

// registerMetrics adds the collectors to a config's registry, which has one App.
func registerMetrics(registry *prometheus.Registry) error {
	m := metrics
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.authorizations, m.signIn, m.redemptions, m.userInfo, m.storageErrors, m.swept, keyCollector{}} {
		if err := registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *collectors) observeRequest(a oauth.Attempt, e *oauth.Error, took time.Duration) {
	reason := ""
	if e != nil {
		reason = string(e.Reason)
	}
	m.requests.WithLabelValues(a.GrantType, outcome(e), reason).Inc()
	m.duration.WithLabelValues(outcome(e)).Observe(took.Seconds())
	if a.Redemption != "" {
		m.redemptions.WithLabelValues(a.Redemption).Inc()
	}
}

func (m *collectors) observeAuthorization(e *oauth.Error, took time.Duration) {
	reason := ""
	if e != nil {
		reason = string(e.Reason)
	}
	m.authorizations.WithLabelValues(outcome(e), reason).Inc()
	m.signIn.WithLabelValues(outcome(e)).Observe(took.Seconds())
}

func (m *collectors) observeUserInfo(e *oauth.Error) {
	reason := ""
	if e != nil {
		reason = string(e.Reason)
	}
	m.userInfo.WithLabelValues(outcome(e), reason).Inc()
}

func (m *collectors) observeStorage(event storage.Event) {
	if event.Err != nil {
		m.storageErrors.WithLabelValues(event.Operation).Inc()
	}
	if event.Operation == "swept" {
		m.swept.Add(float64(event.Count))
	}
}

// keyCollector reports the keys of the running issuers at the moment it is
// asked, so that a removed issuer leaves nothing behind.
type keyCollector struct{}

var (
	keyInfo = prometheus.NewDesc("caddy_oidc_token_signing_key",
		"1 for each published signing key, by its state: pending, signing or retired.",
		[]string{"issuer", "kid", "alg", "state"}, nil)
	keyAge = prometheus.NewDesc("caddy_oidc_token_signing_key_age_seconds",
		"Time since a published signing key was made.", []string{"issuer", "kid"}, nil)
)

func (keyCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- keyInfo
	ch <- keyAge
}

func (keyCollector) Collect(ch chan<- prometheus.Metric) {
	for _, i := range live.all() {
		for _, k := range i.keys.States() {
			ch <- prometheus.MustNewConstMetric(keyInfo, prometheus.GaugeValue, 1,
				i.identifier, k.ID, string(k.Algorithm), k.State)
			if !k.CreatedAt.IsZero() {
				ch <- prometheus.MustNewConstMetric(keyAge, prometheus.GaugeValue,
					i.now().Sub(k.CreatedAt).Seconds(), i.identifier, k.ID)
			}
		}
	}
}

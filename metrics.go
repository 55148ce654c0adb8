package oidctoken

import (
	"errors"
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
	m.expose()
	return m
}

// expose has what is worth an alert counted from 0: a counter that appears with
// its first event has no increase to alert on.
func (m *collectors) expose() {
	for _, result := range []string{"won", "lost", "replayed"} {
		m.redemptions.WithLabelValues(result)
	}
	for _, operation := range storageOperations {
		m.storageErrors.WithLabelValues(operation)
	}
	m.userInfo.WithLabelValues("success", "")
	m.authorizations.WithLabelValues("success", "")
	m.signIn.WithLabelValues("success")
	for _, f := range tokenFaults {
		m.requests.WithLabelValues(oauth.GrantAuthorizationCode, f.outcome(), string(f.reason))
	}
	// Where a request ends in a panic its grant type is not known.
	m.requests.WithLabelValues("", fault{oauth.ServerError, oauth.Panic}.outcome(), string(oauth.Panic))
	for _, f := range authorizationFaults {
		m.authorizations.WithLabelValues(f.outcome(), string(f.reason))
	}
	for _, f := range userInfoFaults {
		m.userInfo.WithLabelValues(f.outcome(), string(f.reason))
	}
}

// storageOperations are those of a storage.Event that has an Err.
var storageOperations = []string{"load", "store", "claim", "delete", "list", "probe"}

// fault is an answer that an operator wants to hear of.
type fault struct {
	kind   oauth.Kind
	reason oauth.Reason
}

func (f fault) outcome() string { return outcome(&oauth.Error{Kind: f.kind}) }

// The faults at each endpoint: ours, the operator's, and attacks. At the token
// endpoint the grant type has been read by then.
var (
	tokenFaults = []fault{
		{oauth.ServerError, oauth.Internal},
		{oauth.ServerError, oauth.ClaimUnknown},
		{oauth.ServerError, oauth.IssueFailed},
		{oauth.ServerError, oauth.Undelivered},
		{oauth.TemporarilyUnavailable, oauth.StorageUnavailable},
		{oauth.TemporarilyUnavailable, oauth.StorageRefused},
		{oauth.TemporarilyUnavailable, oauth.SigningKeyUnavailable},
		{oauth.InvalidGrant, oauth.RecordCorrupt},
		{oauth.InvalidGrant, oauth.CodeReplayed},
		{oauth.InvalidGrant, oauth.CodeNotYetValid},
	}
	authorizationFaults = []fault{
		{oauth.ServerError, oauth.Internal},
		{oauth.ServerError, oauth.Panic},
		{oauth.ServerError, oauth.IdentityMalformed},
		{oauth.ServerError, oauth.Undelivered},
		{oauth.TemporarilyUnavailable, oauth.StorageUnavailable},
		{oauth.TemporarilyUnavailable, oauth.StorageRefused},
		{oauth.TemporarilyUnavailable, oauth.KeysUnavailable},
		{oauth.TemporarilyUnavailable, oauth.CodesCapped},
		{oauth.TemporarilyUnavailable, authenticationUnavailable},
		{oauth.AccessDenied, oauth.IdentityMissing},
		{oauth.AccessDenied, oauth.IdentityMalformed},
	}
	userInfoFaults = []fault{
		{oauth.ServerError, oauth.Internal},
		{oauth.ServerError, oauth.Panic},
		{oauth.TemporarilyUnavailable, oauth.StorageUnavailable},
		{oauth.TemporarilyUnavailable, oauth.StorageRefused},
		{oauth.TemporarilyUnavailable, oauth.KeysUnavailable},
		{oauth.InvalidToken, oauth.RecordCorrupt},
		{oauth.InvalidToken, oauth.GrantMismatch},
	}
)

// registerMetrics adds the collectors to a config's registry, where they may be
// already.
func registerMetrics(registry *prometheus.Registry) error {
	m := metrics
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.authorizations, m.signIn, m.redemptions, m.userInfo, m.storageErrors, m.swept, keyCollector{}} {
		err := registry.Register(c)
		if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !ok {
			return err
		}
	}
	return nil
}

func (m *collectors) observeRequest(a oauth.Attempt, e *oauth.Error, took time.Duration) {
	m.requests.WithLabelValues(a.GrantType, outcome(e), reasonOf(e)).Inc()
	m.duration.WithLabelValues(outcome(e)).Observe(took.Seconds())
	if a.Redemption != "" {
		m.redemptions.WithLabelValues(a.Redemption).Inc()
	}
}

func (m *collectors) observeAuthorization(e *oauth.Error, took time.Duration) {
	m.authorizations.WithLabelValues(outcome(e), reasonOf(e)).Inc()
	m.signIn.WithLabelValues(outcome(e)).Observe(took.Seconds())
}

func (m *collectors) observeUserInfo(e *oauth.Error) {
	m.userInfo.WithLabelValues(outcome(e), reasonOf(e)).Inc()
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

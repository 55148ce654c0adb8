package oidctoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// App is the part of a config that all its oidc_token handlers share. It is
// not configured: the first handler brings it in. It exists because a handler
// is not told when its config goes live, and `caddy validate` must create
// nothing.
type App struct {
	config <-chan struct{} // closed when the config's context ends; stands for the config
	logger *zap.Logger
	slog   *slog.Logger

	mu      sync.Mutex // guards issuers while handlers are provisioned
	issuers map[string]*sharedIssuer

	stop context.CancelFunc // set by Start
	work sync.WaitGroup

	workStopped, ended sync.Once
}

// sharedIssuer is an issuer and the config it was made from.
type sharedIssuer struct {
	*issuer
	config string
}

// stopTimeout bounds how long a reload waits for what is in the middle of a
// storage call: first for all of it, and then for claims. No claim takes longer.
const stopTimeout = 5 * time.Second

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oidc_token",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision prepares the app for its handlers.
func (a *App) Provision(ctx caddy.Context) error {
	a.config = ctx.Done()
	a.logger = ctx.Logger()
	a.slog = ctx.Slogger()
	a.issuers = make(map[string]*sharedIssuer)
	return registerMetrics(ctx.GetMetricsRegistry())
}

// issuerFor returns the issuer h configures. Handlers with identical configs
// share one; two that differ but claim one issuer identifier are an error.
func (a *App) issuerFor(h *Handler, s *settings, build func() (*issuer, error)) (*issuer, error) {
	config, err := h.comparable()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if shared, ok := a.issuers[s.issuer]; ok {
		if shared.config != config {
			return nil, errors.New("it is configured twice, differently: " +
				"make both oidc_token blocks the same (a snippet and import), or give one another issuer")
		}
		return shared.issuer, nil
	}
	i, err := build()
	if err != nil {
		return nil, err
	}
	a.issuers[s.issuer] = &sharedIssuer{issuer: i, config: config}
	return i, nil
}

// comparable is h as JSON. The names of route groups, which count up over a
// whole Caddyfile, are counted anew: one snippet that two sites import is the
// same config.
func (h *Handler) comparable() (string, error) {
	config, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	names := make(map[string]string)
	return routeGroup.ReplaceAllStringFunc(string(config), func(group string) string {
		if names[group] == "" {
			names[group] = fmt.Sprintf(`"group":%d`, len(names))
		}
		return names[group]
	}), nil
}

// routeGroup is a route's group as the Caddyfile adapter names it.
var routeGroup = regexp.MustCompile(`"group":"group\d+"`)

// Start announces the issuers to the doors that mint codes and starts their
// background work. It does not wait for storage: other sites must come up
// when it is away.
func (a *App) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	for _, i := range a.issuers {
		live.add(i.issuer)
		a.work.Go(func() { i.run(ctx) })
		a.logger.Info("token endpoint is up", i.describe()...)
	}
	if len(a.issuers) > 0 && !adminDoor.open(a.config) {
		a.logger.Info("the admin API is off: codes are minted from Go only, and `caddy oidc-token` cannot reach this instance")
	}
	return nil
}

// Stop ends what uses the storage of this config: when it has returned Caddy
// cleans up, and a storage module may close its client. A request that comes
// later is the next config's.
func (a *App) Stop() error {
	if caddy.Exiting() {
		// There is no next config. Caddy may stop its servers after this app, and
		// they serve until they are; it cleans up when all have ended.
		a.stopWork()
		return nil
	}
	return a.Cleanup()
}

// Cleanup does what Stop does: a config whose apps have all started and that
// fails after that is only cleaned up.
func (a *App) Cleanup() error {
	a.ended.Do(a.end)
	return nil
}

func (a *App) end() {
	var requests, claims []<-chan struct{}
	for _, i := range a.issuers {
		live.remove(i.issuer) // first: whom a closed issuer turns away looks there
		requests = append(requests, i.requests.close())
	}
	var work sync.WaitGroup
	work.Go(a.stopWork)
	a.await("requests", requests...)
	work.Wait()
	// What a slow storage has held up until now does not begin to claim.
	for _, i := range a.issuers {
		claims = append(claims, i.claims.close())
		i.automatic.Close() // its JWKS may still be asked for, and goes on from memory
	}
	a.await("claims", claims...)
}

// stopWork ends the background work.
func (a *App) stopWork() {
	a.workStopped.Do(func() {
		if a.stop == nil {
			return
		}
		a.stop()
		done := make(chan struct{})
		go func() { a.work.Wait(); close(done) }()
		a.await("background work", done)
	})
}

// await waits until all are closed, for at most stopTimeout.
func (a *App) await(what string, all ...<-chan struct{}) {
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	for _, done := range all {
		select {
		case <-done:
		case <-timeout.C:
			a.logger.Warn("a config that was replaced is still waiting for storage", zap.String("with", what), zap.Duration("waited", stopTimeout))
			return
		}
	}
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)

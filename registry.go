package oidctoken

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// live holds the issuers of the config that is running, for the doors that
// mint codes: they belong to the process, not to one config.
var live registry

// registry finds a running issuer by its identifier. While a reload swaps
// configs both generations are in it; the younger answers, and when it does
// not come up after all the older does again.
type registry struct {
	mu      sync.RWMutex
	issuers []*issuer // guarded by mu; in the order they were started
}

func (r *registry) add(i *issuer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.issuers = append(r.issuers, i)
}

func (r *registry) remove(i *issuer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.issuers = slices.DeleteFunc(r.issuers, func(other *issuer) bool { return other == i })
}

// all returns one running issuer for each identifier, sorted.
func (r *registry) all() []*issuer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*issuer
	for _, i := range slices.Backward(r.issuers) {
		if !slices.ContainsFunc(all, func(other *issuer) bool { return other.identifier == i.identifier }) {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b *issuer) int { return strings.Compare(a.identifier, b.identifier) })
	return all
}

// find returns the running issuer with that identifier; "" stands for the only
// one.
func (r *registry) find(identifier string) (*issuer, error) {
	all := r.all()
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no oidc_token issuer is running", ErrNoIssuer)
	}
	if identifier == "" {
		if len(all) > 1 {
			return nil, fmt.Errorf("%w: several are running, say which: %s", ErrNoIssuer, identifiers(all))
		}
		return all[0], nil
	}
	for _, i := range all {
		if i.identifier == identifier {
			return i, nil
		}
	}
	return nil, fmt.Errorf("%w: %q is not running here; running: %s", ErrNoIssuer, identifier, identifiers(all))
}

// begin is find for what is going to use the issuer's storage, until its end.
func (r *registry) begin(identifier string) (*issuer, error) {
	for {
		i, err := r.find(identifier)
		if err != nil {
			return nil, err
		}
		// One that is closed has left the registry, if only since find.
		if i.requests.begin() {
			return i, nil
		}
	}
}

func identifiers(issuers []*issuer) string {
	var names []string
	for _, i := range issuers {
		names = append(names, i.identifier)
	}
	return strings.Join(names, ", ")
}

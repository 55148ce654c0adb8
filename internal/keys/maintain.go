package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/authentiq/caddy-oidc-token/internal/seal"
	"github.com/authentiq/caddy-oidc-token/internal/token"
)

const (
	refreshInterval = 30 * time.Second
	longestInterval = refreshInterval + refreshInterval/6
	writeTimeout    = 30 * time.Second
	awaitFor        = time.Hour // that a stored key, if no key is listed, keeps others from being made
)

// replaceAll is for keys that are lost: tokens they have signed no longer
// verify.
const replaceAll = "replace every signing key with: caddy oidc-token rotate-key --drop-old"

// remedy says what to do about a record that does not open because of err.
func remedy(err error) string {
	switch {
	case errors.Is(err, errSealed):
		return "write the encryption_key that it is sealed with, which other nodes or an earlier config have; only if that is lost for good, " + replaceAll
	case errors.Is(err, errUnsealed):
		return "leave encryption_key out, as when it was stored; or, to begin with encryption_key now, write it on every node and " + replaceAll
	case errors.Is(err, seal.ErrKey):
		return "if other nodes work, write their encryption_key on this one; if it was changed, add the older one after it; only if that is lost for good, " + replaceAll
	}
	return "restore it from a backup, or " + replaceAll
}

// remedies are those of all records that do not open.
func (s *snapshot) remedies() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.unopened)) {
		if r := remedy(s.unopened[key]); !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return strings.Join(all, "; of others: ")
}

// Run creates missing keys, follows storage, rotates and retires until ctx is
// done. The request path never writes: until there is a set SigningKey and JWKS
// read the storage themselves and wait for one, for firstTimeout at most.
func (a *Automatic) Run(ctx context.Context) {
	retry, said := time.Second, ""
	for ctx.Err() == nil {
		err := a.maintain(ctx)
		if ctx.Err() == nil { // a try that was cut short says nothing about the storage
			said = a.say(err, said)
			a.attempt.Do(func() { close(a.attempted) })
		}
		// The jitter keeps nodes that started together from asking together.
		wait := refreshInterval + rand.N(refreshInterval/3) - refreshInterval/6
		if err != nil && a.current.Load() == nil {
			wait, retry = retry, min(2*retry, refreshInterval)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// say logs an error when it is another than the one said before.
func (a *Automatic) say(err error, said string) string {
	a.explain(err)
	switch {
	case err == nil && said != "":
		a.logger.Info("signing keys are maintained again")
	case err == nil:
	case err.Error() != said:
		a.logger.Error("maintaining the signing keys failed", "error", err)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// maintain does once what Run does over and over.
func (a *Automatic) maintain(ctx context.Context) (err error) {
	defer a.recovered(&err)
	a.takeOver() // first: this round would make any set one that is looked after
	a.known.arrive(a.place)
	defer func() { a.known.leave(a.place, a.now()) }()
	if err := a.beginWriting(ctx); err != nil {
		return err
	}
	defer a.endWriting()
	found, err := a.refresh(ctx)
	if err != nil {
		return err
	}
	a.report(found)
	due, held := a.due(found)
	if len(due) > 0 {
		err = a.createDue(ctx)
	}
	err = errors.Join(held, err)
	if current := a.current.Load(); current != nil {
		a.reseal(ctx, current)
		a.purge(ctx, current)
	}
	return err
}

// due returns the keys to make. As long as a record does not open only the
// successors of keys that do are made: anything else could be a new identity
// beside one that only lacks its encryption key. The error says what is held
// back and why.
func (a *Automatic) due(found *snapshot) ([]creation, error) {
	now := a.now()
	a.warn(found, now)
	due := a.schedule.due(found.records, a.making(), now)
	wanted := len(due)
	if len(found.records) > 0 || now.Sub(a.storedAt) > awaitFor {
		a.storedAt = time.Time{}
	}
	if !a.storedAt.IsZero() && wanted > 0 {
		return nil, errors.New("the storage does not list the signing key that it stored")
	}
	if len(found.records) == 0 && len(found.unopened) == 0 && wanted > 0 {
		if outdated, err := a.disappeared(found); outdated || err != nil {
			return nil, err // the next round knows more
		}
	}
	if len(found.unopened) > 0 {
		due = slices.DeleteFunc(due, func(c creation) bool { return !c.rotation })
	}
	if len(due) < wanted {
		return due, fmt.Errorf("no signing key is made while %d in storage do not open: %s", len(found.unopened), found.remedies())
	}
	return due, nil
}

// disappeared tells a storage that was emptied from that of a new issuer:
// another identity would be worse than none, since every relying party would
// have to be told. A reading that found nothing may be outdated: another has
// found the keys that another node has just made.
func (a *Automatic) disappeared(found *snapshot) (outdated bool, err error) {
	before, since := a.known.has(a.place, found.number)
	switch {
	case !before:
		return since, nil
	case a.certain:
		return false, errDisappeared
	}
	a.doubt.Do(func() {
		a.logger.Error("the issuer had signing keys before and gets new ones: another storage, or its own was emptied", "storage", a.place.Storage)
	})
	return false, nil
}

// making lists the algorithms in the order their keys are made in.
func (a *Automatic) making() []token.Algorithm {
	algs := slices.Clone(a.algorithms)
	slices.SortStableFunc(algs, func(x, y token.Algorithm) int {
		switch a.schedule.defaultAlgorithm {
		case y:
			return 1
		case x:
			return -1
		}
		return 0
	})
	return algs
}

// report logs which records do not open, once for each change.
func (a *Automatic) report(found *snapshot) {
	keys := slices.Sorted(maps.Keys(found.unopened))
	said := strings.Join(keys, "\n")
	if said == a.reported {
		return
	}
	a.reported = said
	for _, key := range keys {
		a.logger.Error("signing key in storage does not open", "key", key, "error", found.unopened[key], "remedy", remedy(found.unopened[key]))
	}
}

// warn logs, once, that some clock was ahead when a key was made.
func (a *Automatic) warn(found *snapshot, now time.Time) {
	i := slices.IndexFunc(found.records, func(r *record) bool { return r.ahead(now) })
	if a.warned || i < 0 {
		return
	}
	a.warned = true
	r := found.records[i]
	a.logger.Warn("signing key was made in the future: some clock is or was wrong", "kid", r.key.ID, "created_at", r.createdAt)
}

func (a *Automatic) beginWriting(ctx context.Context) error {
	select {
	case a.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *Automatic) endWriting() { <-a.writing }

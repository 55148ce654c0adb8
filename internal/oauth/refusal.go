package oauth

import (
	"errors"
	"fmt"
	"time"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// refusals are the conditions of a code that make it an invalid_grant.
var refusals = []struct {
	err      error
	reason   Reason
	security bool
	hint     string
}{
	{storage.ErrUnknown, CodeUnknown, false, "no such code: it was never issued here, or expired long ago"},
	{storage.ErrUsed, CodeReplayed, true, "the code was used before: the client repeats its request, or somebody else has the code"},
	{storage.ErrLost, ClaimContended, true, "the code was presented twice at the same time"},
	{storage.ErrExpired, CodeExpired, false, "the code has expired; if clients need longer, raise code_lifetime; with several nodes, compare their clocks: one that is ahead of the others finds codes expired early"},
	{storage.ErrNotYetValid, CodeNotYetValid, false, "the code was issued more than 60 seconds in the future: compare the clocks of this machine and the one that issued it"},
	{storage.ErrBoot, CodeOfOtherBoot, false, "the code was issued before this machine was started"},
	{storage.ErrClaimKind, CodeClaimKind, false, "the code was issued by a node that claims codes in another way: all nodes need the same version and the same storage configuration"},
	{storage.ErrCorrupt, RecordCorrupt, true, "the code's record does not open: it was altered or cut, or encryption_key differs from the issuing node's"},
}

// loadError says what Load's failure means. Nothing was changed.
func loadError(err error, a *Attempt) error {
	if refusal := refusalOf(err, a); refusal != nil {
		return refusal
	}
	if unavailable := Unavailable(err); unavailable != nil {
		return unavailable
	}
	return fmt.Errorf("loading authorization code: %w", err)
}

// redeemError says what Redeem's failure means. Whatever does not say that
// nothing was changed may have claimed the code: it is spent, and no error
// that makes a client try again.
func redeemError(err error, a *Attempt) error {
	if errors.Is(err, storage.ErrUncertain) {
		return uncertain(err)
	}
	if refusal := refusalOf(err, a); refusal != nil {
		return refusal
	}
	if unavailable := Unavailable(err); unavailable != nil {
		return unavailable
	}
	return uncertain(err)
}

func uncertain(err error) error {
	return &Error{Kind: ServerError, Reason: ClaimUnknown, Err: fmt.Errorf("redeeming authorization code: %w", err),
		Hint: "the storage failed while the code was claimed; the code counts as spent and the client has to start over"}
}

func refusalOf(err error, a *Attempt) error {
	for _, refusal := range refusals {
		if !errors.Is(err, refusal.err) {
			continue
		}
		switch refusal.reason {
		case CodeReplayed:
			a.Redemption = "replayed"
		case ClaimContended:
			a.Redemption = "lost"
		}
		return &Error{Kind: InvalidGrant, Reason: refusal.reason, Hint: refusal.hint, Err: err,
			Security: refusal.security, Operating: refusal.reason == CodeNotYetValid}
	}
	return nil
}

// Unavailable returns the answer to a storage that cannot be asked, an *Error; nil
// for any other err. It is never invalid_grant: clients throw away what they hold
// on that.
func Unavailable(err error) error {
	var reason Reason
	switch {
	case errors.Is(err, storage.ErrUnavailable):
		reason = StorageUnavailable
	case errors.Is(err, storage.ErrRefused):
		reason = StorageRefused
	default:
		return nil
	}
	return &Error{Kind: TemporarilyUnavailable, Reason: reason, RetryAfter: time.Second, Err: err}
}

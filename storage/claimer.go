package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// claimerStore redeems by the atomic step of the storage itself.
type claimerStore struct {
	*genericStore
	claimer Claimer
	name    string
}

func newClaimerStore(g *genericStore, claimer Claimer) (*claimerStore, error) {
	kind := claimer.ClaimKind()
	if kind == "" || strings.HasPrefix(kind, "generic/") || strings.HasPrefix(kind, "file/") {
		return nil, fmt.Errorf("storage %T names its claim %q, which is not allowed", claimer, kind)
	}
	return &claimerStore{g, claimer, kind}, nil
}

func (s *claimerStore) kind() string { return s.name }

// exclusive: Claimer says so.
func (s *claimerStore) exclusive() bool { return true }

func (s *claimerStore) claim(ctx context.Context, t transfer, begin func() bool) (outcome, error) {
	if !begin() {
		return unchanged, ctx.Err()
	}
	ours, err := s.claimer.Claim(ctx, t.from, t.to)
	if err != nil {
		err = s.failure(ctx, "claim", t.from, err)
		if errors.Is(err, ErrUnavailable) {
			return unchanged, err
		}
		return uncertain, err
	}
	if !ours {
		return lost, nil
	}
	return won, nil
}

var _ backend = (*claimerStore)(nil)

package bounded

import (
	"context"
	"sync"
	"time"
)

// limited ends when what context.WithTimeout returns does; that is made when
// somebody first waits for its end, since it takes longer to make than a call
// that answers at once takes, and such calls seldom look at it. Until then Err
// gives the reason that holds when it is asked: once there is one it is never nil
// again, but may change from DeadlineExceeded to Canceled or vice versa. Safe for
// concurrent use.
type limited struct {
	parent   context.Context
	deadline time.Time

	mu     sync.Mutex // guards what follows
	made   context.Context
	cancel context.CancelFunc
	ended  bool
}

func newLimited(parent context.Context, limit time.Duration) *limited {
	deadline := time.Now().Add(limit)
	if d, ok := parent.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	return &limited{parent: parent, deadline: deadline}
}

// end cancels the context.
func (l *limited) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.cancel != nil {
		l.cancel()
	}
}

// Deadline is context.Context's.
func (l *limited) Deadline() (time.Time, bool) { return l.deadline, true }

// Done is context.Context's.
func (l *limited) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		l.made, l.cancel = context.WithDeadline(l.parent, l.deadline)
		if l.ended {
			l.cancel()
		}
	}
	return l.made.Done()
}

// Err is context.Context's.
func (l *limited) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.made != nil:
		return l.made.Err()
	case l.parent.Err() != nil:
		return l.parent.Err()
	case l.ended:
		return context.Canceled
	case !time.Now().Before(l.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value is context.Context's. What context itself looks for is found in the
// context that has the end of this one.
func (l *limited) Value(key any) any {
	l.mu.Lock()
	parent := l.parent
	if l.made != nil {
		parent = l.made
	}
	l.mu.Unlock()
	return parent.Value(key)
}

var _ context.Context = (*limited)(nil)

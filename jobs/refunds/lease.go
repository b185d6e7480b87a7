package refunds

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// errLeaseLost says that another executor has taken over: whatever this one was about to write is not its to write any more.
const errLeaseLost = postgres.Busy("the lease on refunds was taken over")

const refundLeaseName = "refunds"

// refundLease lets one executor at a time move refunds. The executor shows its token in every transaction that writes; one that was paused
// and wakes up after its lease was taken over can't write anything, and doesn't send anything either: calls end when the lease does.
type refundLease struct {
	store   *postgres.Store
	token   int64
	length  time.Duration
	expires time.Time // monotonic
	// rehearsed is a lease that nobody has: nothing stays of what is done under it, and nothing is sent.
	rehearsed bool
}

// takeRefundLease gets the lease, or postgres.ErrLockHeld while another executor has it. Clocks of machines may differ by much less than
// the length of a lease; if they don't, tokens still keep writers apart.
func takeRefundLease(ctx context.Context, store *postgres.Store, length time.Duration) (*refundLease, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	holder := fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:8])
	l := &refundLease{store: store, length: length}
	now := time.Now()
	taken, err := store.Exec(ctx, "refunds/take_lease", postgres.Args{
		"name": refundLeaseName, "holder": holder, "now": now, "expires_at": now.Add(length),
	})
	if err != nil {
		return nil, fmt.Errorf("take the lease on refunds: %w", err)
	}
	var current struct {
		Holder    string
		Token     int64
		ExpiresAt time.Time
	}
	if err := store.Get(ctx, &current, "refunds/lease", postgres.Args{"name": refundLeaseName}); err != nil {
		return nil, fmt.Errorf("take the lease on refunds: %w", err)
	}
	if taken == 0 || current.Holder != holder {
		return nil, fmt.Errorf("%w: %s executes refunds until %s at the latest", postgres.ErrLockHeld, current.Holder, current.ExpiresAt.UTC().Format(time.RFC3339))
	}
	l.token, l.expires = current.Token, now.Add(length)
	return l, nil
}

// hold asserts the lease within a transaction and prolongs it. Until that transaction ends nobody can take the lease.
func (l *refundLease) hold(ctx context.Context, tx *postgres.Tx) error {
	if l.rehearsed {
		return nil
	}
	now := time.Now()
	held, err := tx.Exec(ctx, "refunds/renew_lease", postgres.Args{"name": refundLeaseName, "token": l.token, "expires_at": now.Add(l.length)})
	if err != nil {
		return err
	}
	if held != 1 {
		return errLeaseLost
	}
	l.expires = now.Add(l.length)
	return nil
}

// release gives the lease back, so that the next executor need not wait for it to expire. The token stays used up.
func (l *refundLease) release() error {
	if l.rehearsed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := l.store.Exec(ctx, "refunds/renew_lease", postgres.Args{"name": refundLeaseName, "token": l.token, "expires_at": time.Now()})
	return err
}

// over says whether the lease may have been taken over: by the clock that only counts while the machine runs, or by the one on the wall, which
// goes on while it is suspended.
func (l *refundLease) over() bool {
	now := time.Now()
	return !now.Before(l.expires) || !now.Round(0).Before(l.expires.Round(0))
}

// until is a context that ends when the lease does: nothing may leave after that.
func (l *refundLease) until(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadlineCause(ctx, l.expires, errLeaseLost)
}

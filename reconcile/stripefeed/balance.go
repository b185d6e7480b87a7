package stripefeed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

func (s *syncer) balance(ctx context.Context) (*balance, time.Time, error) {
	b, at, err := get(ctx, s.client, "/v1/balance", "/v1/balance", nil, (*balance).check)
	if err == nil && b.Livemode != nil && *b.Livemode != s.client.livemode {
		err = fmt.Errorf("%w: the balance is of the other mode than the key", ErrRefused)
	}
	return b, at, err
}

// readBalance keeps Stripe's Balance object, if the balance stands still long enough to read the transactions up to it.
func (s *syncer) readBalance(ctx context.Context) error {
	for range 3 {
		before, at, err := s.balance(ctx)
		if err != nil {
			return err
		}
		if err := transactions.read(ctx, s, transactions.listing.between(s.upper, at.Unix()+1)); err != nil {
			return err
		}
		after, _, err := s.balance(ctx)
		if err != nil {
			return err
		}
		available, pending, err := before.byCurrency()
		if err != nil {
			return err
		}
		availableAfter, pendingAfter, err := after.byCurrency()
		if err != nil {
			return err
		}
		if maps.Equal(available, availableAfter) && maps.Equal(pending, pendingAfter) {
			return s.keepBalance(ctx, at.Unix(), available, pending)
		}
	}
	s.log.Info().Msg("Stripe's balance kept moving; this night is not compared with it")
	return nil
}

func (s *syncer) keepBalance(ctx context.Context, at int64, available, pending map[string]int64) error {
	currencies := slices.Sorted(maps.Keys(available))
	a, p := make([]int64, len(currencies)), make([]int64, len(currencies))
	for i, currency := range currencies {
		a[i], p[i] = available[currency], pending[currency]
	}
	_, err := s.o.Store.Exec(ctx, "stripe/insert_balance", postgres.Args{
		"taken_at": at, "currency": currencies, "available_minor": a, "pending_minor": p,
	})
	return err
}

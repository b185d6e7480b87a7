package match

import (
	"context"
	"fmt"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// StripeSource brings the worker's own Stripe tables up to date; *stripefeed.Client is one.
type StripeSource interface {
	Sync(ctx context.Context, o stripefeed.SyncOptions) (stripefeed.Result, error)
}

// Stripe is what the steps of one night that reconcile with Stripe have in common.
type Stripe struct {
	Source StripeSource // nil without a key
	// Onwards has the sync read on to the present, which a night that is complete already has no need of: between nights, so that plans of refunds
	// know of today and the next night has less to read.
	Onwards bool
	look    *stripefeed.Look // asked for once, when the sync is over
}

// Look says whether Stripe was looked at for the night.
func (s *Stripe) Look(ctx context.Context, n *night.Night) (stripefeed.Look, error) {
	if s.look == nil {
		look, err := stripefeed.LookedAt(ctx, n.Store, n.Date)
		if err != nil {
			return look, err
		}
		s.look = &look
	}
	return *s.look, nil
}

// Sync brings the worker's own tables of Stripe's objects up to date, then reconciles the balance at Stripe. Without a key,
// and when the sync fails, the night is noted as one that Stripe was not looked at for.
func (s *Stripe) Sync(ctx context.Context, n *night.Night) (night.Counts, error) {
	if n.Run.Rehearsal { // what is known of Stripe is what there is to work with
		return s.reconcileBalance(ctx, n)
	}
	if s.Source == nil {
		if err := stripefeed.RecordNoKey(ctx, n.Store, n.Date, n.AsOf()); err != nil {
			return nil, err
		}
		return s.reconcileBalance(ctx, n)
	}
	// A residual may be what an earlier sync has missed: of the balance, further back than usual; of a payout, in what it paid out.
	var residuals struct {
		Balance bool
		Payouts pq.StringArray
	}
	if err := n.Store.Get(ctx, &residuals, "stripe_match/residuals_open", postgres.Args{"job": balanceJob}); err != nil {
		return nil, err
	}
	result, err := s.Source.Sync(ctx, stripefeed.SyncOptions{
		Store: n.Store, Date: n.Date, AsOf: n.AsOf(), Again: residuals.Balance, Payouts: residuals.Payouts,
		Onwards: s.Onwards,
	})
	counts := night.Counts{}
	for stream, rows := range result.Rows {
		counts["rows_"+stream] = rows
	}
	if err != nil {
		_, clearErr := s.reconcileBalance(ctx, n)
		if clearErr != nil {
			err = fmt.Errorf("%w; %w", err, clearErr)
		}
		return counts, err
	}
	if _, err := n.Store.Exec(ctx, "stripe/forget_payers", nil); err != nil {
		return counts, err
	}
	n.Step("sync-stripe/synced")
	balance, err := s.reconcileBalance(ctx, n)
	for name, count := range balance {
		counts[name] = count
	}
	return counts, err
}

package stripefeed

import (
	"context"
	"errors"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Status is whether Stripe was looked at for a night.
type Status string

// The states of reconciler.stripe_syncs.
const (
	Complete Status = "complete"
	Failed   Status = "failed"
	NoKey    Status = "no_key"
)

// Look says whether the Stripe tables can be trusted for a night.
type Look struct {
	Status  Status // "" when nobody has tried
	Problem string // why not, for people
	// Unseen is the first of the nights right before it that Stripe was not looked at for; zero: it was for the one before.
	Unseen reconcile.Date
}

// Complete says whether everything that Stripe had at as-of is in the tables. Without it, nothing about Stripe is clean.
func (l Look) Complete() bool { return l.Status == Complete }

// LookedAt says whether Stripe was looked at for a night.
func LookedAt(ctx context.Context, q postgres.Querier, date reconcile.Date) (Look, error) {
	var rows []struct {
		Status  Status
		Problem string
		Unseen  reconcile.Date
	}
	if err := q.Select(ctx, &rows, "stripe/looked_at", postgres.Args{"date": date}); err != nil {
		return Look{}, err
	}
	if len(rows) == 0 {
		return Look{Problem: "Stripe has not been asked"}, nil
	}
	return Look{Status: rows[0].Status, Problem: rows[0].Problem, Unseen: rows[0].Unseen}, nil
}

// RecordNoKey notes that a night ran without a key, so that Stripe was not looked at.
func RecordNoKey(ctx context.Context, store *postgres.Store, date reconcile.Date, asOf time.Time) error {
	return record(ctx, store, date, asOf, NoKey, 0, Result{}, "no STRIPE_API_KEY is set")
}

func record(ctx context.Context, store *postgres.Store, date reconcile.Date, asOf time.Time, status Status, through int64, r Result, problem string) error {
	_, err := store.Exec(ctx, "stripe/record_sync", postgres.Args{
		"date": date, "as_of": asOf, "status": string(status), "complete_through": through,
		"stripe_account": r.Account, "livemode": r.Livemode, "problem": problem,
	})
	return err
}

// reason is what a report says about a failed sync: one of a few sentences, so that it reads the same on every rerun.
func reason(err error) string {
	var permission *PermissionError
	switch {
	case errors.As(err, &permission):
		return permission.Error()
	case errors.Is(err, ErrRefused):
		return "the key was refused, or is of another mode or account than before"
	case errors.Is(err, ErrAnomaly):
		return "Stripe's answers contradicted themselves"
	case errors.Is(err, ErrUnavailable):
		return "Stripe could not be reached, or did not answer properly"
	case errors.Is(err, postgres.ErrUnavailable):
		return "the database could not be reached"
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return "the sync was stopped"
	}
	return "the sync failed; its log says why"
}

package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// BackfillOptions say which nights to do, and how.
type BackfillOptions struct {
	From, To reconcile.Date // both included
	// Again does nights that are completed once more, instead of leaving them out.
	Again bool
	// DryRun, when set, makes it work everything out, change nothing, and say there what it would have posted.
	DryRun io.Writer
	// Done, when set, is told after every night, in order.
	Done func(night reconcile.Date, skipped bool, err error)
}

// BackfillResult is what became of the nights.
type BackfillResult struct {
	Done, Skipped int
	// Broken are the nights that ended with ErrIntegrity, and don't count as done; the later ones were done all the same.
	Broken []reconcile.Date
}

// Backfill does a range of nights in order. Nights completed before are left out, so that a backfill that was killed continues where it
// stopped. It stops at the first night that can't be finished; an ErrIntegrity doesn't stop it, and comes back at the end.
func (w *Worker) Backfill(ctx context.Context, o BackfillOptions) (result BackfillResult, err error) {
	var completed []reconcile.Date
	if !o.Again && o.DryRun == nil {
		if err := w.Store.Select(ctx, &completed, "runs/completed_nights", postgres.Args{"from": o.From, "to": o.To}); err != nil {
			return result, fmt.Errorf("backfill: %w", err)
		}
	}
	var nights []reconcile.Date
	for d := o.From; !d.After(o.To); d = d.AddDays(1) {
		if slices.Contains(completed, d) {
			result.Skipped++
			if o.Done != nil {
				o.Done(d, true, nil)
			}
			continue
		}
		nights = append(nights, d)
	}
	var broken error
	ended := func(day reconcile.Date, err error) error {
		if o.Done != nil {
			o.Done(day, false, err)
		}
		switch {
		case errors.Is(err, night.ErrIntegrity):
			result.Broken = append(result.Broken, day)
			broken = errors.Join(broken, err)
		case err != nil:
			return err
		default:
			result.Done++
		}
		return nil
	}
	if o.DryRun != nil {
		err := w.rehearse(ctx, o.DryRun, nights, ended)
		return result, errors.Join(err, broken)
	}
	for _, night := range nights {
		if err := ended(night, w.RunNight(ctx, night)); err != nil {
			return result, errors.Join(err, broken)
		}
	}
	return result, broken
}

// AwaitNight waits until a night has ended, well or not, or patience runs out; which is no error, as somebody may have left it out.
func (w *Worker) AwaitNight(ctx context.Context, date reconcile.Date, patience time.Duration) error {
	told := time.Time{}
	for began := time.Now(); time.Since(began) < patience; {
		var ended bool
		if err := w.Store.Get(ctx, &ended, "runs/has_ended", postgres.Args{"date": date}); err != nil {
			return fmt.Errorf("wait for night %s: %w", date, err)
		}
		if ended {
			return nil
		}
		if time.Since(told) >= time.Minute {
			told = time.Now()
			w.Log.Info().Stringer("business_date", date).Dur("waited_ms", time.Since(began)).Dur("patience_ms", patience).Msg("waiting for the night before")
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.Log.Warn().Stringer("business_date", date).Msg("the night before has not been done; going on without it")
	return nil
}

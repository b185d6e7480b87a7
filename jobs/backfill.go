package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// BackfillOptions say which nights to do, and how.
type BackfillOptions struct {
	From, To reconcile.Date // both included
	// Parallel is how many nights are worked on at once, 1 or more: one is settled while the next ones are read ahead. Nights are
	// always settled in their order, so the result is the same whatever the number.
	Parallel int
	// Again does nights that are completed once more, instead of leaving them out.
	Again bool
	// Done, when set, is told after every night, in order.
	Done func(night reconcile.Date, skipped bool, err error)
}

// BackfillResult is what became of the nights.
type BackfillResult struct {
	Done, Skipped int
	// Broken are the nights that ended with ErrIntegrity, and don't count as done; the later ones were done all the same.
	Broken []reconcile.Date
}

// Backfill does a range of nights in order. Nights completed before are left out, so that a backfill that was killed goes on where it
// stopped. It stops at the first night that can't be finished; an ErrIntegrity doesn't stop it, and comes back at the end.
func (w *Worker) Backfill(ctx context.Context, o BackfillOptions) (result BackfillResult, err error) {
	var completed []reconcile.Date
	if !o.Again && w.DryRun == nil {
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
	ended := func(night reconcile.Date, err error) error {
		if o.Done != nil {
			o.Done(night, false, err)
		}
		switch {
		case errors.Is(err, ErrIntegrity):
			result.Broken = append(result.Broken, night)
			broken = errors.Join(broken, err)
		case err != nil:
			return err
		default:
			result.Done++
		}
		return nil
	}
	if w.DryRun != nil {
		err := w.rehearse(ctx, nights, ended)
		return result, errors.Join(err, broken)
	}
	ahead, stop := w.readNightsAhead(ctx, nights, o.Parallel-1)
	defer func() { err = errors.Join(err, stop()) }()
	for i, night := range nights {
		if err := ahead(i); err != nil {
			return result, errors.Join(err, broken)
		}
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

// readNightsAhead reads later nights while earlier ones are settled, at most depth at once. wait(i) returns when night i has been
// read. A reading that fails is no failure of the backfill: its night then reads itself.
func (w *Worker) readNightsAhead(ctx context.Context, nights []reconcile.Date, depth int) (wait func(i int) error, stop func() error) {
	if depth < 1 || w.DryRun != nil || len(nights) < 2 {
		return func(int) error { return nil }, func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	scanned := make([]chan struct{}, len(nights))
	settled := make(chan struct{}, len(nights))
	for i := range scanned {
		scanned[i] = make(chan struct{})
	}
	close(scanned[0]) // the first one has nobody to wait for
	var group errgroup.Group
	group.SetLimit(depth)
	go func() {
		for i := 1; i < len(nights); i++ {
			if i > depth { // not further ahead than asked
				select {
				case <-settled:
				case <-ctx.Done():
				}
			}
			group.Go(func() error {
				defer close(scanned[i])
				if ctx.Err() != nil {
					return nil
				}
				if err := w.readNightAhead(ctx, nights[i]); err != nil && ctx.Err() == nil {
					w.Log.Warn().Err(err).Stringer("business_date", nights[i]).Msg("reading ahead failed; the night reads itself")
				}
				return nil
			})
		}
	}()
	wait = func(i int) error {
		if i > 0 {
			settled <- struct{}{}
		}
		select {
		case <-scanned[i]:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	stop = func() error {
		cancel()
		for _, done := range scanned {
			<-done
		}
		return group.Wait()
	}
	return wait, stop
}

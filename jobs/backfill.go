package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// BackfillOptions say which nights to do, and how.
type BackfillOptions struct {
	From, To reconcile.Date // both included
	// Parallel is how many nights are worked on at once, 1 or more: one is settled while the next ones are scanned ahead. Nights are
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
	scanner := *w
	scanner.scannedAhead = &scannedAhead{}
	ahead, stop := scanner.scanAhead(ctx, nights, o.Parallel-1)
	defer func() { err = errors.Join(err, stop()) }()
	for i, night := range nights {
		if err := ahead(i); err != nil {
			return result, errors.Join(err, broken)
		}
		if err := ended(night, scanner.RunNight(ctx, night)); err != nil {
			return result, errors.Join(err, broken)
		}
	}
	return result, broken
}

// AwaitNight waits until a night has ended, well or not, or patience runs out; which is no error, as somebody may have left it out.
func (w *Worker) AwaitNight(ctx context.Context, date reconcile.Date, patience time.Duration) error {
	for began := time.Now(); time.Since(began) < patience; {
		var ended bool
		if err := w.Store.Get(ctx, &ended, "runs/has_ended", postgres.Args{"date": date}); err != nil {
			return fmt.Errorf("wait for night %s: %w", date, err)
		}
		if ended {
			return nil
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

// scanAhead compares the sets of later nights while earlier ones are settled, at most depth at once. wait(i) returns when night i has been
// scanned. A scan that fails is no failure of the backfill: its night then scans itself.
func (w *Worker) scanAhead(ctx context.Context, nights []reconcile.Date, depth int) (wait func(i int) error, stop func() error) {
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
				if err := w.prescan(ctx, nights[i]); err != nil && ctx.Err() == nil {
					w.Log.Warn().Err(err).Stringer("business_date", nights[i]).Msg("scanning ahead failed; the night scans itself")
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

// prescan does the comparison of sets of match-jobs for a night ahead of its turn: it depends on no other night.
func (w *Worker) prescan(ctx context.Context, date reconcile.Date) error {
	const job = "match-jobs"
	n := &Night{Worker: w, Night: reconcile.NightOf(date, w.Settings.Defaults().Zone), Policy: w.Policies.Hash()}
	return w.Store.InTx(ctx, matchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		// Failure codes are held against the policy, which the very first night may not have registered yet.
		if err := n.registerPolicy(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "candidates/clear", n.args(job, nil)); err != nil {
			return err
		}
		clean, scanned, err := n.compareJobs(ctx, tx, job)
		if err != nil {
			return err
		}
		w.scannedAhead.note(date, scanned)
		_, err = tx.Exec(ctx, "prescans/record", postgres.Args{"date": date, "token": w.token(), "jobs": clean.Jobs, "cost": clean.Cost, "debits": clean.Debits})
		return err
	})
}

// scannedAhead is what there was to match when nights were scanned ahead. A nil one has seen nothing.
type scannedAhead struct {
	mu     sync.Mutex
	totals map[reconcile.Date]matchTotals
}

func (s *scannedAhead) note(date reconcile.Date, scanned matchTotals) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.totals == nil {
		s.totals = map[reconcile.Date]matchTotals{}
	}
	s.totals[date] = scanned
}

// holds says whether a night still has what it had when it was scanned: rows that turned up since would be in no outcome.
func (s *scannedAhead) holds(date reconcile.Date, scanned matchTotals) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	then, ok := s.totals[date]
	return ok && then == scanned
}

// takePrescan is the comparison that scanAhead has made for this night, if it has and nothing has changed since.
func (n *Night) takePrescan(ctx context.Context, tx *postgres.Tx) (clean matchTotals, usable bool, err error) {
	var taken struct {
		Usable             bool
		Jobs, Cost, Debits string
	}
	err = tx.Get(ctx, &taken, "prescans/take", postgres.Args{"date": n.Date, "token": n.token()})
	if errors.Is(err, sql.ErrNoRows) {
		return clean, false, nil
	}
	return matchTotals{Jobs: taken.Jobs, Cost: taken.Cost, Debits: taken.Debits}, taken.Usable, err
}

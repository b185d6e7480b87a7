package stripefeed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"golang.org/x/sync/errgroup"
)

// readSubscriptionsRunning reads all subscriptions that aren't over, as they change without anything new being created; and, one by
// one, those that are over since.
func (s *syncer) readSubscriptionsRunning(ctx context.Context) error {
	running := subscriptions.listing
	running.query = nil // Stripe's default: all but the canceled ones
	if err := subscriptions.read(ctx, s, running); err != nil {
		return err
	}
	var ids []string
	if err := s.o.Store.Select(ctx, &ids, "stripe/running_subscriptions_unseen", postgres.Args{"since": s.started}); err != nil {
		return err
	}
	return s.readEach(ctx, named{subscriptions.name: ids}, lookup{})
}

// named are ids by stream.
type named map[string][]string

func (s *syncer) named(ctx context.Context, statement string, args postgres.Args) (named, error) {
	ids := named{}
	err := postgres.Each(ctx, s.o.Store, statement, args, func(row struct {
		Stream string
		ID     string
	}) error {
		ids[row.Stream] = append(ids[row.Stream], row.ID)
		return nil
	})
	return ids, err
}

// readUnsettled reads the objects again that may still change and that were in no span, and the balance transactions that they have got since.
func (s *syncer) readUnsettled(ctx context.Context, watermarks map[string]int64) error {
	if len(watermarks) == 0 {
		return nil // everything was read just now
	}
	before := s.upper
	for _, stream := range streams {
		before = min(before, watermarks[stream.name])
	}
	ids, err := s.named(ctx, "stripe/unsettled", postgres.Args{
		"before": before - int64(s.client.options.SyncOverlap/time.Second), "since": s.upper - monthDays*day,
		"pending_before": watermarks[transactions.name] - pendingDays*day,
	})
	if err != nil {
		return err
	}
	if err := s.readEach(ctx, ids, lookup{}); err != nil {
		return err
	}
	named, err := s.named(ctx, "stripe/transactions_named", postgres.Args{
		"charges": notNil(ids["charges"]), "refunds": notNil(ids["refunds"]), "since": s.upper - monthDays*day,
	})
	if err != nil {
		return err
	}
	return s.readEach(ctx, named, lookup{guessed: true})
}

// readMovedSince reads an object again, whatever its age and however final it was, when a balance transaction of it is newer than the object as it was
// read; with it the charge, the refunds, the disputes and the invoice that belong together. A lost dispute may be won after all, a refund fail after weeks, the bank
// take a debit back, an invoice that was given up be paid: the transaction is then the only new object.
func (s *syncer) readMovedSince(ctx context.Context, watermarks map[string]int64) error {
	if len(watermarks) == 0 {
		return nil // everything was read just now
	}
	// From the last sync that got this far: one that failed after it may have read the transactions, and not what they name.
	since := min(watermarks[allStreams], watermarks[transactions.name]) - int64(s.client.options.SyncOverlap/time.Second)
	if s.o.Again {
		since -= monthDays * day
	}
	ids, err := s.named(ctx, "stripe/moved_since_read", postgres.Args{"since": since, "contradiction_since": s.upper - monthDays*day})
	if err != nil {
		return err
	}
	return s.readEach(ctx, ids, lookup{final: true})
}

// namedSince is how far back purchases are looked at for what they name.
const namedSince = 30 * day

func (s *syncer) readNamed(ctx context.Context) error {
	ids, err := s.named(ctx, "stripe/named_by_purchases", postgres.Args{"since": s.o.AsOf.Unix() - namedSince})
	if err != nil {
		return err
	}
	return s.readEach(ctx, ids, lookup{guessed: true})
}

// lookup is why single objects are read.
type lookup struct {
	guessed bool // the ids come from the platform, and may be of nothing
	final   bool // they are held as final; that they still are is noted, so that nobody asks again
}

// readEach reads single objects.
func (s *syncer) readEach(ctx context.Context, ids named, why lookup) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.client.options.SyncParallel)
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		stream := streamByName(name)
		for part := range slices.Chunk(ids[name], 100) {
			group.Go(func() error { return stream.readSome(ctx, s, part, why) })
		}
	}
	return group.Wait()
}

// breakDownPayouts reads which balance transactions each automatic payout paid out.
func (s *syncer) breakDownPayouts(ctx context.Context) error {
	var payouts []struct {
		ID         string `db:"id"`
		BrokenDown bool   `db:"broken_down"`
	}
	again := s.upper // payouts since then are broken down even if they were before
	if s.o.Again {
		again -= monthDays * day
	}
	if err := s.o.Store.Select(ctx, &payouts, "stripe/payouts_to_break_down", postgres.Args{"again": again, "ids": notNil(s.o.Payouts)}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.client.options.SyncParallel)
	for _, p := range payouts {
		group.Go(func() error { return s.breakDown(ctx, p.ID, p.BrokenDown) })
	}
	return group.Wait()
}

func (s *syncer) breakDown(ctx context.Context, payoutID string, before bool) error {
	l := transactions.listing
	l.query = url.Values{"payout": {payoutID}}
	batch := newBatch(s, transactions)
	batch.payout = true
	err := pages(ctx, s.client, l, func(rows []*balanceTransaction, at time.Time) error {
		for _, row := range rows {
			row.payout = payoutID
			if err := batch.add(ctx, row, at); err != nil {
				return err
			}
		}
		return nil
	})
	err = batch.finish(ctx, err)
	if errors.Is(err, ErrNotFound) {
		return s.gone(ctx, "payouts", payoutID)
	}
	if err != nil {
		return fmt.Errorf("break down payout %s: %w", payoutID, err)
	}
	if before {
		return nil
	}
	_, err = s.o.Store.Exec(ctx, "stripe/mark_broken_down", postgres.Args{"payout_id": payoutID})
	return err
}

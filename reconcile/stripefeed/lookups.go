package stripefeed

import (
	"context"
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
	return s.readEach(ctx, named{subscriptions.name: ids}, false)
}

// named are ids by stream.
type named map[string][]string

func (s *syncer) named(ctx context.Context, statement string, args postgres.Args) (named, error) {
	ids := named{}
	err := postgres.Each(ctx, s.o.Store, statement, args, func(row struct {
		Stream string `db:"stream"`
		ID     string `db:"id"`
	}) error {
		ids[row.Stream] = append(ids[row.Stream], row.ID)
		return nil
	})
	return ids, err
}

// readUnsettled asks for the objects again that may still change and that no window has brought.
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
	return s.readEach(ctx, ids, false)
}

// namedSince is how far back purchases are looked at for what they name.
const namedSince = 30 * day

func (s *syncer) readNamed(ctx context.Context) error {
	ids, err := s.named(ctx, "stripe/named_by_purchases", postgres.Args{"since": s.o.AsOf.Unix() - namedSince})
	if err != nil {
		return err
	}
	return s.readEach(ctx, ids, true)
}

// readEach reads single objects. Where an id comes from the platform it may be wrong; Stripe's own ids have to be there.
func (s *syncer) readEach(ctx context.Context, ids named, mayBeWrong bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.client.options.SyncParallel)
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		stream := streamByName(name)
		for part := range slices.Chunk(ids[name], 100) {
			group.Go(func() error { return stream.readSome(ctx, s, part, mayBeWrong) })
		}
	}
	return group.Wait()
}

// breakDownPayouts reads which balance transactions each automatic payout paid out.
func (s *syncer) breakDownPayouts(ctx context.Context) error {
	var ids []string
	again := s.upper // payouts since then are broken down even if they were before
	if s.o.Again {
		again -= monthDays * day
	}
	if err := s.o.Store.Select(ctx, &ids, "stripe/payouts_to_break_down", postgres.Args{"again": again}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.client.options.SyncParallel)
	for _, id := range ids {
		group.Go(func() error { return s.breakDown(ctx, id) })
	}
	return group.Wait()
}

func (s *syncer) breakDown(ctx context.Context, payoutID string) error {
	l := transactions.listing
	l.query = url.Values{"payout": {payoutID}}
	batch := newBatch(s, transactions)
	batch.payout = payoutID
	err := pages(ctx, s.client, l, func(rows []*balanceTransaction, at time.Time) error {
		for _, row := range rows {
			if err := batch.add(ctx, row, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err = batch.finish(ctx, err); err != nil {
		return fmt.Errorf("break down payout %s: %w", payoutID, err)
	}
	_, err = s.o.Store.Exec(ctx, "stripe/mark_broken_down", postgres.Args{"payout_id": payoutID})
	return err
}

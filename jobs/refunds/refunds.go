package refunds

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// leasePatience is how long a night waits for another executor to finish.
const leasePatience = time.Minute

// Run follows the refunds that were made: settled, or failed and reopened, by what the night's sync has seen. Then it executes approved
// plans, where that is switched on, and says in the breaks what stands in the way of the others. Only the newest night moves anything: an
// older one that is run again reads what was. A rehearsal follows what Stripe has said, too, and sends nothing.
func Run(ctx context.Context, n *night.Night, desk *Desk, look stripefeed.Look) (night.Counts, error) {
	counts := night.Counts{}
	var moveErr error
	if !n.IsOlder() && !n.Run.AsNoted {
		shownOn := n.Date
		if !n.IsOpen() {
			// This night's report is out and is not made again: what moves now is the next one's to show.
			shownOn = desk.today()
			if next := n.Run.Reported.AddDays(1); shownOn.Before(next) {
				shownOn = next
			}
		}
		moveErr = moveRefunds(ctx, n, desk, look, shownOn, counts)
		n.Step("refunds/moved")
	}
	err := n.Store.InTx(ctx, night.MatchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		planned, err := controlRefunds(ctx, n, tx)
		if err != nil {
			return err
		}
		found, err := findRefundBreaks(ctx, n, tx, planned)
		for name, count := range found {
			counts[name] = count
		}
		return err
	})
	return counts, errors.Join(moveErr, err)
}

// moveRefunds does what changes refunds, under the lease. Without anything to do it doesn't ask for it.
func moveRefunds(ctx context.Context, n *night.Night, desk *Desk, look stripefeed.Look, shownOn reconcile.Date, counts night.Counts) (err error) {
	var plans []string
	// While Stripe could not be looked at, the night doesn't send money there either: it is made up for by the run that can.
	if n.Settings.Refund.Execute && !n.Run.Rehearsal && desk.Gateway != nil && look.Complete() {
		if err := n.Store.Select(ctx, &plans, "refunds/executable_plans", nil); err != nil {
			return err
		}
	}
	var unsettled []unsettledRefund
	if look.Complete() {
		if unsettled, err = unsettledRefunds(ctx, n); err != nil {
			return err
		}
	}
	if len(plans) == 0 && len(unsettled) == 0 {
		return nil
	}
	lease := &refundLease{length: n.Settings.Refund.Lease, rehearsed: true}
	if !n.Run.Rehearsal {
		if lease, err = waitForRefundLease(ctx, n.Store, n.Settings.Refund.Lease, leasePatience); err != nil {
			return err
		}
	}
	of := *desk
	of.Store = n.Store
	x := &executor{w: &of, lease: lease, actor: night.NightActor, run: n.RunID(), date: shownOn, booking: func(context.Context, postgres.Querier) (time.Time, error) {
		return n.Booking().At, nil
	}}
	err = x.settleRefunds(ctx, unsettled, counts)
	for _, plan := range plans {
		if err != nil || x.tripped {
			break
		}
		err = x.execute(ctx, plan)
	}
	counts["refunds_sent"], counts["refunds_stopped"] = int64(x.outcome.Sent), int64(x.outcome.Stopped)
	counts["refunds_rejected"], counts["refunds_open"] = int64(x.outcome.Rejected), int64(x.outcome.Open)
	return errors.Join(err, lease.release())
}

// waitForRefundLease takes the lease as soon as it is free, or gives up with postgres.ErrLockHeld.
func waitForRefundLease(ctx context.Context, store *postgres.Store, length, patience time.Duration) (*refundLease, error) {
	deadline := time.Now().Add(patience)
	for {
		lease, err := takeRefundLease(ctx, store, length)
		if err == nil || !errors.Is(err, postgres.ErrLockHeld) || time.Now().After(deadline) {
			return lease, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

type unsettledRefund struct {
	Item
	StripeStatus  string
	FailureReason string
}

func unsettledRefunds(ctx context.Context, n *night.Night) (rows []unsettledRefund, err error) {
	return rows, n.Store.Select(ctx, &rows, "refunds/unsettled", nil)
}

// settleRefunds follows what has become of refunds at Stripe. One that failed gives the credits back, and its request may be planned anew.
func (x *executor) settleRefunds(ctx context.Context, rows []unsettledRefund, counts night.Counts) error {
	for i := range rows {
		row := &rows[i]
		step := refundStep{to: reconcile.IntentSettled, reason: "Stripe says " + row.StripeStatus}
		count := "refunds_settled"
		if row.StripeStatus != "succeeded" {
			step = refundStep{to: reconcile.IntentFailed, field: "status", ours: "succeeded", theirs: row.StripeStatus, refundID: row.RefundID, reason: strings.TrimSpace("Stripe says " + row.StripeStatus + " " + row.FailureReason)}
			count = "refunds_failed"
		}
		if err := x.advance(ctx, &row.Item, step); err != nil {
			return fmt.Errorf("refund %s: %w", row.RefundID, err)
		}
		counts[count]++
	}
	return nil
}

// controlRefunds accounts for every refund ever planned, and for the credits that they hold; it says whether there is any.
func controlRefunds(ctx context.Context, n *night.Night, tx *postgres.Tx) (planned bool, err error) {
	var total struct{ Planned, Matched, Awaiting, Ended, Ledger, Held string }
	if err := tx.Get(ctx, &total, "refunds/controls", nil); err != nil {
		return false, err
	}
	c := night.NewControls(n, refundsJob)
	c.Add("planned refunds", "refunds", total.Planned, total.Matched, total.Awaiting, total.Ended)
	c.Add("credits held for refunds", "credits", total.Ledger, total.Held, "0", "0")
	return total.Planned != "0", c.Record(ctx, tx)
}

// refundsJob is what the breaks of refunds are found by.
const refundsJob = "refunds"

// reportBreaks brings the breaks of refunds up to date at once: the night of today will find the same ones again.
func (x *executor) reportBreaks(ctx context.Context) error {
	span := reconcile.NightOf(x.date, x.w.Settings.Zone)
	span.End = x.w.instant()
	if span.End.Before(span.Begin) {
		span.End = span.Begin
	}
	n := night.New(night.Night{
		Night: span, Store: x.w.Store, Policies: x.w.Policies, Settings: x.w.Settings, Log: x.w.Log,
		Run: night.Run{Name: x.run, Actor: x.actor, Clock: x.w.Clock, Step: x.w.Step},
	})
	return n.Store.InTx(ctx, refundTx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := findRefundBreaks(ctx, n, tx, true)
		return err
	})
}

// findRefundBreaks finds what stands in the way of refunds as of the night, where any were planned, and merges it into the breaks.
func findRefundBreaks(ctx context.Context, n *night.Night, tx *postgres.Tx, planned bool) (night.Counts, error) {
	if planned {
		if _, err := tx.Exec(ctx, "refunds/findings", postgres.Args{"job": refundsJob, "grace_before": n.AsOf().Add(-n.Settings.AwaitingFor)}); err != nil {
			return nil, err
		}
	}
	return n.MergeBreaks(ctx, tx, refundsJob)
}

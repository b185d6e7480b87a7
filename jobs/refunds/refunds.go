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
	if !n.Run.Rehearsal {
		if plans, err = desk.executable(ctx, look); err != nil {
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
	if err == nil {
		err = x.executeAll(ctx, plans)
	}
	counts["refunds_sent"], counts["refunds_stopped"] = int64(x.outcome.Sent), int64(x.outcome.Stopped)
	counts["refunds_rejected"], counts["refunds_open"] = int64(x.outcome.Rejected), int64(x.outcome.Open)
	return errors.Join(err, lease.release())
}

// executable are the approved plans that a night may execute. While Stripe could not be looked at, it doesn't send money there either: that is made
// up for by the run that can.
func (w *Desk) executable(ctx context.Context, look stripefeed.Look) (plans []string, err error) {
	if !w.Settings.Refund.Execute || w.Gateway == nil || !look.Complete() {
		return nil, nil
	}
	return plans, w.Store.Select(ctx, &plans, "refunds/executable_plans", nil)
}

// executeAll executes plans until one can't be, or a breaker trips.
func (x *executor) executeAll(ctx context.Context, plans []string) error {
	for _, plan := range plans {
		if err := x.execute(ctx, plan); err != nil || x.tripped {
			return err
		}
	}
	return nil
}

// ExecuteApproved executes what the job of a night would where that night may not be touched, its month being closed: entries and breaks go where those of
// `refunds execute` go, to the night that is open.
func (w *Desk) ExecuteApproved(ctx context.Context, date reconcile.Date) (outcome Outcome, err error) {
	look, err := stripefeed.LookedAt(ctx, w.Store, date)
	if err != nil {
		return outcome, err
	}
	plans, err := w.executable(ctx, look)
	if err != nil || len(plans) == 0 {
		return outcome, err
	}
	lease, err := waitForRefundLease(ctx, w.Store, w.Settings.Refund.Lease, leasePatience)
	if err != nil {
		return outcome, err
	}
	defer func() { err = errors.Join(err, lease.release()) }()
	x := &executor{w: w, lease: lease, actor: night.NightActor, run: "refunds execute", date: w.today(), booking: manualBooking(w)}
	err = x.executeAll(ctx, plans)
	return x.outcome, errors.Join(err, x.reportBreaksAnyway(ctx))
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

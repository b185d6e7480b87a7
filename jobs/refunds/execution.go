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

// Outcome is what an execution came to.
type Outcome struct {
	Sent, Stopped, Rejected, Open, Untouched int
}

// executor moves the refunds of approved plans through their life. Every step is one transaction that shows the lease's token; what
// happens at Stripe happens between two of them, and the one before says that it may be about to.
type executor struct {
	w          *Desk
	lease      *refundLease
	actor, run string
	date       reconcile.Date // the night that shows what happens
	// booking says where ledger entries go.
	booking func(ctx context.Context, q postgres.Querier) (time.Time, error)

	runCount int64
	runMinor map[string]int64
	failures int64 // in a row
	tripped  bool
	outcome  Outcome
}

// manualBooking is where entries outside of a night go: the present, or the end of the last reported night where that is later. A reported
// period is never touched, and the entry counts in the night that is open when the money moves.
func manualBooking(w *Desk) func(ctx context.Context, q postgres.Querier) (time.Time, error) {
	return func(ctx context.Context, q postgres.Querier) (time.Time, error) {
		reported, err := night.LastReported(ctx, q)
		if err != nil {
			return time.Time{}, err
		}
		at := w.instant()
		if !reported.IsZero() {
			if end := reconcile.NightOf(reported, w.Settings.Zone).End; end.After(at) {
				at = end
			}
		}
		return at, nil
	}
}

// Execute executes an approved plan, or continues one that was interrupted: any number of times, by as many as like to try, each
// refund is made at most once. by is who executes it; "" is the worker, doing what two people have decided. Errors: ErrUsage (no such plan, not
// approved, no key), ErrIntegrity (the plan or a decision is not what was approved, a breaker tripped), postgres.ErrUnavailable or
// stripefeed.ErrUnavailable (try again; what is open is looked up then).
func (w *Desk) Execute(ctx context.Context, planID, by string) (outcome Outcome, err error) {
	if w.Gateway == nil {
		return outcome, fmt.Errorf("%w: without STRIPE_REFUND_KEY no money can leave", ErrUsage)
	}
	if by == "" {
		by = night.NightActor
	} else if by, err = nameOf(by); err != nil {
		return outcome, err
	}
	view, err := loadPlan(ctx, w.Store, planID)
	if err != nil {
		return outcome, err
	}
	if view.ApprovedBy == "" {
		return outcome, fmt.Errorf("%w: plan %s is not approved; somebody other than %s has to approve it", ErrUsage, planID, view.MadeBy)
	}
	lease, err := takeRefundLease(ctx, w.Store, w.Settings.Refund.Lease)
	if err != nil {
		return outcome, err
	}
	defer func() { err = errors.Join(err, lease.release()) }()
	x := &executor{w: w, lease: lease, actor: by, run: "refunds execute " + planID, date: w.today(), booking: manualBooking(w)}
	runErr := x.execute(ctx, planID)
	return x.outcome, errors.Join(runErr, x.reportBreaksAnyway(ctx))
}

// reportBreaksAnyway does so also when the run was stopped: what has stopped a refund is in the night's breaks at once.
func (x *executor) reportBreaksAnyway(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return x.reportBreaks(ctx)
}

// execute goes through a plan: first what may be under way, then what is still to be sent.
func (x *executor) execute(ctx context.Context, planID string) error {
	view, err := x.loadApproved(ctx, planID)
	if err != nil {
		return err
	}
	if err := x.checkSwitches(ctx, planID); err != nil {
		return err
	}
	if err := x.checkAnomaly(ctx, view); err != nil {
		return err
	}
	for _, open := range []bool{true, false} {
		for i := range view.Items {
			item := &view.Items[i]
			if open != item.State.IsOpen() || !open && item.State != reconcile.IntentPlanned {
				continue
			}
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("refunds of plan %s: %w", planID, err)
			}
			result, err := x.move(ctx, view, item)
			if err != nil {
				if item.State.IsOpen() {
					x.outcome.Open++
				}
				x.countUntouched(view)
				return fmt.Errorf("refund %s of request %s: %w", item.IntentID(), item.RequestID, err)
			}
			if err := x.checkFailures(ctx, planID, result); err != nil {
				x.countUntouched(view)
				return err
			}
		}
	}
	if x.outcome.Open > 0 {
		return fmt.Errorf("%w: the outcome of %d refunds is open; run it again to look them up", stripefeed.ErrUnavailable, x.outcome.Open)
	}
	return nil
}

func (x *executor) countUntouched(view PlanView) {
	x.outcome.Untouched = 0
	for _, item := range view.Items {
		if item.State == reconcile.IntentPlanned {
			x.outcome.Untouched++
		}
	}
}

// loadApproved loads a plan and refuses it unless it is exactly what was approved, and the decisions are what it was made from.
func (x *executor) loadApproved(ctx context.Context, planID string) (PlanView, error) {
	view, err := loadPlan(ctx, x.w.Store, planID)
	if err != nil {
		return view, err
	}
	if err := view.checkContent(); err != nil {
		return view, err
	}
	if view.ApprovedSha256 != view.PlanSha256 {
		return view, fmt.Errorf("%w: plan %s: approved was %s, it holds %s; nothing was moved", night.ErrIntegrity, planID, view.ApprovedSha256, view.PlanSha256)
	}
	var fault string
	if err := x.w.Store.Get(ctx, &fault, "refunds/approval_fault", postgres.Args{"plan_id": planID}); err != nil {
		return view, err
	}
	if fault != "" {
		return view, fmt.Errorf("%w: the approval of plan %s was not given by `refunds approve`: %s; nothing was moved", night.ErrIntegrity, planID, fault)
	}
	if night.SamePerson(view.MadeBy, view.ApprovedBy) {
		return view, fmt.Errorf("%w: plan %s was made and approved by one person, %s; nothing was moved", night.ErrIntegrity, planID, view.ApprovedBy)
	}
	for _, item := range view.Items {
		if item.State != reconcile.IntentPlanned {
			continue
		}
		current, err := x.w.currentOf(ctx, x.w.Store, item.PlannedRefund)
		if err != nil {
			return view, err
		}
		if problem := reconcile.DecisionDiffers(current); problem != "" {
			return view, decisionChanged(item, problem)
		}
	}
	return view, nil
}

func decisionChanged(item Item, problem string) error {
	return fmt.Errorf("%w: the decision about request %s is not the one that plan %s was made from: %s; nothing was moved", night.ErrIntegrity, item.RequestID, item.PlanID, problem)
}

// moveResult is what moving one refund says about the others.
type moveResult string

const (
	moveFailed    moveResult = "failed"
	moveSucceeded moveResult = "succeeded"
	// moveOvertaken: what was done since the decision stopped this one, and no other.
	moveOvertaken moveResult = "overtaken"
)

// move takes one refund as far as it gets now, and no longer than the lease lasts.
func (x *executor) move(ctx context.Context, view PlanView, item *Item) (moveResult, error) {
	leased, cancel := x.lease.until(ctx)
	defer cancel()
	result, err := x.moveLeased(leased, view, item)
	// By the clock: right after a process has slept, the context may not know yet.
	if deadline, _ := leased.Deadline(); err != nil && ctx.Err() == nil && (leased.Err() != nil || !time.Now().Before(deadline)) && !errors.Is(err, night.ErrIntegrity) {
		return result, fmt.Errorf("%w: %w", errLeaseLost, err)
	}
	return result, err
}

func (x *executor) moveLeased(ctx context.Context, view PlanView, item *Item) (moveResult, error) {
	fresh := false
	if item.State == reconcile.IntentPlanned {
		refusals, err := x.begin(ctx, view, item)
		switch {
		case err != nil:
			return moveFailed, err
		case reconcile.MovedOn(refusals):
			return moveOvertaken, nil
		case len(refusals) > 0:
			return moveFailed, nil
		}
		if used, err := x.usedBeforeHold(ctx, item); err != nil {
			return moveFailed, err
		} else if used {
			x.outcome.Rejected++
			return moveOvertaken, nil
		}
		fresh = true
	}
	wait := x.w.Settings.Refund.RetryWait
	for attempt := 1; ; attempt++ {
		if err := x.settleOutcome(ctx, item, fresh); err != nil {
			return moveFailed, err
		}
		fresh = false
		if !item.State.IsOpen() || attempt >= x.w.Settings.Refund.Attempts || time.Until(x.lease.expires) < 2*wait {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return moveFailed, context.Cause(ctx)
		}
		wait *= 2
	}
	switch item.State {
	case reconcile.IntentSent:
		x.outcome.Sent++
		return moveSucceeded, nil
	case reconcile.IntentRejected, reconcile.IntentFailed:
		x.outcome.Rejected++
		if item.overtaken {
			return moveOvertaken, nil
		}
	default:
		x.outcome.Open++
	}
	return moveFailed, nil
}

// usedBeforeHold gives the credits back where some were used in the instant between the last look and the hold: nothing is sent then.
func (x *executor) usedBeforeHold(ctx context.Context, item *Item) (bool, error) {
	used, err := x.usedNow(ctx, *item)
	if err != nil || used == 0 {
		return false, err
	}
	return true, x.advance(ctx, item, refundStep{
		to: reconcile.IntentRejected, field: "used_credits", ours: "0", theirs: fmt.Sprint(used),
		reason: "credits were used in the moment before they were held; nothing was sent",
	})
}

// begin asks everything again, and takes the credits in the transaction that says that money is about to leave, or stops it for the refusals
// that it returns.
func (x *executor) begin(ctx context.Context, view PlanView, item *Item) (refusals []reconcile.Refusal, err error) {
	x.w.step("refunds/before-recheck")
	charge, err := x.chargeState(ctx, *item)
	if err != nil {
		return nil, err
	}
	x.w.step("refunds/rechecked")
	var trip *reconcile.Trip
	var stop *refundStep
	err = x.write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := x.assertRunning(ctx, tx); err != nil {
			return err
		}
		current, err := x.w.currentOf(ctx, tx, item.PlannedRefund)
		if err != nil {
			return err
		}
		if problem := reconcile.DecisionDiffers(current); problem != "" {
			return decisionChanged(*item, problem)
		}
		current.Charge = charge
		current.Purchase.Disputed = charge.Disputed
		if refusals = reconcile.RefusalsOf(current); len(refusals) > 0 {
			stop = refusedStep(refusals)
			return x.advanceIn(ctx, tx, item, *stop)
		}
		if trip, err = x.checkCaps(ctx, tx, *item); err != nil || trip != nil {
			return err
		}
		return x.advanceIn(ctx, tx, item, refundStep{to: reconcile.IntentSending, approvedPlanID: view.PlanID})
	})
	switch {
	case errors.Is(err, errHalted):
		return nil, x.trip(ctx, item.PlanID, haltedTrip(err))
	case err != nil:
		return nil, err
	case trip != nil:
		return nil, x.trip(ctx, item.PlanID, tripRow{code: trip.Code, measured: fmt.Sprint(trip.Measured), allowed: fmt.Sprint(trip.Allowed), detail: trip.String()})
	case stop != nil:
		item.moved(*stop)
		x.outcome.Stopped++
		x.w.Log.Warn().Str("intent", item.IntentID()).Str("request", item.RequestID).Str("reason", stop.reason).Msg("refund stopped before anything was moved")
		return refusals, nil
	}
	item.moved(refundStep{to: reconcile.IntentSending})
	now := x.w.instant()
	item.FirstSentAt = &now
	x.runCount++
	if x.runMinor == nil {
		x.runMinor = map[string]int64{}
	}
	x.runMinor[item.Currency] += item.AmountMinor
	x.w.step("refunds/held")
	return nil, nil
}

func refusedStep(refusals []reconcile.Refusal) *refundStep {
	first := refusals[0]
	return &refundStep{to: reconcile.IntentStopped, field: first.Field, ours: first.Ours, theirs: first.Theirs, reason: reasonsOf(refusals)}
}

// reasonsOf are the refusals in words; "" when there are none.
func reasonsOf(refusals []reconcile.Refusal) string {
	var reasons []string
	for _, r := range refusals {
		reasons = append(reasons, r.String())
	}
	return strings.Join(reasons, "; ")
}

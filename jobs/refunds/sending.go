package refunds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// The names that a refund's metadata at Stripe carries our ids under.
const (
	metadataIntent  = "reconciler_intent"
	metadataRequest = "reconciler_request"
	metadataPlan    = "reconciler_plan"
)

// settleOutcome does what the state of an open refund calls for. fresh: this very call of move has held the credits, and nothing can have
// been sent before.
func (x *executor) settleOutcome(ctx context.Context, item *Item, fresh bool) error {
	if fresh {
		return x.send(ctx, item)
	}
	ours, others, err := x.lookUp(ctx, *item)
	if err != nil {
		return x.leaveOpen(ctx, item, err)
	}
	x.w.step("refunds/looked-up")
	outcome := reconcile.OpenOutcome{Found: ours != nil, KeyAge: x.w.now().Sub(*item.FirstSentAt)}
	if ours == nil && outcome.KeyAge < reconcile.KeyLifetime {
		refusals, err := x.refusalsNow(ctx, *item, others)
		if err != nil {
			return x.leaveOpen(ctx, item, err)
		}
		outcome.Refused = len(refusals) > 0
	}
	switch outcome.Next() {
	case reconcile.StepRecord:
		return x.record(ctx, item, *ours)
	case reconcile.StepGiveUp:
		return x.advance(ctx, item, refundStep{
			to: reconcile.IntentRejected, field: "idempotency_key", ours: item.FirstSentAt.UTC().Format(time.RFC3339), theirs: "expired",
			reason: "its key has expired and Stripe has no such refund: it was never made; plan it anew",
		})
	case reconcile.StepWait:
		return x.leaveOpen(ctx, item, errors.New("a check says no now, but an earlier request may still be under way: it is decided when its key has expired"))
	default:
		return x.send(ctx, item)
	}
}

// send asks Stripe for the refund, with the key and parameters that it always has, and notes what came of it.
func (x *executor) send(ctx context.Context, item *Item) error {
	// The lease is made to last for the call, and the call ends when the lease does: a process that slept through it sends nothing. Whoever
	// halts refunds from here on is too late for this one.
	err := x.write(ctx, func(ctx context.Context, tx *postgres.Tx) error { return x.assertRunning(ctx, tx) })
	if errors.Is(err, errHalted) {
		return x.trip(ctx, item.PlanID, haltedTrip(err))
	}
	if err != nil {
		return err
	}
	callCtx, cancel := x.lease.until(context.WithoutCancel(ctx))
	defer cancel()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	x.w.step("refunds/before-send")
	if x.lease.over() { // the process was paused here
		return errLeaseLost
	}
	refund, err := x.w.Gateway.CreateRefund(callCtx, stripefeed.RefundOrder{
		ChargeID: item.ChargeID, AmountMinor: item.AmountMinor, IdempotencyKey: item.IdempotencyKey(),
		Metadata: map[string]string{metadataIntent: item.IntentID(), metadataRequest: item.RequestID, metadataPlan: item.PlanID},
	})
	x.w.step("refunds/sent")
	// From here on the outcome has to be noted, also when the run is being stopped.
	noteCtx, cancelNote := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancelNote()
	switch {
	case err == nil:
		return x.record(noteCtx, item, refund)
	case errors.Is(err, stripefeed.ErrRejected):
		return x.rejected(noteCtx, item, err)
	default:
		return x.leaveOpen(noteCtx, item, err)
	}
}

// rejected notes a definite refusal, after one more look: an earlier request of the same refund may have been answered to nobody, and what
// was done between the check and the request may be why Stripe refuses.
func (x *executor) rejected(ctx context.Context, item *Item, refusal error) error {
	ours, others, err := x.lookUp(ctx, *item)
	switch {
	case err != nil:
		return x.leaveOpen(ctx, item, errors.Join(refusal, err))
	case ours != nil:
		return x.record(ctx, item, *ours)
	}
	since, err := x.refusalsNow(ctx, *item, others)
	if err != nil {
		return x.leaveOpen(ctx, item, errors.Join(refusal, err))
	}
	step := refundStep{to: reconcile.IntentRejected, field: "stripe", ours: "refund", theirs: "rejected", reason: refusal.Error()}
	if i := slices.IndexFunc(since, func(r reconcile.Refusal) bool { return r.MovedOn }); i >= 0 { // as if it had been stopped before
		step.field, step.ours, step.theirs, step.overtaken = since[i].Field, since[i].Ours, since[i].Theirs, true
		step.reason += "; " + reasonsOf(since)
	}
	return x.advance(ctx, item, step)
}

// leaveOpen notes why an outcome is open, once per reason; the next attempt looks it up. What is wrong with the key, or the way to Stripe, is wrong
// for every refund: it is no outcome of this one, and ends the run.
func (x *executor) leaveOpen(ctx context.Context, item *Item, why error) error {
	if errors.Is(why, night.ErrIntegrity) {
		return why
	}
	x.w.Log.Warn().Str("intent", item.IntentID()).Err(why).Msg("the outcome of a refund is open")
	var ends error
	if errors.Is(why, stripefeed.ErrRefused) || errors.Is(why, stripefeed.ErrSettings) {
		ends = why
	}
	if item.State == reconcile.IntentUnknown {
		return ends
	}
	return errors.Join(ends, x.advance(ctx, item, refundStep{to: reconcile.IntentUnknown, reason: why.Error()}))
}

// record notes the refund that Stripe has made. One that has failed at once gives the credits back.
func (x *executor) record(ctx context.Context, item *Item, refund stripefeed.RefundNow) error {
	if refund.AmountMinor != item.AmountMinor || refund.Currency != item.Currency || refund.Metadata[metadataIntent] != item.IntentID() {
		return fmt.Errorf("%w: refund %s at Stripe is not what was asked for: %d %s for intent %q", night.ErrIntegrity, refund.ID, refund.AmountMinor, refund.Currency, refund.Metadata[metadataIntent])
	}
	if err := x.advance(ctx, item, refundStep{to: reconcile.IntentSent, refundID: refund.ID, reason: "Stripe says " + refund.Status}); err != nil {
		return err
	}
	x.w.step("refunds/recorded")
	if refund.Live() {
		return nil
	}
	return x.advance(ctx, item, refundStep{to: reconcile.IntentFailed, field: "status", ours: "succeeded", theirs: refund.Status, refundID: refund.ID, reason: "Stripe says " + refund.Status})
}

// lookUp finds this refund among those of its charge, by our id in their metadata, and names the other live ones. Two of ours are one too
// many: refunds are halted until somebody has looked.
func (x *executor) lookUp(ctx context.Context, item Item) (ours *stripefeed.RefundNow, others []string, err error) {
	refunds, err := x.w.Gateway.RefundsOf(ctx, item.ChargeID)
	if err != nil {
		return nil, nil, err
	}
	for _, refund := range refunds {
		switch {
		case refund.Metadata[metadataIntent] != item.IntentID():
			if refund.Live() {
				others = append(others, refund.ID)
			}
		case ours != nil:
			err := fmt.Errorf("%w: refunds %s and %s are both of intent %s", night.ErrIntegrity, ours.ID, refund.ID, item.IntentID())
			return nil, nil, errors.Join(err, x.w.flipSwitch(ctx, true, night.NightActor, err.Error()))
		default:
			found := refund
			ours = &found
		}
	}
	return ours, others, nil
}

// chargeState reads the charge and its refunds again.
func (x *executor) chargeState(ctx context.Context, item Item) (reconcile.ChargeState, error) {
	ours, others, err := x.lookUp(ctx, item)
	if err != nil {
		return reconcile.ChargeState{}, err
	}
	if ours != nil {
		return reconcile.ChargeState{}, fmt.Errorf("%w: refund %s is of intent %s, which was never sent", night.ErrIntegrity, ours.ID, item.IntentID())
	}
	return x.readCharge(ctx, item.ChargeID, others)
}

func (x *executor) readCharge(ctx context.Context, id string, refunds []string) (reconcile.ChargeState, error) {
	charge, err := x.w.Gateway.ReadCharge(ctx, id)
	switch {
	case errors.Is(err, stripefeed.ErrNotFound):
		return reconcile.ChargeState{}, nil
	case err != nil:
		return reconcile.ChargeState{}, err
	}
	return reconcile.ChargeState{
		Found: true, Status: charge.Status, Currency: charge.Currency, AmountMinor: charge.AmountMinor, CapturedMinor: charge.CapturedMinor,
		RefundedMinor: charge.RefundedMinor, Captured: charge.Captured, Refunded: charge.Refunded, Disputed: charge.Disputed, Refunds: refunds,
	}, nil
}

// refusalsNow asks the questions of the first sending again, of a refund whose credits are held.
func (x *executor) refusalsNow(ctx context.Context, item Item, others []string) ([]reconcile.Refusal, error) {
	charge, err := x.readCharge(ctx, item.ChargeID, others)
	if err != nil {
		return nil, err
	}
	current, err := x.w.currentOf(ctx, x.w.Store, item.PlannedRefund)
	if err != nil {
		return nil, err
	}
	current.Charge, current.Purchase.Disputed = charge, charge.Disputed
	return reconcile.RefusalsOf(current), nil
}

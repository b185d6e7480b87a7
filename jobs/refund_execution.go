package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// RefundGateway is Stripe as the execution of refunds needs it, through the key that may refund; *stripefeed.Client is one.
type RefundGateway interface {
	ReadCharge(ctx context.Context, id string) (stripefeed.ChargeNow, error)
	RefundsOf(ctx context.Context, chargeID string) ([]stripefeed.RefundNow, error)
	CreateRefund(ctx context.Context, o stripefeed.RefundOrder) (stripefeed.RefundNow, error)
}

// RefundSettings are what an operator may set about the execution of refunds.
type RefundSettings struct {
	// Execute lets the nightly job execute approved plans; without it only the command does.
	Execute bool
	// Halt is the kill switch of this worker, beside the one in the database.
	Halt bool
	Caps reconcile.RefundCaps
	// Lease is how long an executor that says nothing keeps the others out. Default 5 min.
	Lease time.Duration
	// Attempts to learn the outcome of one refund in one run. Default 3.
	Attempts int
	// RetryWait before the second attempt, then doubling. Default 2 s.
	RetryWait time.Duration
}

func (s RefundSettings) defaults() RefundSettings {
	if s.Lease == 0 {
		s.Lease = 5 * time.Minute
	}
	if s.Attempts == 0 {
		s.Attempts = 3
	}
	if s.RetryWait == 0 {
		s.RetryWait = 2 * time.Second
	}
	return s
}

// refundTx: a session that goes silent within a transaction is ended by the server, so that a paused planner holds nothing up.
var refundTx = silentNoLongerThan(30 * time.Second)

func silentNoLongerThan(limit time.Duration) postgres.TxOptions {
	return postgres.TxOptions{StatementTimeout: time.Minute, Settings: map[string]any{"idle_in_transaction_session_timeout": limit.Milliseconds()}}
}

// The names that a refund's metadata at Stripe carries our ids under.
const (
	metadataIntent  = "reconciler_intent"
	metadataRequest = "reconciler_request"
	metadataPlan    = "reconciler_plan"
)

// RefundOutcome is what an execution came to.
type RefundOutcome struct {
	Sent, Stopped, Rejected, Open, Untouched int
}

// refundExecutor moves the refunds of approved plans through their life. Every step is one transaction that shows the lease's token; what
// happens at Stripe happens between two of them, and the one before says that it may be about to.
type refundExecutor struct {
	w          *Worker
	lease      *refundLease
	actor, run string
	date       reconcile.Date // the night that shows what happens
	// booking says where ledger entries go.
	booking func(ctx context.Context, q postgres.Querier) (time.Time, error)

	runCount int64
	runMinor map[string]int64
	failures int64 // in a row
	tripped  bool
	outcome  RefundOutcome
}

// instant is the present as the database stores it.
func (w *Worker) instant() time.Time { return w.now().UTC().Truncate(time.Microsecond) }

func (w *Worker) today() reconcile.Date { return reconcile.DateOf(w.now().In(w.Settings.Zone)) }

// withDefaults is the worker with complete settings.
func (w *Worker) withDefaults() *Worker {
	complete := *w
	complete.Settings = w.Settings.Defaults()
	complete.Settings.Refund = complete.Settings.Refund.defaults()
	return &complete
}

// manualBooking is where entries outside of a night go: the present, or the end of the last reported night where that is later. A reported
// period is never touched, and the entry counts in the night that is open when the money moves.
func manualBooking(w *Worker) func(ctx context.Context, q postgres.Querier) (time.Time, error) {
	return func(ctx context.Context, q postgres.Querier) (time.Time, error) {
		reported, err := (&Night{Worker: w}).lastReported(ctx, q)
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

// ExecuteRefunds executes an approved plan, or goes on with one that was interrupted: any number of times, by as many as like to try, each
// refund is made at most once. Errors: ErrRefundUsage (no such plan, not approved, no key), ErrIntegrity (the plan or a decision is not what
// was approved, a breaker tripped), postgres.ErrUnavailable or stripefeed.ErrUnavailable (try again; what is open is looked up then).
func (w *Worker) ExecuteRefunds(ctx context.Context, planID, by string) (outcome RefundOutcome, err error) {
	w = w.withDefaults()
	if w.Refunds == nil {
		return outcome, fmt.Errorf("%w: without STRIPE_REFUND_KEY no money can leave", ErrRefundUsage)
	}
	view, err := loadPlan(ctx, w.Store, planID)
	if err != nil {
		return outcome, err
	}
	if view.ApprovedBy == "" {
		return outcome, fmt.Errorf("%w: plan %s is not approved; somebody other than %s has to approve it", ErrRefundUsage, planID, view.MadeBy)
	}
	if by == "" {
		by = view.ApprovedBy
	}
	lease, err := takeRefundLease(ctx, w.Store, w.Settings.Refund.Lease)
	if err != nil {
		return outcome, err
	}
	defer func() { err = errors.Join(err, lease.release()) }()
	x := &refundExecutor{w: w, lease: lease, actor: by, run: "refunds execute " + planID, date: w.today(), booking: manualBooking(w)}
	runErr := x.execute(ctx, planID)
	// Also when the run was stopped: what has stopped a refund is in the night's breaks at once.
	reportCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return x.outcome, errors.Join(runErr, x.reportBreaks(reportCtx))
}

// execute goes through a plan: first what may be under way, then what is still to be sent.
func (x *refundExecutor) execute(ctx context.Context, planID string) error {
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
			underWay := item.State == reconcile.IntentSending || item.State == reconcile.IntentUnknown
			if open != underWay || !open && item.State != reconcile.IntentPlanned {
				continue
			}
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("refunds of plan %s: %w", planID, err)
			}
			if err := x.move(ctx, view, item); err != nil {
				x.countUntouched(view)
				return fmt.Errorf("refund %s of request %s: %w", item.IntentID(), item.RequestID, err)
			}
			if err := x.checkFailures(ctx, planID, item.State); err != nil {
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

func (x *refundExecutor) countUntouched(view RefundPlanView) {
	x.outcome.Untouched = 0
	for _, item := range view.Items {
		if item.State == reconcile.IntentPlanned {
			x.outcome.Untouched++
		}
	}
}

// loadApproved loads a plan and refuses it unless it is exactly what was approved, and the decisions are what it was made from.
func (x *refundExecutor) loadApproved(ctx context.Context, planID string) (RefundPlanView, error) {
	view, err := loadPlan(ctx, x.w.Store, planID)
	if err != nil {
		return view, err
	}
	if err := view.checkContent(); err != nil {
		return view, err
	}
	if view.ApprovedSha256 != view.PlanSha256 {
		return view, fmt.Errorf("%w: plan %s: approved was %s, it holds %s; nothing was moved", ErrIntegrity, planID, view.ApprovedSha256, view.PlanSha256)
	}
	for _, item := range view.Items {
		if item.State != reconcile.IntentPlanned {
			continue
		}
		current, err := x.current(ctx, x.w.Store, item)
		if err != nil {
			return view, err
		}
		if problem := reconcile.DecisionDiffers(current); problem != "" {
			return view, decisionChanged(item, problem)
		}
	}
	return view, nil
}

func decisionChanged(item RefundItem, problem string) error {
	return fmt.Errorf("%w: the decision about request %s is not the one that plan %s was made from: %s; nothing was moved", ErrIntegrity, item.RequestID, item.PlanID, problem)
}

// move takes one refund as far as it gets now, and no longer than the lease lasts.
func (x *refundExecutor) move(ctx context.Context, view RefundPlanView, item *RefundItem) error {
	leased, cancel := x.lease.until(ctx)
	defer cancel()
	err := x.moveLeased(leased, view, item)
	// By the clock: right after a process has slept, the context may not know yet.
	if deadline, _ := leased.Deadline(); err != nil && ctx.Err() == nil && (leased.Err() != nil || !time.Now().Before(deadline)) && !errors.Is(err, ErrIntegrity) {
		return fmt.Errorf("%w: %w", errLeaseLost, err)
	}
	return err
}

func (x *refundExecutor) moveLeased(ctx context.Context, view RefundPlanView, item *RefundItem) error {
	fresh := false
	if item.State == reconcile.IntentPlanned {
		begun, err := x.begin(ctx, view, item)
		if err != nil || !begun {
			return err
		}
		fresh = true
	}
	wait := x.w.Settings.Refund.RetryWait
	for attempt := 1; ; attempt++ {
		if err := x.settleOutcome(ctx, item, fresh); err != nil {
			return err
		}
		fresh = false
		open := item.State == reconcile.IntentSending || item.State == reconcile.IntentUnknown
		if !open || attempt >= x.w.Settings.Refund.Attempts || time.Until(x.lease.expires) < 2*wait {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		wait *= 2
	}
	switch item.State {
	case reconcile.IntentSent:
		x.outcome.Sent++
	case reconcile.IntentRejected, reconcile.IntentFailed:
		x.outcome.Rejected++
	default:
		x.outcome.Open++
	}
	return nil
}

// begin asks everything again, and takes the credits in the transaction that says that money is about to leave. False: it was stopped.
func (x *refundExecutor) begin(ctx context.Context, view RefundPlanView, item *RefundItem) (begun bool, err error) {
	x.w.step("refunds/before-recheck")
	charge, err := x.chargeState(ctx, *item)
	if err != nil {
		return false, err
	}
	x.w.step("refunds/rechecked")
	var trip *reconcile.Trip
	var stop *refundStep
	err = x.write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := x.assertRunning(ctx, tx); err != nil {
			return err
		}
		current, err := x.current(ctx, tx, *item)
		if err != nil {
			return err
		}
		if problem := reconcile.DecisionDiffers(current); problem != "" {
			return decisionChanged(*item, problem)
		}
		current.Charge = charge
		current.Purchase.Disputed = charge.Disputed
		if refusals := reconcile.RefusalsOf(current); len(refusals) > 0 {
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
		return false, x.trip(ctx, item.PlanID, haltedTrip(err))
	case err != nil:
		return false, err
	case trip != nil:
		return false, x.trip(ctx, item.PlanID, tripRow{code: trip.Code, measured: fmt.Sprint(trip.Measured), allowed: fmt.Sprint(trip.Allowed), detail: trip.String()})
	case stop != nil:
		item.moved(*stop)
		x.outcome.Stopped++
		x.w.Log.Warn().Str("intent", item.IntentID()).Str("request", item.RequestID).Str("reason", stop.reason).Msg("refund stopped before anything was moved")
		return false, nil
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
	return true, nil
}

func refusedStep(refusals []reconcile.Refusal) *refundStep {
	first := refusals[0]
	var reasons []string
	for _, r := range refusals {
		reasons = append(reasons, fmt.Sprintf("%s: %s is %q, should be %q", r.Reason, r.Field, r.Theirs, r.Ours))
	}
	return &refundStep{to: reconcile.IntentStopped, field: first.Field, ours: first.Ours, theirs: first.Theirs, reason: strings.Join(reasons, "; ")}
}

// settleOutcome does what the state of an open refund calls for. fresh: this very call of move has held the credits, and nothing can have
// been sent before.
func (x *refundExecutor) settleOutcome(ctx context.Context, item *RefundItem, fresh bool) error {
	if fresh {
		used, err := x.usedNow(ctx, *item)
		if err != nil {
			return err
		}
		if used > 0 { // in the instant between the last look and the hold
			return x.advance(ctx, item, refundStep{
				to: reconcile.IntentRejected, field: "used_credits", ours: "0", theirs: fmt.Sprint(used),
				reason: "credits were used in the moment before they were held; nothing was sent",
			})
		}
		return x.send(ctx, item)
	}
	ours, others, err := x.lookUp(ctx, *item)
	if err != nil {
		return x.leaveOpen(ctx, item, err)
	}
	x.w.step("refunds/looked-up")
	outcome := reconcile.OpenOutcome{Found: ours != nil, KeyAge: x.w.now().Sub(*item.FirstSentAt)}
	if ours == nil && outcome.KeyAge < reconcile.KeyLifetime {
		if outcome.Refused, err = x.refusedNow(ctx, *item, others); err != nil {
			return x.leaveOpen(ctx, item, err)
		}
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
func (x *refundExecutor) send(ctx context.Context, item *RefundItem) error {
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
	refund, err := x.w.Refunds.CreateRefund(callCtx, stripefeed.RefundOrder{
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

// rejected notes a definite refusal, after one more look: an earlier request of the same refund may have been answered to nobody.
func (x *refundExecutor) rejected(ctx context.Context, item *RefundItem, refusal error) error {
	ours, _, err := x.lookUp(ctx, *item)
	switch {
	case err != nil:
		return x.leaveOpen(ctx, item, errors.Join(refusal, err))
	case ours != nil:
		return x.record(ctx, item, *ours)
	}
	return x.advance(ctx, item, refundStep{to: reconcile.IntentRejected, field: "stripe", ours: "refund", theirs: "rejected", reason: refusal.Error()})
}

// leaveOpen notes why an outcome is open, once per reason; the next attempt looks it up.
func (x *refundExecutor) leaveOpen(ctx context.Context, item *RefundItem, why error) error {
	if errors.Is(why, ErrIntegrity) {
		return why
	}
	x.w.Log.Warn().Str("intent", item.IntentID()).Err(why).Msg("the outcome of a refund is open")
	if item.State == reconcile.IntentUnknown {
		return nil
	}
	return x.advance(ctx, item, refundStep{to: reconcile.IntentUnknown, reason: why.Error()})
}

// record notes the refund that Stripe has made. One that has failed at once gives the credits back.
func (x *refundExecutor) record(ctx context.Context, item *RefundItem, refund stripefeed.RefundNow) error {
	if refund.AmountMinor != item.AmountMinor || refund.Currency != item.Currency || refund.Metadata[metadataIntent] != item.IntentID() {
		return fmt.Errorf("%w: refund %s at Stripe is not what was asked for: %d %s for intent %q", ErrIntegrity, refund.ID, refund.AmountMinor, refund.Currency, refund.Metadata[metadataIntent])
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
func (x *refundExecutor) lookUp(ctx context.Context, item RefundItem) (ours *stripefeed.RefundNow, others []string, err error) {
	refunds, err := x.w.Refunds.RefundsOf(ctx, item.ChargeID)
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
			err := fmt.Errorf("%w: refunds %s and %s are both of intent %s", ErrIntegrity, ours.ID, refund.ID, item.IntentID())
			return nil, nil, errors.Join(err, x.w.FlipRefundSwitch(ctx, true, nightActor, err.Error()))
		default:
			found := refund
			ours = &found
		}
	}
	return ours, others, nil
}

// chargeState reads the charge and its refunds again.
func (x *refundExecutor) chargeState(ctx context.Context, item RefundItem) (reconcile.ChargeState, error) {
	ours, others, err := x.lookUp(ctx, item)
	if err != nil {
		return reconcile.ChargeState{}, err
	}
	if ours != nil {
		return reconcile.ChargeState{}, fmt.Errorf("%w: refund %s is of intent %s, which was never sent", ErrIntegrity, ours.ID, item.IntentID())
	}
	return x.readCharge(ctx, item.ChargeID, others)
}

func (x *refundExecutor) readCharge(ctx context.Context, id string, refunds []string) (reconcile.ChargeState, error) {
	charge, err := x.w.Refunds.ReadCharge(ctx, id)
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

// refusedNow asks the questions of the first sending again for a refund that is to be sent once more.
func (x *refundExecutor) refusedNow(ctx context.Context, item RefundItem, others []string) (bool, error) {
	charge, err := x.readCharge(ctx, item.ChargeID, others)
	if err != nil {
		return false, err
	}
	current, err := x.current(ctx, x.w.Store, item)
	if err != nil {
		return false, err
	}
	current.Charge, current.Purchase.Disputed = charge, charge.Disputed
	return len(reconcile.RefusalsOf(current)) > 0, nil
}

type factsNow struct {
	Decision             string
	DecidedMinor         int64        `db:"decided_minor"`
	DecidedFeeMinor      int64        `db:"decided_fee_minor"`
	DecidedCurrency      string       `db:"decided_currency"`
	DecidedChargeID      string       `db:"decided_charge_id"`
	DecidedPurchaseID    string       `db:"decided_purchase_id"`
	DecidedCredits       int64        `db:"decided_credits"`
	DecidedClauses       string       `db:"decided_clauses"`
	DecidedPolicyVersion string       `db:"decided_policy_version"`
	RequestStatus        string       `db:"request_status"`
	RequestedAt          time.Time    `db:"requested_at"`
	PurchaseKind         string       `db:"purchase_kind"`
	PurchaseStatus       string       `db:"purchase_status"`
	AmountMinor          int64        `db:"amount_minor"`
	Currency             string       `db:"currency"`
	Credits              int64        `db:"credits"`
	CompletedAt          sql.NullTime `db:"completed_at"`
	GrantedCredits       int64        `db:"granted_credits"`
	TakenCredits         int64        `db:"taken_credits"`
	UsedCredits          int64        `db:"used_credits"`
	// The fee as the last sync saw it, in the settlement's currency; null when it saw none.
	FeeMinor     sql.NullInt64 `db:"fee_minor"`
	SettledMinor sql.NullInt64 `db:"settled_minor"`
	ChargeMinor  sql.NullInt64 `db:"charge_minor"`
}

func factsOf(ctx context.Context, q postgres.Querier, item RefundItem) (facts factsNow, err error) {
	return facts, q.Get(ctx, &facts, "refunds/facts_now", postgres.Args{
		"account_id": item.AccountID, "request_id": item.RequestID, "purchase_id": item.PurchaseID, "hold_entry_id": item.PlannedRefund.HoldEntryID(),
	})
}

// current is what the platform, its ledger and our decisions say now; the charge is the caller's to add.
func (x *refundExecutor) current(ctx context.Context, q postgres.Querier, item RefundItem) (reconcile.Current, error) {
	f, err := factsOf(ctx, q, item)
	if err != nil {
		return reconcile.Current{}, err
	}
	c := reconcile.Current{
		Planned: item.PlannedRefund, Decision: reconcile.Decision(f.Decision), At: x.w.instant(),
		Decided: reconcile.PlannedRefund{
			AmountMinor: f.DecidedMinor, FeeMinor: f.DecidedFeeMinor, Currency: f.DecidedCurrency, ChargeID: f.DecidedChargeID,
			PurchaseID: f.DecidedPurchaseID, Credits: f.DecidedCredits, Clauses: f.DecidedClauses, PolicyVersion: f.DecidedPolicyVersion,
		},
		RequestStatus: reconcile.RequestStatus(f.RequestStatus), RequestedAt: f.RequestedAt,
		GrantedCredits: f.GrantedCredits, TakenCredits: f.TakenCredits,
		Purchase: reconcile.PurchaseFacts{
			ID: item.PurchaseID, Kind: reconcile.PurchaseKind(f.PurchaseKind), Status: reconcile.PurchaseStatus(f.PurchaseStatus),
			AmountMinor: f.AmountMinor, Currency: f.Currency, Credits: f.Credits, UsedCredits: f.UsedCredits, RefundedBefore: f.TakenCredits != 0,
		},
	}
	if f.FeeMinor.Valid {
		fee, err := reconcile.ConvertFee(max(f.FeeMinor.Int64, 0), f.ChargeMinor.Int64, f.SettledMinor.Int64)
		if err != nil {
			return c, fmt.Errorf("fee of purchase %s: %w", item.PurchaseID, err)
		}
		c.Purchase.FeeMinor, c.Purchase.FeeKnown = fee, true
	}
	if f.CompletedAt.Valid {
		version, err := x.w.Policies.At(f.CompletedAt.Time)
		if err != nil {
			return c, fmt.Errorf("policy of purchase %s: %w", item.PurchaseID, err)
		}
		c.Purchase.CompletedAt, c.Purchase.ExpiresAt = f.CompletedAt.Time, version.WindowExpiresAt(f.CompletedAt.Time)
	}
	return c, nil
}

func (x *refundExecutor) usedNow(ctx context.Context, item RefundItem) (int64, error) {
	facts, err := factsOf(ctx, x.w.Store, item)
	return facts.UsedCredits, err
}

// refundStep is one step in the life of a refund.
type refundStep struct {
	to                          reconcile.IntentState
	field, ours, theirs, reason string
	refundID                    string
	approvedPlanID              string
}

func (item *RefundItem) moved(step refundStep) {
	if item.State == step.to {
		return
	}
	item.Version++
	if item.State == reconcile.IntentPlanned && step.to == reconcile.IntentSending {
		item.HoldEntryID = item.PlannedRefund.HoldEntryID()
	}
	item.State, item.Reason = step.to, step.reason
	if step.refundID != "" {
		item.RefundID = step.refundID
	}
}

// write runs fn in a transaction that holds the lease.
func (x *refundExecutor) write(ctx context.Context, fn func(ctx context.Context, tx *postgres.Tx) error) error {
	// An executor that is paused within a transaction holds nothing up longer than its lease lasts.
	return x.w.Store.InTx(ctx, silentNoLongerThan(x.lease.length), func(ctx context.Context, tx *postgres.Tx) error {
		if err := x.lease.hold(ctx, tx); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

// advance takes one step in a transaction of its own.
func (x *refundExecutor) advance(ctx context.Context, item *RefundItem, step refundStep) error {
	err := x.write(ctx, func(ctx context.Context, tx *postgres.Tx) error { return x.advanceIn(ctx, tx, item, step) })
	if err == nil {
		item.moved(step)
	}
	return err
}

// advanceIn takes one step: the ledger entry that belongs to it, the state, the event and the audit log, all or nothing. It has to be the
// last thing in its transaction.
func (x *refundExecutor) advanceIn(ctx context.Context, tx *postgres.Tx, item *RefundItem, step refundStep) error {
	from := item.State
	if !from.MayBecome(step.to) {
		return fmt.Errorf("%w: refund %s can't go from %s to %s", ErrIntegrity, item.IntentID(), from, step.to)
	}
	at := x.w.instant()
	posted, args, err := x.postEntry(ctx, tx, *item, step)
	if err != nil {
		return err
	}
	for name, value := range map[string]any{
		"account_id": item.AccountID, "intent_id": item.IntentID(), "state": string(step.to), "state_before": string(from), "version": item.Version,
		"fence": x.lease.token, "approved_plan_id": step.approvedPlanID, "refund_id": step.refundID,
	} {
		args[name] = value
	}
	if step.to == reconcile.IntentSending {
		args["first_sent_at"], args["sent_on"] = at, x.w.today()
	}
	advanced, err := tx.Exec(ctx, "refunds/advance", args)
	if err != nil {
		return err
	}
	if advanced != 1 {
		return fmt.Errorf("%w: refund %s was moved by somebody else", errLeaseLost, item.IntentID())
	}
	no := item.Version + 1
	_, err = tx.Exec(ctx, "refunds/add_event", postgres.Args{
		"account_id": item.AccountID, "intent_id": item.IntentID(), "event_no": no, "state_before": string(from), "state": string(step.to),
		"field": step.field, "ours": step.ours, "theirs": step.theirs, "reason": step.reason, "refund_id": step.refundID,
		"date": x.date, "actor": x.actor, "run": x.run, "at": at,
	})
	if err != nil {
		return err
	}
	changes := append(posted, AuditChange{
		AccountID: item.AccountID, Subject: AuditRefundIntent, SubjectID: item.IntentID(), Change: fmt.Sprint(no),
		Detail: strings.TrimSpace(fmt.Sprintf("%s -> %s %s %s", from, step.to, step.refundID, step.reason)),
	})
	return auditAs(ctx, tx, x.actor, x.run, at, changes)
}

// postEntry posts the hold or its release, where the step calls for one.
func (x *refundExecutor) postEntry(ctx context.Context, tx *postgres.Tx, item RefundItem, step refundStep) ([]AuditChange, postgres.Args, error) {
	args := postgres.Args{"hold_entry_id": "", "release_entry_id": "", "first_sent_at": nil, "sent_on": nil}
	entry := postgres.Args{"account_id": item.AccountID, "credits": item.Credits, "purchase_id": item.PurchaseID, "request_id": item.RequestID, "intent_id": item.IntentID()}
	var statement, kind string
	switch {
	case !item.State.HoldsCredits() && step.to.HoldsCredits():
		statement, kind = "refunds/hold", "refund"
		entry["entry_id"], entry["clauses"] = item.PlannedRefund.HoldEntryID(), item.Clauses
		args["hold_entry_id"] = entry["entry_id"]
	case item.State.Releases(step.to):
		statement, kind = "refunds/release", "refund_reversal"
		entry["entry_id"] = item.PlannedRefund.ReleaseEntryID()
		args["release_entry_id"] = entry["entry_id"]
	default:
		return nil, args, nil
	}
	bookedAt, err := x.booking(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	entry["booked_at"] = bookedAt
	if _, err := tx.Exec(ctx, statement, entry); err != nil {
		return nil, nil, fmt.Errorf("ledger entry %s: %w", entry["entry_id"], err)
	}
	return []AuditChange{{
		AccountID: item.AccountID, Subject: AuditCreditEntry, SubjectID: entry["entry_id"].(string), Change: "posted",
		Detail: fmt.Sprintf("%s %d purchase %s", kind, item.Credits, item.PurchaseID),
	}}, args, nil
}

// errHalted says that the kill switch is on.
var errHalted = errors.New("refunds are halted")

// assertRunning fails with errHalted while a kill switch is on: the setting's or the database's.
func (x *refundExecutor) assertRunning(ctx context.Context, q postgres.Querier) error {
	if x.w.Settings.Refund.Halt {
		return fmt.Errorf("%w by RECONCILER_REFUND_HALT", errHalted)
	}
	last, err := RefundSwitchNow(ctx, q)
	if err != nil {
		return err
	}
	if last.Halted() {
		return fmt.Errorf("%w by %s since %s: %s", errHalted, last.Actor, last.At.UTC().Format(time.RFC3339), last.Reason)
	}
	return nil
}

func (x *refundExecutor) checkSwitches(ctx context.Context, planID string) error {
	err := x.assertRunning(ctx, x.w.Store)
	if errors.Is(err, errHalted) {
		return x.trip(ctx, planID, haltedTrip(err))
	}
	return err
}

func haltedTrip(err error) tripRow {
	return tripRow{code: "kill_switch", measured: "halted", allowed: "running", detail: err.Error()}
}

func (x *refundExecutor) checkCaps(ctx context.Context, q postgres.Querier, item RefundItem) (*reconcile.Trip, error) {
	var day struct {
		DayCount      int64 `db:"day_count"`
		CustomerCount int64 `db:"customer_count"`
		DayMinor      int64 `db:"day_minor"`
		CustomerMinor int64 `db:"customer_minor"`
	}
	if err := q.Get(ctx, &day, "refunds/tally", postgres.Args{"account_id": item.AccountID, "currency": item.Currency, "day": x.w.today()}); err != nil {
		return nil, err
	}
	trip, tripped := x.w.Settings.Refund.Caps.Check(reconcile.RefundTally{
		RunCount: x.runCount, RunMinor: x.runMinor[item.Currency], CustomerCount: day.CustomerCount, CustomerMinor: day.CustomerMinor,
		DayCount: day.DayCount, DayMinor: day.DayMinor,
	}, item.AmountMinor, item.Currency)
	if !tripped {
		return nil, nil
	}
	return &trip, nil
}

// checkAnomaly stops a plan that would make the day far bigger than days usually are, in refunds or in the money of a currency.
func (x *refundExecutor) checkAnomaly(ctx context.Context, view RefundPlanView) error {
	counts, sums := map[string]int64{}, map[string]*big.Int{}
	for _, item := range view.Items {
		if item.State != reconcile.IntentPlanned {
			continue
		}
		counts[""]++
		if sums[item.Currency] == nil {
			sums[item.Currency] = new(big.Int)
		}
		sums[item.Currency].Add(sums[item.Currency], big.NewInt(item.AmountMinor))
	}
	check := func(currency, unit string, planned, already int64, of func(d dayBefore) int64) error {
		var days []dayBefore
		if err := x.w.Store.Select(ctx, &days, "refunds/days_before", postgres.Args{"day": x.w.today(), "currency": currency}); err != nil {
			return err
		}
		var totals []int64
		for _, d := range days {
			totals = append(totals, of(d))
		}
		multiple := x.w.Settings.Refund.Caps.AnomalyMultiple
		median, anomalous := reconcile.Anomalous(planned+already, totals, multiple)
		if !anomalous {
			return nil
		}
		return x.trip(ctx, view.PlanID, tripRow{
			code: "anomaly_" + unit, measured: fmt.Sprint(planned + already), allowed: fmt.Sprint(median * multiple),
			detail: fmt.Sprintf("%d %s in a day is more than %d times the median of the %d days with refunds before it (%d); look at the plan, then raise RECONCILER_REFUND_ANOMALY_MULTIPLE for a run if it is right",
				planned+already, unit, multiple, len(totals), median),
		})
	}
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		sum := sums[currency]
		var day struct {
			DayCount      int64 `db:"day_count"`
			CustomerCount int64 `db:"customer_count"`
			DayMinor      int64 `db:"day_minor"`
			CustomerMinor int64 `db:"customer_minor"`
		}
		if err := x.w.Store.Get(ctx, &day, "refunds/tally", postgres.Args{"account_id": "", "currency": currency, "day": x.w.today()}); err != nil {
			return err
		}
		total := new(big.Int).Add(sum, big.NewInt(day.DayMinor))
		if !total.IsInt64() {
			return fmt.Errorf("total of the day in %s: %w", currency, reconcile.ErrOverflow)
		}
		if err := check(currency, currency, sum.Int64(), day.DayMinor, func(d dayBefore) int64 { return d.AmountMinor }); err != nil {
			return err
		}
		if counts[""] > 0 {
			if err := check("", "refunds", counts[""], day.DayCount, func(d dayBefore) int64 { return d.Refunds }); err != nil {
				return err
			}
			counts[""] = 0 // once
		}
	}
	return nil
}

type dayBefore struct {
	Day         reconcile.Date
	Refunds     int64
	AmountMinor int64 `db:"amount_minor"`
}

// checkFailures stops the run when refunds fail in a row: then something is wrong with all of them.
func (x *refundExecutor) checkFailures(ctx context.Context, planID string, state reconcile.IntentState) error {
	if state == reconcile.IntentSent || state == reconcile.IntentSettled {
		x.failures = 0
		return nil
	}
	x.failures++
	limit := x.w.Settings.Refund.Caps.ConsecutiveFailures
	if limit <= 0 || x.failures < limit {
		return nil
	}
	return x.trip(ctx, planID, tripRow{
		code: "failures_in_a_row", measured: fmt.Sprint(x.failures), allowed: fmt.Sprint(limit - 1),
		detail: fmt.Sprintf("%d refunds in a row were stopped, refused or left open: something is wrong with all of them", x.failures),
	})
}

type tripRow struct{ code, measured, allowed, detail string }

// trip notes what stopped the plan, and is the ErrIntegrity that ends the run. Nothing moves after it.
func (x *refundExecutor) trip(ctx context.Context, planID string, t tripRow) error {
	x.tripped = true
	tripErr := fmt.Errorf("%w: plan %s: %s; nothing further was moved", ErrIntegrity, planID, t.detail)
	err := x.write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		at := x.w.instant()
		var no int
		if err := tx.Get(ctx, &no, "refunds/add_trip", postgres.Args{
			"plan_id": planID, "date": x.date, "breaker": t.code, "measured": t.measured, "allowed": t.allowed, "detail": t.detail, "at": at,
		}); err != nil {
			return err
		}
		return auditAs(ctx, tx, x.actor, x.run, at, []AuditChange{{
			Subject: AuditRefundPlan, SubjectID: planID, Change: fmt.Sprintf("trip %d", no), Detail: t.code + ": " + t.detail,
		}})
	})
	return errors.Join(tripErr, err)
}

// refundsJob is what the breaks of refunds are found by.
const refundsJob = "refunds"

// reportBreaks brings the breaks of refunds up to date at once: the night of today will find the same ones again.
func (x *refundExecutor) reportBreaks(ctx context.Context) error {
	night := reconcile.NightOf(x.date, x.w.Settings.Zone)
	night.End = x.w.instant()
	if night.End.Before(night.Begin) {
		night.End = night.Begin
	}
	n := &Night{Worker: x.w, Night: night, log: x.w.Log}
	n.command.name, n.command.actor = x.run, x.actor
	return x.w.Store.InTx(ctx, refundTx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := n.findRefundBreaks(ctx, tx)
		return err
	})
}

// findRefundBreaks finds what stands in the way of refunds as of the night, and merges it into the breaks.
func (n *Night) findRefundBreaks(ctx context.Context, tx *postgres.Tx) (Counts, error) {
	if _, err := tx.Exec(ctx, "breaks/clear_findings", n.args(refundsJob, nil)); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "refunds/findings", n.args(refundsJob, postgres.Args{
		"as_of": n.AsOf(), "grace_before": n.AsOf().Add(-n.Settings.AwaitingFor),
	})); err != nil {
		return nil, err
	}
	return n.mergeBreaks(ctx, tx, refundsJob)
}

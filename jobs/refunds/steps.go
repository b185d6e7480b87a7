package refunds

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// refundTx: a session that goes silent within a transaction is ended by the server, so that a paused planner holds nothing up.
var refundTx = silentNoLongerThan(30 * time.Second)

func silentNoLongerThan(limit time.Duration) postgres.TxOptions {
	return postgres.TxOptions{StatementTimeout: time.Minute, Settings: map[string]any{"idle_in_transaction_session_timeout": limit.Milliseconds()}}
}

// refundStep is one step in the life of a refund.
type refundStep struct {
	to                          reconcile.IntentState
	field, ours, theirs, reason string
	refundID                    string
	approvedPlanID              string
	overtaken                   bool // what was done since the decision is why
}

// moved notes in memory what a step has stored.
func (item *Item) moved(step refundStep) {
	if item.State == step.to {
		return
	}
	item.Version++
	if item.State == reconcile.IntentPlanned && step.to == reconcile.IntentSending {
		item.HoldEntryID = item.PlannedRefund.HoldEntryID()
	}
	item.State, item.Reason, item.overtaken = step.to, step.reason, step.overtaken
	if step.refundID != "" {
		item.RefundID = step.refundID
	}
}

// write runs fn in a transaction that holds the lease.
func (x *executor) write(ctx context.Context, fn func(ctx context.Context, tx *postgres.Tx) error) error {
	// An executor that is paused within a transaction holds nothing up longer than its lease lasts.
	return x.w.Store.InTx(ctx, silentNoLongerThan(x.lease.length), func(ctx context.Context, tx *postgres.Tx) error {
		if err := x.lease.hold(ctx, tx); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

// advance takes one step in a transaction of its own.
func (x *executor) advance(ctx context.Context, item *Item, step refundStep) error {
	err := x.write(ctx, func(ctx context.Context, tx *postgres.Tx) error { return x.advanceIn(ctx, tx, item, step) })
	if err == nil {
		item.moved(step)
	}
	return err
}

// advanceIn takes one step: the ledger entry that belongs to it, the state, the event and the audit log, all or nothing. It has to be the
// last thing in its transaction.
func (x *executor) advanceIn(ctx context.Context, tx *postgres.Tx, item *Item, step refundStep) error {
	from := item.State
	if !from.MayBecome(step.to) {
		return fmt.Errorf("%w: refund %s can't go from %s to %s", night.ErrIntegrity, item.IntentID(), from, step.to)
	}
	at := x.w.instant()
	posted, args, err := x.postEntry(ctx, tx, *item, step)
	if err != nil {
		return err
	}
	if given := args["given_back"]; given != int64(0) {
		step.reason = strings.TrimPrefix(fmt.Sprintf("%s; %d of its %d credits had been given back by others", step.reason, given, item.Credits), "; ")
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
	if x.lease.rehearsed { // the audit log would be held until the end of the rehearsal
		return nil
	}
	changes := append(posted, night.AuditChange{
		AccountID: item.AccountID, Subject: night.AuditRefundIntent, SubjectID: item.IntentID(), Change: fmt.Sprint(no),
		Detail: strings.TrimSpace(fmt.Sprintf("%s -> %s %s %s", from, step.to, step.refundID, step.reason)),
	})
	return night.AuditAs(ctx, tx, x.actor, x.run, at, changes)
}

// postEntry posts the hold or its release, where the step calls for one.
func (x *executor) postEntry(ctx context.Context, tx *postgres.Tx, item Item, step refundStep) ([]night.AuditChange, postgres.Args, error) {
	args := postgres.Args{"hold_entry_id": "", "release_entry_id": "", "given_back": int64(0), "first_sent_at": nil, "sent_on": nil}
	entry := postgres.Args{"account_id": item.AccountID, "credits": item.Credits, "purchase_id": item.PurchaseID, "request_id": item.RequestID, "intent_id": item.IntentID()}
	var statement, kind string
	switch {
	case !item.State.HoldsCredits() && step.to.HoldsCredits():
		statement, kind = "refunds/hold", "refund"
		entry["entry_id"], entry["clauses"] = item.PlannedRefund.HoldEntryID(), item.Clauses
		args["hold_entry_id"] = entry["entry_id"]
	case item.State.Releases(step.to):
		var given int64
		if err := tx.Get(ctx, &given, "refunds/given_back", postgres.Args{"account_id": item.AccountID, "purchase_id": item.PurchaseID, "credits": item.Credits}); err != nil {
			return nil, nil, err
		}
		if args["given_back"] = given; given == item.Credits {
			return nil, args, nil
		}
		entry["credits"] = item.Credits - given
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
	return []night.AuditChange{{
		AccountID: item.AccountID, Subject: night.AuditCreditEntry, SubjectID: entry["entry_id"].(string), Change: "posted",
		Detail: fmt.Sprintf("%s %d purchase %s", kind, entry["credits"], item.PurchaseID),
	}}, args, nil
}

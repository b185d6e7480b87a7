package refunds

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// factsNow is what the database says of a planned refund right now: its decision, request, purchase and ledger.
type factsNow struct {
	Decision             string
	DecidedMinor         int64
	DecidedFeeMinor      int64
	DecidedCurrency      string
	DecidedChargeID      string
	DecidedPurchaseID    string
	DecidedCredits       int64
	DecidedClauses       string
	DecidedPolicyVersion string
	RequestStatus        string
	RequestedAt          time.Time
	PurchaseKind         string
	PurchaseStatus       string
	AmountMinor          int64
	Currency             string
	Credits              int64
	CompletedAt          sql.NullTime
	GrantedCredits       int64
	TakenCredits         int64
	UsedCredits          int64
	// The payment as the last sync saw it, and the refunds that only took back what a partial capture had left.
	night.PaymentFacts
	Reversals     string // ids, by blanks
	ReversedMinor int64
}

func (w *Desk) refundFacts(ctx context.Context, q postgres.Querier, planned reconcile.PlannedRefund) (facts factsNow, err error) {
	return facts, q.Get(ctx, &facts, "refunds/facts_now", postgres.Args{
		"as_of": "infinity", "date": w.today(), "policy": w.Policies.Hash(), "account_id": planned.AccountID, "request_id": planned.RequestID,
		"purchase_id": planned.PurchaseID, "hold_entry_id": planned.HoldEntryID(),
	})
}

// currentOf is what the platform, its ledger and our decisions say now; the charge is the caller's to add.
func (w *Desk) currentOf(ctx context.Context, q postgres.Querier, planned reconcile.PlannedRefund) (reconcile.Current, error) {
	f, err := w.refundFacts(ctx, q, planned)
	if err != nil {
		return reconcile.Current{}, err
	}
	c := reconcile.Current{
		Planned: planned, Decision: reconcile.Decision(f.Decision), At: w.instant(),
		Decided: reconcile.PlannedRefund{
			AmountMinor: f.DecidedMinor, FeeMinor: f.DecidedFeeMinor, Currency: f.DecidedCurrency, ChargeID: f.DecidedChargeID,
			PurchaseID: f.DecidedPurchaseID, Credits: f.DecidedCredits, Clauses: f.DecidedClauses, PolicyVersion: f.DecidedPolicyVersion,
		},
		RequestStatus: reconcile.RequestStatus(f.RequestStatus), RequestedAt: f.RequestedAt,
		GrantedCredits: f.GrantedCredits, TakenCredits: f.TakenCredits,
		Purchase: reconcile.PurchaseFacts{
			ID: planned.PurchaseID, Kind: reconcile.PurchaseKind(f.PurchaseKind), Status: reconcile.PurchaseStatus(f.PurchaseStatus),
			AmountMinor: f.AmountMinor, Currency: f.Currency, Credits: f.Credits, UsedCredits: f.UsedCredits, RefundedBefore: f.TakenCredits != 0,
			Payment: f.Payment(),
		},
		Reversals: strings.Fields(f.Reversals), ReversedMinor: f.ReversedMinor,
	}
	if f.CompletedAt.Valid {
		version, err := w.Policies.At(f.CompletedAt.Time)
		if err != nil {
			return c, fmt.Errorf("policy of purchase %s: %w", planned.PurchaseID, err)
		}
		c.Purchase.CompletedAt, c.Purchase.ExpiresAt = f.CompletedAt.Time, version.WindowExpiresAt(f.CompletedAt.Time)
	}
	return c, nil
}

// refusalsBySync are the reasons against a refund by what the last sync has seen of its charge: one that can't be made is not planned.
func (w *Desk) refusalsBySync(ctx context.Context, q postgres.Querier, planned reconcile.PlannedRefund) ([]reconcile.Refusal, error) {
	current, err := w.currentOf(ctx, q, planned)
	if err != nil {
		return nil, err
	}
	var c struct {
		Status, Currency string
		AmountMinor      int64
		CapturedMinor    int64
		RefundedMinor    int64
		Captured         bool
		Disputed         bool
		Refunds          string // ids, by blanks
	}
	err = q.Get(ctx, &c, "refunds/charge_by_sync", postgres.Args{"as_of": "infinity", "charge_id": planned.ChargeID, "purchase_id": planned.PurchaseID})
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	default:
		current.Charge = reconcile.ChargeState{
			Found: true, Status: c.Status, Currency: c.Currency, AmountMinor: c.AmountMinor, CapturedMinor: c.CapturedMinor,
			RefundedMinor: c.RefundedMinor + current.ReversedMinor, Captured: c.Captured, Disputed: c.Disputed, Refunds: strings.Fields(c.Refunds),
		}
	}
	current.Purchase.Disputed = current.Charge.Disputed
	return reconcile.RefusalsOf(current), nil
}

// usedNow is how many credits of the purchase are used right now.
func (x *executor) usedNow(ctx context.Context, item Item) (int64, error) {
	facts, err := x.w.refundFacts(ctx, x.w.Store, item.PlannedRefund)
	return facts.UsedCredits, err
}

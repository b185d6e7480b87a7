package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// factsNow is what the database says of a planned refund right now: its decision, request, purchase and ledger.
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
	// The payment as the last sync saw it, and the refunds that only took back what a partial capture had left.
	paymentFacts
	Reversals     string // ids, by blanks
	ReversedMinor int64  `db:"reversed_minor"`
}

func (x *refundExecutor) factsOf(ctx context.Context, q postgres.Querier, item RefundItem) (facts factsNow, err error) {
	return facts, q.Get(ctx, &facts, "refunds/facts_now", postgres.Args{
		"as_of": "infinity", "date": x.w.today(), "policy": x.w.Policies.Hash(), "account_id": item.AccountID, "request_id": item.RequestID, "purchase_id": item.PurchaseID, "hold_entry_id": item.PlannedRefund.HoldEntryID(),
	})
}

// current is what the platform, its ledger and our decisions say now; the charge is the caller's to add.
func (x *refundExecutor) current(ctx context.Context, q postgres.Querier, item RefundItem) (reconcile.Current, error) {
	f, err := x.factsOf(ctx, q, item)
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
			Payment: f.payment(),
		},
		Reversals: strings.Fields(f.Reversals), ReversedMinor: f.ReversedMinor,
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

// usedNow is how many credits of the purchase are used right now.
func (x *refundExecutor) usedNow(ctx context.Context, item RefundItem) (int64, error) {
	facts, err := x.factsOf(ctx, x.w.Store, item)
	return facts.UsedCredits, err
}

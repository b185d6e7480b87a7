package jobs

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// disputes reconciles refunds, then watches disputes and what they do to purchases and accounts: money that went back both ways has to
// be looked at together.
func disputes(ctx context.Context, n *Night) (Counts, error) {
	counts, err := n.matchRefunds(ctx)
	if err != nil {
		return nil, err
	}
	more, err := stripeJob{
		name:    "disputes",
		clear:   []string{"stripe_match/clear_disputes"},
		more:    n.judgeDisputes,
		scanned: "stripe_match/scanned_disputes",
	}.reconcile(ctx, n)
	if err != nil {
		return nil, err
	}
	for name, count := range more {
		counts["disputes_"+name] = count
	}
	return counts, nil
}

// disputeRow is a dispute as of the night.
type disputeRow struct {
	DisputeID          string     `db:"dispute_id"`
	ChargeID           string     `db:"charge_id"`
	PurchaseID         string     `db:"purchase_id"`
	AccountID          string     `db:"account_id"`
	AccountStatus      string     `db:"account_status"`
	Status             string     `db:"status"`
	Reason             string     `db:"reason"`
	CreatedAt          time.Time  `db:"created_at"`
	EvidenceDueBy      *time.Time `db:"evidence_due_by"`
	AmountMinor        int64      `db:"amount_minor"`
	Currency           string     `db:"currency"`
	CapturedMinor      int64      `db:"captured_minor"`
	RefundedMinor      int64      `db:"refunded_minor"`
	WithdrawnMinor     int64      `db:"withdrawn_minor"`
	ReturnedMinor      int64      `db:"returned_minor"`
	FeesMinor          int64      `db:"fees_minor"`
	SettlementCurrency string     `db:"settlement_currency"`
}

func (n *Night) judgeDisputes(ctx context.Context, tx *postgres.Tx) error {
	const job = "disputes"
	var rows []disputeRow
	err := tx.Select(ctx, &rows, "stripe_match/dispute_facts", postgres.Args{"date": n.Date, "job": job, "begin": n.Begin, "as_of": n.AsOf()})
	if err != nil {
		return err
	}
	charges := map[string]*stripeCheck{} // several disputes of one charge are one break
	for _, d := range rows {
		outcome := reconcile.JudgeDispute(reconcile.DisputeFacts{
			Status: d.Status, WithdrawnMinor: d.WithdrawnMinor, ReturnedMinor: d.ReturnedMinor, FeesMinor: d.FeesMinor,
			AmountMinor: d.AmountMinor, CapturedMinor: d.CapturedMinor, RefundedMinor: d.RefundedMinor,
			AccountStatus: d.AccountStatus, SameCurrency: d.Currency == d.SettlementCurrency,
		})
		if err := n.addDispute(ctx, tx, d, outcome); err != nil {
			return err
		}
		check := stripeCheck{
			job: job, check: "open disputes and their accounts", account: d.AccountID, subject: d.DisputeID, amount: d.AmountMinor, currency: d.Currency,
		}
		if outcome.ReviewSuspension {
			check.kind, check.field, check.ours, check.theirs = reconcile.DisputeAccountActive, "account_status", d.AccountStatus, d.Status
			check.variance, check.unit = d.AmountMinor, d.Currency
			check.detail = fmt.Sprintf("charge %s, purchase %s: clause %s", d.ChargeID, d.PurchaseID, reconcile.ClauseChargebackSuspension)
		}
		if outcome.Phase == reconcile.PhaseChargeback || outcome.Phase == reconcile.PhaseInquiry {
			if err := n.addCheck(ctx, tx, check); err != nil {
				return err
			}
		}
		charge := charges[d.ChargeID]
		if charge == nil {
			charge = &stripeCheck{job: job, check: "disputed charges and their refunds", account: d.AccountID, subject: d.ChargeID}
			charges[d.ChargeID] = charge
		}
		if outcome.DisputedAndRefunded && charge.kind == "" {
			gone := d.RefundedMinor + d.AmountMinor
			charge.kind, charge.field = reconcile.DisputedAndRefunded, "amount_minor"
			charge.ours, charge.theirs = strconv.FormatInt(d.CapturedMinor, 10), strconv.FormatInt(gone, 10)
			charge.variance, charge.unit = d.CapturedMinor-gone, d.Currency
			charge.detail = fmt.Sprintf("refunded %d, disputed %d by %s (%s); at most %d can be clawed back",
				d.RefundedMinor, d.AmountMinor, d.DisputeID, d.Status, outcome.ClawbackMinor)
		}
	}
	for _, charge := range charges {
		if err := n.addCheck(ctx, tx, *charge); err != nil {
			return err
		}
	}
	return nil
}

func (n *Night) addDispute(ctx context.Context, tx *postgres.Tx, d disputeRow, o reconcile.DisputeOutcome) error {
	_, err := tx.Exec(ctx, "stripe_match/add_dispute", postgres.Args{
		"account_id": d.AccountID, "date": n.Date, "dispute_id": d.DisputeID, "charge_id": d.ChargeID, "purchase_id": d.PurchaseID,
		"account_status": d.AccountStatus, "phase": string(o.Phase), "status": d.Status, "reason": d.Reason, "opened_at": d.CreatedAt,
		"evidence_due_by": d.EvidenceDueBy, "amount_minor": d.AmountMinor, "currency": d.Currency, "withdrawn_minor": d.WithdrawnMinor,
		"returned_minor": d.ReturnedMinor, "fees_minor": d.FeesMinor, "settlement_currency": d.SettlementCurrency,
		"refunded_minor": d.RefundedMinor, "clawback_minor": o.ClawbackMinor, "reinstatement_minor": o.ReinstatementMinor,
		"review_suspension": o.ReviewSuspension, "tie_out": string(o.TieOut),
	})
	return err
}

// stripeCheck is one object's outcome: matched unless it has a kind.
type stripeCheck struct {
	job, check, account, subject string
	kind                         reconcile.BreakKind
	awaiting                     bool
	field, ours, theirs          string
	variance                     int64
	unit, detail                 string
	amount                       int64
	currency                     string
}

func (n *Night) addCheck(ctx context.Context, tx *postgres.Tx, c stripeCheck) error {
	outcome := "matched"
	switch {
	case c.kind != "":
		outcome = "break"
	case c.awaiting:
		outcome = "awaiting"
	}
	_, err := tx.Exec(ctx, "stripe_match/add_check", postgres.Args{
		"account_id": c.account, "date": n.Date, "job": c.job, "check_name": c.check, "subject_id": c.subject, "outcome": outcome,
		"kind": string(c.kind), "field": c.field, "ours": c.ours, "theirs": c.theirs, "variance": c.variance, "unit": c.unit,
		"detail": c.detail, "amount_minor": c.amount, "currency": c.currency,
	})
	return err
}

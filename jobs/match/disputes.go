package match

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Disputes reconciles refunds, then watches disputes and what they do to purchases and accounts: money that went back both ways has to
// be looked at together.
func Disputes(ctx context.Context, n *night.Night) (night.Counts, error) {
	counts, err := matchRefunds(ctx, n)
	if err != nil {
		return nil, err
	}
	more, err := stripeJob{
		name:    disputesJob,
		more:    func(ctx context.Context, tx *postgres.Tx) error { return judgeDisputes(ctx, n, tx) },
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

// disputesJob is what the breaks of disputes are found by.
const disputesJob = "disputes"

// disputeRow is a dispute as of the night.
type disputeRow struct {
	DisputeID          string
	ChargeID           string
	PurchaseID         string
	AccountID          string
	AccountStatus      string
	Status             string
	StatusSince        time.Time
	IsDue              bool
	MovedAt            time.Time // when its status or its money changed last
	Reason             string
	CreatedAt          time.Time
	EvidenceDueBy      *time.Time
	AmountMinor        int64
	Currency           string
	CapturedMinor      int64
	RefundedMinor      int64
	WithdrawnMinor     int64
	ReturnedMinor      int64
	FeesMinor          int64
	SettlementCurrency string
}

func judgeDisputes(ctx context.Context, n *night.Night, tx *postgres.Tx) error {
	var rows []disputeRow
	err := tx.Select(ctx, &rows, "stripe_match/dispute_facts", postgres.Args{"job": disputesJob,
		"settling_since": n.Begin.Add(-max(n.Settings.RefundStuckAfter, n.Settings.AwaitingFor))})
	if err != nil {
		return err
	}
	for len(rows) > 0 { // a charge's disputes come together
		of := slices.IndexFunc(rows, func(d disputeRow) bool { return d.ChargeID != rows[0].ChargeID })
		if of < 0 {
			of = len(rows)
		}
		if err := judgeCharge(ctx, n, tx, rows[:of]); err != nil {
			return err
		}
		rows = rows[of:]
	}
	return nil
}

// judgeCharge judges the disputes of one charge, oldest first; what has left it by refunds and disputes together is one break.
func judgeCharge(ctx context.Context, n *night.Night, tx *postgres.Tx, rows []disputeRow) error {
	first := rows[0]
	facts := reconcile.DisputedCharge{CapturedMinor: first.CapturedMinor, RefundedMinor: first.RefundedMinor, AccountStatus: first.AccountStatus}
	for _, d := range rows {
		facts.Disputes = append(facts.Disputes, reconcile.DisputeFacts{
			Status: d.Status, AmountMinor: d.AmountMinor, SameCurrency: d.SettlementCurrency == "" || d.Currency == d.SettlementCurrency,
			DisputeMoney: reconcile.DisputeMoney{WithdrawnMinor: d.WithdrawnMinor, ReturnedMinor: d.ReturnedMinor, FeesMinor: d.FeesMinor},
		})
	}
	outcome := reconcile.JudgeDisputes(facts)
	var disputed []string
	isDue := false
	for i, d := range rows {
		o := outcome.Disputes[i]
		if o.Phase.IsAtStake() {
			disputed = append(disputed, fmt.Sprintf("disputed %d by %s (%s), of which %d came back", d.AmountMinor, d.DisputeID, d.Status, d.ReturnedMinor))
		}
		// One that has ended stays on the list until its money is right.
		if !d.IsDue && (o.TieOut == reconcile.TieOutTied || d.MovedAt.Before(n.Begin.Add(-settlesWithin(n, o.TieOut)))) {
			continue
		}
		isDue = true
		if err := addDispute(ctx, n, tx, d, o); err != nil {
			return err
		}
		if err := addCheck(ctx, n, tx, disputeMoney(n, d, facts.Disputes[i], o)); err != nil {
			return err
		}
		if o.Phase != reconcile.PhaseChargeback && o.Phase != reconcile.PhaseInquiry {
			continue
		}
		check := stripeCheck{
			job: disputesJob, check: "open disputes and their accounts", since: d.MovedAt, account: d.AccountID, subject: d.DisputeID, amount: d.AmountMinor, currency: d.Currency,
		}
		if o.ReviewSuspension {
			check.kind, check.field, check.ours, check.theirs = reconcile.DisputeAccountActive, "account_status", d.AccountStatus, d.Status
			check.variance, check.unit = d.AmountMinor, d.Currency
			check.detail = fmt.Sprintf("charge %s, purchase %s: clause %s", d.ChargeID, d.PurchaseID, reconcile.ClauseChargebackSuspension)
		}
		if err := addCheck(ctx, n, tx, check); err != nil {
			return err
		}
	}
	if !isDue {
		return nil
	}
	check := stripeCheck{job: disputesJob, check: "disputed charges and their refunds", account: first.AccountID, subject: first.ChargeID}
	if outcome.DisputedAndRefunded {
		check.kind, check.field = reconcile.DisputedAndRefunded, "amount_minor"
		check.ours, check.theirs = strconv.FormatInt(outcome.ClawbackMinor, 10), strconv.FormatInt(outcome.GoneMinor, 10)
		check.variance, check.unit = outcome.ClawbackMinor-outcome.GoneMinor, first.Currency
		check.detail = fmt.Sprintf("refunded %d, %s; at most %d can be clawed back", first.RefundedMinor, strings.Join(disputed, ", "), outcome.ClawbackMinor)
	}
	return addCheck(ctx, n, tx, check)
}

// settlesWithin is how long money that is missing may take to come, and how long status and money may disagree otherwise.
func settlesWithin(n *night.Night, tieOut reconcile.TieOut) time.Duration {
	if tieOut == reconcile.TieOutAwaiting {
		return n.Settings.RefundStuckAfter
	}
	return n.Settings.AwaitingFor
}

// disputeMoney compares the money that moved for a dispute with its status: a difference is awaited for a while, and then a break.
func disputeMoney(n *night.Night, d disputeRow, facts reconcile.DisputeFacts, o reconcile.DisputeOutcome) stripeCheck {
	check := stripeCheck{job: disputesJob, check: "disputes and their money", account: d.AccountID, subject: d.DisputeID, since: d.MovedAt}
	if o.TieOut == reconcile.TieOutTied {
		return check
	}
	check.detail = fmt.Sprintf("charge %s: %s since %s; withdrawn %d, returned %d", d.ChargeID, d.Status, reconcile.DateOf(d.StatusSince.In(n.Settings.Zone)), d.WithdrawnMinor, d.ReturnedMinor)
	if !d.MovedAt.Before(n.AsOf().Add(-settlesWithin(n, o.TieOut))) {
		check.awaiting = true
		return check
	}
	called, moved := facts.Residual()
	check.kind, check.field = reconcile.DisputeResidual, "withdrawn_minor"
	check.ours, check.theirs = strconv.FormatInt(called, 10), strconv.FormatInt(moved, 10)
	check.variance, check.unit = called-moved, cmp.Or(d.SettlementCurrency, d.Currency)
	return check
}

func addDispute(ctx context.Context, n *night.Night, tx *postgres.Tx, d disputeRow, o reconcile.DisputeOutcome) error {
	_, err := tx.Exec(ctx, "stripe_match/add_dispute", postgres.Args{
		"account_id": d.AccountID, "dispute_id": d.DisputeID, "charge_id": d.ChargeID, "purchase_id": d.PurchaseID,
		"account_status": d.AccountStatus, "phase": string(o.Phase), "status": d.Status, "reason": d.Reason, "opened_at": d.CreatedAt,
		"evidence_due_by": d.EvidenceDueBy, "amount_minor": d.AmountMinor, "currency": d.Currency, "withdrawn_minor": d.WithdrawnMinor,
		"returned_minor": d.ReturnedMinor, "fees_minor": d.FeesMinor, "settlement_currency": d.SettlementCurrency,
		"refunded_minor": d.RefundedMinor, "clawback_minor": o.ClawbackMinor, "reinstatement_minor": o.ReinstatementMinor,
		"review_suspension": o.ReviewSuspension, "tie_out": string(o.TieOut),
	})
	return err
}

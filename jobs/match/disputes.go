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
func (s *Stripe) Disputes(ctx context.Context, n *night.Night) (night.Counts, error) {
	counts, err := s.matchRefunds(ctx, n)
	if err != nil {
		return nil, err
	}
	more, err := stripeJob{
		name:    disputesJob,
		more:    func(ctx context.Context, tx *postgres.Tx) error { return judgeDisputes(ctx, n, tx) },
		scanned: "stripe_match/scanned_disputes",
	}.reconcile(ctx, n, s)
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

// settled is the currency of what was withdrawn and returned.
func (d disputeRow) settled() string { return cmp.Or(d.SettlementCurrency, d.Currency) }

func judgeDisputes(ctx context.Context, n *night.Night, tx *postgres.Tx) error {
	var rows []disputeRow
	err := tx.Select(ctx, &rows, "stripe_match/dispute_facts", postgres.Args{"job": disputesJob,
		"settling_since": n.Begin.Add(-max(n.Settings.RefundStuckAfter, n.Settings.AwaitingFor))})
	if err != nil {
		return err
	}
	var cases []postgres.Args
	var checks []stripeCheck
	for len(rows) > 0 { // a charge's disputes come together
		of := slices.IndexFunc(rows, func(d disputeRow) bool { return d.ChargeID != rows[0].ChargeID })
		if of < 0 {
			of = len(rows)
		}
		due, judged := judgeCharge(n, rows[:of])
		cases, checks, rows = append(cases, due...), append(checks, judged...), rows[of:]
	}
	if err := postgres.WriteRows(ctx, tx, "stripe_match/add_disputes", nil, cases); err != nil {
		return err
	}
	return addChecks(ctx, tx, checks)
}

// judgeCharge judges the disputes of one charge, oldest first; what has left it by refunds and disputes together is one break.
func judgeCharge(n *night.Night, rows []disputeRow) (cases []postgres.Args, checks []stripeCheck) {
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
	for i, d := range rows {
		o := outcome.Disputes[i]
		if o.Phase.IsAtStake() {
			disputed = append(disputed, fmt.Sprintf("disputed %d %s by %s (%s), of which %d %s came back", d.AmountMinor, d.Currency, d.DisputeID, d.Status, d.ReturnedMinor, d.settled()))
		}
		// One that has ended stays on the list until its money is right.
		if !d.IsDue && (o.TieOut == reconcile.TieOutTied || d.MovedAt.Before(n.Begin.Add(-settlesWithin(n, o.TieOut)))) {
			continue
		}
		cases, checks = append(cases, disputeCase(d, o)), append(checks, disputeMoney(n, d, facts.Disputes[i], o))
		if o.Phase != reconcile.PhaseChargeback && o.Phase != reconcile.PhaseInquiry {
			continue
		}
		check := stripeCheck{
			Control: "open_disputes", Since: d.MovedAt, AccountID: d.AccountID, SubjectID: d.DisputeID, AmountMinor: d.AmountMinor, Currency: d.Currency,
		}
		if o.ReviewSuspension {
			check.Kind, check.Field, check.Ours, check.Theirs = reconcile.DisputeAccountActive, "account_status", d.AccountStatus, d.Status
			check.Variance, check.Unit = d.AmountMinor, d.Currency
			check.Detail = fmt.Sprintf("charge %s, purchase %s: clause %s", d.ChargeID, d.PurchaseID, reconcile.ClauseChargebackSuspension)
		}
		checks = append(checks, check)
	}
	if len(cases) == 0 {
		return nil, nil
	}
	check := stripeCheck{Control: "disputed_charges", AccountID: first.AccountID, SubjectID: first.ChargeID}
	if outcome.DisputedAndRefunded {
		check.Kind, check.Field = reconcile.DisputedAndRefunded, "amount_minor"
		check.Ours, check.Theirs = strconv.FormatInt(outcome.ClawbackMinor, 10), strconv.FormatInt(outcome.GoneMinor, 10)
		check.Variance, check.Unit = outcome.ClawbackMinor-outcome.GoneMinor, first.Currency
		check.Detail = fmt.Sprintf("refunded %d %s, %s; at most %d %[2]s can be clawed back", first.RefundedMinor, first.Currency, strings.Join(disputed, ", "), outcome.ClawbackMinor)
	}
	return cases, append(checks, check)
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
	check := stripeCheck{Control: "dispute_money", AccountID: d.AccountID, SubjectID: d.DisputeID, Since: d.MovedAt}
	if o.TieOut == reconcile.TieOutTied {
		return check
	}
	check.Detail = fmt.Sprintf("charge %s: %s since %s; withdrawn %d %s, returned %d %[5]s", d.ChargeID, d.Status, reconcile.DateOf(d.StatusSince.In(n.Settings.Zone)), d.WithdrawnMinor, d.settled(), d.ReturnedMinor)
	if !d.MovedAt.Before(n.AsOf().Add(-settlesWithin(n, o.TieOut))) {
		check.awaiting = true
		return check
	}
	called, moved := facts.Residual()
	check.Kind, check.Field = reconcile.DisputeResidual, "withdrawn_minor"
	check.Ours, check.Theirs = strconv.FormatInt(called, 10), strconv.FormatInt(moved, 10)
	check.Variance, check.Unit = called-moved, cmp.Or(d.SettlementCurrency, d.Currency)
	return check
}

// disputeCase is a dispute's row of reconciler.dispute_cases.
func disputeCase(d disputeRow, o reconcile.DisputeOutcome) postgres.Args {
	return postgres.Args{
		"account_id": d.AccountID, "dispute_id": d.DisputeID, "charge_id": d.ChargeID, "purchase_id": d.PurchaseID,
		"account_status": d.AccountStatus, "phase": o.Phase, "status": d.Status, "reason": d.Reason, "opened_at": d.CreatedAt,
		"evidence_due_by": d.EvidenceDueBy, "amount_minor": d.AmountMinor, "currency": d.Currency, "withdrawn_minor": d.WithdrawnMinor,
		"returned_minor": d.ReturnedMinor, "fees_minor": d.FeesMinor, "settlement_currency": d.SettlementCurrency,
		"refunded_minor": d.RefundedMinor, "clawback_minor": o.ClawbackMinor, "reinstatement_minor": o.ReinstatementMinor,
		"review_suspension": o.ReviewSuspension, "tie_out": o.TieOut,
	}
}

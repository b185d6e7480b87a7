package match

import (
	"context"
	"strconv"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

const (
	availableWithin = reconcile.AvailableWithin
	itemisedWithin  = reconcile.ItemisedWithin
)

var reportingCategories = reconcile.ReportingCategories()

// balanceJob is the name under which the breaks of the balance at Stripe are kept.
const balanceJob = "stripe-books"

// reconcileBalance checks what Stripe says against itself: the night's activity by category, opening to closing per currency and against
// Stripe's Balance, and each payout against its transactions.
func (s *Stripe) reconcileBalance(ctx context.Context, n *night.Night) (night.Counts, error) {
	return stripeJob{
		name:     balanceJob,
		judge:    []string{"stripe_match/activity", "stripe_match/cash", "stripe_match/judge_cash", "stripe_match/judge_transactions"},
		more:     tieOutPayouts,
		scanned:  "stripe_match/scanned_balance",
		outcomes: "stripe_match/known_transactions",
	}.reconcile(ctx, n, s)
}

// payoutRow is a payout as of the night, with the sums of its transactions.
type payoutRow struct {
	PayoutID      string
	Currency      string
	Status        string
	Automatic     bool
	Method        string
	Type          string
	CreatedAt     time.Time
	ArrivalDate   reconcile.Date
	AmountMinor   int64
	Itemised      bool
	InScan        bool
	Overdue       bool
	OwnMinor      int64
	ReturnedMinor int64
	Transactions  int64
	GrossMinor    int64
	FeeMinor      int64
	NetMinor      int64
}

func tieOutPayouts(ctx context.Context, tx *postgres.Tx) error {
	var rows []payoutRow
	if err := tx.Select(ctx, &rows, "stripe_match/payout_facts", nil); err != nil {
		return err
	}
	var payouts []postgres.Args
	var checks []stripeCheck
	for _, p := range rows {
		tieOut, residual, why := reconcile.TieOutPayout(reconcile.PayoutFacts{
			Status: p.Status, Automatic: p.Automatic, AmountMinor: p.AmountMinor, OwnMinor: p.OwnMinor, ReturnedMinor: p.ReturnedMinor,
			Itemised: p.Itemised, NetMinor: p.NetMinor, Overdue: p.Overdue,
		})
		payouts = append(payouts, postgres.Args{
			"payout_id": p.PayoutID, "currency": p.Currency, "status": p.Status, "automatic": p.Automatic,
			"method": p.Method, "type": p.Type, "created_at": p.CreatedAt, "arrival_date": p.ArrivalDate, "amount_minor": p.AmountMinor,
			"transactions": p.Transactions, "gross_minor": p.GrossMinor, "fee_minor": p.FeeMinor, "net_minor": p.NetMinor,
			"returned_minor": p.ReturnedMinor, "residual_minor": residual, "tie_out": tieOut,
		})
		check := stripeCheck{
			Control: "payouts", Again: !p.InScan, SubjectID: p.PayoutID, Since: p.CreatedAt, awaiting: tieOut == reconcile.TieOutAwaiting, AmountMinor: p.AmountMinor, Currency: p.Currency,
		}
		if !p.InScan {
			check.Currency = ""
		}
		if tieOut == reconcile.TieOutResidual {
			check.Kind, check.Field = reconcile.PayoutResidual, "amount_minor"
			check.Ours, check.Theirs = strconv.FormatInt(p.AmountMinor, 10), strconv.FormatInt(p.AmountMinor-residual, 10)
			check.Variance, check.Unit, check.Detail = residual, p.Currency, why
		}
		checks = append(checks, check)
	}
	if err := postgres.WriteRows(ctx, tx, "stripe_match/add_payouts", nil, payouts); err != nil {
		return err
	}
	return addChecks(ctx, tx, checks)
}

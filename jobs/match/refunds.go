package match

import (
	"context"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// matchRefunds reconciles refunds three ways: the money at Stripe, the credits in the ledger, and what the policy allows. What it has approved
// has to be paid.
func (s *Stripe) matchRefunds(ctx context.Context, n *night.Night) (night.Counts, error) {
	unpaid, err := unpaidArgs(n)
	if err != nil {
		return nil, err
	}
	return stripeJob{
		name: "match-refunds",
		scopes: []stripeScope{
			{"refunds", "stripe_match/refund_candidates", "refund", "stripe_match/judge_refunds", goneNever},
			{"ledger_refunds", "stripe_match/refunded_purchase_candidates", "purchase", "stripe_match/judge_refunded_purchases", goneNever},
			{"approved_refunds", "stripe_match/approved_candidates", "refund_request", "stripe_match/judge_approved", goneNever},
		},
		scanned: "stripe_match/scanned_refunds",
		args:    unpaid,
		facts:   deniedRefunds,
	}.reconcile(ctx, n, s)
}

// deniedRefunds are the refunds that were made against the denial of a request.
func deniedRefunds(ctx context.Context, tx *postgres.Tx) (postgres.Args, error) {
	var rows []struct {
		RefundID    string
		RequestID   string
		RequestedAt time.Time
		At          time.Time
		AmountMinor int64
		Credits     int64
	}
	if err := tx.Select(ctx, &rows, "stripe_match/denied_refunds", nil); err != nil {
		return nil, err
	}
	denied := []string{}
	for len(rows) > 0 { // a refund's movements by a request come together
		first, of := rows[0], 0
		var movements []reconcile.RefundMovement
		for ; of < len(rows) && rows[of].RefundID == first.RefundID && rows[of].RequestID == first.RequestID; of++ {
			movements = append(movements, reconcile.RefundMovement{At: rows[of].At, AmountMinor: rows[of].AmountMinor, Credits: rows[of].Credits})
		}
		if reconcile.DenialHolds(first.RequestedAt, movements) {
			denied = append(denied, first.RefundID)
		}
		rows = rows[of:]
	}
	return postgres.Args{"denied": denied}, nil
}

// approvedWithin is for how many days approved refunds are looked at every night; older ones while nothing was ever refunded, or when
// something happens to their payment.
const approvedWithin = 60

// unpaidArgs say through which night approvals are overdue, by the calendar of the policy version that each was decided by.
func unpaidArgs(n *night.Night) (postgres.Args, error) {
	var versions, through []string
	for _, version := range n.Policies.Versions() {
		isHoliday, err := calendar.ByName(version.HolidayCalendar)
		if err != nil {
			return nil, err
		}
		last, err := reconcile.OverdueThrough(n.Date, reconcile.RefundBusinessDays, isHoliday)
		if err != nil {
			return nil, fmt.Errorf("policy version %s: %w", version.Version, err)
		}
		versions, through = append(versions, version.Version), append(through, last.String())
	}
	return postgres.Args{"versions": versions, "overdue_through": through, "approved_since": n.Date.AddDays(-approvedWithin)}, nil
}

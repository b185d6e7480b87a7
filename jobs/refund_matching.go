package jobs

import "context"

// matchRefunds reconciles refunds three ways: the money at Stripe, the credits in the ledger, and what the policy allows.
func (n *Night) matchRefunds(ctx context.Context) (Counts, error) {
	return stripeJob{
		name: "match-refunds",
		scopes: []stripeScope{
			{"refunds", "stripe_match/refund_candidates", "refund", "stripe_match/judge_refunds", ""},
			{"refunded purchases", "stripe_match/refunded_purchase_candidates", "purchase", "stripe_match/judge_refunded_purchases", ""},
		},
		scanned: "stripe_match/scanned_refunds",
	}.reconcile(ctx, n)
}

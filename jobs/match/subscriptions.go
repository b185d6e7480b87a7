package match

import (
	"context"

	"github.com/hummingbytes/reconciler/jobs/night"
)

// Subscriptions compares subscription charges, changes and access with clause 4.
func (s *Stripe) Subscriptions(ctx context.Context, n *night.Night) (night.Counts, error) {
	return stripeJob{
		name: "subscriptions",
		scopes: []stripeScope{
			// The first is the one that subscription_checks has its rows of.
			{"subscriptions", "stripe_match/subscription_candidates", "subscription", "stripe_match/judge_access", goneOwn},
			{"plan_changes", "stripe_match/change_candidates", "subscription_change", "stripe_match/judge_changes", goneAgain},
			{"invoices", "stripe_match/invoice_candidates", "invoice", "stripe_match/judge_invoices", goneNever},
			{"subscription_refunds", "stripe_match/subscription_refund_candidates", "refund", "stripe_match/judge_subscription_refunds", goneNever},
		},
		scanned: "stripe_match/scanned_subscriptions",
		record:  "stripe_match/record_subscriptions",
	}.reconcile(ctx, n, s)
}

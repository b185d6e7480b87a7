package match

import (
	"context"

	"github.com/hummingbytes/reconciler/jobs/night"
)

// matchCharges reconciles the platform's purchases with Stripe's charges, both ways.
func (s *Stripe) matchCharges(ctx context.Context, n *night.Night) (night.Counts, error) {
	return stripeJob{
		name: "match-charges",
		scopes: []stripeScope{
			{"purchases", "stripe_match/purchase_candidates", "purchase", "stripe_match/judge_purchases", goneAgain},
			{"charges", "stripe_match/charge_candidates", "charge", "stripe_match/judge_charges", goneNever},
		},
		scanned: "stripe_match/scanned_charges",
	}.reconcile(ctx, n, s)
}

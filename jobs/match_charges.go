package jobs

import "context"

// matchCharges reconciles purchases with their charges at Stripe.
func (n *Night) matchCharges(ctx context.Context) (Counts, error) { return Counts{}, nil }

// Package match compares: jobs with their debits, purchases with their grants, and both with Stripe's charges, refunds, disputes, subscriptions and
// payouts.
package match

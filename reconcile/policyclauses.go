package reconcile

// Clause is one numbered statement of the refund policy. Decisions cite clauses by ID.
type Clause struct {
	// ID is the section's number ("1"), or section and bullet ("2.3"). Bullets are
	// numbered in the order in which the policy lists them.
	ID string
	// Section is the heading that the clause stands under.
	Section string
	// Text is the policy's own wording; for a section that consists of bullets, its heading.
	Text string
}

// The clauses that decisions cite. Their words are in the table that Clauses returns.
const (
	ClauseFinalSale             = "1"   // purchases are final, except as the policy says
	ClauseUnusedCredits         = "2.1" // unused credits may be refunded within 7 days
	ClauseOriginalMethod        = "2.2" // to the original payment method, minus fees
	ClauseLateOrUsed            = "2.3" // after 7 days, or once used, no refund
	ClauseFailedJobs            = "3"   // which of the two bullets holds is still open
	ClauseSystemFailure         = "3.1" // our fault: the compute costs are credited back
	ClauseUserError             = "3.2" // the user's error: credits stay used
	ClauseSubscriptionFinal     = "4.1" // subscription fees are non-refundable
	ClauseSubscriptionCancel    = "4.2" // access until the period ends, nothing prorated
	ClauseSubscriptionChange    = "4.3" // downgrades at the cycle's end, upgrades at once
	ClauseChargebackSuspension  = "5.1" // a chargeback may suspend the account
	ClauseChargebackReinstating = "5.2" // what reinstatement may require
	ClauseRequest               = "6"   // what a request names, review and notification
)

const (
	sectionGeneral       = "General Refund Guidelines"
	sectionUnusedCredits = "Refunds for Unused Credits"
	sectionFailedJobs    = "Failed or Interrupted Jobs"
	sectionSubscriptions = "Subscription Charges"
	sectionChargebacks   = "Chargebacks and Disputes"
	sectionRequests      = "How to Request a Refund"
	sectionUpdates       = "Policy Updates"
)

// Clauses returns the numbered statements of the refund policy in their order, word for word but for the contact address.
func Clauses() []Clause {
	return []Clause{
		{ClauseFinalSale, sectionGeneral, "All purchases on our platform are final and non-refundable, except as outlined below. This includes credits purchased for fine-tuning models (e.g., Flux.1-dev, Qwen Image, Wan2.2) or generating assets (images/videos). We do not offer refunds for partially used credits or completed services, as these involve irreversible compute resources."},
		{"2", sectionUnusedCredits, sectionUnusedCredits},
		{ClauseUnusedCredits, sectionUnusedCredits, "If you purchase credits and have not used any of them, you may request a refund within 7 days of purchase."},
		{ClauseOriginalMethod, sectionUnusedCredits, "Refunds will be processed to your original payment method, minus any transaction fees (e.g., Stripe processing fees)."},
		{ClauseLateOrUsed, sectionUnusedCredits, "After 7 days or once any credits are used (e.g., for a fine-tuning job or asset generation), no refunds will be issued."},
		{ClauseFailedJobs, sectionFailedJobs, sectionFailedJobs},
		{ClauseSystemFailure, sectionFailedJobs, "If a fine-tuning or asset generation job fails due to a system error or infrastructure issue on our side, we will credit back the associated compute costs."},
		{ClauseUserError, sectionFailedJobs, "If a job is interrupted or fails due to user error (e.g., invalid data, non-compliant prompts), credits used will not be refunded."},
		{"4", sectionSubscriptions, sectionSubscriptions},
		{ClauseSubscriptionFinal, sectionSubscriptions, "Subscription fees are non-refundable once the billing cycle has started."},
		{ClauseSubscriptionCancel, sectionSubscriptions, "If you cancel a subscription, you will continue to have access to the subscription features until the end of the current billing period. No prorated refunds are provided for partial months."},
		{ClauseSubscriptionChange, sectionSubscriptions, "Downgrades take effect at the end of the billing cycle. Upgrades are charged immediately and are non-refundable."},
		{"5", sectionChargebacks, sectionChargebacks},
		{ClauseChargebackSuspension, sectionChargebacks, "If you initiate a chargeback with your payment provider, your account may be suspended while we investigate."},
		{ClauseChargebackReinstating, sectionChargebacks, "If the chargeback is resolved in our favor, any reinstatement of your account may require repayment of disputed amounts and applicable fees."},
		{ClauseRequest, sectionRequests, "To request a refund for unused credits or a failed job (as permitted above), contact us with: your account email; purchase date and amount; job ID or invoice ID; reason for the refund request. We review requests within 7 business days and will notify you of the outcome. Approved refunds are processed to the original payment method."},
		{"7", sectionUpdates, "We may update this Refund Policy from time to time. Material changes will be communicated via email or in-app notifications."},
	}
}

// ClauseByID returns the clause with this id, and whether there is one.
func ClauseByID(id string) (Clause, bool) {
	for _, c := range Clauses() {
		if c.ID == id {
			return c, true
		}
	}
	return Clause{}, false
}

package reconcile

import (
	"maps"
	"slices"
)

// Severity grades a break: info needs no action, warning wants a look, error is money or credits that are wrong.
type Severity string

const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Rank orders severities: info 0, warning 1, error 2.
func (s Severity) Rank() int { return slices.Index([]Severity{Info, Warning, Error}, s) }

// BreakKind names a difference between two records, or between a record and the policy.
type BreakKind string

// The kinds, by the job of the night that finds them.
const (
	JobWithoutDebit      BreakKind = "job_without_debit"
	DebitWithoutJob      BreakKind = "debit_without_job"
	DebitAmountMismatch  BreakKind = "debit_amount_mismatch"
	DuplicateDebit       BreakKind = "duplicate_debit"
	DebitAccountMismatch BreakKind = "debit_account_mismatch"
	CreditBackUnfounded  BreakKind = "credit_back_unfounded"
	CreditBackExceeds    BreakKind = "credit_back_exceeds_debit"
	FailureUnclassified  BreakKind = "failure_unclassified"
	JobStuck             BreakKind = "job_stuck"

	PurchaseWithoutGrant BreakKind = "purchase_without_grant"
	GrantWithoutPurchase BreakKind = "grant_without_purchase"
	GrantAmountMismatch  BreakKind = "grant_amount_mismatch"
	DuplicateGrant       BreakKind = "duplicate_grant"
	NegativeBalance      BreakKind = "negative_balance"
	LateItem             BreakKind = "late_item"

	PurchaseMissingAtStripe BreakKind = "purchase_missing_at_stripe"
	ChargeAmountMismatch    BreakKind = "charge_amount_mismatch"
	ChargeCurrencyMismatch  BreakKind = "charge_currency_mismatch"
	ChargeStatusMismatch    BreakKind = "charge_status_mismatch"
	ChargeMissingInPlatform BreakKind = "charge_missing_in_platform"
	DuplicateCharge         BreakKind = "duplicate_charge"

	RefundMissingInLedger BreakKind = "refund_missing_in_ledger"
	RefundAmountMismatch  BreakKind = "refund_amount_mismatch"
	RefundFailed          BreakKind = "refund_failed"
	RefundAgainstPolicy   BreakKind = "refund_against_policy"
	RefundMissingAtStripe BreakKind = "refund_missing_at_stripe"
	RefundStuck           BreakKind = "refund_stuck"
	ReviewOverdue         BreakKind = "review_overdue"
	RefundUnpaid          BreakKind = "refund_unpaid"

	DisputeAccountActive BreakKind = "dispute_account_active"
	DisputedAndRefunded  BreakKind = "disputed_and_refunded"
	DisputeResidual      BreakKind = "dispute_residual"

	BalanceResidual          BreakKind = "balance_residual"
	PayoutResidual           BreakKind = "payout_residual"
	UnknownReportingCategory BreakKind = "unknown_reporting_category"

	SubscriptionRefunded BreakKind = "subscription_refunded"
	SubscriptionProrated BreakKind = "subscription_prorated"
	UpgradeNotCharged    BreakKind = "upgrade_not_charged"
	DowngradeEarly       BreakKind = "downgrade_early"
	AccessEndedEarly     BreakKind = "access_ended_early"
	AccessOutlastsPeriod BreakKind = "access_outlasts_period"
)

// BreakRule is what is fixed about a kind of break.
type BreakRule struct {
	Kind        BreakKind
	Severity    Severity
	SubjectType string // what the subject id is an id of
	Between     string // the two records that differ
	Meaning     string // one sentence for the reader of a report
	Action      string // what to do about it
}

// FaultValues are those of a break's values that say what is wrong. The others move from night to night though nothing has happened: they
// tell the fault's age, or two totals of which only the difference is at fault.
type FaultValues struct{ Ours, Theirs, Variance bool }

// movingValues are the kinds of which not every value says what is wrong.
var movingValues = map[BreakKind]FaultValues{
	ReviewOverdue:        {Theirs: true},               // the due date; today's date and the days over it go on
	AccessOutlastsPeriod: {Ours: true, Theirs: true},   // the seconds past the period go on while access does
	BalanceResidual:      {Variance: true},             // both balances move, the residual is what is wrong
	DisputeAccountActive: {Ours: true, Variance: true}, // the dispute goes its way; the account's status is what is wrong
}

// FaultValues are the values by which a break that a person has resolved is the same fault still: while they stay what they were it stays
// resolved, and when one of them changes it opens again.
func (k BreakKind) FaultValues() FaultValues {
	if values, ok := movingValues[k]; ok {
		return values
	}
	return FaultValues{Ours: true, Theirs: true, Variance: true}
}

// What a person may say became of a break.
const (
	ResolvedCorrected  = "corrected"   // put right, elsewhere than where the worker would see it
	ResolvedAccepted   = "accepted"    // it stays as it is
	ResolvedWrittenOff = "written_off" // it stays as it is, and what is missing is not to come
)

// BreakRules is the catalogue of all kinds, in the order reports show them.
var BreakRules = []BreakRule{
	{JobWithoutDebit, Error, "job", "jobs and ledger", "A finished job that costs credits was never debited.", "Debit the job, or set its cost to 0 if it was free."},
	{DebitWithoutJob, Error, "job", "jobs and ledger", "Credits were debited for a job that does not exist.", "Find the job, or give the credits back by an adjustment that names the subject as its job."},
	{DebitAmountMismatch, Error, "job", "jobs and ledger", "The job's net debits differ from its cost.", "Correct the job's cost; or debit what is missing, or give the surplus back by an adjustment that names the job."},
	{DuplicateDebit, Error, "job", "jobs and ledger", "The job was debited more than once.", "Give the surplus back by an adjustment that names the job."},
	{DebitAccountMismatch, Error, "job", "jobs and ledger", "The job was debited to another account than the one that ran it.", "Give the credits back to the account that was debited, by an adjustment that names the job, and debit the job's account with what it lacks."},
	{CreditBackUnfounded, Error, "job", "jobs and ledger", "Credits were given back for a job that did not fail through our fault.", "Reverse the variance by a negative adjustment that names the subject as its job, or correct the job's failure code."},
	{CreditBackExceeds, Error, "job", "jobs and ledger", "More credits were given back for the job than were debited.", "Reverse the surplus by a negative adjustment that names the job."},
	{FailureUnclassified, Warning, "job", "jobs and ledger", "The policy's failure table does not know this failure code.", "Give the code a class in the policy; the job is then credited back, or not, by the next night."},
	{JobStuck, Warning, "job", "jobs and ledger", "The job has been queued or running for too long.", "Find out what holds it; finish or fail it."},

	{PurchaseWithoutGrant, Error, "purchase", "purchases and ledger", "A completed purchase whose credits were never granted.", "Grant the credits, or refund the purchase."},
	{GrantWithoutPurchase, Error, "purchase", "purchases and ledger", "Credits were granted for a purchase that does not exist or is not completed.", "Find the purchase, or take the credits back by a negative adjustment that names the subject as its purchase."},
	{GrantAmountMismatch, Error, "purchase", "purchases and ledger", "The credits granted differ from those purchased.", "Correct the grant by an adjustment of the variance that names the purchase, on the account that it is wrong on."},
	{DuplicateGrant, Error, "purchase", "purchases and ledger", "The purchase's credits were granted more than once.", "Take the surplus back by a negative adjustment that names the purchase."},
	{NegativeBalance, Error, "account", "purchases and ledger", "The account has used more credits than it has.", "Find out how it could; suspend or bill the account."},
	{LateItem, Info, "credit_entry", "purchases and ledger", "The entry turned up in a period that had been reported; it is booked in this one.", "None, unless it should not have been late."},

	{PurchaseMissingAtStripe, Error, "purchase", "purchases and Stripe", "A completed purchase has no charge at Stripe.", "Find the payment, outside of Stripe where the detail says so; without one, set the purchase to failed and take the credits back by an adjustment that names it."},
	{ChargeAmountMismatch, Error, "purchase", "purchases and Stripe", "The charge's amount differs from the purchase's.", "Correct the purchase, or refund or collect the variance."},
	{ChargeCurrencyMismatch, Error, "purchase", "purchases and Stripe", "The charge's currency differs from the purchase's.", "Correct the purchase's currency and amount."},
	{ChargeStatusMismatch, Error, "purchase", "purchases and Stripe", "Platform and Stripe disagree on whether the payment succeeded.", "Trust Stripe: complete the purchase and grant its credits, or set it failed and take them out with an entry of kind refund that names it."},
	{ChargeMissingInPlatform, Error, "charge", "purchases and Stripe", "Stripe took money that no purchase accounts for.", "Find the customer; grant the credits or refund the charge."},
	{DuplicateCharge, Error, "charge", "purchases and Stripe", "The customer was charged again for the same purchase.", "Refund the surplus charge."},

	{RefundMissingInLedger, Error, "refund", "refunds", "Money went back, but the credits are still there.", "Take the credits out of the account by a refund entry."},
	{RefundAmountMismatch, Error, "refund", "refunds", "The refund is not the amount paid less Stripe's fees.", "Collect or pay the variance."},
	{RefundFailed, Error, "refund", "refunds", "The refund failed at Stripe; the money is back with us.", "Pay the customer another way, or give the credits back by a refund_reversal."},
	{RefundAgainstPolicy, Error, "refund", "refunds", "A refund that the policy does not allow, or a plan of refunds that a breaker stopped.", "Find out who made the refund and why, and note the reason; look at the plan, then execute or cancel it."},
	{RefundMissingAtStripe, Error, "purchase", "refunds", "The credits were taken for a refund, but no money went back.", "Refund the charge, or give the credits back by a refund_reversal."},
	{RefundStuck, Error, "refund", "refunds", "The refund has been pending at Stripe for too long; the customer has neither credits nor money.", "Look at it in Stripe's dashboard: top the balance up, or cancel it and refund another way."},
	{ReviewOverdue, Warning, "refund_request", "refunds", "The request has waited longer than the policy's 7 business days.", "Decide it today and tell the customer."},
	{RefundUnpaid, Error, "refund_request", "refunds", "The refund was approved 7 business days ago, and no money has gone back.", "Plan the refund and execute it, or refund by hand what was disputed, which no plan does; what can't be refunded any more, deny on the platform and tell the customer."},

	{DisputeAccountActive, Warning, "dispute", "disputes", "A chargeback is open and the account is not suspended.", "Review the account; the policy allows suspending it."},
	{DisputedAndRefunded, Error, "charge", "disputes", "The charge was both refunded and lost to a dispute, or is about to be.", "Submit the refund as evidence at once."},
	{DisputeResidual, Error, "dispute", "disputes", "The money that moved for the dispute is not what its status calls for, and has had time to.", "Ask Stripe for the money, or for what explains it; it clears once the balance transactions are right. What stays explained otherwise, book by hand and resolve."},

	{BalanceResidual, Error, "currency", "Stripe's own books", "Stripe's balance is not what its transactions add up to.", "Sync again; if it stays, ask Stripe."},
	{PayoutResidual, Error, "payout", "Stripe's own books", "The payout's transactions don't add up to its amount.", "Book the residual by hand once it is explained."},
	{UnknownReportingCategory, Warning, "balance_transaction", "Stripe's own books", "Stripe reports a category that the worker does not know.", "Map the category; until then it is shown apart."},

	{SubscriptionRefunded, Warning, "refund", "subscriptions", "A subscription charge was refunded; the policy calls it non-refundable.", "Find out who made the refund and why. Where it stays, take out what credits the charge had, with an entry of kind refund that names its purchase, and resolve."},
	{SubscriptionProrated, Warning, "invoice", "subscriptions", "An invoice gives credit for part of a period; the policy knows no proration.", "Turn proration off for the change that made it."},
	{UpgradeNotCharged, Error, "subscription_change", "subscriptions", "An upgrade took effect without being charged at once.", "Invoice the upgrade."},
	{DowngradeEarly, Warning, "subscription_change", "subscriptions", "A downgrade took effect before the cycle ended.", "Restore the plan until the cycle ends."},
	{AccessEndedEarly, Error, "subscription", "subscriptions", "Access ends before the paid period does.", "Restore access until the period ends."},
	{AccessOutlastsPeriod, Warning, "subscription", "subscriptions", "Access lasts past the paid period.", "End the access, or invoice the next period."},
}

var breakRuleByKind = func() map[BreakKind]BreakRule {
	rules := make(map[BreakKind]BreakRule, len(BreakRules))
	for _, rule := range BreakRules {
		rules[rule.Kind] = rule
	}
	return rules
}()

// BreakKinds are all of them, in alphabetical order.
func BreakKinds() []BreakKind { return slices.Sorted(maps.Keys(breakRuleByKind)) }

// Rule is the catalogue's entry of a kind; ok is false for a kind that isn't in it.
func (k BreakKind) Rule() (rule BreakRule, ok bool) {
	rule, ok = breakRuleByKind[k]
	return rule, ok
}

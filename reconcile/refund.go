package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RequestKind is what a refund request is about.
type RequestKind string

// The kinds of refund requests.
const (
	RequestUnusedCredits RequestKind = "unused_credits"
	RequestFailedJob     RequestKind = "failed_job"
)

// RequestStatus is what the platform says of a refund request.
type RequestStatus string

// The platform's states of a refund request.
const (
	RequestPending   RequestStatus = "pending"
	RequestApproved  RequestStatus = "approved"
	RequestDenied    RequestStatus = "denied"
	RequestWithdrawn RequestStatus = "withdrawn"
)

// Decision is what is decided about a refund request.
type Decision string

const (
	// DecisionApprove is final: the refund is due.
	DecisionApprove Decision = "approve"
	// DecisionDeny is final: no refund.
	DecisionDeny Decision = "deny"
	// DecisionNeedsInformation: the request does not say which purchase or job it means.
	DecisionNeedsInformation Decision = "needs_information"
	// DecisionWaiting: something that decides it is not known yet.
	DecisionWaiting Decision = "waiting"
)

// Final reports whether a decision once made stays.
func (d Decision) Final() bool { return d == DecisionApprove || d == DecisionDeny }

// ReasonCode identifies a reason for machines.
type ReasonCode string

// Reasons of refund decisions.
const (
	ReasonUnusedInTime       ReasonCode = "unused_in_time"
	ReasonFeeWithheld        ReasonCode = "fee_withheld"
	ReasonFeeAboveAmount     ReasonCode = "fee_exceeds_amount"
	ReasonNothingPaid        ReasonCode = "nothing_paid"
	ReasonWithdrawn          ReasonCode = "withdrawn"
	ReasonDecidedOnPlatform  ReasonCode = "decided_on_platform"
	ReasonApprovedOnPlatform ReasonCode = "approved_on_platform"
	ReasonNotCompleted       ReasonCode = "purchase_not_completed"
	ReasonNotCredits         ReasonCode = "not_a_credit_purchase"
	ReasonRequestedLate      ReasonCode = "requested_late"
	ReasonCreditsUsed        ReasonCode = "credits_used"
	ReasonDisputed           ReasonCode = "disputed"
	ReasonRefundedBefore     ReasonCode = "refunded_before"
	ReasonAnsweredByRefund   ReasonCode = "answered_by_refund"
	ReasonBeforePolicy       ReasonCode = "before_the_policy"
	ReasonFeeUnknown         ReasonCode = "fee_unknown"
	ReasonPaymentOpen        ReasonCode = "payment_open"
	ReasonPaymentDiffers     ReasonCode = "payment_differs"
	ReasonPaidOutOfBand      ReasonCode = "paid_out_of_band"
	ReasonPaidFromBalance    ReasonCode = "paid_from_balance"
	ReasonPurchaseNotFound   ReasonCode = "purchase_not_found"
	ReasonPurchaseAmbiguous  ReasonCode = "purchase_ambiguous"
	ReasonJobNotFound        ReasonCode = "job_not_found"
	ReasonOtherAccount       ReasonCode = "other_account"
	ReasonEmailUnknown       ReasonCode = "email_unknown"
	ReasonEmailOfAnother     ReasonCode = "email_of_another_account"
	ReasonNoReason           ReasonCode = "no_reason_given"
	ReasonCreditedAsCredits  ReasonCode = "credited_as_credits"
	ReasonNothingDebited     ReasonCode = "nothing_debited"
	ReasonUserFailure        ReasonCode = "user_failure"
	ReasonJobCanceled        ReasonCode = "job_canceled"
	ReasonJobSucceeded       ReasonCode = "job_succeeded"
	ReasonJobUnfinished      ReasonCode = "job_unfinished"
	ReasonClassUnknown       ReasonCode = "failure_unclassified"
)

// Reason is one reason of a decision, with the clause it rests on.
type Reason struct {
	Code   ReasonCode
	Clause string
	// Text is a sentence in plain words, fit for the customer.
	Text string
}

// PurchaseKind is what was bought.
type PurchaseKind string

// The kinds of purchases.
const (
	PurchaseCredits      PurchaseKind = "credits"
	PurchaseSubscription PurchaseKind = "subscription"
)

// PurchaseStatus is the platform's state of a purchase.
type PurchaseStatus string

// The platform's purchase states.
const (
	PurchasePending   PurchaseStatus = "pending"
	PurchaseCompleted PurchaseStatus = "completed"
	PurchaseFailed    PurchaseStatus = "failed"
)

// StatedFacts says which of the things that clause 6 asks for a request names.
type StatedFacts struct {
	AccountEmail bool
	PurchaseID   bool
	InvoiceID    bool
	JobID        bool
	Date         bool
	Amount       bool
	Currency     bool
	Reason       bool
}

// StatedDifferences says which of a request's details are not those of the purchase that comes nearest to it.
type StatedDifferences struct {
	Date     bool
	Amount   bool
	Currency bool
}

// PurchaseFacts is the one purchase that a request is about, as of the decision.
type PurchaseFacts struct {
	ID          string
	Kind        PurchaseKind
	Status      PurchaseStatus
	AmountMinor int64
	Currency    string
	// CompletedAt is zero while the purchase is not completed.
	CompletedAt time.Time
	// ExpiresAt is the last instant for a request; see PolicyVersion.WindowExpiresAt.
	ExpiresAt time.Time
	// Credits of the purchase, and how many of them are used; see Used.
	Credits     int64
	UsedCredits int64
	// Disputed: it is or was disputed, however that ended; a refund on top might pay it back twice.
	Disputed bool
	// RefundedBefore: some or all of it was refunded before the request was made; see AnswerTo.
	RefundedBefore bool
	// Payment is what its payment brought and cost.
	Payment Payment
	// OtherAccount: the purchase belongs to another account than the request.
	OtherAccount bool
}

// JobFacts is the one job that a request is about, as of the decision.
type JobFacts struct {
	ID             string
	Status         JobStatus
	Classification Classification
	// DebitedCredits net of reversals, from the account that ran the job; CreditedCredits is what credit-backs returned.
	DebitedCredits  int64
	CreditedCredits int64
	// DebitedElsewhere is what other accounts were debited for the job by mistake, net of reversals.
	DebitedElsewhere int64
	// OtherAccount: the job belongs to another account than the request.
	OtherAccount bool
}

// RefundFacts is all that the decision about a refund request follows from.
type RefundFacts struct {
	Kind   RequestKind
	Status RequestStatus
	// StatusSince is when the platform gave the request its status; zero: not known.
	StatusSince time.Time
	RequestedAt time.Time
	// Answer is the refund of the purchase that was made after the request; nil: none was. Purchase is as of its instant then.
	Answer *RefundAnswer
	Stated StatedFacts
	// EmailUnknown: no account has the e-mail address that the request names. EmailOfAnother: accounts have it, but not the one that
	// the request is of.
	EmailUnknown   bool
	EmailOfAnother bool
	// PurchaseMatches is how many purchases fit what the request says; Purchase is the one
	// if it is exactly 1. For requests about unused credits.
	PurchaseMatches int
	Purchase        *PurchaseFacts
	// HasPurchases: the account has completed purchases at all. Nearest is about the one among them that comes nearest to what the
	// request states. Both matter where none fits.
	HasPurchases bool
	Nearest      StatedDifferences
	// Job is nil where no job has the id that the request names. For requests about failed jobs.
	Job *JobFacts
	// BeforePolicy: the purchase was completed, or the job finished, before the first version of the policy.
	BeforePolicy bool
}

// RefundDecision is the decision about a refund request. It is a pure consequence of the facts.
type RefundDecision struct {
	Decision Decision
	// RefundMinor is the money to pay back, in minor units of Currency: 0 unless approved,
	// and 0 for failed jobs, whose costs come back as credits.
	RefundMinor int64
	// FeeMinor is what is withheld of the amount paid; 0 unless approved.
	FeeMinor int64
	Currency string
	// Clauses that the reasons rest on: sorted, each once.
	Clauses []string
	// Reasons: every one that applies, in a fixed order.
	Reasons []Reason
	// Missing is what the customer has to tell before the request can be decided.
	Missing []string
	// Answer is the refund that has been made already, whatever the policy says of it; nil: none.
	Answer *RefundAnswer
}

// DecideRefund decides a refund request by clauses 1, 2, 3, 5 and 6.
//
// A denial lists every reason that applies. What only waits, or needs information, never
// hides a denial that is certain already.
func DecideRefund(f RefundFacts) RefundDecision {
	var d RefundDecision
	switch f.Kind {
	case RequestFailedJob:
		d = decideFailedJob(f)
	default:
		d = decideUnusedCredits(f)
	}
	if d.Answer = f.Answer; d.Answer != nil {
		d.Reasons = append(d.Reasons, Reason{ReasonAnsweredByRefund, ClauseRequest,
			fmt.Sprintf("A refund made on %s answers the request; it is judged by what was known then.", formatMoment(d.Answer.At))})
	}
	if f.Status == RequestApproved {
		d.Reasons = append(d.Reasons, Reason{ReasonApprovedOnPlatform, ClauseRequest,
			"The request was marked as approved before; the refund policy decides all the same."})
	}
	d.Clauses = clausesOf(d.Reasons)
	return d
}

// closedOnPlatform are the denials that follow from the platform's status alone. A request that was withdrawn or denied after it had been
// answered by a refund was open when that was made.
func closedOnPlatform(f RefundFacts) []Reason {
	if f.Answer != nil && !f.StatusSince.IsZero() && !f.StatusSince.Before(f.Answer.At) {
		return nil
	}
	switch f.Status {
	case RequestWithdrawn:
		return []Reason{{ReasonWithdrawn, ClauseRequest, "The request was withdrawn."}}
	case RequestDenied:
		return []Reason{{ReasonDecidedOnPlatform, ClauseRequest, "The request was denied before."}}
	default:
		return nil
	}
}

func decideUnusedCredits(f RefundFacts) RefundDecision {
	closed := closedOnPlatform(f)
	if open := unclearPurchase(f); open.missing != nil {
		return undecidable(f, open, closed)
	}
	if f.BeforePolicy {
		return undecidedBeforePolicy(closed)
	}
	p := *f.Purchase
	if denials := append(closed, purchaseDenials(p, f.RequestedAt)...); len(denials) > 0 {
		return RefundDecision{Decision: DecisionDeny, Currency: p.Currency, Reasons: denials}
	}
	if !f.Stated.Reason && f.Answer == nil { // who has been refunded isn't asked what for
		var open openQuestions
		open.askReason(f.Stated)
		return RefundDecision{Decision: DecisionNeedsInformation, Currency: p.Currency, Reasons: open.reasons, Missing: open.missing}
	}
	if waits := paymentUnclear(p); waits != nil {
		return RefundDecision{Decision: DecisionWaiting, Currency: p.Currency, Reasons: waits}
	}
	return approvePurchase(p)
}

// paymentUnclear is why the amount of a refund can't be said yet, nil when it can: nothing is guessed (clause 2.2).
func paymentUnclear(p PurchaseFacts) []Reason {
	pay := p.Payment
	because := func(code ReasonCode, text string) []Reason { return []Reason{{code, ClauseOriginalMethod, text}} }
	_, _, err := pay.Refundable()
	switch {
	case p.AmountMinor <= 0:
		return nil
	case pay.Currency == "" && pay.PaidOutOfBand:
		return because(ReasonPaidOutOfBand, fmt.Sprintf("Invoice %s was marked as paid outside of Stripe: there is no payment that could be refunded.", pay.InvoiceID))
	case pay.Currency == "" && pay.Covers(p.AmountMinor, p.Currency):
		return nil
	case pay.Open:
		return because(ReasonPaymentOpen, fmt.Sprintf("More of the payment may still be captured than the %s so far.", FormatMinor(pay.CapturedMinor, pay.Currency)))
	case !pay.Known || err != nil:
		return because(ReasonFeeUnknown, "The transaction fee of the payment is not known yet.")
	case !pay.Covers(p.AmountMinor, p.Currency):
		return because(ReasonPaymentDiffers, fmt.Sprintf("The payment of %s is not the purchase's %s; somebody has to look into that first.",
			FormatMinor(pay.CapturedMinor, pay.Currency), FormatMinor(p.AmountMinor, p.Currency)))
	}
	return nil
}

func approvePurchase(p PurchaseFacts) RefundDecision {
	paid := p.Payment.PaidMinor()
	refund, fee, _ := p.Payment.Refundable() // paymentUnclear has asked
	if p.AmountMinor <= 0 {
		paid, refund, fee = 0, 0, 0
	}
	d := RefundDecision{
		Decision:    DecisionApprove,
		RefundMinor: refund,
		FeeMinor:    fee,
		Currency:    p.Currency,
		Reasons: []Reason{{ReasonUnusedInTime, ClauseUnusedCredits,
			"None of the credits were used, and the request was made in time."}},
	}
	if p.AmountMinor > 0 && p.Payment.FromBalanceMinor > 0 {
		d.Reasons = append(d.Reasons, Reason{ReasonPaidFromBalance, ClauseOriginalMethod,
			fmt.Sprintf("%s of the price came from the credit balance (invoice %s) and was not paid by this payment.",
				FormatMinor(p.Payment.FromBalanceMinor, p.Currency), p.Payment.InvoiceID)})
	}
	switch {
	case paid <= 0:
		d.Reasons = append(d.Reasons, Reason{ReasonNothingPaid, ClauseOriginalMethod, "Nothing was paid for the purchase, so that there is no money to refund."})
	case d.RefundMinor == 0:
		d.Reasons = append(d.Reasons, Reason{ReasonFeeAboveAmount, ClauseOriginalMethod,
			"The transaction fees come to as much as was paid, so that nothing is left to refund."})
	case d.FeeMinor > 0:
		d.Reasons = append(d.Reasons, Reason{ReasonFeeWithheld, ClauseOriginalMethod,
			fmt.Sprintf("Of the %s paid, %s of transaction fees are not refunded.",
				FormatMinor(paid, p.Currency), FormatMinor(d.FeeMinor, p.Currency))})
	}
	return d
}

// purchaseDenials are all reasons of the policy against refunding this purchase.
func purchaseDenials(p PurchaseFacts, requestedAt time.Time) []Reason {
	var reasons []Reason
	deny := func(code ReasonCode, clause, text string) {
		reasons = append(reasons, Reason{code, clause, text})
	}
	completed := p.Status == PurchaseCompleted
	switch {
	case p.Status == PurchasePending: // a denial is final, but it is of this request alone
		deny(ReasonNotCompleted, ClauseUnusedCredits, "The purchase is not completed yet, so nothing was paid that could be refunded; once it is, a refund can be requested.")
	case !completed:
		deny(ReasonNotCompleted, ClauseUnusedCredits, "The purchase was not completed, so nothing was paid that could be refunded.")
	}
	if p.Kind == PurchaseCredits {
		if completed && !RequestInTime(requestedAt, p.ExpiresAt) {
			deny(ReasonRequestedLate, ClauseLateOrUsed,
				fmt.Sprintf("The request came too late: a refund could be requested until %s.", formatMoment(p.ExpiresAt)))
		}
		if p.UsedCredits > 0 {
			deny(ReasonCreditsUsed, ClauseLateOrUsed,
				fmt.Sprintf("Credits of this purchase were used already: %d of %d.", p.UsedCredits, p.Credits))
		}
	} else {
		deny(ReasonNotCredits, ClauseSubscriptionFinal, "Subscription fees are not refundable once the billing cycle has started.")
	}
	if p.Disputed {
		deny(ReasonDisputed, ClauseChargebackSuspension, "The payment was disputed with the payment provider.")
	}
	if p.RefundedBefore {
		deny(ReasonRefundedBefore, ClauseFinalSale, "The purchase was refunded before.")
	}
	return reasons
}

// The things a customer may have to tell; they stand in RefundDecision.Missing.
const (
	MissingAccountEmail      = "account email"
	MissingPurchaseDate      = "purchase date"
	MissingPurchaseAmount    = "purchase amount"
	MissingPurchaseCurrency  = "purchase currency"
	MissingPurchaseID        = "purchase id"
	MissingInvoiceID         = "invoice id"
	MissingReason            = "reason for the request"
	MissingJobID             = "job id"
	MissingMatchingPurchase  = "details that match a purchase of the account"
	MissingMatchingJob       = "the id of a job of the account"
	MissingAccountOfPurchase = "account email of the account that made the purchase"
	MissingAccountOfJob      = "account email of the account that ran the job"
)

// openQuestions are why a request can't be decided, and what the customer has to tell.
type openQuestions struct {
	reasons []Reason
	missing []string
}

func (o *openQuestions) ask(code ReasonCode, text string, missing ...string) {
	o.reasons = append(o.reasons, Reason{code, ClauseRequest, text})
	for _, what := range missing {
		if !slices.Contains(o.missing, what) {
			o.missing = append(o.missing, what)
		}
	}
}

func (o *openQuestions) askReason(s StatedFacts) {
	if !s.Reason {
		o.ask(ReasonNoReason, "The request gives no reason.", MissingReason)
	}
}

// askAccount questions a request that names one account and the e-mail address of another.
func (o *openQuestions) askAccount(f RefundFacts) {
	if f.EmailOfAnother {
		o.ask(ReasonEmailOfAnother, "The e-mail address that the request names belongs to another account than the request.", MissingAccountEmail)
	}
}

func (o *openQuestions) askEmail() {
	o.ask(ReasonEmailUnknown, "No account has the e-mail address that the request names.", MissingAccountEmail)
}

// undecidedBeforePolicy is the decision about what no version of the policy applies to: somebody has to make it, unless the platform has closed the
// request.
func undecidedBeforePolicy(closed []Reason) RefundDecision {
	if closed != nil {
		return RefundDecision{Decision: DecisionDeny, Reasons: closed}
	}
	return RefundDecision{Decision: DecisionWaiting, Reasons: []Reason{{ReasonBeforePolicy, ClauseRequest,
		"It is from before the first version of the refund policy that is on file; somebody has to decide."}}}
}

// undecidable is the decision about a request that doesn't say what it is about: the customer is asked, unless the platform has closed the request.
func undecidable(f RefundFacts, open openQuestions, closed []Reason) RefundDecision {
	if closed != nil {
		return RefundDecision{Decision: DecisionDeny, Reasons: closed}
	}
	open.askReason(f.Stated)
	return RefundDecision{Decision: DecisionNeedsInformation, Reasons: open.reasons, Missing: open.missing}
}

// unclearPurchase asks for what a request about unused credits lacks to mean exactly one purchase, of the account that it is of.
func unclearPurchase(f RefundFacts) (open openQuestions) {
	open.askAccount(f)
	switch {
	case f.PurchaseMatches > 1:
		missing := append(missingDetails(f.Stated), MissingInvoiceID)
		if f.Stated.InvoiceID {
			missing[len(missing)-1] = MissingMatchingPurchase
		}
		open.ask(ReasonPurchaseAmbiguous, fmt.Sprintf("What the request says fits %d purchases; it has to name the one that is meant.", f.PurchaseMatches), missing...)
	case f.PurchaseMatches < 1 || f.Purchase == nil:
		open.askPurchase(f)
	case f.Purchase.OtherAccount && f.EmailUnknown:
		open.askEmail()
	case f.Purchase.OtherAccount && !f.EmailOfAnother:
		open.ask(ReasonOtherAccount, "The purchase belongs to another account than the request.", MissingAccountOfPurchase)
	}
	return open
}

// askPurchase says why no purchase fits a request: the id that it names, else the details that are missing or differ.
func (o *openQuestions) askPurchase(f RefundFacts) {
	if f.EmailUnknown {
		o.askEmail()
	}
	switch {
	case f.Stated.PurchaseID:
		o.ask(ReasonPurchaseNotFound, "No purchase has the id that the request names.", MissingPurchaseID)
		return
	case f.Stated.InvoiceID:
		o.ask(ReasonPurchaseNotFound, "No purchase has the invoice id that the request names.", MissingInvoiceID)
		return
	}
	missing := missingDetails(f.Stated)
	differs := differingDetails(f.Nearest)
	if len(differs)+len(missing) == 3 && len(differs) > 0 {
		differs = nil // there is nothing near about it
	}
	switch {
	case f.EmailUnknown || f.EmailOfAnother: // nobody's purchases were looked at
		o.missing = append(o.missing, missing...)
	case len(missing) > 0 && len(differs) == 0:
		o.ask(ReasonPurchaseNotFound, "The request does not say enough to find the purchase.", missing...)
	case len(differs) > 0:
		o.ask(ReasonPurchaseNotFound, "No purchase of the account fits what the request says. The nearest one has another "+strings.Join(differs, " and another ")+".",
			slices.Concat(missing, differs)...)
	case !f.HasPurchases:
		o.ask(ReasonPurchaseNotFound, "The account has no completed purchase.", MissingMatchingPurchase)
	default:
		o.ask(ReasonPurchaseNotFound, "No purchase of the account fits what the request says.", MissingMatchingPurchase)
	}
}

func differingDetails(d StatedDifferences) []string {
	var names []string
	for _, detail := range []struct {
		differs bool
		name    string
	}{
		{d.Date, MissingPurchaseDate},
		{d.Amount, MissingPurchaseAmount},
		{d.Currency, MissingPurchaseCurrency},
	} {
		if detail.differs {
			names = append(names, detail.name)
		}
	}
	return names
}

func missingDetails(s StatedFacts) []string {
	var missing []string
	for _, detail := range []struct {
		stated bool
		name   string
	}{
		{s.AccountEmail, MissingAccountEmail},
		{s.Date, MissingPurchaseDate},
		{s.Amount, MissingPurchaseAmount},
		{s.Currency, MissingPurchaseCurrency},
	} {
		if !detail.stated {
			missing = append(missing, detail.name)
		}
	}
	return missing
}

func decideFailedJob(f RefundFacts) RefundDecision {
	closed := closedOnPlatform(f)
	if open := unclearJob(f); open.missing != nil {
		return undecidable(f, open, closed)
	}
	if f.BeforePolicy {
		return undecidedBeforePolicy(closed)
	}
	decision, reasons := jobOutcome(*f.Job)
	if closed == nil {
		return RefundDecision{Decision: decision, Reasons: reasons}
	}
	if decision == DecisionDeny {
		closed = append(closed, reasons...)
	}
	return RefundDecision{Decision: DecisionDeny, Reasons: closed}
}

func unclearJob(f RefundFacts) (open openQuestions) {
	open.askAccount(f)
	switch {
	case f.Job == nil && !f.Stated.JobID:
		open.ask(ReasonJobNotFound, "The request names no job.", MissingJobID)
	case f.Job == nil:
		open.ask(ReasonJobNotFound, "The account has no job with the id that the request names.", MissingMatchingJob)
	case f.Job.OtherAccount && f.EmailUnknown:
		open.askEmail()
	case f.Job.OtherAccount && !f.EmailOfAnother:
		open.ask(ReasonOtherAccount, "The job belongs to another account than the request.", MissingAccountOfJob)
	}
	return open
}

// jobOutcome decides about a failed job: its costs come back as credits or not at all, never
// as money.
func jobOutcome(j JobFacts) (Decision, []Reason) {
	one := func(code ReasonCode, clause, text string) []Reason { return []Reason{{code, clause, text}} }
	switch {
	case !j.Status.Finished():
		return DecisionWaiting, one(ReasonJobUnfinished, ClauseFailedJobs, "The job has not finished yet.")
	case j.Status == JobSucceeded:
		return DecisionDeny, one(ReasonJobSucceeded, ClauseFinalSale, "The job completed; credits used for completed jobs are not refunded.")
	case j.Status == JobCanceled:
		return DecisionDeny, one(ReasonJobCanceled, ClauseUserError, "The job was canceled; credits used for canceled jobs are not refunded.")
	case j.Classification.Class == FailureUser:
		return DecisionDeny, one(ReasonUserFailure, ClauseUserError,
			fmt.Sprintf("The job did not fail on our side: %s.", j.Classification.Reason))
	case j.Classification.Class != FailureSystem:
		return DecisionWaiting, one(ReasonClassUnknown, ClauseFailedJobs, "We are still looking into why the job failed.")
	case j.DebitedCredits <= 0:
		return DecisionApprove, one(ReasonNothingDebited, ClauseSystemFailure,
			fmt.Sprintf("The job failed on our side: %s. %s", j.Classification.Reason, nothingTakenText(j)))
	default:
		return DecisionApprove, one(ReasonCreditedAsCredits, ClauseSystemFailure, creditedText(j))
	}
}

func nothingTakenText(j JobFacts) string {
	if j.DebitedElsewhere > 0 {
		return "No credits were taken from the account for it so far. Should they still be, we credit them back."
	}
	return "No credits were taken for it."
}

func creditedText(j JobFacts) string {
	done := "We are crediting back"
	if j.CreditedCredits >= j.DebitedCredits {
		done = "We credited back"
	}
	return fmt.Sprintf("The job failed on our side: %s. %s what was taken for it, as credits and not as money: %s.",
		j.Classification.Reason, done, countCredits(j.DebitedCredits))
}

func clausesOf(reasons []Reason) []string {
	var clauses []string
	for _, r := range reasons {
		if !slices.Contains(clauses, r.Clause) {
			clauses = append(clauses, r.Clause)
		}
	}
	slices.SortFunc(clauses, cmp.Compare[string])
	return clauses
}

func formatMoment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

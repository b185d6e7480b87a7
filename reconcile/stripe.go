package reconcile

import (
	"fmt"
	"strings"
	"time"
)

// AsyncSettlesWithin is how long a bank debit may stay pending before a completed purchase that rests on it is a break. SEPA debits
// take up to 14 days, the others less (https://docs.stripe.com/payments/bank-debits).
const AsyncSettlesWithin = 14 * 24 * time.Hour

// AvailableWithin is how far Stripe may be from the instant that it announced when it moves money from pending to available: it does
// so in runs, once a day.
const AvailableWithin = 24 * time.Hour

// ItemisedWithin is how long Stripe may take to say which transactions an automatic payout paid out.
const ItemisedWithin = 72 * time.Hour

// ReportingCategories are Stripe's, as of API version 2023-10-16 (https://docs.stripe.com/reports/reporting-categories). Money in any
// other one is a break until somebody has said what it is.
func ReportingCategories() []string {
	return []string{
		"advance", "advance_funding", "anticipation_repayment", "charge", "charge_failure", "climate_order_purchase",
		"climate_order_refund", "connect_collection_transfer", "connect_reserved_funds", "contribution", "dispute", "dispute_reversal",
		"fee", "financing_paydown", "financing_paydown_reversal", "financing_payout", "financing_payout_reversal",
		"issuing_authorization_hold", "issuing_authorization_release", "issuing_dispute", "issuing_transaction",
		"network_cost", "other_adjustment", "partial_capture_reversal", "payment_network_reserved_funds", "payout", "payout_reversal",
		"platform_earning", "platform_earning_refund", "refund", "refund_failure", "risk_reserved_funds", "tax", "topup",
		"topup_reversal", "transfer", "transfer_reversal", "unreconciled_customer_funds",
	}
}

// DisputePhase is where a dispute stands.
type DisputePhase string

// The phases of a dispute.
const (
	PhaseInquiry    DisputePhase = "inquiry"    // the bank asks; no money has moved
	PhaseChargeback DisputePhase = "chargeback" // the money is gone until it is won
	PhaseWon        DisputePhase = "won"
	PhaseLost       DisputePhase = "lost"
	PhaseClosed     DisputePhase = "closed" // an inquiry that came to nothing
)

// PhaseOf is the phase of a Stripe dispute status. A status that isn't known counts as an open chargeback: the careful reading.
func PhaseOf(status string) DisputePhase {
	switch {
	case status == "won":
		return PhaseWon
	case status == "lost":
		return PhaseLost
	case status == "warning_closed":
		return PhaseClosed
	case strings.HasPrefix(status, "warning_"):
		return PhaseInquiry
	default:
		return PhaseChargeback
	}
}

// DisputeFacts are a dispute and what happened around it, as of a night.
type DisputeFacts struct {
	Status string
	// WithdrawnMinor and ReturnedMinor are what the dispute's balance transactions took and gave back, both 0 or more; FeesMinor what
	// Stripe charged for it less what it gave back of that. Settlement currency.
	WithdrawnMinor, ReturnedMinor, FeesMinor int64
	// AmountMinor is what the customer disputes, CapturedMinor what they paid, RefundedMinor what went back by refunds that stand.
	// The charge's currency.
	AmountMinor, CapturedMinor, RefundedMinor int64
	// SameCurrency: both are the same one, so that the amounts can be compared.
	SameCurrency bool
	// AccountStatus is the platform's, "" where no account is known.
	AccountStatus string
}

// DisputeOutcome is what follows from a dispute (clause 5).
type DisputeOutcome struct {
	Phase DisputePhase
	// ReviewSuspension: the account may be suspended and isn't (clause 5.1). Nothing is done by itself.
	ReviewSuspension bool
	// DisputedAndRefunded: the same payment goes back twice, or is about to.
	DisputedAndRefunded bool
	// ClawbackMinor is what has left the charge, refunds and dispute together, counted once and never more than was paid. The charge's
	// currency.
	ClawbackMinor int64
	// ReinstatementMinor is what reinstating the account may cost (clause 5.2): the disputed amount still outstanding and the fees,
	// from actual balance transactions. Settlement currency, never below 0.
	ReinstatementMinor int64
	// TieOut says whether the balance transactions are what the phase calls for.
	TieOut TieOut
}

// JudgeDispute says what follows from a dispute.
func JudgeDispute(f DisputeFacts) DisputeOutcome {
	o := DisputeOutcome{Phase: PhaseOf(f.Status)}
	atStake := o.Phase == PhaseChargeback || o.Phase == PhaseLost
	o.ReviewSuspension = o.Phase == PhaseChargeback && f.AccountStatus == "active"
	o.DisputedAndRefunded = atStake && f.RefundedMinor > 0
	o.ClawbackMinor = f.RefundedMinor
	if atStake {
		o.ClawbackMinor = Clawback(f.CapturedMinor, f.RefundedMinor, f.AmountMinor)
	}
	o.ReinstatementMinor = max(0, f.WithdrawnMinor-f.ReturnedMinor) + max(0, f.FeesMinor)
	o.TieOut = tieOutDispute(o.Phase, f)
	return o
}

// tieOutDispute holds the money that moved against the phase: nothing for an inquiry, the disputed amount for a chargeback, and all of
// it back when it was won.
func tieOutDispute(phase DisputePhase, f DisputeFacts) TieOut {
	atStake := phase == PhaseChargeback || phase == PhaseLost
	switch {
	case atStake && f.WithdrawnMinor == 0, phase == PhaseWon && f.ReturnedMinor < f.WithdrawnMinor:
		return TieOutAwaiting
	case atStake && f.SameCurrency && f.WithdrawnMinor-f.ReturnedMinor != f.AmountMinor, !atStake && f.ReturnedMinor != f.WithdrawnMinor:
		return TieOutResidual
	}
	return TieOutTied
}

// Clawback is what has left a charge by refunds and disputes together: their sum, but never more than was captured, since nobody
// can take the same money back from the customer's credits twice. All amounts are 0 or more, in the charge's currency.
func Clawback(capturedMinor, refundedMinor, disputedMinor int64) int64 {
	if refundedMinor >= capturedMinor || disputedMinor >= capturedMinor-refundedMinor {
		return capturedMinor
	}
	return refundedMinor + disputedMinor
}

// PayoutFacts are a payout and its balance transactions, as of a night. Amounts in the payout's currency.
type PayoutFacts struct {
	Status      string
	Automatic   bool
	AmountMinor int64
	// OwnMinor is what the payout's own balance transaction moved, 0 or less; ReturnedMinor what a failure or cancellation brought back.
	OwnMinor, ReturnedMinor int64
	// Itemised: Stripe has said which transactions it paid out, and NetMinor is the sum of them.
	Itemised bool
	NetMinor int64
	// Overdue: it is so old that Stripe should have itemised it.
	Overdue bool
}

// TieOut says how a payout ties out with its transactions.
type TieOut string

// The ways in which a payout ties out.
const (
	TieOutTied        TieOut = "tied"         // the transactions add up to the amount
	TieOutAwaiting    TieOut = "awaiting"     // Stripe has not itemised it yet
	TieOutNotItemised TieOut = "not_itemised" // made by hand or instant: Stripe never itemises these, the amount stays open by design
	TieOutReturned    TieOut = "returned"     // failed or canceled, and the money is back
	TieOutResidual    TieOut = "residual"     // a break
)

// TieOutPayout ties a payout out. The residual is what of the amount neither transactions nor a return explain.
func TieOutPayout(f PayoutFacts) (tieOut TieOut, residualMinor int64, why string) {
	if f.OwnMinor != -f.AmountMinor {
		return TieOutResidual, f.AmountMinor + f.OwnMinor, fmt.Sprintf("its own balance transaction moved %d", f.OwnMinor)
	}
	switch f.Status {
	case "failed", "canceled":
		if f.ReturnedMinor == f.AmountMinor {
			return TieOutReturned, 0, ""
		}
		return TieOutResidual, f.AmountMinor - f.ReturnedMinor, fmt.Sprintf("it is %s, and %d came back", f.Status, f.ReturnedMinor)
	case "paid", "pending", "in_transit":
	default:
		return TieOutResidual, f.AmountMinor - f.NetMinor, fmt.Sprintf("its status %q is unknown", f.Status)
	}
	residualMinor = f.AmountMinor - f.NetMinor
	switch {
	case !f.Automatic:
		return TieOutNotItemised, residualMinor, ""
	case !f.Itemised && !f.Overdue:
		return TieOutAwaiting, residualMinor, ""
	case !f.Itemised:
		return TieOutResidual, residualMinor, "Stripe has not said what it paid out"
	case residualMinor != 0:
		return TieOutResidual, residualMinor, "its transactions don't add up to it"
	}
	return TieOutTied, 0, ""
}

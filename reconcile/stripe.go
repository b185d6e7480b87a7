package reconcile

import (
	"fmt"
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

// Payment is what the customer's payment for one purchase brought and cost. It has one source, the sum over all balance transactions of
// the charge and its captures, less what came back with a partial capture's reversal; and one home for what follows from that, here.
type Payment struct {
	// Currency is the charge's; "" where no charge is known.
	Currency string
	// CapturedMinor is what the customer paid by the charge, however much of it was authorised.
	CapturedMinor int64
	// SurplusMinor is what of that went back because it had been charged beyond the purchase: no refund of the purchase.
	SurplusMinor int64
	// SettledMinor is what the same transactions brought to the balance before fees, and FeeMinor what Stripe took of it: transaction fees
	// with tax, application fees only where the policy says so. Both in the settlement currency; they count once Known.
	SettledMinor, FeeMinor int64
	Known                  bool
	// Open: more of it may still be captured, so that neither what was paid nor the fee is known yet.
	Open bool
	// InvoiceID is the invoice that the payment was for, if any. FromBalanceMinor is what that took from the customer's balance, which the
	// charge did not pay; below 0: a debt that the charge paid as well. Charge's currency.
	InvoiceID        string
	FromBalanceMinor int64
	// PaidOutOfBand: somebody noted that the invoice was paid outside of Stripe.
	PaidOutOfBand bool
	// Accepted: somebody has resolved the break about a difference between purchase and payment.
	Accepted bool
}

// PaidMinor is what was paid for the purchase itself: what was captured, less a surplus that went back and a debt that the invoice collected
// along with it.
func (p Payment) PaidMinor() int64 {
	return max(0, p.CapturedMinor-p.SurplusMinor+min(0, p.FromBalanceMinor))
}

// Covers reports whether payment and customer's balance together are what was purchased, or whether somebody has accepted that they aren't.
// Another currency is not: what is paid back of it a person decides.
func (p Payment) Covers(purchasedMinor int64, currency string) bool {
	if p.Currency == "" {
		return p.FromBalanceMinor == purchasedMinor
	}
	return p.Currency == currency && (p.Accepted || p.CapturedMinor-p.SurplusMinor+p.FromBalanceMinor == purchasedMinor)
}

// Refundable splits what was paid into what a refund pays back and the fees that it withholds (clause 2.2). Fees convert by the payment's own
// ratio, fee * captured / settled, half up; they never come to more than was paid, and fees below 0 count as none. An error says that the
// amounts can't be what Stripe means: the fee is then not known.
func (p Payment) Refundable() (refundMinor, feeMinor int64, err error) {
	fee, err := ConvertFee(max(0, p.FeeMinor), p.CapturedMinor, p.SettledMinor)
	if err != nil {
		return 0, 0, fmt.Errorf("fee of the payment: %w", err)
	}
	refundMinor = RefundableMinor(p.PaidMinor(), fee)
	return refundMinor, p.PaidMinor() - refundMinor, nil
}

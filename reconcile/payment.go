package reconcile

import "fmt"

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
// Another currency can't be accepted: nobody knows then how much of which to pay back.
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

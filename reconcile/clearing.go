package reconcile

import "math/big"

// PaymentBooks is what the journal has of one payment, in one currency: of a purchase with all its charges, or of a charge that no purchase
// names. Minor units of the customer's currency; sums of what the journal itself has posted, whatever happened before it began.
type PaymentBooks struct {
	AccountID string // "" where no purchase is known
	// SubjectID is the purchase, or else the charge.
	SubjectID, Currency string
	// Sold is what the purchase was booked with, less what the customer's balance paid; Brought what its charges brought, less what failed
	// after all and what was not captured.
	Sold, Brought *big.Int
	// Payable is what became payable to the customer when credits were taken for refunds; Refunded what refunds at Stripe paid, less those
	// that failed.
	Payable, Refunded *big.Int
	// Changed is what the platform says of the purchase now less what was booked: below 0 where it was corrected downwards, or set back to
	// failed.
	Changed *big.Int
	// Accepted: somebody has resolved that purchase and payment differ.
	Accepted bool
}

// PaymentClearing is what has to move for a payment between the accounts that it passes through, in all.
type PaymentClearing struct {
	// Offset goes from refund clearing to purchase clearing: money that was charged beyond the purchase and given back. Below 0: credits that
	// were refunded without a payment.
	Offset *big.Int
	// Corrected is income from what was charged beyond a purchase that has been corrected, or accepted; below 0: what a purchase that was
	// corrected never brought.
	Corrected *big.Int
}

// Clearing says what clears a payment. It follows from the sums alone, so that whatever comes later takes back what it no longer explains.
func (b PaymentBooks) Clearing() PaymentClearing {
	outstanding := new(big.Int).Sub(b.Sold, b.Brought)  // on purchase clearing
	overpaid := new(big.Int).Sub(b.Refunded, b.Payable) // on refund clearing
	c := PaymentClearing{Offset: within(overpaid, new(big.Int).Neg(outstanding))}
	outstanding.Add(outstanding, c.Offset)
	explained := b.Changed
	if b.Accepted {
		explained = new(big.Int).Neg(outstanding)
	}
	c.Corrected = within(explained, new(big.Int).Neg(outstanding))
	return c
}

// within is as much of an amount as another of the same sign has; 0 where their signs differ.
func within(amount, limit *big.Int) *big.Int {
	switch {
	case amount.Sign()*limit.Sign() <= 0:
		return new(big.Int)
	case amount.CmpAbs(limit) > 0:
		return limit
	}
	return amount
}

// PostPaymentClearing posts what clears a payment, less what earlier nights have posted of it.
func PostPaymentClearing(date Date, b PaymentBooks, before PaymentClearing) []JournalEntry {
	now := b.Clearing()
	e := newEntry(date, EntryClearing, b.SubjectID+"|"+b.Currency, "What was charged, refunded or corrected of "+b.SubjectID+" beyond its purchase")
	e.AccountID, e.Source = b.AccountID, b.SubjectID
	e.move(PurchaseClearing, RefundClearing, b.Currency, new(big.Int).Sub(now.Offset, before.Offset))
	e.move(PurchaseClearing, CreditsTaken, b.Currency, new(big.Int).Sub(now.Corrected, before.Corrected))
	return e.entries()
}

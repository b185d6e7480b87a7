package accounting

import (
	"math/big"
	"slices"

	"github.com/hummingbytes/reconciler/reconcile"
)

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
	// Rewithheld is what is withheld of Payable by what is known of its fees now, beyond what was as it was posted; below 0: less. nil: nothing.
	Rewithheld *big.Int
	// Lost is what lost disputes have taken for good: the customer has it.
	Lost *big.Int
	// IsSubscription: of the policy nothing is payable of it, but for what was refunded all the same.
	IsSubscription bool
	// Changed is what the platform says of the purchase now less what was booked: below 0 where it was corrected downwards, or set back to
	// failed.
	Changed *big.Int
	// Restated is what leaves this currency or comes into it, where the platform has corrected the purchase's, or somebody has accepted that it was
	// paid in another; nil: nothing.
	Restated *Restated
	// Resolved is what somebody has said of breaks about the payment.
	Resolved []ResolvedDifference
}

// Restated is a purchase that was booked in one currency and is in another: below 0 in the currency that it was booked in. What it is worth stays
// there, in the lots; what is to be charged and paid back is in the other.
type Restated struct{ Sold, Payable *big.Int }

// ResolvedDifference is a break about a payment that somebody has resolved.
type ResolvedDifference struct {
	Kind       reconcile.BreakKind
	Resolution string
	// Minor is the break's variance; nil where that is in credits.
	Minor *big.Int
}

// PaymentClearing is all that has to move for a payment between the accounts that it passes through: debits by account, credits below 0. They add up
// to 0.
type PaymentClearing map[AccountRole]*big.Int

// clearingRoles are those accounts, and those that what is not settled goes to.
var clearingRoles = []AccountRole{PurchaseClearing, RefundClearing, CreditsTaken, FeesWithheld, DisputeLosses, PaidElsewhere, CurrencyConversion}

// Clearing says what clears a payment. It follows from the sums alone, so that whatever comes later takes back what it no longer explains.
//
// The steps, in this order, each as far as it explains what is left: fees that were known otherwise when credits were taken; a purchase that is in
// another currency moves there; what a lost dispute has paid of what was payable, which is no loss; the platform's correction of the purchase; what
// the credits taken of a refunded subscription were worth beyond its refund; what somebody has resolved. What is then left on both accounts is
// offset: money that was charged beyond the purchase and given back, credits that were refunded without a payment.
func (b PaymentBooks) Clearing() PaymentClearing {
	standing := map[AccountRole]*big.Int{PurchaseClearing: new(big.Int).Sub(b.Sold, b.Brought), RefundClearing: new(big.Int).Sub(b.Refunded, b.Payable)}
	c := PaymentClearing{}
	for _, role := range clearingRoles {
		c[role] = new(big.Int)
	}
	add := func(role AccountRole, amount *big.Int) {
		c[role].Add(c[role], amount)
		if held := standing[role]; held != nil {
			standing[role] = new(big.Int).Add(held, amount)
		}
	}
	move := func(debit, credit AccountRole, amount *big.Int) {
		add(debit, amount)
		add(credit, new(big.Int).Neg(amount))
	}
	explain := func(on, by AccountRole, amount *big.Int) {
		total := new(big.Int).Add(standing[PurchaseClearing], standing[RefundClearing])
		move(on, by, within(amount, total.Neg(total)))
	}
	payable := b.Payable
	if b.Rewithheld != nil {
		move(RefundClearing, FeesWithheld, b.Rewithheld)
		payable = new(big.Int).Sub(payable, b.Rewithheld)
	}
	if b.Restated != nil {
		move(PurchaseClearing, CurrencyConversion, b.Restated.Sold)
		move(CurrencyConversion, RefundClearing, b.Restated.Payable)
		payable = new(big.Int).Add(payable, b.Restated.Payable)
	}
	explain(RefundClearing, DisputeLosses, b.Lost)
	explain(PurchaseClearing, CreditsTaken, b.Changed)
	if b.IsSubscription && b.Refunded.Sign() > 0 && standing[RefundClearing].Sign() < 0 {
		explain(RefundClearing, FeesWithheld, new(big.Int).Neg(standing[RefundClearing]))
	}
	for _, r := range b.Resolved {
		on, by := r.accounts(payable.Sign() != 0)
		amount := new(big.Int).Neg(standing[on])
		if r.Minor != nil && !slices.Contains([]reconcile.BreakKind{reconcile.RefundAgainstPolicy, reconcile.SubscriptionRefunded, reconcile.DisputedAndRefunded}, r.Kind) {
			amount = r.Minor
			if on == PurchaseClearing { // its variance is what the purchase has more
				amount = new(big.Int).Neg(r.Minor)
			}
		}
		explain(on, by, amount)
	}
	move(PurchaseClearing, RefundClearing, within(standing[RefundClearing], new(big.Int).Neg(standing[PurchaseClearing])))
	return c
}

// accounts are the account that the break is about, and the one that a difference which was resolved goes to: it was paid elsewhere where
// somebody has corrected it there, or where nothing else than that can be meant; else it stays as it is, as income or a loss of it.
func (r ResolvedDifference) accounts(creditsTaken bool) (on, by AccountRole) {
	on, by = PurchaseClearing, CreditsTaken
	switch r.Kind {
	case reconcile.RefundFailed, reconcile.RefundMissingAtStripe, reconcile.RefundAmountMismatch, reconcile.RefundAgainstPolicy, reconcile.RefundMissingInLedger, reconcile.SubscriptionRefunded, reconcile.DisputedAndRefunded:
		on = RefundClearing
		if creditsTaken {
			by = FeesWithheld
		}
	case reconcile.ChargeMissingInPlatform: // corrected by granting something for it
		return on, by
	}
	paidElsewhere := r.Resolution == reconcile.ResolvedCorrected
	switch r.Kind {
	case reconcile.PurchaseMissingAtStripe, reconcile.RefundFailed, reconcile.RefundMissingAtStripe:
		paidElsewhere = r.Resolution != reconcile.ResolvedWrittenOff
	}
	if paidElsewhere {
		by = PaidElsewhere
	}
	return on, by
}

// PaymentBreaks are the kinds whose resolution says what a difference between a purchase, its charges and its refunds is, or which currency it is in.
func PaymentBreaks() []reconcile.BreakKind {
	return []reconcile.BreakKind{reconcile.PurchaseMissingAtStripe, reconcile.ChargeAmountMismatch, reconcile.ChargeCurrencyMismatch, reconcile.ChargeStatusMismatch, reconcile.ChargeMissingInPlatform, reconcile.DuplicateCharge,
		reconcile.RefundMissingInLedger, reconcile.RefundAmountMismatch, reconcile.RefundFailed, reconcile.RefundAgainstPolicy, reconcile.RefundMissingAtStripe, reconcile.SubscriptionRefunded,
		reconcile.DisputedAndRefunded}
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
func PostPaymentClearing(date reconcile.Date, b PaymentBooks, before PaymentClearing) []JournalEntry {
	now := b.Clearing()
	e := newEntry(date, EntryClearing, b.SubjectID+"|"+b.Currency, "What was charged, refunded or corrected of "+b.SubjectID+" beyond its purchase")
	e.AccountID, e.Source = b.AccountID, b.SubjectID
	for _, role := range clearingRoles {
		amount := now[role]
		if posted := before[role]; posted != nil {
			amount = new(big.Int).Sub(amount, posted)
		}
		e.add(role, b.Currency, amount)
	}
	return e.entries()
}

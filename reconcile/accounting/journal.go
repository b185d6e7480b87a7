package accounting

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"math/big"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
)

// CreditUnit is the unit of credits in the journal, beside the currencies.
const CreditUnit = "credits"

// EntryKind says what a journal entry is about.
type EntryKind string

// The kinds of journal entries.
const (
	EntryOpening          EntryKind = "opening of the books"
	EntryPurchase         EntryKind = "purchase"
	EntryLatePurchase     EntryKind = "late purchase"
	EntryWindow           EntryKind = "refund windows"
	EntryUsage            EntryKind = "usage"
	EntryCreditBacks      EntryKind = "credit-backs"
	EntryAdjustments      EntryKind = "adjustments"
	EntryRefund           EntryKind = "refund"
	EntryRefundReversal   EntryKind = "refund reversal"
	EntryReallocation     EntryKind = "usage moved between lots"
	EntryLateItems        EntryKind = "late items"
	EntryCredits          EntryKind = "credits"
	EntryStripe           EntryKind = "Stripe activity"
	EntryPayoutArrived    EntryKind = "payout arrived"
	EntryPayoutReturned   EntryKind = "payout returned"
	EntryDisputeLost      EntryKind = "dispute lost"
	EntryClearing         EntryKind = "payment cleared"
	EntryEarned           EntryKind = "subscriptions earned"
	EntryServiceRefund    EntryKind = "subscription refunded"
	EntryCustomerBalance  EntryKind = "customer balance"
	EntryTax              EntryKind = "tax of an invoice"
	EntryStripeBeforehand EntryKind = "opening of the Stripe balance"
)

// EntryKinds are all kinds.
func EntryKinds() []EntryKind {
	return []EntryKind{EntryOpening, EntryPurchase, EntryLatePurchase, EntryWindow, EntryUsage, EntryCreditBacks, EntryAdjustments, EntryRefund,
		EntryRefundReversal, EntryReallocation, EntryLateItems, EntryCredits, EntryStripe, EntryPayoutArrived, EntryPayoutReturned, EntryDisputeLost,
		EntryClearing, EntryEarned, EntryServiceRefund, EntryCustomerBalance, EntryTax, EntryStripeBeforehand}
}

// JournalEntry is one entry of the double-entry journal.
type JournalEntry struct {
	// ID is the same in every rerun, and at most 21 characters long, which is what accounting packages take.
	ID   string
	Date reconcile.Date
	Kind EntryKind
	// AccountID is the customer's, where the entry is about one.
	AccountID   string
	Description string
	// Source is the row that the entry comes from: a purchase, a balance transaction, a dispute; "" for what sums up many.
	Source string
	// Clause of the refund policy, where one is the reason.
	Clause string
	Lines  []JournalLine
}

// JournalLine is one side of an entry: debits are above 0, credits below.
type JournalLine struct {
	Role     AccountRole
	Currency string // lower case, or CreditUnit
	Amount   *big.Int
}

// JournalID is 21 characters that follow from the night, a kind and a key, which tells those of one kind apart: the date and 60 bits of a
// hash.
func JournalID(date reconcile.Date, kind, key string) string {
	sum := sha256.Sum256([]byte(date.String() + "|" + kind + "|" + key))
	return strings.ReplaceAll(date.String(), "-", "") + "-" + strings.ToLower(base32.HexEncoding.EncodeToString(sum[:])[:12])
}

// newEntry begins an entry, with the ID of its kind and key.
func newEntry(date reconcile.Date, kind EntryKind, key, description string) JournalEntry {
	return JournalEntry{ID: JournalID(date, string(kind), key), Date: date, Kind: kind, Description: description}
}

// move adds a line for the debited role and one for the credited; a negative amount goes the other way round, and 0 nowhere.
func (e *JournalEntry) move(debit, credit AccountRole, currency string, amount *big.Int) {
	e.add(debit, currency, amount)
	e.add(credit, currency, new(big.Int).Neg(amount))
}

// add adds to the line of a role and currency.
func (e *JournalEntry) add(role AccountRole, currency string, amount *big.Int) {
	for i := range e.Lines {
		if e.Lines[i].Role == role && e.Lines[i].Currency == currency {
			e.Lines[i].Amount = new(big.Int).Add(e.Lines[i].Amount, amount)
			return
		}
	}
	e.Lines = append(e.Lines, JournalLine{Role: role, Currency: currency, Amount: new(big.Int).Set(amount)})
}

// entries drops lines of 0, and the entry where nothing is left.
func (e JournalEntry) entries() []JournalEntry {
	var lines []JournalLine
	for _, line := range e.Lines {
		if line.Amount.Sign() != 0 {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	e.Lines = lines
	return []JournalEntry{e}
}

// Check fails unless the entry has lines and adds up to 0 in each currency.
func (e JournalEntry) Check() error {
	if len(e.Lines) < 2 {
		return fmt.Errorf("journal entry %s (%s %s): %d lines", e.ID, e.Kind, e.Source, len(e.Lines))
	}
	sums := map[string]*big.Int{}
	for _, line := range e.Lines {
		if sums[line.Currency] == nil {
			sums[line.Currency] = new(big.Int)
		}
		sums[line.Currency].Add(sums[line.Currency], line.Amount)
	}
	for currency, sum := range sums {
		if sum.Sign() != 0 {
			return fmt.Errorf("journal entry %s (%s %s): off by %s %s", e.ID, e.Kind, e.Source, sum, currency)
		}
	}
	return nil
}

// Liability is what is owed for credits in one currency, at the opening of the books.
type Liability struct {
	Currency string
	// Total is the value of what is left in all lots; Refundable the part of it whose refund window is open.
	Total, Refundable *big.Int
}

// PostOpening brings what there was before the first night into the books.
func PostOpening(date reconcile.Date, credits *big.Int, liabilities []Liability) []JournalEntry {
	e := newEntry(date, EntryOpening, "", "What was owed for credits before the first night")
	for _, l := range liabilities {
		e.add(OpeningBalances, l.Currency, l.Total)
		e.add(RefundLiability, l.Currency, new(big.Int).Neg(l.Refundable))
		e.add(ContractLiability, l.Currency, new(big.Int).Sub(l.Refundable, l.Total))
	}
	e.move(CreditsOpening, CreditsHeld, CreditUnit, credits)
	return e.entries()
}

// BookedPurchase are a completed purchase as it is booked.
type BookedPurchase struct {
	AccountID, PurchaseID string
	Kind                  string // credits, subscription
	Credits               int64
	AmountMinor           int64
	TaxMinor              int64 // of that, owed to the tax office
	FromBalanceMinor      int64 // of the amount, what an invoice took from the customer's balance; below 0: a debt that was paid with it
	Currency              string
	CompletedOn           reconcile.Date
	Late                  bool
}

// IsLot says whether the money was paid for credits. A subscription without any is earned by its own schedule.
func (p BookedPurchase) IsLot() bool { return p.Kind == "credits" || p.Credits > 0 }

// HasWindow says whether it can be refunded while it is unused: subscriptions can't (clause 4.1).
func (p BookedPurchase) HasWindow() bool { return p.Kind == "credits" }

// PostPurchase books a sale: it is owed to the customer, as a refund while its window is open, and its tax to the tax office. What the customer's
// balance paid was owed to the customer before, and no charge will bring it.
func PostPurchase(date reconcile.Date, p BookedPurchase) []JournalEntry {
	kind, description := EntryPurchase, fmt.Sprintf("Purchase %s of %d credits", p.PurchaseID, p.Credits)
	if p.Late {
		kind, description = EntryLatePurchase, fmt.Sprintf("Purchase %s of %d credits, completed on %s, turned up late", p.PurchaseID, p.Credits, p.CompletedOn)
	}
	e := newEntry(date, kind, p.PurchaseID, description)
	e.AccountID, e.Source = p.AccountID, p.PurchaseID
	owed := ContractLiability
	switch {
	case p.HasWindow():
		owed, e.Clause = RefundLiability, reconcile.ClauseUnusedCredits
	case !p.IsLot():
		owed = SubscriptionLiability
	}
	if !p.HasWindow() {
		e.Clause = reconcile.ClauseSubscriptionFinal
	}
	e.add(PurchaseClearing, p.Currency, big.NewInt(p.AmountMinor))
	e.add(owed, p.Currency, big.NewInt(p.TaxMinor-p.AmountMinor))
	e.add(TaxPayable, p.Currency, big.NewInt(-p.TaxMinor))
	e.move(CustomerBalances, PurchaseClearing, p.Currency, big.NewInt(p.FromBalanceMinor))
	return e.entries()
}

// WindowChange sums up the purchases of one currency whose money may no longer be refunded, or may be again, by the state of their
// windows. It is a reclassification and no revenue.
type WindowChange struct {
	Currency string
	State    reconcile.WindowState // "" where none was stated
	Closed   bool                  // else: open again
	Count    int64
	Amount   *big.Int
}

// PostWindowChange moves money between the two liabilities.
func PostWindowChange(date reconcile.Date, w WindowChange) []JournalEntry {
	state := string(w.State)
	if state == "" {
		state = "no longer there"
	}
	key := fmt.Sprintf("%s|%s|%t", w.Currency, w.State, w.Closed)
	what := map[bool]string{true: "closed unrefunded", false: "open again"}[w.Closed]
	e := newEntry(date, EntryWindow, key, fmt.Sprintf("Refund windows %s (%s) of %d purchases", what, state, w.Count))
	e.Clause = reconcile.ClauseLateOrUsed
	if w.Closed {
		e.move(RefundLiability, ContractLiability, w.Currency, w.Amount)
	} else {
		e.move(ContractLiability, RefundLiability, w.Currency, w.Amount)
	}
	return e.entries()
}

// RefundedLot are a lot that left its account through a refund, or came back.
type RefundedLot struct {
	AccountID, PurchaseID string
	Currency              string
	// PaidMinor is what was paid for it without tax, and TaxMinor the tax; FromBalanceMinor what of both an invoice took from the customer's balance.
	// ValueBefore and ValueAfter are what was left of PaidMinor before and after.
	PaidMinor               int64
	TaxMinor                int64
	FromBalanceMinor        int64
	ValueBefore, ValueAfter *big.Int
	// WasRefundable: it is in the refund liability.
	WasRefundable bool
	// WithheldMinor is what of the payment is not paid back: Stripe's fees, as they were decided or as the policy has them.
	WithheldMinor int64
	Reversed      bool // it came back
	Late          bool
}

// PostRefund takes what was owed for a lot out of the liabilities: it is payable to the customer, less the fees that are withheld. What was
// charged beyond the lot is no part of it: PaymentBooks clears that when it goes back.
// What the customer's balance had paid is owed to that again, as no refund of the charge brings it.
// What had been used of the lot was revenue, and is no longer.
func PostRefund(date reconcile.Date, r RefundedLot) []JournalEntry {
	kind, what := EntryRefund, "Refund of purchase "+r.PurchaseID
	if r.Reversed {
		kind, what = EntryRefundReversal, "Refund of purchase "+r.PurchaseID+" taken back"
	}
	key := r.PurchaseID
	if r.Late {
		what, key = what+", booked late", key+"|late"
	}
	e := newEntry(date, kind, key, what)
	e.AccountID, e.Source, e.Clause = r.AccountID, r.PurchaseID, reconcile.ClauseOriginalMethod
	paid := big.NewInt(r.PaidMinor)
	charged := new(big.Int).Add(paid, big.NewInt(r.TaxMinor))
	balance := within(big.NewInt(max(0, r.FromBalanceMinor)), charged)
	back := new(big.Int).Sub(charged, balance)
	back.Sub(back, within(big.NewInt(max(0, r.WithheldMinor)), back))
	tax := new(big.Int) // it goes back in proportion
	if charged.Sign() > 0 {
		tax.Add(back, balance)
		tax.Quo(tax.Mul(tax, big.NewInt(r.TaxMinor)), charged)
	}
	withheld := new(big.Int).Add(paid, tax)
	withheld.Sub(withheld.Sub(withheld, back), balance)
	if r.Reversed {
		e.add(RefundClearing, r.Currency, back)
		e.add(FeesWithheld, r.Currency, withheld)
		e.add(CustomerBalances, r.Currency, balance)
		e.add(TaxPayable, r.Currency, new(big.Int).Neg(tax))
		e.add(ContractLiability, r.Currency, new(big.Int).Sub(r.ValueBefore, r.ValueAfter))
		e.add(UsageRevenue, r.Currency, new(big.Int).Sub(new(big.Int).Sub(r.ValueAfter, r.ValueBefore), paid))
		return e.entries()
	}
	left := new(big.Int).Sub(r.ValueBefore, r.ValueAfter)
	if r.WasRefundable {
		e.add(RefundLiability, r.Currency, paid)
		e.add(ContractLiability, r.Currency, new(big.Int).Sub(left, paid))
	} else {
		e.add(ContractLiability, r.Currency, left)
	}
	e.add(UsageRevenue, r.Currency, new(big.Int).Sub(paid, left))
	e.add(TaxPayable, r.Currency, tax)
	e.add(RefundClearing, r.Currency, new(big.Int).Neg(back))
	e.add(FeesWithheld, r.Currency, new(big.Int).Neg(withheld))
	e.add(CustomerBalances, r.Currency, new(big.Int).Neg(balance))
	return e.entries()
}

// Movement is how the value of lots in one currency moved in a night: columns of the roll-forward.
type Movement struct {
	Currency                               string
	Usage, CreditBacks, Adjustments        *big.Int // signed, as they change the liability
	Reallocated                            *big.Int // what refunds did to the lots around them
	LateItems                              *big.Int // late purchases and refunds apart
	Debits, CreditBackEntries, LateEntries int64    // entries of the night behind it, in all currencies
}

// PostMovement turns usage into revenue at the lots' prices, and credit-backs back (clause 3.1).
func PostMovement(date reconcile.Date, m Movement) []JournalEntry {
	var all []JournalEntry
	post := func(kind EntryKind, other AccountRole, amount *big.Int, clause, description string) {
		e := newEntry(date, kind, m.Currency, description)
		e.Clause = clause
		e.move(other, ContractLiability, m.Currency, amount)
		all = append(all, e.entries()...)
	}
	post(EntryUsage, UsageRevenue, m.Usage, "", fmt.Sprintf("Credits used, at their lots' prices (%d debits in all currencies)", m.Debits))
	post(EntryCreditBacks, UsageRevenue, m.CreditBacks, reconcile.ClauseSystemFailure, fmt.Sprintf("Credits back for failed jobs (%d in all currencies)", m.CreditBackEntries))
	post(EntryAdjustments, CreditsTaken, m.Adjustments, "", "Credits taken by adjustments")
	post(EntryReallocation, UsageRevenue, m.Reallocated, reconcile.ClauseLateOrUsed, "Usage that refunded lots leave to the next ones")
	post(EntryLateItems, UsageRevenue, m.LateItems, "", fmt.Sprintf("Late items (%d entries in all currencies)", m.LateEntries))
	return all
}

// RecognizedMove is how the money of subscription charges moved in a night: of a single charge to which more happened than the passing of a day, or of
// all others in one currency. It goes from Opened and Settled to the other amounts; the rest is deferred. All may be below 0.
type RecognizedMove struct {
	// AccountID and SubjectID are "" for many; the subject is a purchase, or an invoice that no purchase names.
	AccountID, SubjectID string
	IsPurchase           bool
	Currency             string
	// Opening and Earning are how many were opened and how many earned something.
	Opening, Earning int64
	// Opened was deferred as the journal began. Settled an invoice took from the customer's balance; below 0: left in it.
	Opened, Settled        *big.Int
	Earned, Tax, GivenBack *big.Int
}

// PostRecognized earns subscriptions by the day, and books what a refund takes back of one, what an invoice without a purchase moves in the
// customer's balance, and tax that was not known when the sale was booked.
func PostRecognized(date reconcile.Date, m RecognizedMove) []JournalEntry {
	opening := newEntry(date, EntryOpening, "subscriptions|"+m.Currency, fmt.Sprintf("What was owed for %d subscriptions before the first night", m.Opening))
	e := newEntry(date, EntryEarned, m.Currency, fmt.Sprintf("Subscriptions earned by the day (%d)", m.Earning))
	if m.SubjectID != "" {
		kind, what := EntryTax, "Tax of purchase "+m.SubjectID+", known since it was booked"
		switch {
		case !m.IsPurchase:
			kind, what = EntryCustomerBalance, "Invoice "+m.SubjectID+" and the customer's balance"
		case m.GivenBack.Sign() != 0:
			kind, what = EntryServiceRefund, "Refund of subscription charge "+m.SubjectID
		}
		opening = newEntry(date, EntryOpening, m.SubjectID, "What was owed for subscription charge "+m.SubjectID+" before the first night")
		e = newEntry(date, kind, m.SubjectID, what)
		opening.AccountID, opening.Source = m.AccountID, m.SubjectID
		e.AccountID, e.Source = m.AccountID, m.SubjectID
	}
	opening.Clause, e.Clause = reconcile.ClauseSubscriptionFinal, reconcile.ClauseSubscriptionFinal
	opening.move(OpeningBalances, SubscriptionLiability, m.Currency, m.Opened)
	e.move(CustomerBalances, SubscriptionLiability, m.Currency, m.Settled)
	e.move(SubscriptionLiability, SubscriptionRevenue, m.Currency, m.Earned)
	e.move(SubscriptionLiability, TaxPayable, m.Currency, m.Tax)
	e.move(SubscriptionLiability, RefundClearing, m.Currency, m.GivenBack)
	return append(opening.entries(), e.entries()...)
}

// CreditMovement is the roll-forward in credits, signed as it changes what customers hold.
type CreditMovement struct {
	Purchases, Promotions, Usage, CreditBacks, Refunds, Adjustments, LateItems *big.Int
}

// PostCredits books the night's credits as units of their own.
func PostCredits(date reconcile.Date, m CreditMovement) []JournalEntry {
	e := newEntry(date, EntryCredits, "", "Credits granted and used")
	for _, part := range []struct {
		role   AccountRole
		amount *big.Int
	}{
		{CreditsSold, m.Purchases}, {CreditsPromoted, m.Promotions}, {CreditsUsed, m.Usage}, {CreditsCreditedBack, m.CreditBacks},
		{CreditsRefunded, m.Refunds}, {CreditsAdjusted, m.Adjustments}, {CreditsLate, m.LateItems},
	} {
		e.add(part.role, CreditUnit, part.amount)
		e.add(CreditsHeld, CreditUnit, new(big.Int).Neg(part.amount))
	}
	return e.entries()
}

// StripeActivity sums up balance transactions of one reporting category and pair of currencies, or is a single one.
type StripeActivity struct {
	Category string
	// Source is the balance transaction; "" for many.
	Source string
	Count  int64
	// Amount and Fee as Stripe has them, in Currency, that of the settlement: the balance moves by Amount - Fee.
	Currency    string
	Amount, Fee *big.Int
	// Presented is the amount in PresentedCurrency, the customer's, with the sign of Amount.
	PresentedCurrency string
	Presented         *big.Int
	// AtChargeRate is what Presented came to when its charge was settled, with the sign of Amount; nil where it is the charge itself, or that
	// isn't known.
	AtChargeRate *big.Int
}

// stripeCounterpart is what a reporting category moves money from or to.
func stripeCounterpart(category string) (role AccountRole, presented bool) {
	switch category {
	case "charge", "charge_failure", "partial_capture_reversal":
		return PurchaseClearing, true
	case "refund", "refund_failure":
		return RefundClearing, true
	case "dispute", "dispute_reversal":
		return DisputesReceivable, false
	case "payout", "payout_reversal":
		return PayoutsInTransit, false
	case "topup", "topup_reversal":
		return Bank, false
	case "fee", "network_cost", "tax":
		return ProcessingFees, false
	default:
		return StripeSuspense, false
	}
}

// StripeRole is the account that a reporting category moves money from or to.
func StripeRole(category string) AccountRole {
	role, _ := stripeCounterpart(category)
	return role
}

// PostStripe books movements of the balance at Stripe. Where a customer paid in another currency than it was settled in, the conversion
// account stands between the two; what goes back at another rate than it came is an exchange difference.
func PostStripe(date reconcile.Date, a StripeActivity) []JournalEntry {
	role, presented := stripeCounterpart(a.Category)
	if !presented || a.PresentedCurrency == "" {
		a.PresentedCurrency, a.Presented = a.Currency, a.Amount
	}
	description := fmt.Sprintf("At Stripe, %s (%d)", strings.ReplaceAll(a.Category, "_", " "), a.Count)
	if a.Source != "" {
		description = fmt.Sprintf("At Stripe, %s %s", strings.ReplaceAll(a.Category, "_", " "), a.Source)
	}
	e := newEntry(date, EntryStripe, strings.Join([]string{a.Category, a.Source, a.Currency, a.PresentedCurrency}, "|"), description)
	e.Source = a.Source
	if a.Category == "refund" {
		e.Clause = reconcile.ClauseOriginalMethod
	}
	e.add(StripeBalance, a.Currency, a.Amount)
	if a.PresentedCurrency == a.Currency {
		e.add(role, a.Currency, new(big.Int).Neg(a.Amount))
	} else {
		e.add(CurrencyConversion, a.Currency, new(big.Int).Neg(a.Amount))
		e.move(CurrencyConversion, role, a.PresentedCurrency, a.Presented)
		if a.AtChargeRate != nil {
			// A unit more or less is how a part was rounded.
			if off := new(big.Int).Sub(a.AtChargeRate, a.Amount); off.CmpAbs(big.NewInt(1)) > 0 {
				e.move(ExchangeDifferences, CurrencyConversion, a.Currency, off)
			}
		}
	}
	e.move(ProcessingFees, StripeBalance, a.Currency, a.Fee)
	return e.entries()
}

// PostStripeBeforehand brings the balance that Stripe held before the books began into them.
func PostStripeBeforehand(date reconcile.Date, currency string, balance *big.Int) []JournalEntry {
	e := newEntry(date, EntryStripeBeforehand, currency, "Balance at Stripe before the first night")
	e.move(StripeBalance, OpeningBalances, currency, balance)
	return e.entries()
}

// MovedPayout is a payout whose state changed. Amounts below 0 were debited from the bank.
type MovedPayout struct {
	PayoutID, Currency string
	AmountMinor        int64
	// Returned: it came back, by failing or being canceled; else it arrived. WasPaid: it had arrived before.
	Returned, WasPaid bool
	// Beforehand: it had left Stripe before the books began, and is in their opening.
	Beforehand bool
}

// PostPayoutState books that a payout reached the bank, or that one came back from there. What was on its way as the books began is on no account
// of theirs: it comes out of the opening balances.
func PostPayoutState(date reconcile.Date, p MovedPayout) []JournalEntry {
	kind, what := EntryPayoutArrived, "arrived at the bank"
	debit, credit := Bank, PayoutsInTransit
	if p.Beforehand {
		credit = OpeningBalances
	}
	if p.Returned {
		kind, what = EntryPayoutReturned, "came back from the bank"
		debit, credit = PayoutsInTransit, Bank
		if !p.WasPaid {
			what, credit = "never arrived at the bank", OpeningBalances
		}
	}
	e := newEntry(date, kind, p.PayoutID, "Payout "+p.PayoutID+" "+what)
	e.Source = p.PayoutID
	e.move(debit, credit, p.Currency, big.NewInt(p.AmountMinor))
	return e.entries()
}

// PostDisputeWriteOff books the change in what is known of a dispute's money that will not come back: a loss, or its reversal where a part or all of
// it came back after all; and what differs only by the rates of the days.
func PostDisputeWriteOff(date reconcile.Date, disputeID, currency string, w reconcile.DisputeWriteOff) []JournalEntry {
	e := newEntry(date, EntryDisputeLost, disputeID, "Dispute "+disputeID+" lost")
	if w.LossMinor <= 0 {
		e = newEntry(date, EntryStripe, "dispute|"+disputeID, "Dispute "+disputeID+" returned")
	}
	e.Source, e.Clause = disputeID, reconcile.ClauseChargebackReinstating
	e.move(DisputeLosses, DisputesReceivable, currency, big.NewInt(w.LossMinor))
	e.move(ExchangeDifferences, DisputesReceivable, currency, big.NewInt(w.ExchangeMinor))
	e.move(OpeningBalances, DisputesReceivable, currency, big.NewInt(w.BeforehandMinor))
	return e.entries()
}

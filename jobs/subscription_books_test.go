package jobs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// balance is what an account of the journal held at the end of a night, credit positive.
func (b *bothBooks) balance(night reconcile.Night, role accounting.AccountRole) int64 {
	b.t.Helper()
	var credit int64
	if err := b.db.QueryRow("SELECT coalesce(-sum(closing), 0)::bigint FROM reconciler.ledger_balances WHERE business_date = $1 AND role = $2 AND currency = 'usd'", night.Date, role).Scan(&credit); err != nil {
		b.t.Fatal(err)
	}
	return credit
}

// income is what an account of the journal has taken in over all nights.
func (b *bothBooks) income(role accounting.AccountRole) int64 {
	b.t.Helper()
	var credit int64
	if err := b.db.QueryRow("SELECT coalesce(-sum(amount_minor), 0)::bigint FROM reconciler.journal_lines WHERE role = $1 AND currency = 'usd'", role).Scan(&credit); err != nil {
		b.t.Fatal(err)
	}
	return credit
}

// A subscription is earned by the day from its first night on, whatever becomes of it: a part is refunded, a refund fails, a proration goes into
// the customer's balance and pays the next invoice, a night can't look at Stripe, one is repeated. Clearing is cleared every night.
func TestASubscriptionIsEarnedThroughWhateverHappensToIt(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	require := func(night reconcile.Night, what string, want map[accounting.AccountRole]int64) {
		t.Helper()
		for role, amount := range want {
			got := b.balance(night, role)
			if !role.IsPermanent() {
				got = b.income(role)
			}
			if got != amount {
				t.Errorf("%s, %s: %s is %d, not %d", night.Date, what, role, got, amount)
			}
		}
	}
	close := func() reconcile.Night {
		t.Helper()
		night := b.night()
		b.requireBooks(night)
		return night
	}
	const owed, earned, tax, balances = accounting.SubscriptionLiability, accounting.SubscriptionRevenue, accounting.TaxPayable, accounting.CustomerBalances

	// Sold before the first night: 31 days for 2900, of which two are over when the books begin.
	before := b.subscribe()
	b.advance(48 * time.Hour)
	b.until(10)
	night := close() // 7 January
	require(night, "opened, and a third day earned", map[accounting.AccountRole]int64{owed: 2900 - 280, earned: 280 - 187, tax: 0})

	b.until(10)
	s := b.subscribe() // 8 January to 8 February, 31 days
	firstPayment := s.purchased
	night = close()
	require(night, "the first day of another", map[accounting.AccountRole]int64{owed: 2900 - 374 + 2900 - 93, earned: 374 - 187 + 93})

	// With tax: 3000 + 600 for 6 days, and 20 % of it come back the same day.
	b.until(9)
	s.purchased = b.bill(s, stripetest.InvoiceParams{Subscription: s.stripeID, Lines: []stripetest.InvoiceLine{
		{Amount: 3000, ExclusiveTax: 600, Description: "lab", PeriodStart: b.clock(), PeriodEnd: b.clock().AddDate(0, 0, 6)},
	}})
	b.advance(time.Hour)
	refund := b.refund(s.purchased, 720)
	night = close() // 9 January
	require(night, "a part was refunded", map[accounting.AccountRole]int64{owed: 2900 - 467 + 2900 - 187 + 2500 - 600, earned: 467 - 187 + 187 + 500, tax: 480})

	b.until(9)
	if _, err := b.stripe.FailRefund(refund.ID, "expired_or_canceled_card"); err != nil {
		t.Fatal(err)
	}
	stripe := b.worker.Stripe
	b.worker.Stripe = nil
	night = b.night() // 10 January: Stripe can't be looked at, so the refund has not failed yet
	require(night, "a day without Stripe", map[accounting.AccountRole]int64{owed: 2900 - 561 + 2900 - 280 + 1520, earned: 561 - 187 + 280 + 500 + 380, tax: 480})
	b.worker.Stripe = stripe
	b.until(9)
	night = close()
	require(night, "the refund had failed", map[accounting.AccountRole]int64{owed: 2900 - 654 + 2900 - 374 + 1500, earned: 654 - 187 + 374 + 1500, tax: 600})

	// A proration takes 500 back, with its tax, into the customer's balance: what is deferred is less at once.
	b.until(9)
	ok[stripetest.Invoice](t)(b.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: s.stripeID, BillingReason: "subscription_update", Lines: []stripetest.InvoiceLine{
		{Amount: -500, ExclusiveTax: -100, Description: "Unused time on lab", Proration: true, PeriodStart: b.clock(), PeriodEnd: b.clock().AddDate(0, 0, 2)},
	}}))
	night = close() // 12 January
	require(night, "a proration", map[accounting.AccountRole]int64{owed: 2900 - 748 + 2900 - 467 + 1000 - 250, earned: 748 - 187 + 467 + 2000 - 250, tax: 500, balances: 600})

	// Which pays a part of the next invoice.
	b.until(9)
	next := ok[stripetest.Invoice](t)(b.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: s.stripeID, StartingBalance: -600, Lines: []stripetest.InvoiceLine{
		{Amount: 1000, Description: "storage", PeriodStart: b.clock(), PeriodEnd: b.clock().AddDate(0, 0, 2)},
	}}))
	charge := ok[stripetest.Charge](t)(b.stripe.PayInvoice(next.ID, stripetest.ChargeParams{}))
	p := purchased{id: b.id("pur"), account: s.account, customer: s.customer, charge: charge.ID, invoice: next.ID, amount: 1000, currency: "usd"}
	b.store(p, "completed", "", "", next.ID)
	night = close() // 13 January
	require(night, "the balance was used", map[accounting.AccountRole]int64{owed: 2900 - 841 + 2900 - 561 + 500 + 500, earned: 841 - 187 + 561 + 2500 - 500 + 500, tax: 500, balances: 0})

	// Repeating an older night changes neither it nor what continued from it.
	lines := func() (text string) {
		t.Helper()
		if err := b.db.QueryRow(`SELECT md5(string_agg(md5(l::text), '' ORDER BY l.business_date, l.entry_id, l.line_no)) || (SELECT md5(string_agg(md5(p::text), '' ORDER BY p.business_date, p.subject_id))
			FROM reconciler.subscription_positions p) FROM reconciler.journal_lines l`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	was := lines()
	for _, again := range []int{-2, 0} {
		if err := b.run(night.Date.AddDays(again)); err != nil {
			t.Fatal(err)
		}
		if now := lines(); now != was {
			t.Errorf("repeating %s changed the journal", night.Date.AddDays(again))
		}
	}

	// Both months are given back: one of them in part earned before the books began. All other days are over.
	b.until(9)
	b.refund(before.purchased, 2900)
	refund = b.refund(firstPayment, 2900)
	night = close() // 14 January
	require(night, "all was given back", map[accounting.AccountRole]int64{owed: 0, earned: 0 - 187 + 3000 - 500 + 1000, tax: 500, balances: 0})
	b.until(9)
	night = close()
	var rows int
	if err := b.db.QueryRow("SELECT count(*) FROM reconciler.subscription_positions WHERE business_date = $1", night.Date).Scan(&rows); err != nil || rows > 0 {
		t.Errorf("%d positions are carried on after their last day (%v)", rows, err)
	}
	b.until(9)
	if _, err := b.stripe.FailRefund(refund.ID, "expired_or_canceled_card"); err != nil {
		t.Fatal(err)
	}
	night = close() // 16 January
	require(night, "one of the refunds failed", map[accounting.AccountRole]int64{owed: 2900 - 841, earned: 0 - 187 + 3000 - 500 + 1000 + 841, tax: 500})
}

// A refunded charge of a subscription with credits is a break, and stays payable until its credits are taken, as the advice says: then what
// was paid back is cleared, with nothing withheld of it.
func TestCreditsOfARefundedSubscriptionClearTheRefund(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	b.until(9)
	p := b.subscribe().purchased
	p.credits = 2500
	b.exec("UPDATE platform.purchases SET credits = $2 WHERE id = $1", p.id, p.credits)
	b.exec("UPDATE platform.credit_entries SET credits = $2 WHERE purchase_id = $1", p.id, p.credits)
	b.night()
	refund := b.refund(p, 2900)
	night := b.night()
	if payable := b.balance(night, accounting.RefundClearing); payable != -2900 {
		t.Errorf("%d are payable with the credits where they were", payable)
	}
	if found, want := b.allOpen(), []string{"subscription_refunded " + refund.ID + " amount_minor"}; !slices.Equal(found, want) {
		t.Errorf("open are %q, want %q", found, want)
	}
	b.entry(p, "refund", -p.credits)
	b.resolveAll()
	night = b.whole()
	for _, role := range []accounting.AccountRole{accounting.RefundClearing, accounting.ContractLiability} {
		if left := b.balance(night, role); left != 0 {
			t.Errorf("%s has %d left", role, left)
		}
	}
	if withheld := b.income(accounting.FeesWithheld); withheld != 0 {
		t.Errorf("%d of fees were withheld", withheld)
	}
}

// A refund of a part of a subscription with credits is payable as far as it went, whichever of credits and money goes first: the policy owes
// nothing of the rest, so that it is kept, with nobody's word.
func TestOfASubscriptionWithCreditsOnlyWhatWasRefundedIsPayable(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	b.until(9)
	var sold []purchased
	for range 2 {
		p := b.subscribe().purchased
		p.credits = 2500
		b.exec("UPDATE platform.purchases SET credits = $2 WHERE id = $1", p.id, p.credits)
		b.exec("UPDATE platform.credit_entries SET credits = $2 WHERE purchase_id = $1", p.id, p.credits)
		sold = append(sold, p)
	}
	b.night()
	takes, refunds := func(p purchased) { b.entry(p, "refund", -p.credits) }, func(p purchased, minor int64) { b.refund(p, minor) }
	kept := func(when string) {
		t.Helper()
		for i, want := range []int64{2400, 2300} {
			var minor int64
			if err := b.db.QueryRow("SELECT coalesce(-sum(amount_minor), 0)::bigint FROM reconciler.journal_lines WHERE role = 'fees_withheld' AND account_id = $1", sold[i].account).Scan(&minor); err != nil || minor != want {
				t.Errorf("%s: of subscription %d %d was kept, not %d (%v)", when, i, minor, want, err)
			}
		}
		if all := b.income(accounting.FeesWithheld); all != 4700 {
			t.Errorf("%s: %d was kept", when, all)
		}
	}
	b.until(9)
	takes(sold[0])
	refunds(sold[1], 600)
	b.night()
	b.until(9)
	refunds(sold[0], 500)
	takes(sold[1])
	night := b.night()
	for _, role := range []accounting.AccountRole{accounting.RefundClearing, accounting.ContractLiability} {
		if left := b.balance(night, role); left != 0 {
			t.Errorf("%s has %d left", role, left)
		}
	}
	kept("both ways")
	b.resolveAll()
	b.whole()
	kept("once the refunds were accepted")
}

// What an invoice names as tax is owed to the tax office from the start: it is no part of what credits are worth, is never earned, and a refund
// takes it back in proportion, the withheld fee's part excepted.
func TestTaxIsNoPartOfWhatCreditsAreWorth(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	b.until(9)
	s := b.subscribe()
	sell := func(kind string, amount, tax int64) purchased {
		invoice := ok[stripetest.Invoice](t)(b.stripe.CreateInvoice(stripetest.InvoiceParams{Customer: s.customer, Currency: "usd", Lines: []stripetest.InvoiceLine{
			{Amount: amount + tax, InclusiveTax: tax, Description: "credits"}}}))
		charge := ok[stripetest.Charge](t)(b.stripe.PayInvoice(invoice.ID, stripetest.ChargeParams{}))
		p := purchased{id: b.id("pur"), account: b.account(), customer: s.customer, charge: charge.ID, invoice: invoice.ID, amount: amount + tax, credits: 100, currency: "usd"}
		b.store(p, "completed", "", charge.ID, invoice.ID)
		b.exec("UPDATE platform.purchases SET kind = $2 WHERE id = $1", p.id, kind)
		return p
	}
	bought, monthly := sell("credits", 1000, 200), sell("subscription", 2000, 400)
	night := b.night()
	b.requireBooks(night)
	for role, want := range map[accounting.AccountRole]int64{accounting.RefundLiability: 1000, accounting.ContractLiability: 2000, accounting.TaxPayable: 600} {
		if got := b.balance(night, role); got != want {
			t.Errorf("%s is %d, not %d", role, got, want)
		}
	}
	b.until(9)
	b.use(monthly, 25)
	back := b.giveBack(bought).Amount
	night = b.night()
	b.requireBooks(night)
	tax := 200 * back / 1200
	for role, want := range map[accounting.AccountRole]int64{accounting.RefundLiability: 0, accounting.ContractLiability: 1500, accounting.TaxPayable: 600 - tax} {
		if got := b.balance(night, role); got != want {
			t.Errorf("%s is %d, not %d", role, got, want)
		}
	}
	for role, want := range map[accounting.AccountRole]int64{accounting.UsageRevenue: 500, accounting.FeesWithheld: 1000 + tax - back} {
		if got := b.income(role); got != want {
			t.Errorf("%s is %d, not %d", role, got, want)
		}
	}
}

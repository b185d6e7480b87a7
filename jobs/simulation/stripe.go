package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// feeTaxBasisPoints is the tax on Stripe's fees, in 1/100 %.
const feeTaxBasisPoints = 800

// payoutHour is when the daily payouts run, after the night's begin.
const payoutHour = 6 * time.Hour

// rates at which payments in other currencies reach the balance; all others settle in their own.
var settlements = map[string]stripetest.Settlement{
	"jpy": {Currency: "usd", Rate: "0.0067"},
	"kwd": {Currency: "usd", Rate: "3.25"},
}

// Stripe is the double that the business is paid through; nil without Options.Stripe. What the worker should be pointed at is
// StripeHandler.
func (s *Simulation) Stripe() *stripetest.Stripe { return s.stripe }

// openStripe opens the business's account at the double.
func (s *Simulation) openStripe() {
	s.stripe = stripetest.New(stripetest.Options{Clock: s.Clock, Seed: s.options.Seed, FeeTaxBasisPoints: feeTaxBasisPoints})
	for i := -historyDays; i < len(s.nights); i++ {
		night := reconcile.NightOf(s.options.Start.AddDays(i), s.options.Zone)
		s.plan(night.Begin.Add(payoutHour), func() {
			_, err := s.stripe.RunAutomaticPayouts()
			s.fail(err)
		})
	}
}

// fail stops the simulation: something that can't go wrong has.
func (s *Simulation) fail(err error) {
	if err != nil && s.failure == nil {
		s.failure = err
	}
}

// payer is the account's customer at Stripe.
func (s *Simulation) payer(a *account) string {
	if a.customer == "" {
		customer, err := s.stripe.CreateCustomer(a.email, map[string]string{"account_id": a.id})
		s.fail(err)
		a.customer = customer.ID
	}
	return a.customer
}

// charge takes a purchase's money and notes what Stripe calls it. edit may change what is asked of Stripe.
func (s *Simulation) charge(p *purchase, edit func(*stripetest.ChargeParams)) {
	if s.stripe == nil {
		p.intent, p.charge = s.mint.next("pi"), s.mint.next("ch")
		return
	}
	params := s.chargeParams(p)
	params.Amount, params.Currency, params.Customer = p.amountMinor, p.currency, s.payer(p.account)
	if edit != nil {
		edit(&params)
	}
	c, err := s.stripe.CreateCharge(params)
	s.fail(err)
	p.intent, p.charge = c.PaymentIntent, c.ID
}

// chargeSlowly is charge where Stripe takes hours to say what its fee was.
func (s *Simulation) chargeSlowly(p *purchase) {
	s.charge(p, func(c *stripetest.ChargeParams) { c.LateTransaction = true })
	if s.stripe == nil {
		return
	}
	s.plan(s.now.Add(9*time.Hour), func() {
		_, err := s.stripe.SettleCharge(p.charge)
		s.fail(err)
	})
}

func (s *Simulation) chargeParams(p *purchase) stripetest.ChargeParams {
	return stripetest.ChargeParams{
		Description: fmt.Sprintf("%d credits", p.credits), Email: p.account.email,
		Metadata: map[string]string{"purchase_id": p.id, "account_id": p.account.id}, Settlement: settlements[p.currency]}
}

// invoice bills a month, or a change, of a subscription and takes the money.
func (s *Simulation) invoice(sub *subscription, p *purchase, reason string, lines []stripetest.InvoiceLine) {
	if s.stripe == nil {
		p.invoice, p.intent, p.charge = s.mint.next("in"), s.mint.next("pi"), s.mint.next("ch")
		return
	}
	invoice, err := s.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.stripeID, BillingReason: reason, Lines: lines})
	s.fail(err)
	p.invoice = invoice.ID
	c, err := s.stripe.PayInvoice(invoice.ID, s.chargeParams(p))
	s.fail(err)
	p.intent, p.charge = c.PaymentIntent, c.ID
}

// refundable is what the policy pays back of a purchase: what its charge captured, less the fees of all its balance transactions.
func (s *Simulation) refundable(p *purchase) int64 {
	c, _ := s.stripe.Charge(p.charge)
	sources := map[string]bool{p.charge: true}
	for _, r := range s.stripe.Refunds() {
		if r.Charge == p.charge {
			sources[r.ID] = true
		}
	}
	var settled, fees int64
	for _, t := range s.stripe.BalanceTransactions() {
		if sources[t.Source] && (t.ReportingCategory == "charge" || t.ReportingCategory == "partial_capture_reversal") {
			settled += t.Amount
			fees += t.Fee
		}
	}
	if settled == 0 {
		s.fail(fmt.Errorf("charge %s of purchase %s has no fee", p.charge, p.id))
		return 0
	}
	fee, err := reconcile.ConvertFee(fees, c.AmountCaptured, settled)
	s.fail(err)
	return reconcile.RefundableMinor(c.AmountCaptured, fee)
}

// takeCredits takes a purchase's credits out of the account, for a refund.
func (s *Simulation) takeCredits(p *purchase) {
	s.post(entry{account: p.account, kind: "refund", credits: -p.credits, purchase: p.id, key: "refund:" + p.id, memo: "Refunded"})
	p.account.credits -= p.credits
}

// giveCredits gives back what takeCredits took, as no money came of it.
func (s *Simulation) giveCredits(p *purchase) {
	s.post(entry{account: p.account, kind: "refund_reversal", credits: p.credits, purchase: p.id, key: "reversal:" + p.id, memo: "The refund failed"})
	p.account.credits += p.credits
}

// payBack refunds money at Stripe.
func (s *Simulation) payBack(p *purchase, amountMinor int64) stripetest.Refund {
	refund, err := s.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: amountMinor, Reason: "requested_by_customer"})
	s.fail(err)
	return refund
}

// refund is what staff does with an approved request: the credits go, the money follows.
func (s *Simulation) refund(p *purchase) stripetest.Refund {
	s.takeCredits(p)
	return s.payBack(p, s.refundable(p))
}

// dispute opens a chargeback, or an inquiry, about a purchase.
func (s *Simulation) dispute(p *purchase, inquiry bool) stripetest.Dispute {
	d, err := s.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge, Inquiry: inquiry})
	s.fail(err)
	return d
}

func (s *Simulation) setStatus(a *account, status string) {
	s.out.update("UPDATE platform.accounts SET status = $2 WHERE id = $1", a.id, status)
}

// planDisputes plays sound disputes: an inquiry that comes to nothing, a chargeback that is won and one that is lost, both with the
// account suspended at once. They come every few nights.
func (s *Simulation) planDisputes() {
	r := s.random("disputes")
	for i := 1; i < len(s.nights); i += 3 {
		at, story := s.nights[i].Begin.Add(spell(r, 9*time.Hour, 20*time.Hour)), i%9
		s.withPurchase(r, at.Add(-spell(r, 2*24*time.Hour, 9*24*time.Hour)), func(p *purchase) {
			s.plan(at.Add(-24*time.Hour), func() { s.runJob(r, p.account, p.credits, "succeeded", "") })
			s.plan(at, func() { s.playDispute(p, story) })
		})
	}
}

func (s *Simulation) playDispute(p *purchase, story int) {
	d := s.dispute(p, story == 1)
	later := func(days int, happen func() (stripetest.Dispute, error)) {
		s.plan(s.now.Add(time.Duration(days)*24*time.Hour), func() {
			_, err := happen()
			s.fail(err)
		})
	}
	if story == 1 {
		later(3, func() (stripetest.Dispute, error) { return s.stripe.CloseInquiry(d.ID) })
		return
	}
	s.setStatus(p.account, "suspended")
	later(1, func() (stripetest.Dispute, error) { return s.stripe.SubmitEvidence(d.ID) })
	if story == 4 {
		later(5, func() (stripetest.Dispute, error) { return s.stripe.LoseDispute(d.ID) })
		return
	}
	later(4, func() (stripetest.Dispute, error) {
		s.setStatus(p.account, "active")
		return s.stripe.WinDispute(d.ID, true)
	})
}

// planPayouts has somebody pay out by hand, now and then, and a bank send a payout back.
func (s *Simulation) planPayouts() {
	for i := 3; i < len(s.nights); i += 6 {
		s.plan(s.nights[i].Begin.Add(15*time.Hour), func() {
			for _, balance := range s.stripe.Balances() {
				if part := balance.Available / 10; balance.Currency == "usd" && part > 0 {
					_, err := s.stripe.CreatePayout(stripetest.PayoutParams{Amount: part, Currency: "usd", Instant: i%12 == 9})
					s.fail(err)
				}
			}
		})
		s.plan(s.nights[i].Begin.Add(3*24*time.Hour), func() {
			for _, p := range slices.Backward(s.stripe.Payouts()) {
				if p.Automatic && p.Currency == "usd" && !s.incomplete[p.ID] && s.now.Sub(p.Created) > 24*time.Hour {
					_, err := s.stripe.FailPayout(p.ID, "account_closed")
					s.fail(err)
					return
				}
			}
		})
	}
}

// planStripeFees bills what belongs to no payment.
func (s *Simulation) planStripeFees() {
	for i := 2; i < len(s.nights); i += 7 {
		s.plan(s.nights[i].Begin.Add(11*time.Hour), func() {
			_, err := s.stripe.BillFee(900, "usd", "Radar for fraud teams")
			s.fail(err)
			_, err = s.stripe.BillTax(72, "usd", "Tax on Radar")
			s.fail(err)
		})
	}
}

// awaited is how long the other side may still come before its absence is a break.
const awaited = 24 * time.Hour

// stripeFaults are the faults between the platform and Stripe.
var stripeFaults = []fault{
	{kind: reconcile.PurchaseMissingAtStripe, plant: plantPurchaseMissingAtStripe},
	{kind: reconcile.ChargeAmountMismatch, plant: plantChargeAmountMismatch},
	{kind: reconcile.ChargeCurrencyMismatch, plant: plantChargeCurrencyMismatch},
	{kind: reconcile.ChargeStatusMismatch, plant: plantChargeStatusMismatch},
	{kind: reconcile.ChargeMissingInPlatform, plant: plantChargeMissingInPlatform},
	{kind: reconcile.DuplicateCharge, plant: plantDuplicateCharge},
	{kind: reconcile.RefundMissingInLedger, plant: plantRefundMissingInLedger},
	{kind: reconcile.RefundAmountMismatch, plant: plantRefundAmountMismatch},
	{kind: reconcile.RefundFailed, plant: plantRefundFailed},
	{kind: reconcile.RefundStuck, plant: plantRefundStuck, lead: 2},
	{kind: reconcile.RefundAgainstPolicy, plant: plantRefundAgainstPolicy},
	{kind: reconcile.RefundMissingAtStripe, plant: plantRefundMissingAtStripe},
	{kind: reconcile.RefundUnpaid, plant: plantRefundUnpaid, lead: 11},
	{kind: reconcile.DisputeAccountActive, plant: plantDisputeAccountActive},
	{kind: reconcile.DisputedAndRefunded, plant: plantDisputedAndRefunded},
	{kind: reconcile.DisputeResidual, plant: plantDisputeResidual, lead: 11},
	{kind: reconcile.BalanceResidual, plant: plantBalanceResidual},
	{kind: reconcile.PayoutResidual, plant: plantPayoutResidual},
	{kind: reconcile.UnknownReportingCategory, plant: plantUnknownReportingCategory},
	{kind: reconcile.SubscriptionRefunded, plant: plantSubscriptionRefunded},
	{kind: reconcile.SubscriptionProrated, plant: plantSubscriptionProrated},
	{kind: reconcile.UpgradeNotCharged, plant: plantUpgradeNotCharged},
	{kind: reconcile.DowngradeEarly, plant: plantDowngradeEarly},
	{kind: reconcile.AccessEndedEarly, plant: plantAccessEndedEarly},
	{kind: reconcile.AccessOutlastsPeriod, plant: plantAccessOutlastsPeriod},
}

// unpaid is a purchase of a new customer that no money was asked for yet.
func (s *Simulation) unpaid(r *rand.Rand) *purchase {
	a, choice := s.newAccount(r), pick(r, packs[:4])
	return s.newPurchase(a, "credits", choice.credits, choice.amountMinor[a.currency])
}

// completed stores a purchase as paid, and grants it.
func (s *Simulation) completed(p *purchase) {
	p.status, p.completedAt = "completed", s.now
	s.storePurchase(p)
	s.grant(p)
}

func plantPurchaseMissingAtStripe(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	s.plan(at, func() {
		p := s.unpaid(r)
		if mended {
			p.intent = s.mint.next("pi") // Stripe doesn't know it
		}
		s.completed(p)
		s.expect(reconcile.PurchaseMissingAtStripe, p.id, p.account, at.Add(awaited), time.Time{}, "granted, but never paid at Stripe")
	})
}

func plantChargeAmountMismatch(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	off := int64(-50)
	if mended {
		off = 50
	}
	s.plan(at, func() {
		p := s.unpaid(r)
		s.charge(p, func(c *stripetest.ChargeParams) { c.Amount += off })
		s.completed(p)
		s.expect(reconcile.ChargeAmountMismatch, p.id, p.account, at, time.Time{}, fmt.Sprintf("charged %+d minor units off the price", off))
	})
}

func plantChargeCurrencyMismatch(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.plan(at, func() {
		p := s.unpaid(r)
		other := "usd"
		if p.currency == "usd" {
			other = "eur"
		}
		s.charge(p, func(c *stripetest.ChargeParams) { c.Currency, c.Settlement = other, stripetest.Settlement{} })
		s.completed(p)
		s.expect(reconcile.ChargeCurrencyMismatch, p.id, p.account, at, time.Time{}, "charged in "+other+" instead of "+p.currency)
	})
}

func plantChargeStatusMismatch(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	s.plan(at, func() {
		p := s.unpaid(r)
		story := "granted, although the card was declined"
		if mended {
			s.charge(p, nil)
			p.status = "failed"
			s.storePurchase(p)
			story = "paid at Stripe, failed on the platform"
		} else {
			s.charge(p, func(c *stripetest.ChargeParams) { c.Decline = "card_declined" })
			s.completed(p)
		}
		s.expect(reconcile.ChargeStatusMismatch, p.id, p.account, at.Add(awaited), time.Time{}, story)
	})
}

func plantChargeMissingInPlatform(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.plan(at, func() {
		p := s.unpaid(r) // never stored
		s.charge(p, func(c *stripetest.ChargeParams) { c.Metadata = nil })
		s.expect(reconcile.ChargeMissingInPlatform, p.charge, nil, at.Add(awaited), time.Time{}, "charged, but no purchase knows of it")
	})
}

func plantDuplicateCharge(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.plan(at, func() {
		p := s.unpaid(r)
		s.charge(p, nil)
		intent, first := p.intent, p.charge
		s.charge(p, nil)
		second := p.charge
		p.intent, p.charge = intent, first
		s.completed(p)
		s.expect(reconcile.DuplicateCharge, second, p.account, at, time.Time{}, "charged twice for one purchase")
	})
}

// withApproval makes a customer buy, ask for the money back in time and get it approved; then tells the story on, a night later.
func (s *Simulation) withApproval(r *rand.Rand, at time.Time, then func(p *purchase)) {
	s.withPurchase(r, at.Add(-3*24*time.Hour), func(p *purchase) {
		s.plan(at.Add(-48*time.Hour), func() {
			s.ask(request{account: p.account, kind: "unused_credits", purchase: p.id, reason: "I don't need them after all"}, reconcile.DecisionApprove, "approved", 20*time.Hour)
		})
		s.plan(at, func() { then(p) })
	})
}

func plantRefundMissingInLedger(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at.Add(awaited), mended)
	s.withApproval(r, at, func(p *purchase) {
		refund := s.payBack(p, s.refundable(p))
		s.expect(reconcile.RefundMissingInLedger, refund.ID, p.account, at.Add(awaited), mendedAt, "the money went back, the credits are still there")
		s.mend(mendedAt, func() { s.takeCredits(p) })
	})
}

func plantRefundAmountMismatch(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.withApproval(r, at, func(p *purchase) {
		s.takeCredits(p)
		refund := s.payBack(p, p.amountMinor)
		s.expect(reconcile.RefundAmountMismatch, refund.ID, p.account, at, time.Time{}, "refunded with the fees")
	})
}

// plantRefundFailed has a bank send a refund back: a day after it was made, or, of the oldest there are, weeks after; then staff give the credits
// back.
func plantRefundFailed(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	paidAt, story := at.Add(-24*time.Hour), "the customer's bank sent the refund back"
	if mended {
		paidAt, story = s.nights[0].Begin.Add(-time.Duration(historyDays-4)*24*time.Hour), "the customer's bank sent the refund back long after"
	}
	s.withApproval(r, paidAt, func(p *purchase) {
		refund := s.refund(p)
		s.plan(at, func() {
			_, err := s.stripe.FailRefund(refund.ID, "expired_or_canceled_card")
			s.fail(err)
			s.expect(reconcile.RefundFailed, refund.ID, p.account, at, mendedAt, story)
			s.mend(mendedAt, func() { s.giveCredits(p) })
		})
	})
}

// refundStuckAfter is how long a refund may be pending.
const refundStuckAfter = 10 * 24 * time.Hour

// plantRefundStuck has Stripe wait for a balance that covers a refund, for too long.
func plantRefundStuck(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	s.withApproval(r, at.Add(-refundStuckAfter), func(p *purchase) {
		s.takeCredits(p)
		refund, err := s.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: s.refundable(p), Unfunded: true})
		s.fail(err)
		s.expect(reconcile.RefundStuck, refund.ID, p.account, at, mendedAt, "pending, as the balance does not suffice")
		s.mend(mendedAt, func() {
			_, err := s.stripe.SucceedRefund(refund.ID)
			s.fail(err)
		})
	})
}

func plantRefundAgainstPolicy(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	boughtAt, story := at.Add(-3*24*time.Hour), "refunded although credits had been used"
	if mended {
		boughtAt, story = at.Add(-9*24*time.Hour), "refunded nine days after the purchase"
	}
	s.withPurchase(r, boughtAt, func(p *purchase) {
		if !mended {
			s.plan(at.Add(-time.Hour), func() { s.runJob(r, p.account, welcomeCredits+30, "succeeded", "") })
		}
		s.plan(at, func() {
			// Of what was used nothing can be taken back; support lets the customer keep the rest of the other credits.
			if !mended {
				s.post(entry{account: p.account, kind: "promo", credits: 30, memo: "Goodwill"})
			}
			refund := s.refund(p)
			s.expect(reconcile.RefundAgainstPolicy, refund.ID, p.account, at, time.Time{}, story)
		})
	})
}

// plantRefundUnpaid has staff approve a request of the first night, as the worker does, and forget to pay.
func plantRefundUnpaid(s *Simulation, r *rand.Rand, _ time.Time, mended bool) {
	first, last := s.nights[0], s.nights[len(s.nights)-1]
	due, err := reconcile.DueDate(first.Date, reconcile.RefundBusinessDays, s.options.IsHoliday)
	if err != nil {
		s.failure = err
		return
	}
	if !due.Before(last.Date) {
		return // there are holidays: too few nights for it
	}
	asked, overdue := first.Begin.Add(spell(r, 9*time.Hour, 20*time.Hour)), reconcile.NightOf(due.AddDays(1), s.options.Zone).Begin
	mendedAt := mending(r, overdue.Add(12*time.Hour), mended)
	s.withPurchase(r, asked.Add(-spell(r, time.Hour, 6*24*time.Hour)), func(p *purchase) {
		s.plan(asked, func() {
			id := s.ask(request{account: p.account, kind: "unused_credits", purchase: p.id, reason: "Bought twice"}, reconcile.DecisionApprove, "approved", settled)
			s.expect(reconcile.RefundUnpaid, id, p.account, overdue, mendedAt, "approved, and nobody has paid")
			s.mend(mendedAt, func() { s.refund(p) })
		})
	})
}

func plantRefundMissingAtStripe(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at.Add(awaited), mended)
	s.withApproval(r, at, func(p *purchase) {
		s.takeCredits(p)
		s.expect(reconcile.RefundMissingAtStripe, p.id, p.account, at.Add(awaited), mendedAt, "the credits went, the money didn't")
		s.mend(mendedAt, func() { s.payBack(p, s.refundable(p)) })
	})
}

func plantDisputeAccountActive(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	s.withPurchase(r, at.Add(-4*24*time.Hour), func(p *purchase) {
		s.plan(at, func() {
			d := s.dispute(p, false)
			s.expect(reconcile.DisputeAccountActive, d.ID, p.account, at, mendedAt, "a chargeback, and the account is not suspended")
			s.mend(mendedAt, func() { s.setStatus(p.account, "suspended") })
		})
	})
}

func plantDisputedAndRefunded(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.withApproval(r, at.Add(-26*time.Hour), func(p *purchase) {
		s.refund(p)
		s.plan(at, func() {
			s.setStatus(p.account, "suspended")
			s.dispute(p, false)
			s.expect(reconcile.DisputedAndRefunded, p.charge, p.account, at, time.Time{}, "refunded, and then charged back as well")
		})
	})
}

// announced is how long money that Stripe has announced may take.
const announced = 10 * 24 * time.Hour

// plantDisputeResidual has a dispute won, and Stripe not give the money back.
func plantDisputeResidual(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt, wonAt := mending(r, at, mended), at.Add(-announced)
	s.withPurchase(r, wonAt.Add(-3*24*time.Hour), func(p *purchase) {
		s.plan(wonAt.Add(-20*time.Hour), func() {
			s.setStatus(p.account, "suspended")
			d := s.dispute(p, false)
			s.plan(wonAt, func() {
				_, err := s.stripe.ReturnDispute(d.ID, stripetest.DisputeReturn{Amount: -1, Short: true, Status: "won"})
				s.fail(err)
				s.expect(reconcile.DisputeResidual, d.ID, p.account, at, mendedAt, "won, but the money never came back")
				s.mend(mendedAt, func() {
					_, err := s.stripe.ReturnDispute(d.ID, stripetest.DisputeReturn{Short: true})
					s.fail(err)
				})
			})
		})
	})
}

func plantUnknownReportingCategory(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.plan(at, func() {
		t, err := s.stripe.Adjust(stripetest.Adjustment{Amount: -between(r, 100, 900), Currency: "usd", ReportingCategory: "lunar_surcharge", Description: "Surcharge"})
		s.fail(err)
		s.expect(reconcile.UnknownReportingCategory, t.ID, nil, at, time.Time{}, "a category that Stripe has not documented")
	})
}

// plantBalanceResidual has Stripe tell a wrong balance on one night; each currency once.
func plantBalanceResidual(s *Simulation, _ *rand.Rand, at time.Time, mended bool) {
	currency := "usd"
	if mended {
		currency = "eur"
	}
	s.plan(at, func() {
		night := s.nightOf(at)
		if s.misstated[night] != "" || slices.Contains(slices.Collect(maps.Values(s.misstated)), currency) {
			return
		}
		s.misstated[night] = currency
		s.expect(reconcile.BalanceResidual, currency, nil, at, at.Add(24*time.Hour), "Stripe's balance was off for a night")
	})
}

// plantPayoutResidual has Stripe leave a transaction out of the breakdown of the day's payout, or of the next day's that there is.
func plantPayoutResidual(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	s.plan(at, func() {
		for _, p := range slices.Backward(s.stripe.Payouts()) {
			if s.incomplete[p.ID] || reconcile.DateOf(p.Created.In(s.options.Zone)) != s.nightOf(at) || !s.paysOutCharge(p) {
				continue
			}
			s.incomplete[p.ID] = true
			s.expect(reconcile.PayoutResidual, p.ID, nil, at, time.Time{}, "a transaction is missing from the payout's breakdown")
			return
		}
		plantPayoutResidual(s, r, at.Add(24*time.Hour), mended)
	})
}

// paysOutCharge says whether there is a charge that could be left out of a payout's breakdown.
func (s *Simulation) paysOutCharge(p stripetest.Payout) bool {
	return slices.ContainsFunc(s.stripe.BalanceTransactions(), func(t stripetest.BalanceTransaction) bool {
		return t.Payout == p.ID && t.ReportingCategory == "charge"
	})
}

// withSubscription makes a new customer subscribe some days before; then tells the story on.
func (s *Simulation) withSubscription(r *rand.Rand, at time.Time, plan int, then func(sub *subscription)) {
	s.plan(at.Add(-spell(r, 24*time.Hour, 10*24*time.Hour)), func() {
		sub := s.newSubscription(s.newAccount(r), plan)
		s.plan(at, func() { then(sub) })
	})
}

func plantSubscriptionRefunded(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.withSubscription(r, at, 1, func(sub *subscription) {
		refund := s.payBack(sub.lastPayment, sub.lastPayment.amountMinor)
		s.expect(reconcile.SubscriptionRefunded, refund.ID, sub.account, at, time.Time{}, "a month's fee was paid back")
	})
}

func plantSubscriptionProrated(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.withSubscription(r, at, 1, func(sub *subscription) {
		invoice, err := s.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.stripeID, BillingReason: "subscription_update",
			Lines: []stripetest.InvoiceLine{{Amount: -sub.lastPayment.amountMinor / 3, Description: "Unused time on studio", Proration: true}}})
		s.fail(err)
		s.expect(reconcile.SubscriptionProrated, invoice.ID, sub.account, at, time.Time{}, "a third of the month was credited")
	})
}

func plantUpgradeNotCharged(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.withSubscription(r, at, 0, func(sub *subscription) {
		id := s.changed(sub, "upgrade", plans[1].name, s.now, "")
		s.out.update("UPDATE platform.subscriptions SET plan = $2 WHERE id = $1", sub.id, plans[1].name)
		sub.plan = 1
		s.setPrice(sub)
		s.expect(reconcile.UpgradeNotCharged, id, sub.account, at.Add(awaited), time.Time{}, "upgraded, and never charged for it")
	})
}

func plantDowngradeEarly(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.withSubscription(r, at, 1, func(sub *subscription) {
		id := s.changed(sub, "downgrade", plans[0].name, s.now, "")
		s.out.update("UPDATE platform.subscriptions SET plan = $2 WHERE id = $1", sub.id, plans[0].name)
		sub.plan = 0
		s.setPrice(sub)
		s.expect(reconcile.DowngradeEarly, id, sub.account, at, time.Time{}, "downgraded before the paid month was over")
	})
}

// cancelWithAccess cancels a subscription with access until another time than the paid period's end.
func (s *Simulation) cancelWithAccess(sub *subscription, until time.Time) {
	s.cancel(sub)
	s.out.update("UPDATE platform.subscriptions SET access_ends_at = $2 WHERE id = $1", sub.id, until)
}

func plantAccessEndedEarly(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.withSubscription(r, at, 0, func(sub *subscription) {
		s.cancelWithAccess(sub, s.now)
		s.expect(reconcile.AccessEndedEarly, sub.id, sub.account, at, time.Time{}, "locked out on the day of the cancellation")
	})
}

func plantAccessOutlastsPeriod(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.withSubscription(r, at, 0, func(sub *subscription) {
		s.cancelWithAccess(sub, sub.periodEnd.Add(10*24*time.Hour))
		s.expect(reconcile.AccessOutlastsPeriod, sub.id, sub.account, at, time.Time{}, "access for ten days more than were paid")
	})
}

// StripeHandler answers as the double does, but for the lies that are planted: the worker must be pointed at this.
func (s *Simulation) StripeHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lie := s.lie(r)
		if lie == nil {
			s.stripe.ServeHTTP(w, r)
			return
		}
		recorder := httptest.NewRecorder()
		s.stripe.ServeHTTP(recorder, r)
		for name, values := range recorder.Header() {
			w.Header()[name] = values
		}
		body := lie(recorder.Body.Bytes())
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(recorder.Code)
		_, _ = io.Copy(w, bytes.NewReader(body)) // the client is gone: so be it
	})
}

// lie is how an answer is to be changed; nil: not at all.
func (s *Simulation) lie(r *http.Request) func([]byte) []byte {
	if r.URL.Path == "/v1/balance" && s.played > 0 {
		if currency := s.misstated[s.lastPlayed()]; currency != "" {
			return func(body []byte) []byte { return misstateBalance(body, currency) }
		}
	}
	if r.URL.Path == "/v1/balance_transactions" && s.incomplete[r.URL.Query().Get("payout")] {
		return omitCharge
	}
	return nil
}

// misstateBalance adds to what is available in a currency.
func misstateBalance(body []byte, currency string) []byte {
	return edit(body, func(document map[string]any) {
		available, _ := document["available"].([]any)
		for _, amount := range available {
			if row, ok := amount.(map[string]any); ok && row["currency"] == currency {
				n, _ := strconv.ParseInt(fmt.Sprint(row["amount"]), 10, 64)
				row["amount"] = json.Number(strconv.FormatInt(n+1234, 10))
			}
		}
	})
}

// omitCharge leaves the oldest charge of the page out.
func omitCharge(body []byte) []byte {
	return edit(body, func(document map[string]any) {
		rows, _ := document["data"].([]any)
		if document["has_more"] == true {
			return
		}
		for i := len(rows) - 1; i >= 0; i-- {
			if row, ok := rows[i].(map[string]any); ok && row["reporting_category"] == "charge" {
				document["data"] = append(rows[:i:i], rows[i+1:]...)
				return
			}
		}
	})
}

// edit changes a JSON document; one that is none stays as it is.
func edit(body []byte, change func(map[string]any)) []byte {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return body
	}
	change(document)
	edited, err := json.Marshal(document)
	if err != nil {
		return body
	}
	return edited
}

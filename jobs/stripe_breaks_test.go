package jobs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// planted is a fault of the Stripe side: what was done, and the break that it must become.
type planted struct {
	kind reconcile.BreakKind
	// nights is how many nights later than its own it is a break: counterparts may take a day.
	nights int
	plant  func(b *bothBooks) (subject, field string)
}

var plantedOnStripe = []planted{
	{reconcile.PurchaseMissingAtStripe, 1, func(b *bothBooks) (string, string) {
		p := purchased{id: b.id("pur"), account: b.account(), amount: 5000, credits: 500, currency: "usd"}
		b.store(p, "completed", "", "", "")
		return p.id, "charge"
	}},
	{reconcile.ChargeAmountMismatch, 0, func(b *bothBooks) (string, string) {
		p, charge := b.pay(4900, "usd", nil)
		p.amount = 9900
		b.store(p, "completed", "", charge.ID, "")
		return p.id, "amount_minor"
	}},
	{reconcile.ChargeCurrencyMismatch, 0, func(b *bothBooks) (string, string) {
		p, charge := b.pay(4900, "jpy", nil)
		p.currency = "usd"
		b.store(p, "completed", charge.PaymentIntent, "", "")
		return p.id, "currency"
	}},
	{reconcile.ChargeStatusMismatch, 1, func(b *bothBooks) (string, string) { // completed, but the card was declined
		p, charge := b.pay(4900, "usd", func(c *stripetest.ChargeParams) { c.Decline = "card_declined" })
		b.store(p, "completed", charge.PaymentIntent, "", "")
		return p.id, "status"
	}},
	{reconcile.ChargeStatusMismatch, 1, func(b *bothBooks) (string, string) { // paid, but the platform never noticed
		p, charge := b.pay(4900, "usd", nil)
		b.store(p, "pending", charge.PaymentIntent, "", "")
		return p.id, "status"
	}},
	{reconcile.ChargeMissingInPlatform, 1, func(b *bothBooks) (string, string) {
		_, charge := b.pay(4900, "usd", func(c *stripetest.ChargeParams) { c.Metadata = nil })
		return charge.ID, "purchase"
	}},
	{reconcile.DuplicateCharge, 0, func(b *bothBooks) (string, string) {
		p := b.buy(4900, "usd")
		b.advance(time.Minute)
		again := ok[stripetest.Charge](b.t)(b.stripe.CreateCharge(stripetest.ChargeParams{
			Amount: 4900, Currency: "usd", Metadata: map[string]string{"purchase_id": p.id},
		}))
		return again.ID, "charge"
	}},
	{reconcile.RefundMissingInLedger, 1, func(b *bothBooks) (string, string) {
		p := b.buy(4900, "eur")
		return b.refund(p, b.refundable(p)).ID, "credits"
	}},
	{reconcile.RefundAmountMismatch, 0, func(b *bothBooks) (string, string) { // the fee was given back as well
		p := b.buy(4900, "eur")
		b.entry(p, "refund", -p.credits)
		return b.refund(p, 0).ID, "amount_minor"
	}},
	{reconcile.RefundFailed, 0, func(b *bothBooks) (string, string) {
		refund := b.giveBack(b.buy(4900, "usd"))
		b.advance(time.Minute)
		ok[stripetest.Refund](b.t)(b.stripe.FailRefund(refund.ID, "lost_or_stolen_card"))
		return refund.ID, "status"
	}},
	{reconcile.RefundAgainstPolicy, 0, func(b *bothBooks) (string, string) { // some of it was used
		p := b.buy(4900, "usd")
		b.use(p, 7)
		b.advance(time.Minute)
		return b.giveBack(p).ID, "policy"
	}},
	{reconcile.RefundAgainstPolicy, 8, func(b *bothBooks) (string, string) { // too late
		p, id := b.buy(4900, "usd"), ""
		b.later(8, func() { id = b.giveBack(p).ID })
		b.lateSubjects = append(b.lateSubjects, func() string { return id })
		return "", "policy"
	}},
	{reconcile.RefundMissingAtStripe, 1, func(b *bothBooks) (string, string) {
		p := b.buy(4900, "usd")
		b.entry(p, "refund", -p.credits)
		return p.id, "refund"
	}},
	{reconcile.DisputeAccountActive, 0, func(b *bothBooks) (string, string) {
		return ok[stripetest.Dispute](b.t)(b.stripe.OpenDispute(stripetest.DisputeParams{Charge: b.buy(4900, "usd").charge})).ID, "account_status"
	}},
	{reconcile.DisputedAndRefunded, 0, func(b *bothBooks) (string, string) {
		p := b.buy(4900, "usd")
		b.giveBack(p)
		b.exec("UPDATE platform.accounts SET status = 'suspended' WHERE id = $1", p.account)
		dispute := ok[stripetest.Dispute](b.t)(b.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge}))
		ok[stripetest.Dispute](b.t)(b.stripe.LoseDispute(dispute.ID))
		return p.charge, "amount_minor"
	}},
	{reconcile.DisputeResidual, 1, func(b *bothBooks) (string, string) { // far more comes back than was taken
		p, charge := b.pay(10_000, "eur", func(c *stripetest.ChargeParams) {
			c.Settlement = stripetest.Settlement{Currency: "usd", Amount: 10_833}
		})
		b.store(p, "completed", charge.PaymentIntent, charge.ID, "")
		b.exec("UPDATE platform.accounts SET status = 'suspended' WHERE id = $1", p.account)
		dispute := ok[stripetest.Dispute](b.t)(b.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge}))
		b.advance(time.Minute)
		ok[stripetest.Dispute](b.t)(b.stripe.ReturnDispute(dispute.ID, stripetest.DisputeReturn{Amount: 20_000, Status: "won"}))
		return dispute.ID, "withdrawn_minor"
	}},
	{reconcile.UnknownReportingCategory, 0, func(b *bothBooks) (string, string) {
		return ok[stripetest.BalanceTransaction](b.t)(b.stripe.Adjust(stripetest.Adjustment{Amount: -100, Currency: "usd", ReportingCategory: "moon_dust"})).ID, "reporting_category"
	}},
	{reconcile.BalanceResidual, 0, func(b *bothBooks) (string, string) { // a transaction that only our tables have
		b.exec(`INSERT INTO reconciler.stripe_balance_transactions (id, type, reporting_category, amount_minor, fee_minor, fee_tax_minor, net_minor, currency,
			status, source_id, created_at, available_on, seen_at) VALUES ('txn_ghost', 'charge', 'charge', 5, 0, 0, 5, 'kwd', 'available', '', $1, $1, $1)`, b.clock())
		return "kwd", "balance"
	}},
	{reconcile.PayoutResidual, 0, func(b *bothBooks) (string, string) { // a transaction of the payout that our tables lack
		ok[stripetest.TopUp](b.t)(b.stripe.TopUp(100_000, "gbp"))
		b.advance(time.Minute)
		payout := ok[[]stripetest.Payout](b.t)(b.stripe.RunAutomaticPayouts())
		for _, p := range payout {
			if p.Currency == "gbp" {
				b.worker.Step = func(step string) {
					if step == "sync-stripe/synced" {
						b.exec("UPDATE reconciler.stripe_balance_transactions SET payout_id = '' WHERE payout_id = $1 AND reporting_category = 'topup'", p.ID)
					}
				}
				return p.ID, "amount_minor"
			}
		}
		b.t.Fatal("no payout")
		return "", ""
	}},
	{reconcile.SubscriptionRefunded, 0, func(b *bothBooks) (string, string) {
		return b.refund(b.subscribe().purchased, 1000).ID, "amount_minor"
	}},
	{reconcile.SubscriptionProrated, 0, func(b *bothBooks) (string, string) {
		s := b.subscribe()
		p := b.bill(s, stripetest.InvoiceParams{Subscription: s.stripeID, BillingReason: "subscription_update", Lines: []stripetest.InvoiceLine{
			{Amount: -1200, Description: "Unused time", Proration: true}, {Amount: 4000, Description: "Remaining time", Proration: true},
		}})
		return p.invoice, "proration"
	}},
	{reconcile.UpgradeNotCharged, 1, func(b *bothBooks) (string, string) {
		return b.change(b.subscribe(), "upgrade", b.clock(), ""), "invoice"
	}},
	{reconcile.DowngradeEarly, 0, func(b *bothBooks) (string, string) {
		s := b.subscribe()
		b.advance(time.Hour)
		return b.change(s, "downgrade", b.clock(), ""), "effective_at"
	}},
	{reconcile.AccessEndedEarly, 0, func(b *bothBooks) (string, string) {
		s := b.subscribe()
		b.exec("UPDATE platform.subscriptions SET cancel_requested_at = $2, access_ends_at = $2 WHERE id = $1", s.id, b.clock())
		return s.id, "access_ends_at"
	}},
	{reconcile.AccessOutlastsPeriod, 0, func(b *bothBooks) (string, string) {
		s := b.subscribe()
		b.exec("UPDATE platform.subscriptions SET cancel_requested_at = $2, access_ends_at = $3 WHERE id = $1", s.id, b.clock(), s.periodEnd.AddDate(0, 0, 3))
		return s.id, "access_ends_at"
	}},
}

// Each kind of break, planted on an otherwise ordinary day, is found as exactly that on the night that is due, and nothing else is.
func TestPlantedStripeBreaksAreFoundExactly(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	for range 3 {
		b.day(4)
		b.night()
	}
	b.findPlanted(4, 0)
}

// What happened in nights that Stripe was not looked at for, or could not be, is found by the first that looks again, however many they were.
func TestTheNextLookFindsWhatNightsWithoutStripeMissed(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.day(2)
	b.night()
	b.findPlanted(2, 4)
}

// findPlanted plants all of them on one day, and requires them on the nights that follow; those that Stripe isn't looked at for first.
func (b *bothBooks) findPlanted(purchases, without int) {
	b.t.Helper()
	b.day(purchases)
	b.until(22)
	type expectation struct {
		nights      int
		kind, field string
		subject     func() string
	}
	var expected []expectation
	for _, p := range plantedOnStripe {
		subject, field := p.plant(b)
		e := expectation{p.nights, string(p.kind), field, func() string { return subject }}
		if subject == "" {
			e.subject = b.lateSubjects[len(b.lateSubjects)-1]
		}
		expected = append(expected, e)
	}
	for night := range 10 {
		if night > 0 {
			b.day(purchases)
		}
		if b.worker.Stripe = b.client; night < without {
			b.worker.Stripe = nil
			b.night()
			continue
		}
		b.night()
		want := []string{}
		for _, e := range expected {
			if e.nights <= night {
				want = append(want, e.kind+" "+e.subject()+" "+e.field)
			}
		}
		if diff := cmp.Diff(sorted(want), sorted(b.openBreaks())); diff != "" {
			b.t.Errorf("night %d: %s", night, diff)
		}
	}
}

// What the platform changes in place, with no date that says so, is looked at all the same: a purchase that was right when it was booked, one that was
// corrected wrongly and then rightly, a subscription that somebody sets active again with nothing paid, access that somebody lengthens.
func TestWhatThePlatformChangesInPlaceIsLookedAt(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	l.until(5)
	lapsed, ended := l.subscribeFor("week"), l.subscribeFor("week")
	l.exec("UPDATE platform.subscriptions SET cancel_requested_at = $2, access_ends_at = current_period_end WHERE id = $1", ended.id, l.clock())
	l.exec("UPDATE platform.subscriptions SET status = 'past_due' WHERE id = $1", lapsed.id)
	amount, currency, corrected := l.bought(2000, "usd", nil), l.bought(2100, "usd", nil), l.bought(2200, "usd", nil)
	set := func(p purchased, amount int64, currency string) {
		l.exec("UPDATE platform.purchases SET amount_minor = $2, currency = $3 WHERE id = $1", p.id, amount, currency)
	}
	days := map[int]func(){
		2: func() { set(amount, 1990, "usd"); set(currency, 2100, "eur"); set(corrected, 2200, "eur") },
		3: func() { set(corrected, 2200, "usd") },
	}
	const through = 11 // both subscriptions ended in the seventh
	days[5] = func() {
		l.exec("UPDATE platform.subscriptions SET access_ends_at = (access_ends_at AT TIME ZONE 'UTC' + interval '400 days') AT TIME ZONE 'UTC' WHERE id = $1", ended.id)
	}
	days[through-1] = func() {
		want := sorted([]string{
			"charge_amount_mismatch " + amount.id + " -10", "charge_currency_mismatch " + currency.id + " 2100",
			fmt.Sprintf("access_outlasts_period %s %d", ended.id, 400*24*60*60),
		})
		if diff := cmp.Diff(want, l.open()); diff != "" {
			t.Error(diff)
		}
		l.exec("UPDATE platform.subscriptions SET status = 'active' WHERE id = $1", lapsed.id)
	}
	l.nights(through-1, days)
	if open := l.open(); len(open) != 4 || !strings.HasPrefix(open[0]+open[1], "access_outlasts_period") || !strings.Contains(open[0]+open[1], lapsed.id) {
		t.Errorf("open: %v", open)
	}
	if diff := cmp.Diff(map[string]int64{"purchase_clearing usd": -2100, "purchase_clearing eur": 2100}, l.passedThrough()); diff != "" {
		t.Error(diff)
	}
}

// One payment pays one purchase: of two that name it, in whatever way and whatever their ids, the one that was made later is unpaid. It clears as the
// advice says.
func TestOnePaymentPaysOnePurchase(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	l.until(5)
	days, want := map[int]func(){}, []string{}
	for i, names := range []func(p purchased, c stripetest.Charge){
		func(p purchased, c stripetest.Charge) { l.store(p, "completed", c.PaymentIntent, "", "") },
		func(p purchased, c stripetest.Charge) { l.store(p, "completed", "", c.ID, "") },
		func(p purchased, c stripetest.Charge) { l.store(p, "completed", c.PaymentIntent, c.ID, "") },
	} {
		p, charge := l.pay(2000+int64(100*i), "usd", nil)
		names(p, charge)
		again := p
		again.id = "again-" + p.id // which is sorted before it
		want = append(want, fmt.Sprintf("purchase_missing_at_stripe %s %d", again.id, p.amount))
		alongside(days, 1, func() { names(again, charge) })
		alongside(days, 5, func() {
			l.entry(again, "adjustment", -again.credits)
			l.exec("UPDATE platform.purchases SET status = 'failed' WHERE id = $1", again.id)
		})
	}
	days[4] = func() {
		if diff := cmp.Diff(sorted(want), l.open()); diff != "" {
			t.Error(diff)
		}
	}
	l.nights(6, days)
	l.cleared()
}

// A purchase whose row arrives days after its night is compared with Stripe like any other, also where Stripe can't be looked at just then.
func TestAPurchaseThatArrivesLateIsComparedWithStripe(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]bool{"at once": false, "after nights without Stripe": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLives(t)
			looks := l.worker.Stripe
			l.until(5)
			unpaid := purchased{id: l.id("pur"), account: l.account(), amount: 4000, credits: 400, currency: "usd"}
			wrong, charge := l.pay(5000, "usd", nil)
			right, rightCharge := l.pay(6000, "usd", nil)
			wrong.amount = 5100
			sold := l.clock()
			l.nights(8, map[int]func(){
				4: func() {
					for p, intent := range map[purchased]string{unpaid: "", wrong: charge.PaymentIntent, right: rightCharge.PaymentIntent} {
						l.exec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_payment_intent_id, created_at, completed_at)
							VALUES ($1, $2, 'credits', $3, $4, 'usd', 'completed', nullif($5, ''), $6, $6)`, p.id, p.account, p.credits, p.amount, intent, sold)
						l.entry(p, "purchase", p.credits)
					}
					if without {
						l.worker.Stripe = nil
					}
				},
				6: func() { l.worker.Stripe = looks },
			})
			want := sorted([]string{fmt.Sprintf("purchase_missing_at_stripe %s 4000", unpaid.id), fmt.Sprintf("charge_amount_mismatch %s 100", wrong.id)})
			if diff := cmp.Diff(want, l.open()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

package accounting

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

var journalNight = reconcile.Date{Year: 2026, Month: 3, Day: 14}

// posted is what entries come to, a line each.
func posted(entries []JournalEntry) string {
	var b strings.Builder
	for _, e := range entries {
		for _, line := range e.Lines {
			fmt.Fprintf(&b, "%s %s %s\n", line.Role, line.Amount, line.Currency)
		}
	}
	return b.String()
}

func TestPosting(t *testing.T) {
	n := func(amount int64) *big.Int { return big.NewInt(amount) }
	for name, c := range map[string]struct {
		entries []JournalEntry
		want    string
	}{
		"a purchase is owed as a refund": {
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "credits", Credits: 100, AmountMinor: 1000, Currency: "usd"}),
			"purchase_clearing 1000 usd\nrefund_liability -1000 usd\n"},
		"a subscription with credits has no window": {
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "subscription", Credits: 100, AmountMinor: 1000, Currency: "usd"}),
			"purchase_clearing 1000 usd\ncontract_liability -1000 usd\n"},
		"a subscription without credits is earned otherwise": {
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "subscription", AmountMinor: 1000, Currency: "usd"}),
			"purchase_clearing 1000 usd\nsubscription_liability -1000 usd\n"},
		"a purchase that a balance has paid a part of": {
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "credits", Credits: 100, AmountMinor: 2000, FromBalanceMinor: 500, Currency: "usd"}),
			"purchase_clearing 1500 usd\nrefund_liability -2000 usd\ncustomer_balances 500 usd\n"},
		"a purchase whose invoice collected a debt": {
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "credits", Credits: 100, AmountMinor: 2000, FromBalanceMinor: -300, Currency: "usd"}),
			"purchase_clearing 2300 usd\nrefund_liability -2000 usd\ncustomer_balances -300 usd\n"},
		"a purchase with tax": {
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "credits", Credits: 100, AmountMinor: 1200, TaxMinor: 200, FromBalanceMinor: 300, Currency: "usd"}),
			"purchase_clearing 900 usd\nrefund_liability -1000 usd\ntax_payable -200 usd\ncustomer_balances 300 usd\n"},
		"a subscription with tax": {
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "subscription", AmountMinor: 1200, TaxMinor: 200, Currency: "usd"}),
			"purchase_clearing 1200 usd\nsubscription_liability -1000 usd\ntax_payable -200 usd\n"},
		"a taxed lot that is refunded less 36: tax goes back in proportion": {
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: "usd", PaidMinor: 1000, TaxMinor: 200, ValueBefore: n(1000), ValueAfter: n(0), WasRefundable: true, WithheldMinor: 36}),
			"refund_liability 1000 usd\ntax_payable 194 usd\nrefund_clearing -1164 usd\nfees_withheld -30 usd\n"},
		"and comes back": {
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: "usd", PaidMinor: 1000, TaxMinor: 200, ValueBefore: n(0), ValueAfter: n(1000), WithheldMinor: 36, Reversed: true}),
			"refund_clearing 1164 usd\nfees_withheld 30 usd\ntax_payable -194 usd\ncontract_liability -1000 usd\n"},
		"subscriptions earned by the day": {
			PostRecognized(journalNight, RecognizedMove{Currency: "usd", Opening: 2, Earning: 3, Opened: n(50), Settled: n(0), Earned: n(7), Tax: n(0), GivenBack: n(0)}),
			"opening_balances 50 usd\nsubscription_liability -50 usd\nsubscription_liability 7 usd\nsubscription_revenue -7 usd\n"},
		"a refund of a subscription beyond what is deferred": {
			PostRecognized(journalNight, RecognizedMove{SubjectID: "p", IsPurchase: true, Currency: "usd", Opened: n(0), Settled: n(0), Earned: n(-40), Tax: n(-20), GivenBack: n(120)}),
			"subscription_liability 60 usd\nsubscription_revenue 40 usd\ntax_payable 20 usd\nrefund_clearing -120 usd\n"},
		"an invoice below 0 that the customer's balance took": {
			PostRecognized(journalNight, RecognizedMove{SubjectID: "in", Currency: "usd", Opened: n(0), Settled: n(-600), Earned: n(-50), Tax: n(-100), GivenBack: n(0)}),
			"customer_balances -600 usd\nsubscription_liability 450 usd\nsubscription_revenue 50 usd\ntax_payable 100 usd\n"},
		"tax that was known later": {
			PostRecognized(journalNight, RecognizedMove{SubjectID: "p", IsPurchase: true, Currency: "usd", Opened: n(0), Settled: n(0), Earned: n(0), Tax: n(20), GivenBack: n(0)}),
			"subscription_liability 20 usd\ntax_payable -20 usd\n"},
		// Stripe's rates: 30 EUR at 1.20 are 36 USD, at 1.10 they are 33 (https://docs.stripe.com/revenue-recognition/examples/currency).
		"a payment settles at its own rate, and nothing is gained or lost": {
			PostStripe(journalNight, StripeActivity{Category: "charge", Count: 1, Currency: "usd", Amount: n(3600), Fee: n(0), PresentedCurrency: "eur", Presented: n(3000)}),
			"stripe_balance 3600 usd\ncurrency_conversion -3600 usd\ncurrency_conversion 3000 eur\npurchase_clearing -3000 eur\n"},
		"its refund at a lower rate is a gain": {
			PostStripe(journalNight, StripeActivity{Category: "refund", Source: "txn", Count: 1, Currency: "usd", Amount: n(-3300), Fee: n(0), PresentedCurrency: "eur", Presented: n(-3000), AtChargeRate: n(-3600)}),
			"stripe_balance -3300 usd\ncurrency_conversion 3600 usd\ncurrency_conversion -3000 eur\nrefund_clearing 3000 eur\nexchange_differences -300 usd\n"},
		"at a higher rate a loss": {
			PostStripe(journalNight, StripeActivity{Category: "refund", Source: "txn", Count: 1, Currency: "usd", Amount: n(-3600), Fee: n(0), PresentedCurrency: "eur", Presented: n(-3000), AtChargeRate: n(-3300)}),
			"stripe_balance -3600 usd\ncurrency_conversion 3300 usd\ncurrency_conversion -3000 eur\nrefund_clearing 3000 eur\nexchange_differences 300 usd\n"},
		"a purchase for nothing": {
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "credits", Credits: 100, Currency: "usd"}), ""},
		"a window that closes is no revenue": {
			PostWindowChange(journalNight, WindowChange{Currency: "jpy", State: reconcile.WindowExpired, Closed: true, Count: 3, Amount: n(700)}),
			"refund_liability 700 jpy\ncontract_liability -700 jpy\n"},
		"a window that opens again": {
			PostWindowChange(journalNight, WindowChange{Currency: "jpy", State: reconcile.WindowOpen, Count: 1, Amount: n(700)}),
			"contract_liability 700 jpy\nrefund_liability -700 jpy\n"},
		"a window whose purchase is gone": {
			PostWindowChange(journalNight, WindowChange{Currency: "jpy", Closed: true, Count: 1, Amount: n(700)}),
			"refund_liability 700 jpy\ncontract_liability -700 jpy\n"},
		"usage, credit-backs, adjustments": {
			PostMovement(journalNight, Movement{Currency: "usd", Usage: n(-50), CreditBacks: n(8), Adjustments: n(-3), Reallocated: n(-2), LateItems: n(0)}),
			"usage_revenue -50 usd\ncontract_liability 50 usd\nusage_revenue 8 usd\ncontract_liability -8 usd\n" +
				"credits_taken -3 usd\ncontract_liability 3 usd\nusage_revenue -2 usd\ncontract_liability 2 usd\n"},
		"a refund in its window, fees withheld": {
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: "usd", PaidMinor: 1000, ValueBefore: n(1000), ValueAfter: n(0), WasRefundable: true, WithheldMinor: 59}),
			"refund_liability 1000 usd\nrefund_clearing -941 usd\nfees_withheld -59 usd\n"},
		"a refund of what a balance has paid a part of": {
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: "usd", PaidMinor: 2000, FromBalanceMinor: 500, ValueBefore: n(2000), ValueAfter: n(0), WasRefundable: true, WithheldMinor: 74}),
			"refund_liability 2000 usd\nrefund_clearing -1426 usd\nfees_withheld -74 usd\ncustomer_balances -500 usd\n"},
		"which came back": {
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: "usd", PaidMinor: 2000, FromBalanceMinor: 500, ValueBefore: n(0), ValueAfter: n(2000), Reversed: true, WithheldMinor: 74}),
			"refund_clearing 1426 usd\nfees_withheld 74 usd\ncustomer_balances 500 usd\ncontract_liability -2000 usd\n"},
		"a refund without a decision, of a used lot": {
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: "usd", PaidMinor: 1000, ValueBefore: n(400), ValueAfter: n(0), WithheldMinor: 0}),
			"contract_liability 400 usd\nusage_revenue 600 usd\nrefund_clearing -1000 usd\n"},
		"a refund in its window of a lot that earlier debits had used": {
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: "usd", PaidMinor: 1000, ValueBefore: n(900), ValueAfter: n(0), WasRefundable: true, WithheldMinor: 0}),
			"refund_liability 1000 usd\ncontract_liability -100 usd\nusage_revenue 100 usd\nrefund_clearing -1000 usd\n"},
		"a refund that came back": {
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: "usd", PaidMinor: 1000, ValueBefore: n(0), ValueAfter: n(1000), Reversed: true, WithheldMinor: 59}),
			"refund_clearing 941 usd\nfees_withheld 59 usd\ncontract_liability -1000 usd\n"},
		"charges in the currency of their settlement": {
			PostStripe(journalNight, StripeActivity{Category: "charge", Count: 2, Currency: "usd", Amount: n(3000), Fee: n(117), PresentedCurrency: "usd", Presented: n(3000)}),
			"stripe_balance 2883 usd\npurchase_clearing -3000 usd\nprocessing_fees 117 usd\n"},
		"a charge in another currency": {
			PostStripe(journalNight, StripeActivity{Category: "charge", Count: 1, Currency: "usd", Amount: n(1100), Fee: n(62), PresentedCurrency: "eur", Presented: n(1000)}),
			"stripe_balance 1038 usd\ncurrency_conversion -1100 usd\ncurrency_conversion 1000 eur\npurchase_clearing -1000 eur\nprocessing_fees 62 usd\n"},
		"a refund at Stripe": {
			PostStripe(journalNight, StripeActivity{Category: "refund", Source: "txn", Count: 1, Currency: "usd", Amount: n(-941), Fee: n(0)}),
			"stripe_balance -941 usd\nrefund_clearing 941 usd\n"},
		"a chargeback with its fee": {
			PostStripe(journalNight, StripeActivity{Category: "dispute", Source: "txn", Count: 1, Currency: "usd", Amount: n(-1000), Fee: n(1500)}),
			"stripe_balance -2500 usd\ndisputes_receivable 1000 usd\nprocessing_fees 1500 usd\n"},
		"a payout": {
			PostStripe(journalNight, StripeActivity{Category: "payout", Source: "txn", Count: 1, Currency: "usd", Amount: n(-5000), Fee: n(0)}),
			"stripe_balance -5000 usd\npayouts_in_transit 5000 usd\n"},
		"fees that come without a charge": {
			PostStripe(journalNight, StripeActivity{Category: "fee", Count: 1, Currency: "usd", Amount: n(-120), Fee: n(0)}),
			"stripe_balance -120 usd\nprocessing_fees 120 usd\n"},
		"what nobody knows is seen": {
			PostStripe(journalNight, StripeActivity{Category: "moon_dust", Count: 1, Currency: "usd", Amount: n(-1), Fee: n(0)}),
			"stripe_balance -1 usd\nstripe_suspense 1 usd\n"},
		"a payout that arrived":         {PostPayoutState(journalNight, MovedPayout{PayoutID: "po", Currency: "usd", AmountMinor: 5000}), "bank 5000 usd\npayouts_in_transit -5000 usd\n"},
		"and came back":                 {PostPayoutState(journalNight, MovedPayout{PayoutID: "po", Currency: "usd", AmountMinor: 5000, Returned: true, WasPaid: true}), "payouts_in_transit 5000 usd\nbank -5000 usd\n"},
		"a payout of less than nothing": {PostPayoutState(journalNight, MovedPayout{PayoutID: "po", Currency: "usd", AmountMinor: -700}), "bank -700 usd\npayouts_in_transit 700 usd\n"},
		"a payout that was on its way as the books began": {PostPayoutState(journalNight, MovedPayout{PayoutID: "po", Currency: "usd", AmountMinor: 5000, Beforehand: true}),
			"bank 5000 usd\nopening_balances -5000 usd\n"},
		"and never arrived": {PostPayoutState(journalNight, MovedPayout{PayoutID: "po", Currency: "usd", AmountMinor: 5000, Returned: true, Beforehand: true}),
			"payouts_in_transit 5000 usd\nopening_balances -5000 usd\n"},
		"and came back after it had arrived": {PostPayoutState(journalNight, MovedPayout{PayoutID: "po", Currency: "usd", AmountMinor: 5000, Returned: true, WasPaid: true, Beforehand: true}),
			"payouts_in_transit 5000 usd\nbank -5000 usd\n"},
		"a lost chargeback":                  {PostDisputeWriteOff(journalNight, "dp", "usd", reconcile.DisputeWriteOff{LossMinor: 1000}), "dispute_losses 1000 usd\ndisputes_receivable -1000 usd\n"},
		"a chargeback won after it was lost": {PostDisputeWriteOff(journalNight, "dp", "usd", reconcile.DisputeWriteOff{LossMinor: -1000}), "dispute_losses -1000 usd\ndisputes_receivable 1000 usd\n"},
		"a chargeback won at another rate":   {PostDisputeWriteOff(journalNight, "dp", "usd", reconcile.DisputeWriteOff{ExchangeMinor: 50}), "disputes_receivable -50 usd\nexchange_differences 50 usd\n"},
		"a chargeback from before the books": {PostDisputeWriteOff(journalNight, "dp", "usd", reconcile.DisputeWriteOff{BeforehandMinor: -1000}), "disputes_receivable 1000 usd\nopening_balances -1000 usd\n"},
		"nothing new of a chargeback":        {PostDisputeWriteOff(journalNight, "dp", "usd", reconcile.DisputeWriteOff{}), ""},
		"a refund at another rate": {PostStripe(journalNight, StripeActivity{Category: "refund", Source: "txn", Count: 1, Currency: "usd", Amount: n(-10900), Fee: n(0),
			PresentedCurrency: "eur", Presented: n(-10000), AtChargeRate: n(-10833)}),
			"stripe_balance -10900 usd\ncurrency_conversion 10833 usd\ncurrency_conversion -10000 eur\nrefund_clearing 10000 eur\nexchange_differences 67 usd\n"},
		"a refund at the charge's rate": {PostStripe(journalNight, StripeActivity{Category: "refund", Source: "txn", Count: 1, Currency: "usd", Amount: n(-3612), Fee: n(0),
			PresentedCurrency: "eur", Presented: n(-3333), AtChargeRate: n(-3611)}),
			"stripe_balance -3612 usd\ncurrency_conversion 3612 usd\ncurrency_conversion -3333 eur\nrefund_clearing 3333 eur\n"},
		"a bank debit is returned": {PostStripe(journalNight, StripeActivity{Category: "charge_failure", Count: 1, Currency: "usd", Amount: n(-2000), Fee: n(400)}),
			"stripe_balance -2400 usd\npurchase_clearing 2000 usd\nprocessing_fees 400 usd\n"},
		"the opening": {
			PostOpening(journalNight, n(500), []Liability{{Currency: "usd", Total: n(900), Refundable: n(250)}}),
			"opening_balances 900 usd\nrefund_liability -250 usd\ncontract_liability -650 usd\ncredits_opening 500 credits\ncredits_held -500 credits\n"},
		"Stripe's balance before": {PostStripeBeforehand(journalNight, "usd", n(77)), "stripe_balance 77 usd\nopening_balances -77 usd\n"},
		"credits": {
			PostCredits(journalNight, CreditMovement{Purchases: n(100), Promotions: n(5), Usage: n(-60), CreditBacks: n(7), Refunds: n(0), Adjustments: n(-1), LateItems: n(-2)}),
			"credits_sold 100 credits\ncredits_held -49 credits\ncredits_promoted 5 credits\ncredits_used -60 credits\ncredits_credited_back 7 credits\ncredits_adjusted -1 credits\ncredits_late -2 credits\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := posted(c.entries); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
			for _, e := range c.entries {
				if err := e.Check(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Whatever the facts, also near the bounds of 64 bits and where they contradict each other: every entry balances, and has an account for
// What an entry says beside its lines: its kind, what it is about, and the clause that it follows.
func TestEntriesSayWhatTheyAre(t *testing.T) {
	n := func(amount int64) *big.Int { return big.NewInt(amount) }
	moved := func(m RecognizedMove) []JournalEntry {
		for _, amount := range []**big.Int{&m.Opened, &m.Settled, &m.Earned, &m.Tax, &m.GivenBack} {
			if *amount == nil {
				*amount = n(0)
			}
		}
		return PostRecognized(journalNight, m)
	}
	stripe := func(category, source, presented string) []JournalEntry {
		return PostStripe(journalNight, StripeActivity{Category: category, Source: source, Count: 3, Currency: "usd", Amount: n(-500), Fee: n(0), PresentedCurrency: presented, Presented: n(-460)})
	}
	for _, c := range []struct {
		entries []JournalEntry
		want    string
	}{
		{PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "credits", Credits: 100, AmountMinor: 1000, Currency: "usd"}), "purchase|Purchase p of 100 credits|p|" + reconcile.ClauseUnusedCredits},
		{PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "subscription", Credits: 100, AmountMinor: 1000, Currency: "usd"}), "purchase|Purchase p of 100 credits|p|" + reconcile.ClauseSubscriptionFinal},
		{PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: "credits", Credits: 100, AmountMinor: 1000, Currency: "usd", Late: true, CompletedOn: journalNight.AddDays(-3)}),
			"late purchase|Purchase p of 100 credits, completed on 2026-03-11, turned up late|p|" + reconcile.ClauseUnusedCredits},
		{PostWindowChange(journalNight, WindowChange{Currency: "usd", Closed: true, Count: 2, Amount: n(10)}), "refund windows|Refund windows closed unrefunded (no longer there) of 2 purchases||" + reconcile.ClauseLateOrUsed},
		{PostWindowChange(journalNight, WindowChange{Currency: "usd", State: reconcile.WindowExpired, Count: 2, Amount: n(10)}), "refund windows|Refund windows open again (expired) of 2 purchases||" + reconcile.ClauseLateOrUsed},
		{moved(RecognizedMove{Currency: "usd", Earning: 4, Earned: n(10)}), "subscriptions earned|Subscriptions earned by the day (4)||" + reconcile.ClauseSubscriptionFinal},
		{moved(RecognizedMove{SubjectID: "p", IsPurchase: true, Currency: "usd", GivenBack: n(10)}), "subscription refunded|Refund of subscription charge p|p|" + reconcile.ClauseSubscriptionFinal},
		{moved(RecognizedMove{SubjectID: "p", IsPurchase: true, Currency: "usd", Tax: n(10)}), "tax of an invoice|Tax of purchase p, known since it was booked|p|" + reconcile.ClauseSubscriptionFinal},
		{moved(RecognizedMove{SubjectID: "in", Currency: "usd", Settled: n(10), GivenBack: n(5)}), "customer balance|Invoice in and the customer's balance|in|" + reconcile.ClauseSubscriptionFinal},
		{stripe("refund", "txn", ""), "Stripe activity|At Stripe, refund txn|txn|" + reconcile.ClauseOriginalMethod},
		{stripe("charge_failure", "", "eur"), "Stripe activity|At Stripe, charge failure (3)||"},
		{PostDisputeWriteOff(journalNight, "dp", "usd", reconcile.DisputeWriteOff{LossMinor: 1}), "dispute lost|Dispute dp lost|dp|" + reconcile.ClauseChargebackReinstating},
		{PostDisputeWriteOff(journalNight, "dp", "usd", reconcile.DisputeWriteOff{ExchangeMinor: 1}), "Stripe activity|Dispute dp returned|dp|" + reconcile.ClauseChargebackReinstating},
		{PostDisputeWriteOff(journalNight, "dp", "usd", reconcile.DisputeWriteOff{LossMinor: -1}), "Stripe activity|Dispute dp returned|dp|" + reconcile.ClauseChargebackReinstating},
	} {
		if len(c.entries) != 1 {
			t.Fatalf("%d entries for %s", len(c.entries), c.want)
		}
		if e := c.entries[0]; string(e.Kind)+"|"+e.Description+"|"+e.Source+"|"+e.Clause != c.want {
			t.Errorf("%s|%s|%s|%s, want %s", e.Kind, e.Description, e.Source, e.Clause, c.want)
		}
	}
	if e := stripe("dispute", "txn", "eur")[0]; len(e.Lines) != 2 || e.Lines[1].Role != DisputesReceivable || e.Lines[1].Currency != "usd" {
		t.Errorf("what a dispute takes is in the currency of the settlement: %+v", e.Lines)
	}
	for _, p := range []struct {
		purchase BookedPurchase
		isLot    bool
	}{{BookedPurchase{Kind: "credits"}, true}, {BookedPurchase{Kind: "subscription", Credits: 1}, true}, {BookedPurchase{Kind: "subscription"}, false}} {
		if p.purchase.IsLot() != p.isLot {
			t.Errorf("%+v is a lot: %t", p.purchase, !p.isLot)
		}
	}
}

// each line and a number that packages take.
func TestEveryEntryBalances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := func(what string) *big.Int {
			n := big.NewInt(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-9, 9), rapid.Just(int64(math.MaxInt64)), rapid.Just(int64(math.MinInt64))).Draw(t, what))
			return n.Mul(n, big.NewInt(rapid.Int64Range(1, 1000).Draw(t, "times")))
		}
		paid := rapid.Int64Range(0, math.MaxInt64).Draw(t, "paid")
		yes := func(what string) bool { return rapid.Bool().Draw(t, what) }
		currency := rapid.SampledFrom([]string{"usd", "jpy", "kwd", "ugx"}).Draw(t, "currency")
		category := rapid.SampledFrom(append(reconcile.ReportingCategories(), "unheard_of")).Draw(t, "category")
		var all []JournalEntry
		for _, entries := range [][]JournalEntry{
			PostOpening(journalNight, amount("credits"), []Liability{{currency, amount("total"), amount("refundable")}}),
			PostPurchase(journalNight, BookedPurchase{PurchaseID: "p", Kind: rapid.SampledFrom([]string{"credits", "subscription"}).Draw(t, "kind"), Credits: paid % 3, AmountMinor: paid, TaxMinor: paid / 5, Currency: currency, Late: yes("late")}),
			PostWindowChange(journalNight, WindowChange{Currency: currency, State: reconcile.WindowUsed, Closed: yes("closed"), Amount: amount("window")}),
			PostMovement(journalNight, Movement{Currency: currency, Usage: amount("usage"), CreditBacks: amount("backs"), Adjustments: amount("adjusted"), Reallocated: amount("moved"), LateItems: amount("late")}),
			PostRefund(journalNight, RefundedLot{PurchaseID: "p", Currency: currency, PaidMinor: paid / 2, TaxMinor: paid / 9, ValueBefore: amount("before"), ValueAfter: amount("after"), WasRefundable: yes("refundable"), WithheldMinor: rapid.Int64Range(-1, math.MaxInt64).Draw(t, "refund"), Reversed: yes("reversed"), Late: yes("late refund")}),
			PostCredits(journalNight, CreditMovement{amount("a"), amount("b"), amount("c"), amount("d"), amount("e"), amount("f"), amount("g")}),
			PostStripe(journalNight, StripeActivity{Category: category, Currency: currency, Amount: amount("stripe"), Fee: amount("fee"), PresentedCurrency: "usd", Presented: amount("presented"),
				AtChargeRate: amount("at the charge's rate")}),
			PostPaymentClearing(journalNight, PaymentBooks{SubjectID: "p", Currency: currency, Sold: amount("sold"), Brought: amount("brought"), Payable: amount("payable"), Refunded: amount("refunded"),
				Changed: amount("changed"), Lost: amount("lost"), Resolved: []ResolvedDifference{{reconcile.ChargeAmountMismatch, reconcile.ResolvedAccepted, amount("resolved")}}},
				PaymentBooks{Sold: amount("sold before"), Brought: amount("brought before"), Payable: amount("payable before"), Refunded: amount("refunded before"), Changed: amount("changed before"), Lost: amount("lost before")}.Clearing()),
			PostRecognized(journalNight, RecognizedMove{SubjectID: rapid.SampledFrom([]string{"", "p"}).Draw(t, "subject"), IsPurchase: yes("purchase"), Currency: currency, Opened: amount("opened"),
				Settled: amount("settled"), Earned: amount("earned"), Tax: amount("tax"), GivenBack: amount("given back")}),
			PostStripeBeforehand(journalNight, currency, amount("held")),
			PostPayoutState(journalNight, MovedPayout{"po", currency, paid, yes("returned"), yes("was paid"), yes("beforehand")}),
			PostDisputeWriteOff(journalNight, "dp", currency, reconcile.DisputeWriteOff{
				LossMinor: rapid.Int64().Draw(t, "lost"), ExchangeMinor: rapid.Int64().Draw(t, "exchange"), BeforehandMinor: rapid.Int64().Draw(t, "beforehand"),
			}),
		} {
			all = append(all, entries...)
		}
		for _, e := range all {
			if !slices.Contains(EntryKinds(), e.Kind) {
				t.Fatalf("EntryKinds lacks %q", e.Kind)
			}
		}
		numbers := map[string]bool{}
		for _, e := range all {
			if err := e.Check(); err != nil {
				t.Fatal(err)
			}
			if len(e.ID) != 21 || numbers[e.ID] {
				t.Fatalf("number %q of %s", e.ID, e.Kind)
			}
			numbers[e.ID] = true
			for _, line := range e.Lines {
				if DefaultChart().Account(line.Role).Name == "" {
					t.Fatalf("no account for %s", line.Role)
				}
			}
		}
	})
}

func TestUnbalancedEntryIsRefused(t *testing.T) {
	e := newEntry(journalNight, EntryUsage, "", "")
	e.add(UsageRevenue, "usd", big.NewInt(1))
	e.add(ContractLiability, "eur", big.NewInt(-1))
	if err := e.Check(); err == nil {
		t.Error("an entry that is off in two currencies passes")
	}
	if err := (JournalEntry{}).Check(); err == nil {
		t.Error("an entry without lines passes")
	}
}

package jobs_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"
	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// cleared: no break is open, and no money is left on the way.
func (l lives) cleared() {
	l.t.Helper()
	if open := l.open(); len(open) != 0 {
		l.t.Errorf("open: %v", open)
	}
	if diff := cmp.Diff(map[string]int64{}, l.passedThrough()); diff != "" {
		l.t.Error(diff)
	}
}

// passedThrough are the accounts that money only passes through and that aren't at 0 at the end of the newest night.
func (l lives) passedThrough() map[string]int64 {
	l.t.Helper()
	return l.byRole(`SELECT role, currency, closing::bigint FROM reconciler.ledger_balances
		WHERE business_date = (SELECT max(business_date) FROM reconciler.ledger_balances) AND closing <> 0
		  AND role IN ('purchase_clearing', 'refund_clearing', 'disputes_receivable', 'payouts_in_transit', 'stripe_suspense')`)
}

// Whatever becomes of a payment, and whichever of the ways that the advice names it is mended by: nothing is open in the end, and no account
// that money only passes through holds any.
func TestEveryPaymentClearsInTheEnd(t *testing.T) {
	t.Parallel()
	free := func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{} }
	debit := func(c *stripetest.ChargeParams) { c.Method, c.Fees = stripetest.USBankAccount, []stripetest.Fee{} }
	euros := func(c *stripetest.ChargeParams) { c.Settlement = stripetest.Settlement{Currency: "usd", Amount: 2221} }
	settle := func(l lives, p purchased) { ok[stripetest.Charge](l.t)(l.stripe.SettleCharge(p.charge)) }
	bounce := func(l lives, p purchased) {
		ok[stripetest.Charge](l.t)(l.stripe.ReturnDebit(p.charge, "insufficient_funds", 400))
	}
	refund := func(amount int64) func(lives, purchased) {
		return func(l lives, p purchased) { l.refund(p, amount) }
	}
	takes := func(kind string) func(lives, purchased) {
		return func(l lives, p purchased) { l.entry(p, kind, -p.credits) }
	}
	set := func(column string, value any) func(lives, purchased) {
		return func(l lives, p purchased) {
			l.exec("UPDATE platform.purchases SET "+column+" = $2 WHERE id = $1", p.id, value)
		}
	}
	both := func(steps ...func(lives, purchased)) func(lives, purchased) {
		return func(l lives, p purchased) {
			for _, step := range steps {
				step(l, p)
			}
		}
	}
	type life struct {
		amount, charged int64
		currency        string
		charge          func(*stripetest.ChargeParams)
		days            map[int]func(lives, purchased)
	}
	lived := map[string]life{ // amounts of their own, so that what one of them left could not make up for what another did
		"a surplus is refunded":                         {2000, 2050, "usd", nil, map[int]func(lives, purchased){1: refund(50)}},
		"a surplus is refunded, in another currency":    {2000, 2050, "eur", euros, map[int]func(lives, purchased){1: refund(50)}},
		"a surplus is refunded in two parts":            {2100, 2163, "usd", nil, map[int]func(lives, purchased){1: refund(20), 2: refund(43)}},
		"a surplus is refunded, then the purchase":      {2200, 2271, "usd", free, map[int]func(lives, purchased){1: refund(71), 2: both(takes("refund"), refund(2200))}},
		"a purchase is corrected to what was paid":      {2300, 2383, "usd", nil, map[int]func(lives, purchased){2: set("amount_minor", 2383)}},
		"a purchase is corrected down to it":            {2400, 1297, "usd", nil, map[int]func(lives, purchased){2: set("amount_minor", 1297)}},
		"a purchase is corrected at once":               {2500, 1399, "usd", nil, map[int]func(lives, purchased){0: set("amount_minor", 1399)}},
		"a debit is returned, credits refunded":         {2600, 2600, "usd", debit, map[int]func(lives, purchased){0: settle, 4: bounce, 6: both(takes("refund"), set("status", "failed"))}},
		"a debit is returned, credits taken":            {2701, 2701, "usd", debit, map[int]func(lives, purchased){0: settle, 4: bounce, 6: both(takes("adjustment"), set("status", "failed"))}},
		"a debit is returned and mended the same day":   {2803, 2803, "usd", debit, map[int]func(lives, purchased){0: settle, 4: both(bounce, takes("adjustment"), set("status", "failed"))}},
		"a debit is returned, credits taken days later": {2907, 2907, "usd", debit, map[int]func(lives, purchased){0: settle, 4: bounce, 6: set("status", "failed"), 9: takes("adjustment")}},
	}
	l := newLives(t)
	l.until(5)
	days, last := map[int]func(){}, 0
	for _, name := range slices.Sorted(maps.Keys(lived)) {
		tc := lived[name]
		p, charge := l.pay(tc.charged, tc.currency, tc.charge)
		p.amount, p.credits = tc.amount, tc.amount
		l.store(p, "completed", charge.PaymentIntent, charge.ID, "")
		end := 0
		for day, happens := range tc.days {
			alongside(days, day+1, func() { happens(l, p) })
			end = max(end, day+1)
		}
		alongside(days, end+3, func() {
			if open := l.openAbout(p); len(open) > 0 {
				t.Errorf("%s: open: %v", name, open)
			}
		})
		last = max(last, end+2)
	}
	l.nights(last, days)
	l.cleared()
}

// A purchase that was booked in another currency than it was paid in is corrected as the advice says, or somebody accepts it, and its money is
// refunded or not: nothing stays on the way in either currency, whatever decimals they have, and nothing of it is taken for a gain or a loss. What
// it is worth stays where it was booked. The nights before are told what was corrected, those after it read it as it is.
func TestAPurchaseWhoseCurrencyIsCorrectedClears(t *testing.T) {
	t.Parallel()
	lived := map[string]struct { // amounts of their own
		booked     int64
		in         string
		charged    int64
		paidIn     string
		settled    stripetest.Settlement
		refundedOn int // day; 0: it isn't
		accepts    bool
	}{
		"the currency alone":                           {9600, "eur", 9600, "usd", stripetest.Settlement{}, 0, false},
		"and refunded":                                 {9701, "eur", 9701, "usd", stripetest.Settlement{}, 4, false},
		"without decimals, and refunded":               {1503, "jpy", 1000, "usd", stripetest.Settlement{}, 4, false},
		"from a coarse unit, and refunded":             {15, "jpy", 3333, "kwd", stripetest.Settlement{Currency: "usd", Amount: 1085}, 4, false},
		"with three decimals, and refunded":            {3077, "kwd", 1001, "usd", stripetest.Settlement{}, 4, false},
		"settled in a third currency, and refunded":    {9802, "usd", 9802, "eur", stripetest.Settlement{Currency: "gbp", Amount: 8211}, 4, false},
		"accepted as it is":                            {9904, "eur", 9904, "usd", stripetest.Settlement{}, 0, true},
		"accepted, and refunded":                       {10008, "eur", 10008, "usd", stripetest.Settlement{}, 4, true},
		"refunded, then accepted":                      {10116, "eur", 10116, "usd", stripetest.Settlement{}, 1, true},
		"accepted without decimals, and refunded":      {1719, "jpy", 1132, "usd", stripetest.Settlement{}, 4, true},
		"accepted from a coarse unit, and refunded":    {19, "jpy", 4333, "kwd", stripetest.Settlement{Currency: "usd", Amount: 1485}, 4, true},
		"accepted with three decimals, and refunded":   {4077, "kwd", 1364, "usd", stripetest.Settlement{}, 4, true},
		"accepted, settled in a third, and refunded":   {10232, "usd", 10232, "eur", stripetest.Settlement{Currency: "gbp", Amount: 8911}, 4, true},
		"what is beyond it is no surplus in the other": {88, "eur", 1812, "usd", stripetest.Settlement{}, 4, true},
	}
	const mended = 2
	l := newLives(t)
	l.until(5)
	days, sold := map[int]func(){}, map[string]purchased{}
	for _, name := range slices.Sorted(maps.Keys(lived)) {
		tc := lived[name]
		p, charge := l.pay(tc.charged, tc.paidIn, func(c *stripetest.ChargeParams) { c.Settlement, c.Fees = tc.settled, []stripetest.Fee{{Amount: 88}} })
		p.amount, p.currency, p.credits = tc.booked, tc.in, 960
		l.store(p, "completed", charge.PaymentIntent, charge.ID, "")
		sold[name] = p
		alongside(days, mended, func() { // what is at stake is all that was bought
			if found, want := l.openAbout(p), []string{fmt.Sprintf("charge_currency_mismatch %s %d", p.id, tc.booked)}; !slices.Equal(found, want) {
				t.Errorf("%s: found %v, want %v", name, found, want)
			}
			if tc.accepts {
				l.resolve(p.account, "accepted")
				return
			}
			p.amount, p.currency = tc.charged, tc.paidIn
			l.exec("UPDATE platform.purchases SET amount_minor = $2, currency = $3 WHERE id = $1", p.id, p.amount, p.currency)
		})
		if tc.refundedOn > 0 {
			alongside(days, tc.refundedOn, func() {
				p.amount = tc.charged
				l.giveBack(p)
			})
		}
	}
	l.nights(7, days)
	l.cleared()
	for name, p := range sold {
		want := map[string]int64{}
		if tc := lived[name]; tc.refundedOn > 0 && tc.refundedOn < mended { // what is withheld of it was not known then
			want["fees_withheld "+tc.in] = -88
		}
		went := l.went(p)
		maps.DeleteFunc(went, func(account string, _ int64) bool { return strings.HasPrefix(account, "currency_conversion ") })
		if diff := cmp.Diff(want, went); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for n, night := range l.booksOfAMonth.nights {
		faults := verified(t, l.bothBooks, night.Date)
		if n >= mended && len(faults) > 0 || n < mended && (len(faults) == 0 || faults[0].Where != "purchases") {
			t.Errorf("night %d: %v", n, faults)
		}
		for name, p := range sold {
			isNamed := slices.ContainsFunc(faults, func(f publish.Fault) bool {
				return f.Where == "purchases" && strings.Contains(f.What, "purchase "+p.id)
			})
			if isNamed != (n < mended && !lived[name].accepts) {
				t.Errorf("night %d: %s: named %t", n, name, isNamed)
			}
		}
	}
}

// What somebody has accepted in another currency is refunded in that one: a refund by hand is held to what the charge brought less its fees, and what
// differs is a break, which clears as it is resolved. A charge that fails after all has paid nothing in either.
func TestWhatWasAcceptedInAnotherCurrencyIsHeldToWhatWasPaid(t *testing.T) {
	t.Parallel()
	lived := map[string]struct {
		charged int64
		happens func(lives, purchased)
		found   string
		went    map[string]int64
	}{
		"refunded too much": {9600, func(l lives, p purchased) { l.entry(p, "refund", -p.credits); l.refund(p, 9600) },
			"refund_amount_mismatch -88", map[string]int64{"fees_withheld usd": 88}},
		"refunded too little": {9700, func(l lives, p purchased) { l.entry(p, "refund", -p.credits); l.refund(p, 9600) },
			"refund_amount_mismatch 12", map[string]int64{"fees_withheld usd": -12}},
		"refunded, and the credits left": {9800, func(l lives, p purchased) { l.refund(p, 9712) },
			"refund_missing_in_ledger -960", map[string]int64{"credits_taken usd": 9712}},
		"the debit is returned": {9900, func(l lives, p purchased) {
			ok[stripetest.Charge](l.t)(l.stripe.ReturnDebit(p.charge, "insufficient_funds", 400))
		}, "charge_status_mismatch 4711", map[string]int64{"credits_taken eur": 4711}},
	}
	l := newLives(t)
	l.until(5)
	days, sold := map[int]func(){}, map[string]purchased{}
	for _, name := range slices.Sorted(maps.Keys(lived)) {
		tc := lived[name]
		p, charge := l.pay(tc.charged, "usd", func(c *stripetest.ChargeParams) {
			c.Method, c.Fees = stripetest.USBankAccount, []stripetest.Fee{{Amount: 88}}
		})
		p.amount, p.currency, p.credits = 4711, "eur", 960
		ok[stripetest.Charge](t)(l.stripe.SettleCharge(charge.ID))
		l.store(p, "completed", charge.PaymentIntent, charge.ID, "")
		sold[name] = p
		alongside(days, 2, func() { l.resolve(p.account, "accepted") })
		alongside(days, 4, func() { tc.happens(l, p) })
		alongside(days, 6, func() {
			found := l.openAbout(p)
			if len(found) != 1 {
				t.Fatalf("%s: open: %v", name, found)
			}
			if of := strings.Fields(found[0]); of[0]+" "+of[2] != tc.found {
				t.Errorf("%s: found %v, want %s", name, of, tc.found)
			}
			if strings.HasPrefix(tc.found, "charge_status") {
				l.entry(p, "adjustment", -p.credits)
				l.exec("UPDATE platform.purchases SET status = 'failed' WHERE id = $1", p.id)
				return
			}
			l.resolve(p.account, "accepted")
		})
	}
	l.nights(8, days)
	l.cleared()
	for name, p := range sold {
		went := l.went(p)
		maps.DeleteFunc(went, func(account string, _ int64) bool { return strings.HasPrefix(account, "currency_conversion ") })
		if diff := cmp.Diff(lived[name].went, went); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A subscription that was booked in another currency than it was paid in, which is corrected or accepted: a refund of a part of it takes back that part
// of what is deferred in the currency that it was booked in, whether it was made before or after; nothing stays on the way.
func TestARefundInAnotherCurrencyTakesBackItsPartOfASubscription(t *testing.T) {
	t.Parallel()
	lived := map[string]struct {
		accepts, refundedFirst bool
		credits, booked, left  int64
	}{
		"corrected, and refunded":                 {false, false, 0, 4500, 2250},
		"refunded, then corrected":                {false, true, 0, 4602, 2301},
		"accepted, and refunded":                  {true, false, 0, 4704, 2352},
		"refunded, then accepted":                 {true, true, 0, 4808, 2404},
		"accepted, with credits, which are taken": {true, false, 500, 4916, 0},
	}
	l := newLives(t)
	l.until(5)
	days, sold := map[int]func(){}, map[string]purchased{}
	for _, name := range slices.Sorted(maps.Keys(lived)) {
		tc := lived[name]
		p := l.subscribe().purchased
		sold[name] = p
		l.exec("UPDATE platform.purchases SET amount_minor = $3, currency = 'jpy', credits = $2 WHERE id = $1", p.id, tc.credits, tc.booked)
		l.exec("UPDATE platform.credit_entries SET credits = $2 WHERE purchase_id = $1", p.id, tc.credits)
		first := func() {
			if tc.accepts {
				l.resolve(p.account, "accepted")
				return
			}
			l.exec("UPDATE platform.purchases SET amount_minor = 2900, currency = 'usd' WHERE id = $1", p.id)
		}
		second := func() {
			l.refund(p, 1450)
			if tc.credits > 0 {
				l.entry(p, "refund", -tc.credits)
			}
		}
		if tc.refundedFirst {
			first, second = second, first
		}
		alongside(days, 2, first)
		alongside(days, 3, second)
		alongside(days, 5, func() { l.resolve(p.account, "accepted") })
	}
	l.nights(6, days)
	l.cleared()
	var left int64
	for name, p := range sold {
		left += lived[name].left
		for account, amount := range l.byRole(`SELECT role, currency, sum(amount_minor)::bigint FROM reconciler.journal_lines
			WHERE source = $1 AND role IN ('purchase_clearing', 'refund_clearing') AND currency = 'jpy' GROUP BY 1, 2 HAVING sum(amount_minor) <> 0`, p.id) {
			t.Errorf("%s: %s has %d", name, account, amount)
		}
	}
	owed := l.byRole(`SELECT 'all', currency, -sum(amount_minor)::bigint FROM reconciler.journal_lines
		WHERE role IN ('subscription_liability', 'subscription_revenue', 'contract_liability') GROUP BY 1, 2 HAVING sum(amount_minor) <> 0`)
	if diff := cmp.Diff(map[string]int64{"all jpy": left}, owed); diff != "" {
		t.Error(diff)
	}
}

// Fees that nobody knew as the credits were taken, since Stripe could not be looked at, are withheld all the same; and what is withheld goes as it came
// where the credits come back after it was known. Nothing stays on the way.
func TestFeesThatAreKnownLaterAreWithheldAllTheSame(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	looks := l.worker.Stripe
	sell := func(amount int64, currency string) purchased {
		p, charge := l.pay(amount, currency, func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{{Amount: 88}} })
		p.credits = 1000
		l.store(p, "completed", charge.PaymentIntent, charge.ID, "")
		return p
	}
	var paid, foreign, back purchased
	l.nights(7, map[int]func(){
		1: func() {
			l.worker.Stripe = nil
			paid, foreign, back = sell(2000, "usd"), sell(3000, "eur"), sell(4000, "usd")
			for _, p := range []purchased{paid, foreign, back} {
				l.advance(time.Minute)
				l.giveBack(p)
			}
		},
		3: func() { l.worker.Stripe = looks },
		4: func() {
			ok[stripetest.Refund](t)(l.stripe.FailRefund(l.stripe.Refunds()[2].ID, "expired_or_canceled_card"))
			l.entry(back, "refund_reversal", back.credits)
		},
		6: func() { l.worker.Stripe = nil }, // which changes nothing
	})
	l.cleared()
	withheld := l.byRole("SELECT role, currency, -sum(amount_minor)::bigint FROM reconciler.journal_lines WHERE role = 'fees_withheld' GROUP BY 1, 2")
	if diff := cmp.Diff(map[string]int64{"fees_withheld usd": 2000 - l.refundable(paid), "fees_withheld eur": 3000 - l.refundable(foreign)}, withheld); diff != "" {
		t.Error(diff)
	}
}

// A second charge of a purchase, and one that nothing accounts for, go back whole, as the advice says: nothing stays on the way.
func TestChargesOfNothingClearOnceTheyAreRefunded(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	p := l.bought(2000, "usd", nil)
	var second, stray purchased
	l.nights(5, map[int]func(){
		1: func() {
			second, _ = l.pay(2000, "usd", func(c *stripetest.ChargeParams) { c.Metadata = map[string]string{"purchase_id": p.id} })
			stray, _ = l.pay(777, "usd", nil)
		},
		4: func() { l.refund(second, 2000); l.refund(stray, 777) },
	})
	l.cleared()
}

// However payouts end, in transit is nothing once they have: paid, failed before they arrived or after, canceled, taken back, negative and
// taken back by the bank, and those that were on their way when the books began.
func TestPayoutsAreNotInTransitForEver(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	l.until(2)
	payOut := func(amount int64) string {
		return ok[stripetest.Payout](t)(l.stripe.CreatePayout(stripetest.PayoutParams{Amount: amount, Currency: "usd"})).ID
	}
	fail := func(id string) { ok[stripetest.Payout](t)(l.stripe.FailPayout(id, "account_closed")) }
	ok[stripetest.TopUp](t)(l.stripe.TopUp(50_000, "usd"))
	payOut(1_000)
	failsLater, failsAtOnce := payOut(1_100), payOut(1_200)
	l.advance(24 * time.Hour) // and only now the books begin
	var reversed, returned string
	l.nights(16, map[int]func(){
		0: func() { fail(failsAtOnce) },
		1: func() { reversed, returned = payOut(2_000), payOut(2_100) },
		2: func() { ok[stripetest.Payout](t)(l.stripe.CancelPayout(payOut(2_200))); fail(payOut(2_300)) },
		6: func() { ok[stripetest.Payout](t)(l.stripe.ReversePayout(reversed)); fail(returned); fail(failsLater) },
		8: func() { ok[[]stripetest.Payout](t)(l.stripe.RunAutomaticPayouts()) },
		9: func() {
			ok[stripetest.BalanceTransaction](t)(l.stripe.BillFee(700, "usd", "Radar"))
			ok[[]stripetest.Payout](t)(l.stripe.RunNegativePayouts())
		},
	})
	l.cleared()
}

// A request about a purchase whose charge was too high waits only until the surplus is refunded, whether it was made before that or after; then it
// is granted what was paid for the purchase less all fees, and paid once. A surplus refund answers no request.
func TestARequestGoesOnOnceTheSurplusIsRefunded(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	var err error
	l.worker.Refunds, err = stripefeed.New(stripefeed.Options{
		Key: l.stripe.RefundKey(), BaseURL: l.base, Log: zerolog.Nop(), EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1, Attempts: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.worker.Clock = l.clock
	fee := func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{{Amount: 103}} }
	sell := func() purchased {
		p, charge := l.pay(2500, "usd", fee)
		p.amount, p.credits = 2000, 2000
		l.store(p, "completed", charge.PaymentIntent, charge.ID, "")
		return p
	}
	l.until(5)
	before, after := sell(), sell()
	l.advance(time.Hour)
	first := l.ask(before)
	if got := l.decided(first, l.report()); got != "waiting: payment_differs" {
		t.Error(got)
	}
	l.until(9)
	l.refund(before, 500)
	l.refund(after, 200)
	l.refund(after, 300)
	l.advance(time.Hour)
	second := l.ask(after)
	night := l.report()
	for _, request := range []string{first, second} {
		if got := l.decided(request, night); got != "approve 1897 withheld 103: unused_in_time fee_withheld" {
			t.Error(got)
		}
	}
	l.until(9)
	if sent := l.payOut(night.Date); sent != 2 {
		t.Errorf("%d of 2 refunds were sent", sent)
	}
	for range 3 {
		l.report()
	}
	l.cleared()
	if n := l.count("SELECT count(*) FROM reconciler.refund_decisions WHERE decision = 'approve'"); n != 2 {
		t.Errorf("%d requests are approved", n)
	}
}

// went is what clearing payments has moved to accounts that money doesn't only pass through, in all nights; of the given purchases, or of all.
func (l lives) went(of ...purchased) map[string]int64 {
	l.t.Helper()
	ids := []string{}
	for _, p := range of {
		ids = append(ids, p.id)
	}
	return l.byRole(`SELECT role, currency, sum(amount_minor)::bigint FROM reconciler.journal_lines
		WHERE kind = 'payment cleared' AND role NOT IN ('purchase_clearing', 'refund_clearing') AND ($1::text[] = '{}' OR source = ANY ($1))
		GROUP BY 1, 2 HAVING sum(amount_minor) <> 0`, pq.Array(ids))
}

// What can't be put right where the worker would see it, somebody resolves: the difference goes where the resolution says that it is, and nothing
// stays on the way. A lost dispute pays what was payable without anybody's word.
func TestWhatSomebodyResolvesClears(t *testing.T) {
	t.Parallel()
	free := func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{} }
	euros := func(c *stripetest.ChargeParams) {
		c.Settlement, c.Fees = stripetest.Settlement{Currency: "usd", Amount: 2221}, []stripetest.Fee{}
	}
	debit := func(c *stripetest.ChargeParams) { c.Method, c.Fees = stripetest.USBankAccount, []stripetest.Fee{} }
	takes := func(l lives, p purchased) { l.entry(p, "refund", -p.credits) }
	disputed := func(end func(lives, stripetest.Dispute)) func(lives, purchased) {
		return func(l lives, p purchased) {
			d := ok[stripetest.Dispute](l.t)(l.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge, Fee: -1}))
			l.advance(time.Hour)
			end(l, d)
		}
	}
	lose := func(l lives, d stripetest.Dispute) { ok[stripetest.Dispute](l.t)(l.stripe.LoseDispute(d.ID)) }
	win := func(l lives, d stripetest.Dispute) { ok[stripetest.Dispute](l.t)(l.stripe.WinDispute(d.ID, false)) }
	lived := map[string]struct {
		charge     func(*stripetest.ChargeParams) // nil: nothing is charged
		currency   string
		days       map[int]func(lives, purchased)
		breaks     []string
		resolution string
		went       map[string]int64
	}{
		"paid elsewhere": {nil, "usd", nil, []string{"purchase_missing_at_stripe"}, "accepted", map[string]int64{"paid_elsewhere usd": 2000}},
		"never paid":     {nil, "usd", nil, []string{"purchase_missing_at_stripe"}, "written_off", map[string]int64{"credits_taken usd": 2000}},
		"a returned debit": {debit, "usd", map[int]func(lives, purchased){0: func(l lives, p purchased) { ok[stripetest.Charge](l.t)(l.stripe.SettleCharge(p.charge)) },
			1: func(l lives, p purchased) {
				ok[stripetest.Charge](l.t)(l.stripe.ReturnDebit(p.charge, "insufficient_funds", 400))
			}},
			[]string{"charge_status_mismatch"}, "written_off", map[string]int64{"credits_taken usd": 2000}},
		"refunded too little": {free, "usd", map[int]func(lives, purchased){1: func(l lives, p purchased) { takes(l, p); l.refund(p, 1988) }},
			[]string{"refund_amount_mismatch"}, "accepted", map[string]int64{"fees_withheld usd": -12}},
		"refunded too little, in another currency": {euros, "eur", map[int]func(lives, purchased){1: func(l lives, p purchased) { takes(l, p); l.refund(p, 1988) }},
			[]string{"refund_amount_mismatch"}, "corrected", map[string]int64{"paid_elsewhere eur": -12}},
		"refunded by other means": {free, "usd", map[int]func(lives, purchased){1: takes}, []string{"refund_missing_at_stripe"}, "corrected", map[string]int64{"paid_elsewhere usd": -2000}},
		"a refund failed": {free, "usd", map[int]func(lives, purchased){1: func(l lives, p purchased) {
			takes(l, p)
			r := l.refund(p, 2000)
			l.advance(time.Hour)
			ok[stripetest.Refund](l.t)(l.stripe.FailRefund(r.ID, "expired_or_canceled_card"))
		}}, []string{"refund_failed"}, "accepted", map[string]int64{"paid_elsewhere usd": -2000}},
		"the credits may stay": {free, "usd", map[int]func(lives, purchased){1: func(l lives, p purchased) { l.refund(p, 2000) }},
			[]string{"refund_missing_in_ledger"}, "accepted", map[string]int64{"credits_taken usd": 2000}},
		"won after the credits were taken": {free, "usd", map[int]func(lives, purchased){1: func(l lives, p purchased) { takes(l, p); disputed(win)(l, p) }},
			[]string{"refund_missing_at_stripe"}, "accepted", map[string]int64{"paid_elsewhere usd": -2000}},
		"lost after the credits were taken": {free, "usd", map[int]func(lives, purchased){1: func(l lives, p purchased) { takes(l, p); disputed(lose)(l, p) }},
			nil, "", map[string]int64{"dispute_losses usd": -2000}},
		"lost, then the credits are taken, in another currency": {euros, "eur", map[int]func(lives, purchased){1: disputed(lose), 2: takes},
			nil, "", map[string]int64{"dispute_losses eur": -2000}},
	}
	l := newLives(t)
	l.until(5)
	days, sold, went := map[int]func(){}, map[string]purchased{}, map[string]int64{}
	for _, name := range slices.Sorted(maps.Keys(lived)) {
		tc := lived[name]
		p := purchased{id: l.id("pur"), account: l.account(), amount: 2000, credits: 2000, currency: tc.currency}
		if tc.charge == nil {
			l.store(p, "completed", "", "", "")
		} else {
			var charge stripetest.Charge
			p, charge = l.pay(2000, tc.currency, tc.charge)
			p.amount, p.credits = 2000, 2000
			l.store(p, "completed", charge.PaymentIntent, charge.ID, "")
		}
		l.exec("UPDATE platform.accounts SET status = 'suspended' WHERE id = $1", p.account)
		sold[name] = p
		for day, happens := range tc.days {
			alongside(days, day, func() { happens(l, p) })
		}
		alongside(days, 5, func() {
			kinds := l.texts("SELECT kind FROM reconciler.breaks WHERE closed_on IS NULL AND account_id = $1 ORDER BY kind", p.account)
			if diff := cmp.Diff(tc.breaks, kinds); diff != "" {
				t.Errorf("%s: open: %s", name, diff)
			}
			if tc.resolution != "" {
				l.resolve(p.account, tc.resolution)
			}
		})
		for account, amount := range tc.went {
			went[account] += amount
		}
	}
	maps.DeleteFunc(went, func(_ string, amount int64) bool { return amount == 0 })
	l.nights(8, days)
	l.cleared()
	for name, p := range sold {
		if diff := cmp.Diff(lived[name].went, l.went(p)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff(went, l.went()); diff != "" {
		t.Error(diff)
	}
}

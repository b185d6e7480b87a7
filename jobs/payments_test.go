package jobs_test

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	reconcilersql "github.com/hummingbytes/reconciler/sql"
)

// newPayments is a business without tax on its fees: a card costs 2.9 % and 30, so that 2,000 cost 88.
func newPayments(t *testing.T) *bothBooks {
	b := newBothBooks(t, func(o *stripetest.Options) { o.FeeTaxBasisPoints = 0 })
	b.report()
	b.until(5)
	var err error
	b.worker.Refunds, err = stripefeed.New(stripefeed.Options{
		Key: b.stripe.RefundKey(), BaseURL: b.base, Log: zerolog.Nop(), EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1, Attempts: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.worker.Clock = b.clock
	return b
}

// sell has the platform know of a charge as a purchase of this amount, and the customer ask for the money back an hour later.
func (b *bothBooks) sell(p purchased, amount int64) (purchased, string) {
	p.amount, p.credits = amount, amount
	b.store(p, "completed", "", p.charge, "")
	b.advance(time.Hour)
	return p, b.ask(p)
}

// decided is the decision of a night about a request, as "approve 1912 withheld 88: codes".
func (b *bothBooks) decided(request string, night reconcile.Night) string {
	b.t.Helper()
	var decision, reasons string
	var refund, fee *int64
	err := b.db.QueryRow("SELECT decision, refund_minor, fee_minor, reasons FROM reconciler.refund_decisions WHERE request_id = $1 AND business_date = $2", request, night.Date).
		Scan(&decision, &refund, &fee, &reasons)
	if err != nil {
		b.t.Fatal(err)
	}
	text := decision
	if refund != nil {
		text += fmt.Sprintf(" %d withheld %d", *refund, *fee)
	}
	var codes []string
	for _, reason := range strings.Split(reasons, "; ") {
		if code, _, ok := strings.Cut(reason, " ("); ok && !strings.Contains(code, " ") {
			codes = append(codes, code)
		}
	}
	return text + ": " + strings.Join(codes, " ")
}

// payOut plans, approves and executes what is due; it returns the refunds that Stripe has of it.
func (b *bothBooks) payOut(date reconcile.Date) (sent int) {
	b.t.Helper()
	outcome, err := b.worker.RefundDesk().Execute(context.Background(), b.approvedPlan(date), "Carol")
	if err != nil {
		b.t.Fatal(err)
	}
	return outcome.Sent
}

// approvedPlan plans all that is due, and has it approved.
func (b *bothBooks) approvedPlan(date reconcile.Date) (planID string) {
	b.t.Helper()
	ctx := context.Background()
	view, leftOut, err := b.worker.RefundDesk().Plan(ctx, date, "Anna")
	if err != nil || len(leftOut) > 0 {
		b.t.Fatalf("%v, left out %v", err, leftOut)
	}
	store, err := postgres.Open(postgres.Options{URL: b.urlOf(reconcilersql.ApproverRole)})
	if err != nil {
		b.t.Fatal(err)
	}
	defer store.Close()
	approver := &jobs.Worker{Store: store, Log: zerolog.Nop(), Clock: b.clock}
	if _, err := approver.RefundDesk().Approve(ctx, view.PlanID, "Ben", view.PlanSha256); err != nil {
		b.t.Fatal(err)
	}
	return view.PlanID
}

// whole is a night of which nothing is a break and everything ties.
func (b *bothBooks) whole() reconcile.Night {
	b.t.Helper()
	night := b.night()
	if found := b.openBreaks(); len(found) > 0 {
		b.t.Errorf("%s: %s", night.Date, strings.Join(found, "\n"))
	}
	b.requireBooks(night)
	return night
}

// shares is what the double's own books say: what was captured less its fees, converted by its own ratio, half up. Written apart from the
// worker's rule, over every transaction that names the charge or a reversal of it.
func (b *bothBooks) shares(charge string) (refund, fee int64) {
	c, _ := b.stripe.Charge(charge)
	reversals := map[string]bool{}
	for _, r := range b.stripe.Refunds() {
		reversals[r.ID] = r.Charge == charge
	}
	var settled, fees int64
	for _, row := range b.stripe.BalanceTransactions() {
		if row.Source == charge && row.ReportingCategory == "charge" || reversals[row.Source] && row.ReportingCategory == "partial_capture_reversal" {
			settled += row.Amount
			for _, part := range row.Fees {
				if part.Type == "stripe_fee" || part.Type == "tax" {
					fees += part.Amount
				}
			}
		}
	}
	exact := new(big.Rat).Mul(big.NewRat(fees, 1), big.NewRat(c.AmountCaptured, settled))
	exact.Add(exact, big.NewRat(1, 2))
	fee = new(big.Int).Quo(exact.Num(), exact.Denom()).Int64()
	return c.AmountCaptured - fee, fee
}

type paymentShape struct {
	name     string
	amount   int64 // authorised
	captures []stripetest.CaptureParams
	edit     func(*stripetest.ChargeParams)
	currency string
	refund   int64 // 0: as the double's books have it
}

func paymentShapes() []paymentShape {
	in := func(currency string, amount int64) func(*stripetest.ChargeParams) {
		return func(p *stripetest.ChargeParams) {
			p.Settlement = stripetest.Settlement{Currency: currency, Amount: amount}
		}
	}
	part := []stripetest.CaptureParams{{Amount: 1_200}}
	basil := []stripetest.CaptureParams{{Amount: 1_200, Basil: true}}
	several := []stripetest.CaptureParams{{Amount: 1_200, More: true}, {}}
	return []paymentShape{
		{"whole", 2_000, nil, nil, "usd", 1_912},
		{"an application fee", 2_000, nil, func(p *stripetest.ChargeParams) { p.ApplicationFee = 100 }, "usd", 1_912},
		{"in part before 2025-03-31", 2_000, part, nil, "usd", 1_135},
		{"in part since 2025-03-31", 2_000, basil, nil, "usd", 1_135},
		{"several times", 2_000, several, nil, "usd", 1_882},
		{"several times and not all", 2_000, []stripetest.CaptureParams{{Amount: 700, More: true}, {Amount: 500}}, nil, "usd", 1_105},
		{"settled in another currency", 10_000, nil, in("usd", 10_833), "eur", 0},
		{"in part before 2025-03-31, settled in another currency", 2_000, part, in("usd", 2_167), "eur", 0},
		{"in part since 2025-03-31, settled in another currency", 2_000, basil, in("usd", 2_167), "eur", 0},
		{"several times, settled in another currency", 2_000, several, in("usd", 2_167), "eur", 0},
		{"no decimals, settled with three", 2_000, part, in("kwd", 4_001), "jpy", 0},
		{"no decimals, settled with three, since 2025-03-31", 2_000, basil, in("kwd", 4_001), "jpy", 0},
		{"three decimals, settled without any", 2_000, several, in("jpy", 977), "kwd", 0},
		{"without decimals", 4_200, nil, nil, "jpy", 4_049},
	}
}

// take authorises and captures as the shape says, and returns the purchase of what was captured.
func (s paymentShape) take(b *bothBooks) (p purchased, charge stripetest.Charge) {
	p, charge = b.pay(s.amount, s.currency, func(c *stripetest.ChargeParams) {
		c.Settlement, c.Authorize = stripetest.Settlement{}, s.captures != nil
		if s.edit != nil {
			s.edit(c)
		}
	})
	for _, capture := range s.captures {
		charge = ok[stripetest.Charge](b.t)(b.stripe.CaptureWith(charge.ID, capture))
	}
	return p, charge
}

// However a payment was captured, settled and charged for: a request is granted what was captured less the fees of all its transactions,
// the window states the same, a plan pays exactly that once, and the books clear.
func TestARefundPaysBackWhatWasCapturedLessItsFees(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	type sale struct {
		purchased
		shape            paymentShape
		request          string
		refund, withheld int64
	}
	var sales []sale
	for _, shape := range paymentShapes() {
		p, charge := shape.take(b)
		p, request := b.sell(p, charge.AmountCaptured)
		refund, withheld := b.shares(charge.ID)
		if shape.refund != 0 && shape.refund != refund {
			t.Fatalf("%s: %d, not %d", shape.name, refund, shape.refund)
		}
		sales = append(sales, sale{p, shape, request, refund, withheld})
	}
	night := b.whole()
	for _, s := range sales {
		if got, want := b.decided(s.request, night), fmt.Sprintf("approve %d withheld %d: unused_in_time fee_withheld", s.refund, s.withheld); got != want {
			t.Errorf("%s: %s, not %s", s.shape.name, got, want)
		}
		if n := b.count("SELECT count(*) FROM reconciler.refund_windows WHERE purchase_id = $1 AND fee_minor = $2 AND refundable_minor = $3", s.id, s.withheld, s.refund); n != 1 {
			t.Errorf("%s: the window states another amount", s.shape.name)
		}
	}
	b.advance(8 * time.Hour)
	if sent := b.payOut(night.Date); sent != len(sales) {
		t.Errorf("%d of %d refunds were sent", sent, len(sales))
	}
	b.whole()
	b.whole()
	for _, s := range sales {
		var paid []int64
		for _, r := range b.stripe.Refunds() {
			if row, _ := b.stripe.BalanceTransaction(r.BalanceTransaction); r.Charge == s.charge && row.ReportingCategory == "refund" {
				paid = append(paid, r.Amount)
			}
		}
		if len(paid) != 1 || paid[0] != s.refund {
			t.Errorf("%s: Stripe paid %v back, not %d", s.shape.name, paid, s.refund)
		}
	}
}

// What staff pay by hand has to be the same amount; a unit more or less is a break, of that unit.
func TestRefundsByHandAreHeldToWhatWasCaptured(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	var wrong []string
	for _, shape := range paymentShapes() {
		for _, off := range []int64{0, -1} {
			p, charge := shape.take(b)
			p.amount, p.credits = charge.AmountCaptured, charge.AmountCaptured
			b.store(p, "completed", charge.PaymentIntent, "", "")
			refund, _ := b.shares(charge.ID)
			b.advance(time.Minute)
			b.entry(p, "refund", -p.credits)
			made := b.refund(p, refund+off)
			if off != 0 {
				wrong = append(wrong, "refund_amount_mismatch "+made.ID+" amount_minor")
			}
		}
	}
	b.night()
	if found, want := strings.Join(sorted(b.openBreaks()), "\n"), strings.Join(sorted(wrong), "\n"); found != want {
		t.Errorf("found\n%s\nwant\n%s", found, want)
	}
	if n := b.count("SELECT count(*) FROM reconciler.break_events WHERE variance = 1"); n != len(wrong) {
		t.Errorf("%d of %d breaks are of the unit that is missing", n, len(wrong))
	}
}

// A capture or its reversal that comes after midnight belongs to the next night: the decision waits for it, and a rerun of the first night
// still does.
func TestACaptureAfterMidnightIsTheNextNights(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	p, charge := paymentShape{amount: 2_000, currency: "eur", captures: []stripetest.CaptureParams{{Amount: 1_200, More: true}},
		edit: func(p *stripetest.ChargeParams) { p.Settlement = stripetest.Settlement{Currency: "usd", Amount: 2_167} }}.take(b)
	p, request := b.sell(p, 2_000)
	first := b.night()
	if got := b.decided(request, first); got != "waiting: payment_open" {
		t.Error(got)
	}
	if found := b.openBreaks(); len(found) != 1 || found[0] != "charge_amount_mismatch "+p.id+" amount_minor" {
		t.Errorf("%v", found)
	}
	ok[stripetest.Charge](t)(b.stripe.CaptureWith(charge.ID, stripetest.CaptureParams{}))
	second := b.whole()
	refund, withheld := b.shares(charge.ID)
	if got, want := b.decided(request, second), fmt.Sprintf("approve %d withheld %d: unused_in_time fee_withheld", refund, withheld); got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if n := b.count("SELECT captured_minor FROM (SELECT sum(amount_minor) AS captured_minor FROM reconciler.stripe_captures WHERE charge_id = $1) k", charge.ID); n != 2_000 {
		t.Errorf("captures of %d", n)
	}
	if faults, err := b.worker.Verify(context.Background(), first.Date, night.AuditHead{}); err != nil || len(faults) > 0 {
		t.Errorf("verification: %v %v", faults, err)
	}
}

// An invoice may take a part of the price, or all of it, from the customer's balance, or collect a debt with it: the charge is then of
// another amount than the purchase, which the invoice explains, and only what the card paid for the purchase goes back.
func TestAnInvoiceExplainsWhatTheBalancePaid(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	type sale struct {
		p             purchased
		request, want string
	}
	var sales []sale
	for _, s := range []struct {
		starting int64
		byCharge bool
		want     string // "": what was captured less its fees, as the double has them
		currency string
	}{
		{-500, false, "", "jpy"}, {-500, true, "", "kwd"},
		{-500, false, "approve 1426 withheld 74: unused_in_time paid_from_balance fee_withheld", "usd"},
		{-500, true, "approve 1426 withheld 74: unused_in_time paid_from_balance fee_withheld", "usd"},
		{-2_000, false, "approve 0 withheld 0: unused_in_time paid_from_balance nothing_paid", "usd"},
		{-2_500, false, "approve 0 withheld 0: unused_in_time paid_from_balance nothing_paid", "usd"},
		{300, false, "approve 1903 withheld 97: unused_in_time fee_withheld", "usd"},
	} {
		account := b.account()
		customer := ok[stripetest.Customer](t)(b.stripe.CreateCustomer(account+"@example.com", nil))
		invoice := ok[stripetest.Invoice](t)(b.stripe.CreateInvoice(stripetest.InvoiceParams{Customer: customer.ID, Currency: s.currency,
			Lines: []stripetest.InvoiceLine{{Amount: 2_000, Description: "2,000 credits"}}, StartingBalance: s.starting}))
		p := purchased{id: b.id("pur"), account: account, amount: 2_000, credits: 2_000, currency: s.currency, invoice: invoice.ID}
		if invoice.AmountDue > 0 {
			p.charge = ok[stripetest.Charge](t)(b.stripe.PayInvoice(invoice.ID, stripetest.ChargeParams{})).ID
		}
		named := invoice.ID
		if s.byCharge {
			named = ""
		}
		b.exec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_charge_id, stripe_invoice_id, created_at, completed_at)
			VALUES ($1, $2, 'credits', 2000, 2000, $6, 'completed', nullif($3, ''), nullif($4, ''), $5, $5)`, p.id, account, p.charge, named, b.clock(), p.currency)
		b.entry(p, "purchase", p.credits)
		if s.want == "" {
			refund, withheld := b.shares(p.charge)
			s.want = fmt.Sprintf("approve %d withheld %d: unused_in_time paid_from_balance fee_withheld", refund, withheld)
		}
		b.advance(time.Hour)
		sales = append(sales, sale{p, b.ask(p), s.want})
	}
	night := b.whole()
	for _, s := range sales {
		if got := b.decided(s.request, night); got != s.want {
			t.Errorf("%s, not %s", got, s.want)
		}
	}
	b.advance(8 * time.Hour)
	if sent := b.payOut(night.Date); sent != 5 {
		t.Errorf("%d refunds were sent", sent)
	}
	b.whole()
	// What the balances had paid in dollars is owed to them again: 500 twice; 300 of a debt came in; 2,000 twice stay owed until those credits are taken.
	if n := b.count("SELECT coalesce(sum(closing), 0)::bigint FROM reconciler.ledger_balances WHERE role = 'customer_balances' AND currency = 'usd' AND business_date = $1", night.Date); n != 500+500+2_000+2_000-300 {
		t.Errorf("customers' balances close at %d", n)
	}
}

// Where purchase and payment differ and nothing explains it, the decision waits until somebody has resolved the break; in another currency
// it waits for a person altogether, and the money at stake is shown.
func TestADecisionWaitsForWhatNothingExplains(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	over, charge := b.pay(2_500, "usd", nil)
	over, overRequest := b.sell(over, 2_000)
	foreign, _ := b.pay(9_600, "usd", nil)
	foreign.currency = "eur"
	foreign, foreignRequest := b.sell(foreign, 9_600)
	night := b.night()
	for _, want := range []struct {
		purchase, kind, variance, unit string
	}{{over.id, "charge_amount_mismatch", "-500", "usd"}, {foreign.id, "charge_currency_mismatch", "9600", "eur"}} {
		if n := b.count(`SELECT count(*) FROM reconciler.breaks b JOIN reconciler.break_events e ON e.break_id = b.break_id
			WHERE b.subject_id = $1 AND b.kind = $2 AND e.variance::text = $3 AND e.unit = $4`, want.purchase, want.kind, want.variance, want.unit); n != 1 {
			t.Errorf("%+v: %d", want, n)
		}
	}
	if got := b.decided(overRequest, night) + ", " + b.decided(foreignRequest, night); got != "waiting: payment_differs, waiting: payment_differs" {
		t.Error(got)
	}
	if n := b.count("SELECT count(*) FROM reconciler.refund_windows WHERE purchase_id = $1 AND currency = 'eur' AND fee_minor IS NULL AND refundable_minor IS NULL", foreign.id); n != 1 {
		t.Error("a window in EUR states a fee that was taken in USD")
	}
	if n := b.count("SELECT count(*) FROM reconciler.notifications"); n != 0 {
		t.Errorf("%d customers were told of no decision", n)
	}
	b.advance(time.Hour)
	for _, id := range []string{over.id, foreign.id} {
		b.exec(`WITH g AS (UPDATE reconciler.breaks SET closed_on = $2, closed_as = 'resolved' WHERE subject_id = $1 RETURNING account_id, break_id)
			INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, reason, resolution, recorded_at)
			SELECT g.account_id, g.break_id, $2, 1, 'resolved', e.ours, e.theirs, e.variance, e.unit, e.detail, 'Anna', 'paid 500 for a friend', 'accepted', $3
			FROM g JOIN reconciler.break_events e ON e.break_id = g.break_id`, id, b.date(), b.clock())
	}
	second := b.night()
	refund, withheld := b.shares(charge.ID)
	if got, want := b.decided(overRequest, second), fmt.Sprintf("approve %d withheld %d: unused_in_time fee_withheld", refund, withheld); got != want || refund != 2_397 {
		t.Errorf("%s, not %s", got, want)
	}
	if got := b.decided(foreignRequest, second); got != "waiting: payment_differs" {
		t.Error(got)
	}
	b.advance(8 * time.Hour)
	if sent := b.payOut(second.Date); sent != 1 {
		t.Errorf("%d refunds were sent", sent)
	}
}

// A purchase whose invoice was paid out of band has no charge: the break names the invoice and says so, and a request waits for a person.
func TestAnInvoicePaidOutOfBandIsNamed(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	account := b.account()
	customer := ok[stripetest.Customer](t)(b.stripe.CreateCustomer(account+"@example.com", nil))
	invoice := ok[stripetest.Invoice](t)(b.stripe.CreateInvoice(stripetest.InvoiceParams{Customer: customer.ID, Currency: "usd",
		Lines: []stripetest.InvoiceLine{{Amount: 2_000}}}))
	ok[stripetest.Invoice](t)(b.stripe.PayInvoiceOutOfBand(invoice.ID))
	p := purchased{id: b.id("pur"), account: account, amount: 2_000, credits: 2_000, currency: "usd"}
	b.exec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_invoice_id, created_at, completed_at)
		VALUES ($1, $2, 'credits', 2000, 2000, 'usd', 'completed', $3, $4, $4)`, p.id, account, invoice.ID, b.clock())
	b.entry(p, "purchase", p.credits)
	request := b.ask(p)
	b.night()
	night := b.night()
	var detail string
	if err := b.db.QueryRow("SELECT e.detail FROM reconciler.breaks b JOIN reconciler.break_events e ON e.break_id = b.break_id WHERE b.subject_id = $1 AND b.kind = 'purchase_missing_at_stripe'", p.id).
		Scan(&detail); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(detail, invoice.ID) || !strings.Contains(detail, "paid out of band") {
		t.Error(detail)
	}
	if got := b.decided(request, night); got != "waiting: paid_out_of_band" {
		t.Error(got)
	}
}

// A policy version may withhold application fees as well.
func TestAPolicyMayWithholdApplicationFees(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	text := strings.Replace(string(policyfile.DefaultYAML()), "other_fees_withheld: []", "other_fees_withheld: [application_fee]", 1)
	var err error
	if b.worker.Policies, err = policyfile.Parse("policy.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	p, _ := b.pay(2_000, "usd", func(c *stripetest.ChargeParams) { c.ApplicationFee = 100 })
	_, request := b.sell(p, 2_000)
	night := b.whole()
	if got := b.decided(request, night); got != "approve 1812 withheld 188: unused_in_time fee_withheld" {
		t.Error(got)
	}
	b.advance(8 * time.Hour)
	if sent := b.payOut(night.Date); sent != 1 {
		t.Errorf("%d refunds were sent", sent)
	}
	b.whole()
}

// Who was charged too much gets the surplus back: that clears the break, and is no refund of the purchase.
func TestARefundOfTheSurplusIsNoRefundOfThePurchase(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	b.dontReport()
	p, _ := b.pay(2_050, "usd", nil)
	p.amount, p.credits = 2_000, 2_000
	b.store(p, "completed", "", p.charge, "")
	b.night()
	if found := b.openBreaks(); len(found) != 1 || found[0] != "charge_amount_mismatch "+p.id+" amount_minor" {
		t.Fatalf("%v", found)
	}
	b.until(9)
	b.refund(p, 50)
	for range 3 {
		night := b.night()
		if found := b.openBreaks(); len(found) > 0 {
			t.Errorf("%s: %v", night.Date, found)
		}
	}
	if n := b.count("SELECT count(*) FROM reconciler.refund_windows WHERE purchase_id = $1 AND state = 'refunded'", p.id); n != 0 {
		t.Error("its window is refunded")
	}
}

// A refund may name its payment intent and no charge; the purchase may, too. It is a refund of the purchase all the same.
func TestARefundThatNamesItsPaymentIntentOnlyIsOfTheCharge(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	b.dontReport()
	p, charge := b.pay(2_000, "usd", nil)
	p.amount, p.credits = 2_000, 2_000
	b.store(p, "completed", charge.PaymentIntent, "", "")
	b.night()
	b.until(9)
	refund := ok[stripetest.Refund](t)(b.stripe.CreateRefund(stripetest.RefundParams{Charge: charge.ID, Amount: 1_912, IntentOnly: true}))
	b.night()
	b.night()
	if found := b.openBreaks(); len(found) != 1 || found[0] != "refund_missing_in_ledger "+refund.ID+" credits" {
		t.Fatalf("%v", found)
	}
	b.until(9)
	b.entry(p, "refund", -p.credits)
	b.night()
	if found := b.openBreaks(); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// While more of a payment may be captured nobody knows what was paid: the decision waits, also where a person has accepted what there is so far,
// and is made once it is whole, by a last capture or because the rest was released. What each night knew it says again when it is run again, and
// when it is run for the first time once everything is over.
func TestADecisionWaitsUntilNoMoreMayBeCaptured(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		finish   func(b *bothBooks, charge string)
		captured int64
	}{
		{"a last capture", func(b *bothBooks, charge string) {
			ok[stripetest.Charge](b.t)(b.stripe.CaptureWith(charge, stripetest.CaptureParams{Amount: 500}))
		}, 1_700},
		{"a last capture of the rest", func(b *bothBooks, charge string) {
			ok[stripetest.Charge](b.t)(b.stripe.CaptureWith(charge, stripetest.CaptureParams{}))
		}, 2_000},
		{"the rest is released", func(b *bothBooks, charge string) {
			ok[stripetest.Charge](b.t)(b.stripe.ReleaseAuthorization(charge))
		}, 1_200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newPayments(t)
			p, charge := b.pay(2_000, "usd", func(c *stripetest.ChargeParams) { c.Authorize = true })
			b.night()
			b.until(5)
			ok[stripetest.Charge](t)(b.stripe.CaptureWith(charge.ID, stripetest.CaptureParams{Amount: 1_200, More: true}))
			p, request := b.sell(p, 1_300)
			var before []reconcile.Night
			waits := func() {
				t.Helper()
				n := b.night()
				if got := b.decided(request, n); got != "waiting: payment_open" {
					t.Errorf("%s: %s", n.Date, got)
				}
				if found, want := strings.Join(b.openBreaks(), ", "), "charge_amount_mismatch "+p.id+" amount_minor"; len(before) == 0 && found != want {
					t.Errorf("%s: %s", n.Date, found)
				}
				if n := b.count("SELECT count(*) FROM reconciler.refund_windows WHERE business_date = $1 AND purchase_id = $2 AND fee_minor IS NULL AND refundable_minor IS NULL", n.Date, p.id); n != 1 {
					t.Error("the window says what would be refunded")
				}
				before = append(before, n)
			}
			waits()
			b.until(5)
			b.resolveAll()
			waits()
			b.until(5)
			tc.finish(b, charge.ID)
			if tc.captured != 1_200 { // what was accepted was another difference
				b.exec("UPDATE platform.purchases SET amount_minor = $2 WHERE id = $1", p.id, tc.captured)
			}
			decided := b.night()
			refund, withheld := b.shares(charge.ID)
			if got, want := b.decided(request, decided), fmt.Sprintf("approve %d withheld %d: unused_in_time fee_withheld", refund, withheld); got != want {
				t.Errorf("%s, not %s", got, want)
			}
			for _, n := range before {
				if err := b.run(n.Date); err != nil {
					t.Fatal(err)
				}
				if got := b.decided(request, n); got != "waiting: payment_open" {
					t.Errorf("%s, run again: %s", n.Date, got)
				}
			}
			b.until(8)
			if sent := b.payOut(decided.Date); sent != 1 {
				t.Errorf("%d refunds were sent", sent)
			}
		})
	}
}

// Nights that are caught up with once all has happened know of an authorisation what they would have known in their time: it was captured when its money
// was posted, at once or in parts.
func TestNightsCaughtUpWithKnowWhenMoneyWasCaptured(t *testing.T) {
	t.Parallel()
	inTime, caughtUp := capturesOfAWeek(t, true), capturesOfAWeek(t, false)
	if diff := cmp.Diff(inTime, caughtUp); diff != "" {
		t.Error(diff)
	}
	if len(inTime) != 8 {
		t.Errorf("%v", inTime)
	}
}

// capturesOfAWeek are the breaks and decisions of a week in which authorisations were captured, each night being run in its time or all at the end.
func capturesOfAWeek(t *testing.T, inTime bool) []string {
	t.Helper()
	b := newPayments(t)
	first := reconcile.NightOf(b.date(), time.UTC)
	p := make([]purchased, 4)
	charges := make([]string, len(p))
	for i := range p {
		bought, charge := b.pay(2_000, "usd", func(c *stripetest.ChargeParams) { c.Authorize = true })
		b.store(bought, "pending", "", charge.ID, "")
		p[i], charges[i] = bought, charge.ID
	}
	capture := func(i int, params stripetest.CaptureParams) {
		ok[stripetest.Charge](t)(b.stripe.CaptureWith(charges[i], params))
	}
	complete := func(i int) {
		b.exec("UPDATE platform.purchases SET status = 'completed', completed_at = $2 WHERE id = $1", p[i].id, b.clock())
		b.entry(p[i], "purchase", p[i].credits)
		b.ask(p[i])
	}
	days := []func(){
		func() {},
		func() {},
		func() { capture(0, stripetest.CaptureParams{}); complete(0) },                        // whole, days later
		func() { capture(1, stripetest.CaptureParams{Amount: 900, More: true}); complete(1) }, // in parts, of which the platform knows before the last
		func() { capture(2, stripetest.CaptureParams{Amount: 900, More: true}) },              // in parts that nobody has told the platform of
		func() { capture(1, stripetest.CaptureParams{}) },
		func() { capture(3, stripetest.CaptureParams{Amount: 2_000, Basil: true}); complete(3) },
	}
	var waiting []reconcile.Date
	for i, happens := range days {
		b.now.Store(first.Begin.AddDate(0, 0, i).Add(10 * time.Hour).Unix())
		happens()
		if waiting = append(waiting, first.Date.AddDays(i)); !inTime && i < len(days)-1 {
			continue
		}
		b.now.Store(first.Begin.AddDate(0, 0, i+1).Add(time.Hour).Unix())
		for _, date := range waiting {
			if err := b.run(date); err != nil {
				t.Fatal(err)
			}
		}
		waiting = nil
	}
	return b.texts(`SELECT concat_ws(' ', e.business_date, b.kind, b.subject_id, e.event, e.variance) FROM reconciler.break_events e JOIN reconciler.breaks b ON b.break_id = e.break_id AND b.account_id = e.account_id
		UNION ALL SELECT concat_ws(' ', d.business_date, d.purchase_id, d.decision, d.refund_minor) FROM reconciler.refund_decisions d ORDER BY 1`)
}

package stripefeed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // net/http tells of answers that come twice, body and all
	os.Exit(testdb.Run(m))
}

// clock is simulated time.
type clock struct{ seconds atomic.Int64 }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.seconds.Store(at.Unix())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(c.seconds.Load(), 0).UTC() }
func (c *clock) advance(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

var opening = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// fixture is a Stripe double, a client of it, and a database.
type fixture struct {
	t      testing.TB
	clock  *clock
	stripe *stripetest.Stripe
	client *Client
	store  *postgres.Store
	// platform writes what the platform writes, and whatever else the worker may not.
	platform *sqlx.DB
	// named are payment intents that purchases of the platform name.
	named []string
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, clock: newClock(opening)}
	f.stripe = stripetest.New(stripetest.Options{Clock: f.clock.now, Seed: 1, FeeTaxBasisPoints: 1900})
	base, err := f.stripe.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.stripe.Close() })
	f.client = f.newClient(Options{Key: f.stripe.ReadKey(), BaseURL: base})
	f.store, f.platform = openStore(t)
	return f
}

func openStore(t testing.TB) (*postgres.Store, *sqlx.DB) {
	db := testdb.New(t)
	store, err := postgres.Open(postgres.Options{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	store.KeepSessions(nil, !db.Distributed()) // as nights of a small platform do
	return store, db.DB
}

// newClient is a client without limits that hardly waits.
func (f *fixture) newClient(o Options) *Client {
	f.t.Helper()
	o.Log = zerolog.Nop()
	setDefault(&o.SyncLag, -1)
	setDefault(&o.SyncBatchRows, 50)
	setDefault(&o.EndpointPerSecond, 1e6)
	setDefault(&o.TotalPerSecond, 1e6)
	setDefault(&o.BackoffBase, time.Millisecond)
	setDefault(&o.BackoffLimit, 2*time.Millisecond)
	setDefault(&o.Attempts, 3)
	setDefault(&o.AttemptTimeout, 5*time.Second)
	client, err := New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return client
}

func (f *fixture) lastNight() reconcile.Date { return reconcile.DateOf(f.clock.now()).AddDays(-1) }

// sync reads for the business date that ended last.
func (f *fixture) sync() (Result, error) {
	for _, id := range f.named {
		_, err := f.platform.Exec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status,
			stripe_payment_intent_id, created_at) VALUES ($1, 'a', 'credits', 1, 100, 'usd', 'pending', $1, $2) ON CONFLICT DO NOTHING`, id, f.clock.now())
		if err != nil {
			f.t.Fatal(err)
		}
	}
	date := f.lastNight()
	return f.client.Sync(context.Background(), SyncOptions{Store: f.store, Date: date, AsOf: reconcile.NightOf(date, time.UTC).End})
}

func (f *fixture) mustSync() Result {
	f.t.Helper()
	result, err := f.sync()
	if err != nil {
		f.t.Fatal(err)
	}
	return result
}

func must[T any](t testing.TB) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// day does a day of business, one of everything: payments in three currencies and three exponents, an asynchronous one, refunds,
// disputes, a subscription, payouts of all kinds.
func (f *fixture) day(number int) {
	t, s := f.t, f.stripe
	charge := must[stripetest.Charge](t)
	refund := must[stripetest.Refund](t)
	customer := must[stripetest.Customer](t)(s.CreateCustomer(fmt.Sprintf("customer-%d@example.com", number), nil))
	f.clock.advance(8 * time.Hour)
	for i, c := range []struct {
		currency   string
		amount     int64
		settlement stripetest.Settlement
	}{{"usd", 4900, stripetest.Settlement{}}, {"eur", 9900, stripetest.Settlement{Currency: "usd", Rate: "1.08"}}, {"jpy", 5000, stripetest.Settlement{}},
		{"kwd", 12345, stripetest.Settlement{}}} {
		for n := range 3 {
			f.clock.advance(time.Minute)
			charge(s.CreateCharge(stripetest.ChargeParams{
				Amount: c.amount, Currency: c.currency, Customer: customer.ID, Settlement: c.settlement,
				Metadata: map[string]string{"purchase_id": fmt.Sprintf("p-%d-%d-%d", number, i, n)},
			}))
		}
	}
	refunded := charge(s.CreateCharge(stripetest.ChargeParams{Amount: 2000, Currency: "usd"}))
	disputed := charge(s.CreateCharge(stripetest.ChargeParams{Amount: 3000, Currency: "usd"}))
	asked := charge(s.CreateCharge(stripetest.ChargeParams{Amount: 3100, Currency: "usd"}))
	charge(s.CreateCharge(stripetest.ChargeParams{Amount: 700, Currency: "usd", Decline: "card_declined"}))
	held := charge(s.CreateCharge(stripetest.ChargeParams{Amount: 8000, Currency: "usd", Authorize: true}))
	charge(s.CreateCharge(stripetest.ChargeParams{Amount: 6000, Currency: "eur", Method: stripetest.SEPADebit}))
	f.clock.advance(time.Hour)
	charge(s.Capture(held.ID, 5000))
	failing := refund(s.CreateRefund(stripetest.RefundParams{Charge: refunded.ID, Amount: 1500}))
	dispute := must[stripetest.Dispute](t)(s.OpenDispute(stripetest.DisputeParams{Charge: disputed.ID}))
	must[stripetest.Dispute](t)(s.OpenDispute(stripetest.DisputeParams{Charge: asked.ID, Inquiry: true}))
	sub := must[stripetest.Subscription](t)(s.CreateSubscription(stripetest.SubscriptionParams{
		Customer: customer.ID, Price: stripetest.Price{Nickname: "pro", UnitAmount: 2500, Currency: "usd"},
	}))
	invoice := must[stripetest.Invoice](t)(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID}))
	charge(s.PayInvoice(invoice.ID, stripetest.ChargeParams{}))
	abandoned := must[stripetest.PaymentIntent](t)(s.CreatePaymentIntent(stripetest.ChargeParams{Amount: 100, Currency: "usd"}))
	f.named = append(f.named, abandoned.ID, fmt.Sprintf("pi_nobody_knows_%d", number))
	if number == 1 { // too many lines for the invoice to bring them all
		lines := make([]stripetest.InvoiceLine, 23)
		for i := range lines {
			lines[i] = stripetest.InvoiceLine{Amount: int64(i + 1), Description: "usage"}
		}
		must[stripetest.Invoice](t)(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID, Lines: lines}))
	}
	f.clock.advance(2 * time.Hour)
	switch number % 3 {
	case 0:
		refund(s.FailRefund(failing.ID, "expired_or_canceled_card"))
		must[stripetest.Dispute](t)(s.WinDispute(dispute.ID, true))
	case 1:
		must[stripetest.Dispute](t)(s.LoseDispute(dispute.ID))
	case 2:
		must[stripetest.Subscription](t)(s.CancelSubscription(sub.ID, false))
	}
	if number > 3 {
		must[stripetest.Payout](t)(s.CreatePayout(stripetest.PayoutParams{Amount: 100, Currency: "usd", Instant: number%2 == 0}))
	}
	payouts := must[[]stripetest.Payout](t)(s.RunAutomaticPayouts())
	if number%4 == 0 && len(payouts) > 0 {
		must[stripetest.Payout](t)(s.FailPayout(payouts[0].ID, "account_closed"))
	}
	must[stripetest.BalanceTransaction](t)(s.BillFee(77, "usd", "Radar"))
	f.clock.advance(13*time.Hour - 12*time.Minute) // to midnight
}

func TestSync(t *testing.T) {
	f := newFixture(t)
	for n := range 6 {
		f.day(n)
	}
	f.clock.advance(10 * time.Minute)
	var last Progress
	f.client.options.Progress = func(p Progress) {
		if p.Rows < last.Rows || p.Spans < last.Spans {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}
	result := f.mustSync()
	f.requireSame()
	var rows int64
	for _, n := range result.Rows {
		rows += n
	}
	if last.Spans != last.SpansTotal || last.Spans == 0 || last.Rows != rows {
		t.Errorf("%+v at the end, of %d rows", last, rows)
	}
}

// What the sync keeps of an object is what Stripe said.
func TestSyncKeepsWhatStripeSaid(t *testing.T) {
	f := newFixture(t)
	f.day(1)
	f.mustSync()
	for _, charge := range f.stripe.Charges() {
		var amount, captured int64
		var currency, status, transaction, method, intent string
		err := f.store.DB().QueryRow(`SELECT amount_minor, captured_minor, currency, status, balance_transaction_id, method, payment_intent_id
			FROM reconciler.stripe_charges WHERE id = $1`, charge.ID).Scan(&amount, &captured, &currency, &status, &transaction, &method, &intent)
		if err != nil || amount != charge.Amount || captured != charge.AmountCaptured || currency != charge.Currency || status != charge.Status ||
			transaction != charge.BalanceTransaction || method != string(charge.Method) || intent != charge.PaymentIntent {
			t.Errorf("%+v: %d %d %s %s %s %s %s %v", charge, amount, captured, currency, status, transaction, method, intent, err)
		}
	}
	var tax, untaxed int64
	for _, posted := range f.stripe.BalanceTransactions() {
		var amount, fee, feeTax, net int64
		var category, source, payout string
		err := f.store.DB().QueryRow(`SELECT amount_minor, fee_minor, fee_tax_minor, net_minor, reporting_category, source_id, payout_id
			FROM reconciler.stripe_balance_transactions WHERE id = $1`, posted.ID).Scan(&amount, &fee, &feeTax, &net, &category, &source, &payout)
		if err != nil || amount != posted.Amount || fee != posted.Fee || net != posted.Net || category != posted.ReportingCategory ||
			source != posted.Source || payout != posted.Payout {
			t.Errorf("%+v: %d %d %d %s %s %s %v", posted, amount, fee, net, category, source, payout, err)
		}
		tax, untaxed = tax+feeTax, untaxed+fee-feeTax
	}
	if tax == 0 || untaxed < 4*tax { // 19 %
		t.Errorf("%d of the fees are tax, %d are not", tax, untaxed)
	}
	var lines, total int
	if err := f.store.DB().QueryRow("SELECT count(*), sum(amount_minor) FROM reconciler.stripe_invoice_lines WHERE amount_minor < 24").Scan(&lines, &total); err != nil || lines != 23 || total != 276 {
		t.Errorf("%d lines of %d in all: %v", lines, total, err)
	}
	var status string
	if err := f.store.DB().QueryRow("SELECT string_agg(status, ',') FROM reconciler.stripe_payment_intents").Scan(&status); err != nil || status != "requires_payment_method" {
		t.Errorf("payment intents %q: %v", status, err)
	}
}

// A sync that is stopped says so, keeps what it has read, and the next one continues from there.
func TestStoppedSyncGoesOnLater(t *testing.T) {
	f := newFixture(t)
	for n := range 5 {
		f.day(n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.client.options.Progress = func(p Progress) {
		if p.Spans == p.SpansTotal/2 {
			cancel()
		}
	}
	options := SyncOptions{Store: f.store, Date: f.lastNight(), AsOf: reconcile.NightOf(f.lastNight(), time.UTC).End}
	if _, err := f.client.Sync(ctx, options); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if look, err := LookedAt(context.Background(), f.store, f.lastNight()); err != nil || look.Status != Failed || look.Problem != "the sync was stopped" {
		t.Errorf("%+v %v", look, err)
	}
	calls := f.stripe.Calls()
	f.client.options.Progress = nil
	f.mustSync()
	resumed := f.stripe.Calls() - calls
	f.requireSame()
	f.store, f.platform = openStore(t)
	calls = f.stripe.Calls()
	f.mustSync()
	if whole := f.stripe.Calls() - calls; resumed >= whole {
		t.Errorf("going on took %d calls, a whole sync takes %d", resumed, whole)
	}
}

// requireSame compares the tables with the double's books.
func (f *fixture) requireSame() {
	f.t.Helper()
	for table, want := range map[string]int{
		"balance_transactions": len(f.stripe.BalanceTransactions()), "charges": len(f.stripe.Charges()), "refunds": len(f.stripe.Refunds()),
		"disputes": len(f.stripe.Disputes()), "payouts": len(f.stripe.Payouts()), "invoices": len(f.stripe.Invoices()),
		"subscriptions": len(f.stripe.Subscriptions()),
	} {
		var got int
		if err := f.store.DB().QueryRow("SELECT count(*) FROM reconciler.stripe_" + table).Scan(&got); err != nil {
			f.t.Fatal(err)
		}
		if got != want {
			f.t.Errorf("%s: %d rows, want %d", table, got, want)
		}
	}
}

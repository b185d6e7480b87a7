package jobs_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	rand "math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/reports/storage"
)

var longBusiness = flag.Bool("long", false, "run the long forms: a whole year of 10,000 purchases, a month of books, ..")

// bothBooks is a platform and its Stripe account, played by hand on a simulated clock.
type bothBooks struct {
	t            *testing.T
	db           *sql.DB
	url          string
	urlOf        func(role string) string
	base         string // of the double
	stripe       *stripetest.Stripe
	worker       *jobs.Worker
	client       *stripefeed.Client
	random       *rand.Rand
	now          atomic.Int64
	serial       int
	jobs         []string                    // of a night
	due          map[reconcile.Date][]func() // what is to happen later
	lateSubjects []func() string
}

var businessStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func newBothBooks(t *testing.T, edit ...func(*stripetest.Options)) *bothBooks {
	database := newDatabase(t)
	b := &bothBooks{t: t, db: database.DB.DB.DB, url: database.URL, urlOf: database.URLOf, random: rand.New(rand.NewPCG(1, 2)), due: map[reconcile.Date][]func(){}}
	b.dontReport()
	b.now.Store(businessStart.Unix())
	options := stripetest.Options{Clock: b.clock, Seed: 7, FeeTaxBasisPoints: 1900}
	for _, change := range edit {
		change(&options)
	}
	b.stripe = stripetest.New(options)
	base, err := b.stripe.Listen()
	if err != nil {
		t.Fatal(err)
	}
	b.base = base
	t.Cleanup(func() { b.stripe.Close() })
	b.client, err = stripefeed.New(stripefeed.Options{
		Key: b.stripe.ReadKey(), BaseURL: base, Log: zerolog.Nop(), EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1,
		BackoffBase: time.Millisecond, Attempts: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	policies, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	b.worker = &jobs.Worker{Store: database.store, Policies: policies, Stripe: b.client, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)}
	return b
}

func (b *bothBooks) clock() time.Time         { return time.Unix(b.now.Load(), 0).UTC() }
func (b *bothBooks) date() reconcile.Date     { return reconcile.DateOf(b.clock()) }
func (b *bothBooks) advance(by time.Duration) { b.now.Add(int64(by / time.Second)) }

// until moves the clock to an hour of the present day.
func (b *bothBooks) until(hour int) {
	d := b.date()
	b.now.Store(max(b.now.Load(), time.Date(d.Year, d.Month, d.Day, hour, 0, 0, 0, time.UTC).Unix()))
}

func (b *bothBooks) id(prefix string) string {
	b.serial++
	return fmt.Sprintf("%s-%05d", prefix, b.serial)
}

func (b *bothBooks) exec(query string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(query, args...); err != nil {
		b.t.Fatal(err)
	}
}

func ok[T any](t *testing.T) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// purchased is a purchase on both sides.
type purchased struct {
	id, account, customer, charge, invoice string
	amount, credits                        int64
	currency                               string
}

func (b *bothBooks) account() string {
	account := b.id("acc")
	b.exec("INSERT INTO platform.accounts (id, email, status, created_at) VALUES ($1, $1 || '@example.com', 'active', $2)", account, b.clock())
	return account
}

// pay takes money at Stripe; the platform does not know of it yet.
func (b *bothBooks) pay(amount int64, currency string, edit func(*stripetest.ChargeParams)) (purchased, stripetest.Charge) {
	p := purchased{id: b.id("pur"), account: b.account(), amount: amount, currency: currency, credits: amount / 10}
	params := stripetest.ChargeParams{Amount: amount, Currency: currency, Metadata: map[string]string{"purchase_id": p.id}}
	if currency == "eur" {
		params.Settlement = stripetest.Settlement{Currency: "usd", Rate: "1.0837"}
	}
	if edit != nil {
		edit(&params)
	}
	charge := ok[stripetest.Charge](b.t)(b.stripe.CreateCharge(params))
	p.charge = charge.ID
	return p, charge
}

// store has the platform know a purchase, by the given id of Stripe's (” where it doesn't know any), and grant its credits.
func (b *bothBooks) store(p purchased, status, intent, charge, invoice string) {
	b.t.Helper()
	kind := "credits"
	if invoice != "" {
		kind = "subscription"
	}
	completed := sql.NullTime{Time: b.clock(), Valid: status == "completed"}
	b.exec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_payment_intent_id,
		stripe_charge_id, stripe_invoice_id, created_at, completed_at) VALUES ($1,$2,$3,$4,$5,$6,$7,nullif($8,''),nullif($9,''),nullif($10,''),$11,$12)`,
		p.id, p.account, kind, p.credits, p.amount, p.currency, status, intent, charge, invoice, b.clock(), completed)
	if status == "completed" {
		b.entry(p, "purchase", p.credits)
	}
}

func (b *bothBooks) entry(p purchased, kind string, credits int64) {
	b.t.Helper()
	b.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, created_at) VALUES ($1,$2,$3,$4,$5,$6)",
		b.id("ent"), p.account, kind, credits, p.id, b.clock())
}

// buy is a purchase as it should be.
func (b *bothBooks) buy(amount int64, currency string) purchased {
	p, charge := b.pay(amount, currency, nil)
	switch b.serial % 4 {
	case 0:
		b.store(p, "completed", "", charge.ID, "")
	case 1:
		b.store(p, "completed", charge.PaymentIntent, "", "")
	case 2:
		b.store(p, "completed", charge.PaymentIntent, charge.ID, "")
	default:
		b.store(p, "completed", "", "", "") // found by the charge's metadata
	}
	return p
}

// refundable is what the policy pays back of a purchase.
func (b *bothBooks) refundable(p purchased) int64 {
	charge, _ := b.stripe.Charge(p.charge)
	posted, _ := b.stripe.BalanceTransaction(charge.BalanceTransaction)
	fee, err := reconcile.ConvertFee(posted.Fee, charge.Amount, posted.Amount)
	if err != nil {
		b.t.Fatal(err)
	}
	return reconcile.RefundableMinor(p.amount, fee)
}

func (b *bothBooks) refund(p purchased, amount int64) stripetest.Refund {
	b.t.Helper()
	return ok[stripetest.Refund](b.t)(b.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: amount}))
}

// use spends credits of a purchase on a job.
func (b *bothBooks) use(p purchased, credits int64) {
	b.t.Helper()
	job := b.id("job")
	b.exec("INSERT INTO platform.jobs (id, account_id, kind, model, status, credit_cost, created_at, finished_at) VALUES ($1, $2, 'image', 'm', 'succeeded', $3, $4, $4)",
		job, p.account, credits, b.clock())
	b.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, created_at) VALUES ($1, $2, 'usage', $3, $4, $5)",
		b.id("ent"), p.account, -credits, job, b.clock())
}

// ask is a customer's request to be refunded, which the night decides about.
func (b *bothBooks) ask(p purchased) (request string) {
	b.t.Helper()
	request = b.id("req")
	b.exec(`INSERT INTO platform.refund_requests (id, account_id, kind, account_email, purchase_id, reason, status, requested_at)
		VALUES ($1, $2, 'unused_credits', $2 || '@example.com', $3, 'bought by mistake', 'pending', $4)`, request, p.account, p.id, b.clock())
	return request
}

// giveBack is a refund as it should be: credits first, then the money.
func (b *bothBooks) giveBack(p purchased) stripetest.Refund {
	b.entry(p, "refund", -p.credits)
	return b.refund(p, b.refundable(p))
}

// subscribed is a subscription on both sides, with its first payment.
type subscribed struct {
	purchased
	id, stripeID           string
	periodStart, periodEnd time.Time
}

func (b *bothBooks) subscribe() subscribed { return b.subscribeFor("month") }

func (b *bothBooks) subscribeFor(interval string) subscribed {
	account := b.account()
	customer := ok[stripetest.Customer](b.t)(b.stripe.CreateCustomer(account+"@example.com", nil))
	sub := ok[stripetest.Subscription](b.t)(b.stripe.CreateSubscription(stripetest.SubscriptionParams{
		Customer: customer.ID, Price: stripetest.Price{Nickname: "studio", UnitAmount: 2900, Currency: "usd", Interval: interval},
	}))
	s := subscribed{id: b.id("sub"), stripeID: sub.ID, periodStart: sub.CurrentPeriodStart, periodEnd: sub.CurrentPeriodEnd}
	s.purchased = purchased{account: account, customer: customer.ID, currency: "usd"}
	b.exec(`INSERT INTO platform.subscriptions (id, account_id, stripe_subscription_id, plan, status, current_period_start, current_period_end)
		VALUES ($1,$2,$3,'studio','active',$4,$5)`, s.id, account, sub.ID, s.periodStart, s.periodEnd)
	s.purchased = b.bill(s, stripetest.InvoiceParams{Subscription: sub.ID})
	return s
}

// bill makes an invoice of a subscription, has it paid and the platform know of it.
func (b *bothBooks) bill(s subscribed, params stripetest.InvoiceParams) purchased {
	b.t.Helper()
	invoice := ok[stripetest.Invoice](b.t)(b.stripe.CreateInvoice(params))
	charge := ok[stripetest.Charge](b.t)(b.stripe.PayInvoice(invoice.ID, stripetest.ChargeParams{}))
	p := purchased{id: b.id("pur"), account: s.account, customer: s.customer, charge: charge.ID, invoice: invoice.ID, amount: charge.Amount, currency: "usd"}
	b.store(p, "completed", "", "", invoice.ID)
	return p
}

func (b *bothBooks) change(s subscribed, kind string, effective time.Time, invoice string) string {
	id := b.id("chg")
	b.exec(`INSERT INTO platform.subscription_changes (id, account_id, subscription_id, kind, from_plan, to_plan, requested_at, effective_at, stripe_invoice_id)
		VALUES ($1,$2,$3,$4,'studio','lab',$5,$6,nullif($7,''))`, id, s.account, s.id, kind, b.clock(), effective, invoice)
	return id
}

func (b *bothBooks) later(days int, what func()) {
	at := b.date().AddDays(days)
	b.due[at] = append(b.due[at], what)
}

// day plays an ordinary day with so many purchases: nothing of it is a break.
func (b *bothBooks) day(purchases int) {
	t := b.t
	b.until(6)
	for _, event := range b.due[b.date()] {
		event()
	}
	delete(b.due, b.date())
	for n := range purchases {
		b.advance(time.Duration(60+b.random.IntN(1200)) * time.Second)
		currency := []string{"usd", "usd", "eur", "jpy", "kwd"}[b.random.IntN(5)]
		amount := int64(1000 + 10*b.random.IntN(2000))
		switch draw := b.random.IntN(100); {
		case draw < 3: // declined, then paid at the second attempt
			intent := ok[stripetest.PaymentIntent](t)(b.stripe.CreatePaymentIntent(stripetest.ChargeParams{Amount: amount, Currency: "usd"}))
			ok[stripetest.Charge](t)(b.stripe.Attempt(intent.ID, "card_declined"))
			charge := ok[stripetest.Charge](t)(b.stripe.Attempt(intent.ID, ""))
			b.store(purchased{id: b.id("pur"), account: b.account(), charge: charge.ID, amount: amount, credits: amount / 10, currency: "usd"}, "completed", intent.ID, "", "")
		case draw < 6: // a bank debit that settles, or fails, days later
			p, charge := b.pay(amount, "eur", func(c *stripetest.ChargeParams) {
				c.Method, c.Settlement = stripetest.SEPADebit, stripetest.Settlement{}
			})
			b.store(p, "pending", charge.PaymentIntent, charge.ID, "")
			b.later(2+b.random.IntN(3), func() {
				if draw == 5 {
					ok[stripetest.Charge](t)(b.stripe.FailCharge(charge.ID, "insufficient_funds"))
					b.exec("UPDATE platform.purchases SET status = 'failed' WHERE id = $1", p.id)
					return
				}
				ok[stripetest.Charge](t)(b.stripe.SettleCharge(charge.ID))
				b.exec("UPDATE platform.purchases SET status = 'completed', completed_at = $2 WHERE id = $1", p.id, b.clock())
				b.entry(p, "purchase", p.credits)
			})
		case draw < 9: // purchased and given back
			p := b.buy(amount, currency)
			request := b.ask(p)
			b.later(1+b.random.IntN(4), func() {
				b.exec("UPDATE platform.refund_requests SET status = 'approved', decided_at = $2 WHERE id = $1", request, b.clock())
				refund := b.giveBack(p)
				if n%3 == 0 { // which fails later, the credits come back, and the customer keeps them
					b.later(2, func() {
						ok[stripetest.Refund](t)(b.stripe.FailRefund(refund.ID, "expired_or_canceled_card"))
						b.entry(p, "refund_reversal", p.credits)
						b.exec("UPDATE platform.refund_requests SET status = 'withdrawn', decided_at = $2 WHERE id = $1", request, b.clock())
					})
				}
			})
		case draw < 11: // disputed, and the account is suspended
			p := b.buy(amount, currency)
			b.later(3+b.random.IntN(5), func() {
				dispute := ok[stripetest.Dispute](t)(b.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge, Inquiry: n%3 == 0}))
				if n%3 == 0 {
					b.later(4, func() { ok[stripetest.Dispute](t)(b.stripe.CloseInquiry(dispute.ID)) })
					return
				}
				b.exec("UPDATE platform.accounts SET status = 'suspended' WHERE id = $1", p.account)
				b.later(5, func() {
					if n%3 == 1 {
						ok[stripetest.Dispute](t)(b.stripe.WinDispute(dispute.ID, n%2 == 0))
						return
					}
					ok[stripetest.Dispute](t)(b.stripe.LoseDispute(dispute.ID))
				})
			})
		case draw < 12: // captured in part
			p, charge := b.pay(amount, "usd", func(c *stripetest.ChargeParams) { c.Authorize = true })
			p.amount -= 500
			ok[stripetest.Charge](t)(b.stripe.Capture(charge.ID, p.amount))
			b.store(p, "completed", "", charge.ID, "")
		case draw < 14:
			s := b.subscribe()
			b.later(10, func() {
				p := b.bill(s, stripetest.InvoiceParams{Subscription: s.stripeID, BillingReason: "subscription_update", Lines: []stripetest.InvoiceLine{{Amount: 1500, Description: "lab"}}})
				b.change(s, "upgrade", b.clock(), p.invoice)
			})
			b.later(12, func() {
				b.change(s, "cancel", s.periodEnd, "")
				b.exec("UPDATE platform.subscriptions SET cancel_requested_at = $2, access_ends_at = $3 WHERE id = $1", s.id, b.clock(), s.periodEnd)
				ok[stripetest.Subscription](t)(b.stripe.CancelSubscription(s.stripeID, true))
			})
		default:
			p := b.buy(amount, currency)
			if draw%3 == 0 { // used later, some within the window and some after it
				b.later(1+b.random.IntN(12), func() { b.use(p, 1+p.credits/3) })
			}
		}
	}
	b.until(21)
	payouts := ok[[]stripetest.Payout](t)(b.stripe.RunAutomaticPayouts())
	if b.date().Day == 11 && len(payouts) > 0 {
		b.later(3, func() { ok[stripetest.Payout](t)(b.stripe.FailPayout(payouts[0].ID, "account_closed")) })
	}
	if b.date().Day == 17 {
		b.advance(time.Minute)
		for _, balance := range b.stripe.Balances() {
			if balance.Currency == "usd" && balance.Available > 5000 {
				ok[stripetest.Payout](t)(b.stripe.CreatePayout(stripetest.PayoutParams{Amount: 1000, Currency: "usd", Instant: true}))
			}
		}
	}
	ok[stripetest.BalanceTransaction](t)(b.stripe.BillFee(120, "usd", "Radar"))
	ok[stripetest.BalanceTransaction](t)(b.stripe.BillTax(20, "usd", "VAT"))
}

// night ends the day and reconciles it.
func (b *bothBooks) night() reconcile.Night {
	b.t.Helper()
	night := reconcile.NightOf(b.date(), time.UTC)
	b.now.Store(night.End.Add(20 * time.Minute).Unix())
	if err := b.run(night.Date); err != nil {
		b.t.Fatal(err)
	}
	return night
}

// run reconciles a night without reporting it.
func (b *bothBooks) run(date reconcile.Date) error {
	return b.worker.RunNight(context.Background(), date, b.jobs...)
}

// openBreaks are the breaks that are open now, as kind and subject.
func (b *bothBooks) openBreaks() []string {
	b.t.Helper()
	rows, err := b.db.Query(`SELECT kind || ' ' || subject_id || ' ' || field FROM reconciler.breaks
		WHERE closed_on IS NULL AND (job IN ('match-charges', 'match-refunds', 'disputes', 'subscriptions', 'stripe-books') OR $1) ORDER BY 1`, b.jobs == nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			b.t.Fatal(err)
		}
		found = append(found, text)
	}
	return found
}

// requireTied compares a night's results with the double's own books.
func (b *bothBooks) requireTied(night reconcile.Night) {
	b.t.Helper()
	rows, err := b.db.Query("SELECT currency, reporting_category, count, gross::bigint, fee::bigint, net::bigint FROM reconciler.stripe_activity WHERE business_date = $1", night.Date)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	got := map[string]stripetest.Activity{}
	for rows.Next() {
		var a stripetest.Activity
		if err := rows.Scan(&a.Currency, &a.ReportingCategory, &a.Count, &a.Amount, &a.Fee, &a.Net); err != nil {
			b.t.Fatal(err)
		}
		got[a.Currency+" "+a.ReportingCategory] = a
	}
	want := map[string]stripetest.Activity{}
	for _, a := range b.stripe.Activity(night.Begin, night.End) {
		want[a.Currency+" "+a.ReportingCategory] = a
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("%s: activity: %s", night.Date, diff)
	}
	var compared, wrong, untied int
	if err := b.db.QueryRow(`SELECT count(*) FILTER (WHERE balance_at IS NOT NULL), count(*) FILTER (WHERE residual_minor <> 0)
		FROM reconciler.stripe_cash WHERE business_date = $1`, night.Date).Scan(&compared, &wrong); err != nil {
		b.t.Fatal(err)
	}
	if compared == 0 || wrong > 0 {
		b.t.Errorf("%s: %d currencies compared with Stripe's balance, %d with a residual", night.Date, compared, wrong)
	}
	if err := b.db.QueryRow("SELECT count(*) FROM reconciler.payout_tie_outs WHERE business_date = $1 AND tie_out = 'residual'", night.Date).Scan(&untied); err != nil {
		b.t.Fatal(err)
	}
	if untied > 0 {
		b.t.Errorf("%s: %d payouts don't tie out", night.Date, untied)
	}
}

// dontReport leaves the reports out of the nights.
func (b *bothBooks) dontReport() {
	b.jobs = slices.DeleteFunc(jobs.Names(), func(name string) bool { return name == "reports" })
}

// report has whole nights run, their reports included.
func (b *bothBooks) report() {
	sink, err := storage.OpenFolder(b.t.TempDir())
	if err != nil {
		b.t.Fatal(err)
	}
	b.worker.Reports, b.jobs = sink, nil
}

// requireBooks holds a night's books together: control totals that tie, a liability that rolls forward from the night before to what the lots
// say, nothing left on the clearing accounts, and cash at Stripe as Stripe has it.
func (b *bothBooks) requireBooks(night reconcile.Night) {
	b.t.Helper()
	for what, query := range map[string]string{
		"control totals that don't tie": "SELECT check_name || ' ' || unit || ' ' || difference FROM reconciler.control_totals WHERE business_date = $1 AND difference <> 0",
		"liability that is not what the lots say": `SELECT measure || ' ' || closing || ' ' || closing_from_lots FROM reconciler.roll_forward
			WHERE business_date = $1 AND closing <> closing_from_lots`,
		"liability that does not open where it closed": `SELECT n.measure || ' ' || n.opening || ' ' || b.closing FROM reconciler.roll_forward n
			JOIN reconciler.roll_forward b ON b.measure = n.measure AND b.business_date = n.business_date - 1 WHERE n.business_date = $1 AND n.opening <> b.closing`,
		"liability that the journal does not have": `SELECT r.measure || ' ' || r.closing || ' ' || l.closing FROM reconciler.roll_forward r
			CROSS JOIN LATERAL (SELECT coalesce(-sum(l.closing), 0) AS closing FROM reconciler.ledger_balances l
				WHERE l.business_date = r.business_date AND l.currency = r.measure AND l.role IN ('refund_liability', 'contract_liability')) l
			WHERE r.business_date = $1 AND r.measure <> 'credits' AND r.closing <> l.closing`,
		"cash that all transactions don't come to": `SELECT c.currency || ' ' || c.closing_minor || ' ' || t.whole || ' ' || t.pending FROM reconciler.stripe_cash c
			CROSS JOIN LATERAL (SELECT coalesce(sum(t.net_minor), 0) AS whole, coalesce(sum(t.net_minor) FILTER (WHERE t.available_on > c.as_of), 0) AS pending
				FROM reconciler.stripe_balance_transactions t WHERE t.currency = c.currency AND t.created_at < c.as_of) t
			WHERE c.business_date = $1 AND (c.closing_minor <> t.whole OR c.pending_minor <> t.pending)`,
		"entries that don't balance": "SELECT entry_id || ' ' || currency FROM reconciler.journal_lines WHERE business_date = $1 GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0",
		"clearing that is not cleared": `SELECT role || ' ' || currency || ' ' || closing FROM reconciler.ledger_balances
			WHERE business_date = $1 AND role IN ('purchase_clearing', 'refund_clearing', 'stripe_suspense') AND closing <> 0`,
		"cash at Stripe that the journal does not have": `SELECT c.currency || ' ' || c.closing_minor || ' ' || coalesce(l.closing, 0) FROM reconciler.stripe_cash c
			LEFT JOIN reconciler.ledger_balances l ON l.business_date = c.business_date AND l.currency = c.currency AND l.role = 'stripe_balance'
			WHERE c.business_date = $1 AND c.closing_minor <> coalesce(l.closing, 0)`,
	} {
		rows, err := b.db.Query(query, night.Date)
		if err != nil {
			b.t.Fatalf("%s: %v", what, err)
		}
		for rows.Next() {
			var found string
			if err := rows.Scan(&found); err != nil {
				b.t.Fatal(err)
			}
			b.t.Errorf("%s: %s: %s", night.Date, what, found)
		}
		rows.Close()
	}
}

// A year of ordinary business ties to zero on every night: activity and cash at Stripe, payouts, clearing, liability; and no night has a
// break. Then each kind of break is planted in what the year has left, and exactly those are found.
func TestYearOfBusinessTiesToZero(t *testing.T) {
	t.Parallel()
	days, purchases := 13, 8 // with a payout that fails, and an instant one
	if *longBusiness {
		days, purchases = 365, 28
	}
	b := newBothBooks(t)
	b.report()
	begun := time.Now()
	for n := range days {
		if n%50 == 49 {
			t.Logf("%d nights in %v", n+1, time.Since(begun).Round(time.Second))
		}
		b.day(purchases)
		night := b.night()
		b.requireTied(night)
		b.requireBooks(night)
		if found := b.openBreaks(); len(found) > 0 {
			t.Fatalf("%s: %s", night.Date, strings.Join(found, "\n"))
		}
	}
	if err := b.stripe.CheckBooks(); err != nil {
		t.Error(err)
	}
	if *longBusiness { // the short form has a test of its own for them
		b.dontReport()
		b.findPlanted(purchases, 0)
	}
}

func sorted(values []string) []string {
	values = slices.Clone(values)
	slices.Sort(values)
	return values
}

package jobs_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// The set of a night's subscription charges is recognized in SQL: for whatever invoices, refunds and days, each has exactly what the rule gives
// it, whichever nights are skipped in between.
func TestSetsAreRecognizedByTheRule(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	database := testdb.New(t)
	db := database.DB.DB
	store, err := postgres.Open(postgres.Options{URL: database.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	store.KeepSessions(nil, !database.Distributed()) // the nights ask the same
	filling := database.MustBegin()
	defer filling.Rollback()
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := filling.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	zone, err := time.LoadLocation("America/New_York") // with a night of 23 hours in the middle
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(21, 3))
	first := reconcile.Date{Year: 2026, Month: 2, Day: 20}
	at := func(d reconcile.Date) time.Time {
		night := reconcile.NightOf(d, zone)
		return night.Begin.Add(time.Duration(r.Int64N(int64(night.End.Sub(night.Begin)))).Truncate(time.Second))
	}
	begins := first.AddDays(12) // of the books: some are sold before
	charges := map[string]serviceCharge{}
	sold := map[string]reconcile.Date{}
	exec("INSERT INTO platform.accounts (id, email, status, created_at) VALUES ('acc', 'a@example.com', 'active', '2026-01-01')")
	for i := range 150 {
		id := fmt.Sprintf("%03d", i)
		var c serviceCharge
		c.AmountMinor = r.Int64N(5000)
		total := c.AmountMinor
		if r.IntN(4) == 0 {
			total += 1 + r.Int64N(900)
		}
		tax := min(r.Int64N(1+c.AmountMinor/4), c.AmountMinor)
		if r.IntN(2) == 0 {
			tax = 0
		}
		c.TaxMinor = tax
		if total != c.AmountMinor {
			c.TaxMinor = tax * c.AmountMinor / total
		}
		sold[id] = first.AddDays(r.IntN(40))
		soldAt := at(sold[id])
		exec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_charge_id, stripe_invoice_id, created_at, completed_at)
			VALUES ($1, 'acc', 'subscription', 0, $2, 'usd', 'completed', 'ch_' || $1, 'in_' || $1, $3, $3)`, id, c.AmountMinor, soldAt)
		exec(`INSERT INTO reconciler.booked_purchases (account_id, purchase_id, kind, credits, amount_minor, currency, completed_at, booked_at, is_late)
			VALUES ('acc', $1, 'subscription', 0, $2, 'usd', $3, $3, false)`, id, c.AmountMinor, soldAt)
		exec(`INSERT INTO reconciler.stripe_invoices (id, subscription_id, customer_id, charge_id, payment_intent_id, billing_reason, status, currency, total_minor, due_minor,
			paid_minor, tax_minor, created_at, finalized_at, seen_at) VALUES ('in_' || $1, '', '', '', '', '', 'paid', 'usd', $2, 0, 0, $3, $4, $4, $4)`, id, total, tax, soldAt)
		exec(`INSERT INTO reconciler.stripe_charges (id, payment_intent_id, invoice_id, customer_id, metadata_purchase_id, method, amount_minor, captured_minor, currency, status, captured,
			failure_code, balance_transaction_id, failure_balance_transaction_id, created_at, seen_at)
			VALUES ('ch_' || $1, '', '', '', '', '', $2, $2, 'usd', 'succeeded', true, '', '', '', $3, $3)`, id, c.AmountMinor, soldAt)
		transaction := func(name, source, category string, amount int64, created time.Time) {
			exec(`INSERT INTO reconciler.stripe_balance_transactions (id, type, reporting_category, amount_minor, fee_minor, fee_tax_minor, net_minor, currency, status, source_id,
				payout_id, created_at, available_on, seen_at) VALUES ($1, '', $2, $3, 0, 0, $3, 'usd', 'available', $4, '', $5, $5, $5)`, name, category, amount, source, created)
		}
		transaction("txn_"+id, "ch_"+id, "charge", c.AmountMinor, soldAt)
		lines := 1 + r.IntN(3)
		if r.IntN(12) == 0 {
			lines = 0
		}
		for n := range lines {
			from := sold[id].AddDays(r.IntN(30) - 10)
			to := from.AddDays(r.IntN(35))
			amount, inclusive := r.Int64N(4000)-500, int64(0)
			if lines == 1 && r.IntN(2) == 0 {
				amount = c.AmountMinor - c.TaxMinor
			}
			if r.IntN(5) == 0 {
				inclusive = r.Int64N(100)
			}
			starts, ends := at(from), at(to)
			if to == from {
				ends = starts
			}
			exec(`INSERT INTO reconciler.stripe_invoice_lines (invoice_id, id, type, amount_minor, inclusive_tax_minor, currency, proration, subscription_id, period_start, period_end)
				VALUES ('in_' || $1, $2, 'subscription', $3, $4, 'usd', false, '', $5, $6)`, id, fmt.Sprintf("il_%d", n), amount+inclusive, inclusive, starts, ends)
			c.Lines = append(c.Lines, serviceLine{AmountMinor: amount, From: from, To: to})
		}
		orderLines(t, filling.Tx, "in_"+id, zone, &c)
		for n := range r.IntN(4) * r.IntN(2) {
			on := sold[id].AddDays(1 + r.IntN(25))
			amount, name := 1+r.Int64N(2000), fmt.Sprintf("re_%s_%d", id, n)
			exec(`INSERT INTO reconciler.stripe_refunds (id, charge_id, payment_intent_id, amount_minor, currency, status, reason, failure_reason, balance_transaction_id,
				failure_balance_transaction_id, created_at, seen_at) VALUES ($1, 'ch_' || $2, '', $3, 'usd', 'succeeded', '', '', '', '', $4, $4)`, name, id, amount, at(on))
			transaction("txn_"+name, name, "refund", -amount, at(on))
			c.GivenBack = append(c.GivenBack, givenBack{On: on, AmountMinor: amount})
		}
		charges[id] = c
	}
	if err := filling.Commit(); err != nil {
		t.Fatal(err)
	}
	opening := begins.AddDays(-1)
	last, seen := begins, 0
	for date, step := begins, 0; date.Before(begins.AddDays(60)); date = date.AddDays(1) {
		night, books := reconcile.NightOf(date, zone), reconcile.NightOf(begins, zone).Begin
		err := store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
			_, err := tx.Exec(ctx, "books/recognize", postgres.Args{"date": date, "begin": night.Begin, "end": night.End, "begin_date": begins, "books_begin": books,
				"continues": date != begins, "from": night.Begin, "as_of": night.End, "opens": date == begins, "zone": zone.String()})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		step++
		rows, err := db.Query(`SELECT subject_id, opened_minor, deferred_minor, tax_minor, earned_minor, given_back_minor, is_done FROM reconciler.subscription_positions WHERE business_date = $1`, date)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var opened, deferred, tax, earned, back int64
			var done bool
			if err := rows.Scan(&id, &opened, &deferred, &tax, &earned, &back, &done); err != nil {
				t.Fatal(err)
			}
			seen++
			now, before := charges[id].On(date), recognition{}
			got := fmt.Sprint(opened, deferred, tax, earned, back)
			want := fmt.Sprint(0, now.Deferred, now.Tax, now.Earned, now.GivenBack)
			if sold[id].Before(begins) {
				before = charges[id].On(opening)
				want = fmt.Sprint(before.Deferred, now.Deferred, now.Tax.Sub(now.Tax, before.Tax), now.Earned.Sub(now.Earned, before.Earned), now.GivenBack.Sub(now.GivenBack, before.GivenBack))
			}
			if got != want {
				t.Errorf("%s: %s (sold %s, %+v): opened, deferred, tax, earned, back are %s, not %s", date, id, sold[id], charges[id], got, want)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
		last = date
	}
	if seen < 1000 {
		t.Errorf("only %d positions until %s", seen, last)
	}
}

// orderLines puts a charge's lines in the order of the invoice: by the begin of their period, then id.
func orderLines(t *testing.T, db *sql.Tx, invoice string, zone *time.Location, c *serviceCharge) {
	t.Helper()
	rows, err := db.Query(`SELECT amount_minor - inclusive_tax_minor, (period_start AT TIME ZONE $2)::date, (period_end AT TIME ZONE $2)::date
		FROM reconciler.stripe_invoice_lines WHERE invoice_id = $1 ORDER BY period_start, id COLLATE "C"`, invoice, zone.String())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	c.Lines = nil
	for rows.Next() {
		var line serviceLine
		if err := rows.Scan(&line.AmountMinor, &line.From, &line.To); err != nil {
			t.Fatal(err)
		}
		c.Lines = append(c.Lines, line)
	}
}

package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// sales is a night with purchases and charges, for the statements that lead from the ones to the others.
type sales struct {
	testing.TB
	db    *testdb.DB
	store *postgres.Store
	begin time.Time
}

func newSales(t testing.TB) *sales {
	t.Helper()
	db := testdb.New(t)
	store := openStore(t, db.URL)
	db.MustExec("INSERT INTO platform.accounts (id, email, status, created_at) VALUES ('acc', 'a@example.com', 'active', '2026-01-01')")
	return &sales{TB: t, db: db, store: store, begin: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)}
}

// buy adds purchases, so many hours after the night began, each with the payment intent pi_ID; %s in id counts them.
func (s *sales) buy(id string, count, hours int, amount int64, currency string) {
	s.Helper()
	at := s.begin.Add(time.Duration(hours) * time.Hour)
	s.db.MustExec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_payment_intent_id, created_at, completed_at)
		SELECT format($1, i), 'acc', 'credits', 500, $3, $4, 'completed', 'pi_' || format($1, i), $5, $5 FROM generate_series(1, $2) i`, id, count, amount, currency, at)
	s.db.MustExec(`INSERT INTO reconciler.booked_purchases (account_id, purchase_id, kind, credits, amount_minor, currency, completed_at, booked_at, is_late)
		SELECT 'acc', format($1, i), 'credits', 500, $3, $4, $5, $5, false FROM generate_series(1, $2) i`, id, count, amount, currency, at)
}

// charge adds charges of the payment intents pi_ID.
func (s *sales) charge(prefix, id string, count, hours int, amount int64, currency string) {
	s.Helper()
	at := s.begin.Add(time.Duration(hours) * time.Hour)
	s.db.MustExec(`INSERT INTO reconciler.stripe_charges (id, payment_intent_id, invoice_id, customer_id, metadata_purchase_id, method, amount_minor, captured_minor, currency, status, captured,
			failure_code, balance_transaction_id, failure_balance_transaction_id, created_at, seen_at)
		SELECT $1 || format($2, i), 'pi_' || format($2, i), '', '', '', 'card', $4, $4, $5, 'succeeded', true, '', '', '', $6, $6 FROM generate_series(1, $3) i`, prefix, id, count, amount, currency, at)
	s.db.MustExec(`INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at) SELECT $1 || format($2, i), $4, 'succeeded', $4 FROM generate_series(1, $3) i`, prefix, id, count, at)
}

func (s *sales) bridge() (rows []tables.BridgeItem) {
	s.Helper()
	err := postgres.Each(context.Background(), s.store, "reports/bridge", postgres.Args{"begin": s.begin, "as_of": s.begin.AddDate(0, 0, 1)}, func(row tables.BridgeItem) error {
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return rows
}

// Whatever sets a purchase of the night apart from a charge of the night has the step of its name, and what fits has none.
func TestTheBridgeNamesWhatSetsPurchasesAndChargesApart(t *testing.T) {
	t.Parallel()
	s := newSales(t)
	s.buy("fits", 1, 3, 4900, "usd")
	s.charge("ch_", "fits", 1, 3, 4900, "usd")
	s.buy("unpaid", 1, 3, 1000, "usd")
	s.buy("early", 1, 0, 700, "usd")
	s.charge("ch_", "early", 1, -1, 700, "usd")
	s.buy("more", 1, 3, 1000, "usd")
	s.charge("ch_", "more", 1, 3, 1200, "usd")
	s.buy("eurs", 1, 3, 900, "eur")
	s.charge("ch_", "eurs", 1, 3, 950, "usd")
	s.charge("ch_", "nobody", 1, 5, 300, "usd")
	s.charge("ch_again_", "fits", 1, 6, 4900, "usd")
	s.buy("yesterday", 1, -2, 800, "usd")
	s.charge("ch_", "yesterday", 1, 2, 800, "usd")
	var got []string
	for _, row := range s.bridge() {
		got = append(got, fmt.Sprintf("%s %s %s %s %d", row.Currency, row.Step, row.PurchaseID, row.ChargeID, row.AmountMinor))
	}
	if diff := cmp.Diff(strings.TrimSpace(`
eur other_currency_sold eurs ch_eurs -900
usd charged_again fits ch_again_fits 4900
usd charged_before early ch_early -700
usd no_purchase  ch_nobody 300
usd not_charged unpaid  -1000
usd other_amount more ch_more 200
usd other_currency_charged eurs ch_eurs 950
usd sold_another_night yesterday ch_yesterday 800`), strings.Join(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkBridge(b *testing.B) {
	s := newSales(b)
	const night = 20_000
	s.buy("before%s", 10*night, -48, 4900, "usd")
	s.charge("ch_", "before%s", 10*night, -48, 4900, "usd")
	s.buy("pur%s", night, 3, 4900, "usd")
	s.charge("ch_", "pur%s", night, 3, 4900, "usd")
	s.charge("ch_", "nobody%s", 20, 3, 4900, "usd")
	s.db.MustExec("ANALYZE")
	for b.Loop() {
		if rows := s.bridge(); len(rows) != 20 {
			b.Fatalf("%d rows", len(rows))
		}
	}
	b.ReportMetric(night, "purchases/op")
}

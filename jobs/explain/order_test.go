package explain_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// What happened at one time is told in one order, whichever row the database finds first.
func TestWhatHappenedAtOneTimeIsToldInOneOrder(t *testing.T) {
	db := testdb.New(t)
	store, err := postgres.Open(postgres.Options{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	db.MustExec(`INSERT INTO reconciler.stripe_charges (id, payment_intent_id, invoice_id, customer_id, metadata_purchase_id, method, amount_minor, captured_minor, currency, status, captured, failure_code,
			balance_transaction_id, failure_balance_transaction_id, created_at, seen_at)
		VALUES ('ch_1', '', '', '', '', 'card', 4900, 4900, 'usd', 'succeeded', true, '', 'txn_1', '', '2026-02-01', '2026-03-01')`)
	told := func(ids ...string) explain.Told {
		t.Helper()
		db.MustExec("DELETE FROM reconciler.stripe_balance_transactions")
		for _, id := range ids {
			db.MustExec(`INSERT INTO reconciler.stripe_balance_transactions (id, type, reporting_category, amount_minor, fee_minor, fee_tax_minor, net_minor, currency, status,
					source_id, payout_id, created_at, available_on, seen_at)
				VALUES ($1, 'charge', $1, 4900, 172, 0, 4728, 'usd', 'available', 'ch_1', 'po_1', '2026-02-01', '2026-02-03', '2026-03-01')`, id)
		}
		db.MustExec("VACUUM reconciler.stripe_balance_transactions")
		found, err := explain.Tell(t.Context(), store, time.Now(), "ch_1")
		if err != nil || len(found.Sections) == 0 || len(found.Sections[0].Rows) <= len(ids) {
			t.Fatalf("%v, %v", found, err)
		}
		return found
	}
	if one, other := told("txn_1", "txn_2", "txn_3"), told("txn_3", "txn_2", "txn_1"); !reflect.DeepEqual(one, other) {
		t.Errorf("told as\n%v\nand as\n%v", one, other)
	}
}

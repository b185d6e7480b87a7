package month_test

import (
	"context"
	"slices"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// What was booked in the next month before a month was closed was there for those who signed; later items are what came after that:
// entries, purchases (one of a subscription has no entry) and what moved at Stripe.
func TestLaterItemsArriveAfterTheMonthWasClosed(t *testing.T) {
	t.Parallel()
	ctx, db := context.Background(), testdb.New(t)
	store, err := postgres.Open(postgres.Options{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	db.MustExec(`INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, location, published_at)
		SELECT d::date, 1, d + interval '1 day', '', '', d + interval '1 day 4 hours' FROM generate_series('2026-03-01'::date, '2026-04-08', interval '1 day') d;
		INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, location, published_at)
		VALUES ('2026-04-02', 2, '2026-04-03', '', '', '2026-04-09');
		INSERT INTO reconciler.late_items (account_id, entry_id, entry_date, booked_on, booked_at, credits) VALUES
			('acc_1', 'ent_1', '2026-03-30', '2026-04-02', '2026-04-03', 10), ('acc_1', 'ent_2', '2026-03-30', '2026-04-05', '2026-04-06', 20),
			('acc_1', 'ent_3', '2026-03-31', '2026-04-07', '2026-04-08', 40), ('acc_1', 'ent_4', '2026-03-03', '2026-03-09', '2026-03-10', 80);
		INSERT INTO reconciler.booked_purchases (account_id, purchase_id, kind, credits, amount_minor, currency, completed_at, booked_at, is_late) VALUES
			('acc_2', 'pur_1', 'subscription', 0, 900, 'usd', '2026-03-31 23:59:59Z', '2026-04-06 23:00Z', true),
			('acc_2', 'pur_2', 'subscription', 0, 900, 'usd', '2026-03-31 23:59:59Z', '2026-04-07 00:00Z', true),
			('acc_2', 'pur_3', 'subscription', 0, 900, 'usd', '2026-03-31 23:59:59Z', '2026-03-31 23:59:59Z', false),
			('acc_2', 'pur_4', 'subscription', 0, 900, 'usd', '2026-04-01 00:00Z', '2026-04-07 00:00Z', true);
		INSERT INTO reconciler.stripe_late (id, created_at, booked_on) VALUES ('txn_1', '2026-03-31 23:59:59Z', '2026-04-04'), ('txn_2', '2026-03-31 23:59:59Z', '2026-04-08');
		INSERT INTO reconciler.month_publications (period, revision, state, action_no, manifest_sha256, published_at) VALUES ('2026-03', 1, 'draft', 0, repeat('0', 64), '2026-04-02')`)
	for _, step := range []struct {
		action, at string
		later      int64
		text       string   // of the index
		through    []string // the newest night that had been reported; none: the month is not closed
	}{
		{"closed", "2026-04-01 12:00Z", 7, "closed by Ana Ruiz, not reviewed; booked in a later month: 7 items of this one", []string{"2026-03 2026-03-31"}},
		{"reopened", "2026-04-06 12:00Z", 0, "draft", nil},
		{"closed", "2026-04-07 12:00Z", 3, "closed by Ana Ruiz, not reviewed; booked in a later month: 3 items of this one", []string{"2026-03 2026-04-06"}},
	} {
		db.MustExec(`INSERT INTO reconciler.periods (period, action_no, action, actor, reason, at)
			SELECT '2026-03', 1 + count(*), $1, 'Ana Ruiz', 'as agreed', $2::timestamptz FROM reconciler.periods`, step.action, step.at)
		var months []pages.MonthState
		if err := store.Select(ctx, &months, "periods/months", nil); err != nil {
			t.Fatal(err)
		}
		if len(months) != 1 || months[0].Late != step.later || months[0].Text() != step.text {
			t.Errorf("%s at %s: %+v, want %d later items", step.action, step.at, months, step.later)
		}
		var closed []struct {
			Period  string
			Through reconcile.Date
		}
		if err := store.Select(ctx, &closed, "periods/closed_months", postgres.Args{"at": step.at}); err != nil {
			t.Fatal(err)
		}
		var through []string
		for _, c := range closed {
			through = append(through, c.Period+" "+c.Through.String())
		}
		if !slices.Equal(through, step.through) {
			t.Errorf("%s at %s: %v, want %v", step.action, step.at, through, step.through)
		}
	}
}

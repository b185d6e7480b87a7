package jobs_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// resolveAll resolves every open break by hand.
func (b *bothBooks) resolveAll() { b.resolve("", "accepted") }

// resolve is somebody's word on all open breaks of an account; of all where it is "".
func (b *bothBooks) resolve(account, resolution string) {
	b.t.Helper()
	var resolutions []jobs.Resolution
	for _, id := range b.texts("SELECT break_id FROM reconciler.breaks WHERE closed_on IS NULL AND $1 IN ('', account_id) ORDER BY 1", account) {
		resolutions = append(resolutions, jobs.Resolution{BreakID: id, Resolution: resolution, Reason: "looked into", Actor: "Ana"})
	}
	if err := jobs.ResolveBreaks(context.Background(), b.worker.Store, b.clock(), resolutions); err != nil {
		b.t.Fatal(err)
	}
}

// allOpen are the open breaks of all jobs, as openBreaks are those that need Stripe.
func (b *bothBooks) allOpen() []string {
	b.t.Helper()
	return b.texts("SELECT kind || ' ' || subject_id || ' ' || field FROM reconciler.breaks WHERE closed_on IS NULL ORDER BY 1")
}

func (b *bothBooks) texts(query string, args ...any) []string {
	b.t.Helper()
	rows, err := b.db.Query(query, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			b.t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return all
}

// A person's word on a break stands while the fault is the same one, though some of its values move by the day alone: the age of a review,
// how long access lasts past what was paid, two balances whose difference stays, how far a dispute has got. It opens again when the fault is
// another one.
func TestResolvedBreakStaysResolvedWhileOnlyItsAgeMoves(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.day(2)
	b.until(9)
	account := b.account()
	b.exec(`INSERT INTO platform.refund_requests (id, account_id, kind, account_email, reason, status, requested_at)
		VALUES ('req-vague', $1, 'unused_credits', $1 || '@example.com', 'bought by mistake', 'pending', $2)`, account, b.clock().AddDate(0, 0, -14))
	sub := b.subscribe()
	b.worker.Step = func(step string) { // what was paid for ended two days ago, and access goes on
		if step == "sync-stripe/synced" {
			b.exec(`UPDATE reconciler.stripe_invoice_lines l SET period_end = $2 FROM reconciler.stripe_invoices i
				WHERE i.id = l.invoice_id AND i.subscription_id = $1`, sub.stripeID, businessStart.AddDate(0, 0, -2))
		}
	}
	ghost := func(id string, amount int64) { // a transaction that only our tables have
		b.exec(`INSERT INTO reconciler.stripe_balance_transactions (id, type, reporting_category, amount_minor, fee_minor, fee_tax_minor, net_minor, currency,
			status, source_id, created_at, available_on, seen_at) VALUES ($2, 'charge', 'charge', $3, 0, 0, $3, 'usd', 'available', '', $1, $1, $1)`, b.clock(), id, amount)
	}
	ghost("txn_ghost", 5)
	dispute := ok[stripetest.Dispute](t)(b.stripe.OpenDispute(stripetest.DisputeParams{Charge: b.buy(4900, "usd").charge}))
	b.night()
	b.day(2)
	b.night()
	want := []string{"access_outlasts_period " + sub.id + " access_ends_at", "balance_residual usd balance",
		"dispute_account_active " + dispute.ID + " account_status", "review_overdue req-vague due_date"}
	if diff := cmp.Diff(want, b.allOpen()); diff != "" {
		t.Fatal(diff)
	}
	b.resolveAll()
	for range 2 {
		b.day(2) // money moves: both balances are others every night
		b.night()
		if open := b.allOpen(); len(open) > 0 {
			t.Fatalf("open again, though nothing but their age has changed: %v", open)
		}
	}
	ok[stripetest.Dispute](t)(b.stripe.SubmitEvidence(dispute.ID))
	b.day(2)
	b.night()
	if open := b.allOpen(); len(open) > 0 {
		t.Fatalf("open again because the dispute is under review: %v", open)
	}
	// Another residual is another fault.
	ghost("txn_ghost_2", 3)
	b.day(2)
	b.night()
	if diff := cmp.Diff([]string{"balance_residual usd balance"}, b.allOpen()); diff != "" {
		t.Error(diff)
	}
}

// A kind of break says what is wrong by at least one of its values, and only those whose values move by themselves leave any out.
func TestEveryBreakSaysWhatIsWrong(t *testing.T) {
	for _, rule := range reconcile.BreakRules {
		if (rule.Kind.FaultValues() == reconcile.FaultValues{}) {
			t.Errorf("%s is the same fault whatever its values are", rule.Kind)
		}
	}
}

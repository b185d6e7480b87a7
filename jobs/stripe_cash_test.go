package jobs_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
)

// A balance transaction that arrives when later nights are closed already: the night that learns of it does not continue from their closing,
// says that it opens otherwise than the night before closed, and the one after is clean.
func TestCashDoesNotGoOnFromAClosingThatNoLongerHolds(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.day(3)
	b.night()
	b.day(3)
	hide := func(step string) {
		if step == "sync-stripe/synced" {
			b.exec(`DELETE FROM reconciler.stripe_balance_transactions WHERE id = (SELECT id FROM reconciler.stripe_balance_transactions
				WHERE currency = 'usd' AND reporting_category = 'charge' ORDER BY created_at DESC, id LIMIT 1)`)
		}
	}
	var found [][]string
	for night := range 4 {
		if night > 0 {
			b.day(3)
		}
		b.worker.Step = nil
		if night == 0 {
			b.worker.Step = hide
		}
		b.night()
		cash := []string{}
		for _, text := range b.openBreaks() {
			if strings.HasPrefix(text, "balance_residual ") {
				cash = append(cash, text)
			}
		}
		found = append(found, cash)
	}
	want := [][]string{{"balance_residual usd balance"}, {"balance_residual usd opening"}, {}, {}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	var untied int
	if err := b.db.QueryRow(`SELECT count(*) FROM reconciler.stripe_cash c WHERE c.business_date >= '2026-01-07' AND c.closing_minor <>
		(SELECT coalesce(sum(t.net_minor), 0) FROM reconciler.stripe_balance_transactions t WHERE t.currency = c.currency AND t.created_at < c.as_of)`).Scan(&untied); err != nil || untied > 0 {
		t.Errorf("%d closings are not the sum of all transactions, %v", untied, err)
	}
}

// What arrives at Stripe for a night already reported is booked by the newest night that knows of it, once: the books tie again and stay so,
// and a rerun of any night finds what it had found.
func TestTransactionsThatTurnUpLateAreBookedOnce(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	for night := range 5 {
		b.worker.Step = nil
		if night == 1 {
			b.worker.Step = func(step string) {
				if step == "sync-stripe/synced" {
					b.exec(`DELETE FROM reconciler.stripe_balance_transactions WHERE id = (SELECT id FROM reconciler.stripe_balance_transactions
						WHERE currency = 'usd' AND reporting_category = 'charge' ORDER BY created_at DESC, id LIMIT 1)`)
				}
			}
		}
		b.day(3)
		reconciled := b.night() // fails where the journal does not tie to the balance at Stripe
		if night != 1 {         // which lacks a transaction that the purchase cleared against
			b.requireBooks(reconciled)
		}
	}
	lines := func() (text string) {
		if err := b.db.QueryRow(`SELECT string_agg(business_date || ' ' || role || ' ' || currency || ' ' || amount, E'\n' ORDER BY business_date, role, currency)
			FROM (SELECT business_date, role, currency, sum(amount_minor) AS amount FROM reconciler.journal_lines GROUP BY 1, 2, 3) x`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	before := lines()
	b.worker.Step = nil
	for date := reconcile.DateOf(businessStart); date.Before(b.date()); date = date.AddDays(1) {
		if err := b.run(date); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(before, lines()); diff != "" {
		t.Errorf("run again, the nights book otherwise:\n%s", diff)
	}
}

// A night continues from the closing before it and reads no older transaction; verification adds up all of them, and finds one that was
// altered in our tables.
func TestVerifyFindsAnOldTransactionThatWasAltered(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	for range 3 {
		b.day(3)
		b.night()
	}
	b.exec(`UPDATE reconciler.stripe_balance_transactions SET amount_minor = amount_minor + 7, net_minor = net_minor + 7
		WHERE id = (SELECT id FROM reconciler.stripe_balance_transactions WHERE currency = 'usd' ORDER BY created_at, id LIMIT 1)`)
	b.day(3)
	span := b.night()
	b.requireTied(span)
	if found := b.openBreaks(); len(found) > 0 {
		t.Errorf("the night itself finds %q", found)
	}
	faults, err := b.worker.Verify(context.Background(), span.Date, night.AuditHead{})
	if err != nil {
		t.Fatal(err)
	}
	where := []string{}
	for _, fault := range faults {
		where = append(where, fault.Where)
	}
	if !strings.Contains(strings.Join(where, " "), "stripe_cash.csv") {
		t.Errorf("verification finds %q only", faults)
	}
}

// Stripe dates by the second and its balance not at all: of what happens in the very second of its reading, before it or after it, the balance may
// have any part. None of that is a residual, in that night or when it is run again with all of it known; what is missing beside it still is one.
func TestTheSecondOfTheReadingIsOnEitherSide(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, after []int64 // charged in that second, before and after the balance is read
		hidden        bool    // one of the day's transactions
	}{
		"two on each side":             {before: []int64{1300, 900}, after: []int64{1700, 2100}},
		"before, and money is missing": {before: []int64{1300}, after: []int64{1700}, hidden: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBothBooks(t)
			b.until(5)
			b.buy(4900, "usd")
			b.night()
			b.until(5)
			p := b.buy(3100, "usd")
			night := reconcile.NightOf(b.date(), time.UTC)
			b.now.Store(night.End.Add(20 * time.Minute).Unix())
			charge := func(amounts []int64) {
				for _, amount := range amounts {
					b.pay(amount, "usd", nil)
				}
			}
			charge(tc.before)
			b.worker.Step = func(step string) {
				if step == "sync-stripe/synced" {
					charge(tc.after)
					if tc.hidden {
						b.exec("DELETE FROM reconciler.stripe_balance_transactions WHERE source_id = $1", p.charge)
					}
				}
			}
			var found [][]string
			for run := range 2 {
				if err := b.run(night.Date); err != nil {
					t.Fatal(err)
				}
				found = append(found, slices.DeleteFunc(b.openBreaks(), func(text string) bool { return !strings.HasPrefix(text, "balance_residual ") }))
				tc.after = nil
				b.advance(time.Minute)
				if run == 0 && b.count("SELECT count(DISTINCT taken_at) FROM reconciler.stripe_balances WHERE taken_at >= $1", night.End) != 1 {
					t.Error("the balance was not read, or twice")
				}
			}
			want := [][]string{{}, {}}
			if tc.hidden {
				want = [][]string{{"balance_residual usd balance"}, {"balance_residual usd balance"}}
			}
			if diff := cmp.Diff(want, found, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

package jobs_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

func (b *bothBooks) count(query string, args ...any) int {
	b.t.Helper()
	var n int
	if err := b.db.QueryRow(query, args...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// A night that Stripe was not looked at for, for want of a key or because it could not be reached, calls nothing of Stripe's clean: it
// clears no break, proves no balance, knows no fee, and says so. The rest of the night runs.
func TestNightWithoutStripeCallsNothingClean(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.day(3)
	p := b.buy(4900, "usd")
	b.advance(time.Minute)
	again := ok[stripetest.Charge](t)(b.stripe.CreateCharge(stripetest.ChargeParams{Amount: 4900, Currency: "usd", Metadata: map[string]string{"purchase_id": p.id}}))
	first := b.night()
	duplicate := []string{"duplicate_charge " + again.ID + " charge"}
	if diff := cmp.Diff(duplicate, b.openBreaks()); diff != "" {
		t.Fatal(diff)
	}
	ok[stripetest.Refund](t)(b.stripe.CreateRefund(stripetest.RefundParams{Charge: again.ID})) // mended, but nobody sees it yet

	requireBlind := func(night reconcile.Night, status string) {
		t.Helper()
		if diff := cmp.Diff(duplicate, b.openBreaks()); diff != "" {
			t.Errorf("%s: %s", status, diff)
		}
		if n := b.count("SELECT count(*) FROM reconciler.stripe_syncs WHERE business_date = $1 AND status = $2 AND problem <> ''", night.Date, status); n != 1 {
			t.Errorf("%s: not said", status)
		}
		for _, table := range []string{"stripe_cash", "stripe_activity", "payout_tie_outs", "dispute_cases", "subscription_checks"} {
			if n := b.count("SELECT count(*) FROM reconciler."+table+" WHERE business_date = $1", night.Date); n != 0 {
				t.Errorf("%s: %d rows of %s", status, n, table)
			}
		}
		if n := b.count(`SELECT count(*) FROM reconciler.control_totals WHERE business_date = $1
			AND job IN ('match-charges', 'match-refunds', 'disputes', 'subscriptions', 'stripe-books')`, night.Date); n != 0 {
			t.Errorf("%s: %d control totals about Stripe", status, n)
		}
		if n := b.count("SELECT count(*) FROM reconciler.refund_windows WHERE business_date = $1 AND fee_minor IS NOT NULL", night.Date); n != 0 {
			t.Errorf("%s: %d fees are known", status, n)
		}
		if n := b.count("SELECT count(*) FROM reconciler.runs WHERE business_date = $1 AND job = 'match-jobs' AND status = 'completed'", night.Date); n != 1 {
			t.Errorf("%s: the rest of the night did not run", status)
		}
	}
	if n := b.count("SELECT count(*) FROM reconciler.refund_windows WHERE business_date = $1 AND fee_minor IS NOT NULL", first.Date); n == 0 {
		t.Error("no fee is known on a night that Stripe was looked at for")
	}

	b.worker.Stripe = nil
	b.day(3)
	requireBlind(b.night(), "no_key")

	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer down.Close()
	b.worker.Stripe = ok[*stripefeed.Client](t)(stripefeed.New(stripefeed.Options{
		Key: b.stripe.ReadKey(), BaseURL: down.URL, Log: zerolog.Nop(), BackoffBase: time.Millisecond, Attempts: 2,
	}))
	b.day(3)
	night := reconcile.NightOf(b.date(), time.UTC)
	b.now.Store(night.End.Add(20 * time.Minute).Unix())
	if err := b.run(night.Date); !errors.Is(err, stripefeed.ErrUnavailable) {
		t.Errorf("the night ended with %v", err)
	}
	requireBlind(night, "failed")

	b.worker.Stripe = b.client
	b.day(3)
	b.requireTied(b.night())
	if found := b.openBreaks(); len(found) > 0 {
		t.Errorf("still open: %v", found)
	}
}

// results is everything that the nights have come to about Stripe.
func (b *bothBooks) results() string {
	b.t.Helper()
	var all strings.Builder
	// A subscription's row has no history on the platform: its checks may differ, and whatever counts subscriptions.
	for _, table := range []string{"stripe_activity", "stripe_cash", "payout_tie_outs", "dispute_cases", "stripe_checks", "breaks", "control_totals", "stripe_syncs"} {
		rows, err := b.db.Query("SELECT (to_jsonb(t) - 'complete_through')::text FROM reconciler." + table + ` t
			WHERE coalesce(to_jsonb(t)->>'job', '') NOT IN ('source', 'subscriptions') ORDER BY 1`)
		if err != nil {
			b.t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				b.t.Fatal(err)
			}
			fmt.Fprintln(&all, table, row)
		}
		if err := rows.Close(); err != nil {
			b.t.Fatal(err)
		}
	}
	return all.String()
}

// Running any night again, also after later ones, changes nothing, though Stripe has moved on since: whether it is read again, further than before, or
// can't be looked at now.
func TestRerunsReadTheSameStripe(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	var nights []reconcile.Night
	for range 8 {
		b.day(6)
		nights = append(nights, b.night())
	}
	want := b.results()
	again := func(how string, expected error) {
		for _, night := range nights {
			if err := b.run(night.Date); !errors.Is(err, expected) {
				t.Errorf("%s, %s: %v", how, night.Date, err)
			}
		}
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(b.results(), "\n")); diff != "" {
			t.Errorf("%s: %s", how, diff)
		}
	}
	again("read again", nil)
	b.day(6)
	charges := b.count("SELECT count(*) FROM reconciler.stripe_charges")
	b.advance(20 * time.Minute)
	if err := b.worker.RunNight(t.Context(), nights[len(nights)-1].Date, "sync-stripe"); err != nil {
		t.Fatal(err)
	}
	if b.count("SELECT count(*) FROM reconciler.stripe_charges") == charges {
		t.Error("the single job has read nothing of the day")
	}
	again("read further", nil)
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer down.Close()
	b.worker.Stripe = ok[*stripefeed.Client](t)(stripefeed.New(stripefeed.Options{
		Key: b.stripe.ReadKey(), BaseURL: down.URL, Log: zerolog.Nop(), BackoffBase: time.Millisecond, Attempts: 1,
	}))
	again("out of reach", stripefeed.ErrUnavailable)
	b.worker.Stripe = nil
	again("without a key", nil)
}

// A backfill that reads Stripe only once, at the end, finds no break in nights that had none, and the same activity.
func TestBackfillReadsStripeOnce(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	var nights []reconcile.Night
	for range 10 {
		b.day(8)
		nights = append(nights, reconcile.NightOf(b.date(), time.UTC))
		b.now.Store(nights[len(nights)-1].End.Unix())
	}
	b.advance(20 * time.Minute)
	for _, night := range nights {
		if err := b.run(night.Date); err != nil {
			t.Fatal(err)
		}
		if found := b.openBreaks(); len(found) > 0 {
			t.Fatalf("%s: %s", night.Date, strings.Join(found, "\n"))
		}
	}
	if n := b.count("SELECT count(*) FROM reconciler.stripe_activity"); n == 0 {
		t.Error("no activity")
	}
	for _, night := range nights {
		var want int64
		for _, a := range b.stripe.Activity(night.Begin, night.End) {
			want += a.Count
		}
		if got := b.count("SELECT coalesce(sum(count), 0) FROM reconciler.stripe_activity WHERE business_date = $1", night.Date); int64(got) != want {
			t.Errorf("%s: %d transactions, want %d", night.Date, got, want)
		}
	}
	// Only the last night has a Balance that belongs to it.
	if n := b.count("SELECT count(DISTINCT business_date) FROM reconciler.stripe_cash WHERE balance_at IS NOT NULL"); n != 1 {
		t.Errorf("%d nights were compared with Stripe's balance", n)
	}
}

// An authorisation that is captured two days later pays for nothing until then, also when the nights are run again afterwards.
func TestAuthorisationCapturedLaterReadsAsItWas(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.day(1)
	p, charge := b.pay(6000, "usd", func(c *stripetest.ChargeParams) { c.Authorize = true })
	b.store(p, "completed", "", charge.ID, "")
	var nights []reconcile.Night
	var outcomes []string
	outcome := func(night reconcile.Night) string {
		return fmt.Sprint(night.Date, b.count("SELECT count(*) FROM reconciler.stripe_checks WHERE business_date = $1 AND subject_id = $2 AND outcome = 'awaiting'", night.Date, p.id),
			b.count("SELECT count(*) FROM reconciler.breaks WHERE subject_id = $1 AND kind = 'charge_status_mismatch' AND opened_on <= $2 AND (closed_on IS NULL OR closed_on > $2)", p.id, night.Date))
	}
	for n := range 4 {
		if n == 2 {
			b.until(9)
			ok[stripetest.Charge](t)(b.stripe.Capture(charge.ID, 6000))
		}
		nights = append(nights, b.night())
		outcomes = append(outcomes, outcome(nights[n]))
	}
	want := []string{"2026-01-05 1 0", "2026-01-06 0 1", "2026-01-07 0 0", "2026-01-08 0 0"}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Error(diff)
	}
	for n, night := range nights {
		if err := b.run(night.Date); err != nil {
			t.Fatal(err)
		}
		if got := outcome(night); got != want[n] {
			t.Errorf("run again: %s, want %s", got, want[n])
		}
	}
}

// What is just as old at the as-of as a counterpart may take has waited long enough; a second younger, it may still come.
func TestBugACounterpartWasAwaitedAtJustTheLastInstant(t *testing.T) {
	b := newBothBooks(t)
	midnight := b.clock().Truncate(24*time.Hour).AddDate(0, 0, 1)
	unpaid := func() string {
		p := purchased{id: b.id("pur"), account: b.account(), amount: 5000, credits: 500, currency: "usd"}
		b.store(p, "completed", "", "", "")
		return p.id
	}
	unknown := func() string {
		_, charge := b.pay(4900, "usd", func(c *stripetest.ChargeParams) { c.Metadata = nil })
		return charge.ID
	}
	b.now.Store(midnight.Unix())
	want := []string{"charge_missing_in_platform " + unknown() + " purchase", "purchase_missing_at_stripe " + unpaid() + " charge"}
	b.advance(time.Second)
	later := []string{"charge_missing_in_platform " + unknown() + " purchase", "purchase_missing_at_stripe " + unpaid() + " charge"}
	b.night()
	found := b.openBreaks()
	slices.Sort(found)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	b.advance(time.Hour)
	b.night()
	for _, missing := range append(want, later...) {
		if !slices.Contains(b.openBreaks(), missing) {
			t.Errorf("the night after: no %s", missing)
		}
	}
}

// What an open break was about may be deleted on the platform: the break clears, and the totals tie all the same.
func TestBreakOfSomethingDeletedClears(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.day(2)
	p, charge := b.pay(4900, "usd", nil)
	p.amount = 9900
	b.store(p, "completed", "", charge.ID, "")
	s := b.subscribe()
	change := b.change(s, "downgrade", b.clock().Add(time.Minute), "")
	b.advance(2 * time.Minute)
	b.exec("UPDATE platform.subscription_changes SET effective_at = $2 WHERE id = $1", change, b.clock())
	b.night()
	if found := b.openBreaks(); len(found) != 2 {
		t.Fatalf("%v", found)
	}
	for range 2 { // until none of it is of the night any more
		b.day(2)
		b.night()
	}
	b.exec("DELETE FROM platform.subscription_changes WHERE id = $1", change)
	b.exec("DELETE FROM platform.purchases WHERE id = $1", p.id)
	b.day(2)
	b.night()
	// The money of the deleted purchase is still at Stripe, and older than a night's scope.
	if found := b.openBreaks(); len(found) != 0 {
		t.Errorf("%v", found)
	}
}

// A bank debit may take its time; one that is still pending after that is a break, and clears when it settles.
func TestBankDebitThatNeverSettlesBecomesABreak(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	p, charge := b.pay(6000, "eur", func(c *stripetest.ChargeParams) {
		c.Method, c.Settlement = stripetest.SEPADebit, stripetest.Settlement{}
	})
	b.store(p, "completed", "", charge.ID, "")
	for n := range 18 {
		if n > 0 && n < 12 { // nobody looks
			b.now.Store(reconcile.NightOf(b.date(), time.UTC).End.Add(20 * time.Minute).Unix())
			continue
		}
		if n == 17 {
			b.until(12)
			ok[stripetest.Charge](t)(b.stripe.SettleCharge(charge.ID))
		}
		b.night()
		want := 0
		if n >= 14 && n < 17 { // begun on 5 January at midnight, 14 days are up on the 19th
			want = 1
		}
		if found := b.openBreaks(); len(found) != want {
			t.Errorf("night %d: %v", n, found)
		}
	}
}

// What the platform writes days late of a subscription is looked at by the night that finds it, as it would have been in time: a change of plan, whatever
// else took effect in its night, and a subscription whose access ended long ago.
func TestWhatArrivesLateOfASubscriptionIsLookedAt(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	early, free, right, unknown := b.subscribe(), b.subscribe(), b.subscribe(), b.subscribe()
	b.exec("CREATE TABLE kept AS SELECT * FROM platform.subscriptions WHERE id = $1", unknown.id)
	b.exec("DELETE FROM platform.subscriptions WHERE id = $1", unknown.id)
	b.night()
	b.until(5)
	took := b.clock()
	upgrade := stripetest.InvoiceParams{Subscription: right.stripeID, BillingReason: "subscription_update", Lines: []stripetest.InvoiceLine{{Amount: 1300, Proration: true}}}
	b.change(right, "upgrade", took, b.bill(right, upgrade).invoice)
	var want []string
	nights := func(n int) {
		t.Helper()
		for range n {
			night := b.night()
			if found := strings.Join(sorted(b.openBreaks()), ", "); found != strings.Join(sorted(want), ", ") {
				t.Errorf("%s: %s, not %v", night.Date, found, want)
			}
			b.requireBooks(night)
			b.until(5)
		}
	}
	nights(4)
	want = append(want, "downgrade_early "+b.change(early, "downgrade", took, "")+" effective_at", "upgrade_not_charged "+b.change(free, "upgrade", took, "")+" invoice")
	nights(1)
	b.exec("INSERT INTO platform.subscriptions SELECT * FROM kept")
	b.exec("UPDATE platform.subscriptions SET status = 'canceled', cancel_requested_at = $2, access_ends_at = $2 WHERE id = $1", unknown.id, took)
	want = append(want, "access_ended_early "+unknown.id+" access_ends_at")
	nights(3)
}

// An invoice that was a draft for days is looked at once it is one: it may give no credit for a part of a period either.
func TestADraftIsLookedAtOnceItIsAnInvoice(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.dontReport()
	s := b.subscribe()
	draft := ok[stripetest.Invoice](t)(b.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: s.stripeID, BillingReason: "manual", Draft: true,
		Lines: []stripetest.InvoiceLine{{Amount: 900, Description: "Seats"}, {Amount: -400, Description: "Unused time", Proration: true}}}))
	want := ""
	for day := range 8 {
		if day == 5 {
			b.until(9)
			ok[stripetest.Invoice](t)(b.stripe.FinalizeInvoice(draft.ID))
			want = "subscription_prorated " + draft.ID + " proration"
		}
		night := b.night()
		if found := strings.Join(b.openBreaks(), ", "); found != want {
			t.Errorf("%s: %s, not %s", night.Date, found, want)
		}
	}
}

package stripefeed

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

var longSweep = flag.Bool("long", false, "run the long forms: every fault at every call of a sync")

// dataFaults change what Stripe says in a way that nobody could know to be wrong: they are stored as they come.
var dataFaults = []stripetest.Kind{stripetest.UnknownCategory, stripetest.UnknownStatus, stripetest.ActSlowly}

// tables is everything that a sync has left, but for when it was seen.
func (f *fixture) tables() string {
	f.t.Helper()
	var all strings.Builder
	for _, table := range syncedTables {
		f.dump(&all, table)
	}
	return all.String()
}

func (f *fixture) dump(to *strings.Builder, table string) {
	f.t.Helper()
	rows, err := f.store.DB().Query("SELECT (to_jsonb(t) - 'seen_at' - 'taken_at' - 'synced_through' - 'first_used_at')::text FROM reconciler." + table + " t ORDER BY 1")
	if err != nil {
		f.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			f.t.Fatal(err)
		}
		fmt.Fprintln(to, table, row)
	}
	if err := rows.Err(); err != nil {
		f.t.Fatal(err)
	}
}

// syncedTables is what a sync writes to.
var syncedTables = []string{
	"stripe_balance_transactions", "stripe_charges", "stripe_refunds", "stripe_disputes", "stripe_payouts", "stripe_invoices",
	"stripe_invoice_lines", "stripe_subscriptions", "stripe_payment_intents", "stripe_states", "stripe_balances", "stripe_watermarks",
	"stripe_accounts",
}

// faultFixture is an account of four days that has been synced once without faults; the same every time.
func faultFixture(t testing.TB) *fixture {
	f := newFixture(t)
	for n := range 4 {
		f.day(n)
	}
	f.clock.advance(10 * time.Minute)
	f.mustSync()
	return f
}

// Every kind of fault at the calls of a sync: the sync ends in the same tables as a clean one, or says that it could not look, and the
// next one ends in the same tables. Never a shorter table that reads as complete.
func TestEveryFaultOfASync(t *testing.T) {
	first := faultFixture(t)
	want, calls := first.tables(), first.stripe.Calls()
	fixtures := make(chan *fixture, parallelSyncs())
	fixtures <- first
	for range cap(fixtures) - 1 {
		fixtures <- faultFixture(t)
	}
	var tried, retried, failed atomic.Int64
	t.Run("fault", func(t *testing.T) {
		for i, kind := range stripetest.Kinds() {
			if slices.Contains(dataFaults, kind) {
				continue
			}
			for call := 1; call <= calls; call++ {
				// The short form tries each kind once, and each at another call.
				if !*longSweep && call != 1+(i*7)%calls {
					continue
				}
				t.Run(fmt.Sprintf("%s at call %d", kind, call), func(t *testing.T) {
					t.Parallel()
					f := <-fixtures
					defer func() { fixtures <- f }()
					tried.Add(1)
					if f.survives(t, kind, call, want) {
						retried.Add(1)
					} else {
						failed.Add(1)
					}
				})
			}
		}
	})
	line := fmt.Sprintf("%d faults over %d calls: %d syncs went on, %d said that they failed and the next one mended it",
		tried.Load(), calls, retried.Load(), failed.Load())
	t.Log(line)
	if *longSweep {
		fmt.Println("fault sweep of a sync: " + line)
	}
	if tried.Load() == 0 || retried.Load() == 0 || failed.Load() == 0 {
		t.Error("the sweep did not sweep")
	}
}

// parallelSyncs is how many tests run side by side.
func parallelSyncs() int {
	parallel, err := strconv.Atoi(flag.Lookup("test.parallel").Value.String())
	if err != nil {
		panic(err)
	}
	return parallel
}

// survives syncs into empty tables with one fault, by a client that doesn't wait long; true: the sync went through.
func (f *fixture) survives(t *testing.T, kind stripetest.Kind, call int, want string) bool {
	t.Helper()
	defer func(before testing.TB) { f.t = before }(f.t)
	f.t = t
	if _, err := f.platform.Exec("DELETE FROM reconciler." + strings.Join(append(syncedTables, "stripe_syncs"), "; DELETE FROM reconciler.")); err != nil {
		t.Fatal(err)
	}
	f.stripe.SetFaults(stripetest.Fault{Match: stripetest.Match{Call: call}, Kind: kind})
	patient := f.client
	f.client = f.newClient(Options{
		Key: f.stripe.ReadKey(), BaseURL: patient.options.BaseURL, AttemptTimeout: 400 * time.Millisecond, Attempts: 2, SyncParallel: 3,
	})
	_, err := f.sync()
	f.client = patient
	f.stripe.SetFaults()
	var status string
	if scanErr := f.store.DB().QueryRow("SELECT status FROM reconciler.stripe_syncs").Scan(&status); scanErr != nil {
		t.Fatalf("no word on the sync: %v", scanErr)
	}
	if (err == nil) != (status == string(Complete)) {
		t.Errorf("the night says %s, the sync %v", status, err)
	}
	if err != nil {
		if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrAnomaly) && !errors.Is(err, ErrRefused) {
			t.Errorf("an error nobody can tell apart: %v", err)
		}
		f.mustSync()
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(f.tables(), "\n")); diff != "" {
		t.Errorf("first sync: %v: %s", err, diff)
	}
	return err == nil
}

// Syncing every night ends in the same rows as syncing once at the end.
func TestNightlySyncsEqualOneSync(t *testing.T) {
	f := newFixture(t)
	once, _ := openStore(t)
	for n := range 8 {
		f.day(n)
		f.clock.advance(10 * time.Minute)
		f.mustSync()
		f.clock.advance(-10 * time.Minute)
	}
	f.clock.advance(10 * time.Minute)
	nightly := f.store
	var got, want strings.Builder
	tables := []string{
		"stripe_balance_transactions", "stripe_charges", "stripe_refunds", "stripe_disputes", "stripe_payouts", "stripe_invoices",
		"stripe_invoice_lines", "stripe_subscriptions",
	}
	for _, table := range tables {
		f.dump(&got, table)
	}
	f.store = once
	f.mustSync()
	for _, table := range tables {
		f.dump(&want, table)
	}
	f.store = nightly
	if diff := cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// An object that changes long after every overlap is asked for again.
func TestUnsettledObjectsArePolled(t *testing.T) {
	f := newFixture(t)
	pending := must[stripetest.Charge](t)(f.stripe.CreateCharge(stripetest.ChargeParams{Amount: 5000, Currency: "eur", Method: stripetest.SEPADebit}))
	disputed := must[stripetest.Charge](t)(f.stripe.CreateCharge(stripetest.ChargeParams{Amount: 5000, Currency: "usd"}))
	dispute := must[stripetest.Dispute](t)(f.stripe.OpenDispute(stripetest.DisputeParams{Charge: disputed.ID}))
	refund := must[stripetest.Refund](t)(f.stripe.CreateRefund(stripetest.RefundParams{
		Charge: must[stripetest.Charge](t)(f.stripe.CreateCharge(stripetest.ChargeParams{Amount: 700, Currency: "usd"})).ID}))
	customer := must[stripetest.Customer](t)(f.stripe.CreateCustomer("c@example.com", nil))
	sub := must[stripetest.Subscription](t)(f.stripe.CreateSubscription(stripetest.SubscriptionParams{
		Customer: customer.ID, Price: stripetest.Price{UnitAmount: 900, Currency: "usd"}}))
	invoice := must[stripetest.Invoice](t)(f.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID}))
	f.clock.advance(25 * time.Hour)
	f.mustSync()
	f.clock.advance(9 * 24 * time.Hour)
	f.mustSync()
	must[stripetest.Charge](t)(f.stripe.SettleCharge(pending.ID))
	must[stripetest.Dispute](t)(f.stripe.WinDispute(dispute.ID, true))
	must[stripetest.Refund](t)(f.stripe.FailRefund(refund.ID, "unknown"))
	must[stripetest.Charge](t)(f.stripe.PayInvoice(invoice.ID, stripetest.ChargeParams{}))
	must[stripetest.Subscription](t)(f.stripe.CancelSubscription(sub.ID, false))
	f.clock.advance(24 * time.Hour)
	f.mustSync()
	for id, want := range map[string]string{
		pending.ID: "succeeded", dispute.ID: "won", refund.ID: "failed", invoice.ID: "paid", sub.ID: "canceled",
	} {
		var states string
		err := f.store.DB().QueryRow("SELECT string_agg(status || ' ' || to_char(effective_at AT TIME ZONE 'UTC', 'MM-DD'), ', ' ORDER BY effective_at) FROM reconciler.stripe_states WHERE object_id = $1", id).Scan(&states)
		if err != nil {
			t.Fatal(err)
		}
		// 03-01 the object was made, on 03-11 it was last seen so, and changed.
		if !strings.HasSuffix(states, want+" 03-11") || !strings.Contains(states, " 03-01, ") {
			t.Errorf("%s: %s, want it %s since 03-11", id, states, want)
		}
	}
}

func TestUnknownValuesAreStoredAsTheyAre(t *testing.T) {
	f := newFixture(t)
	f.day(1)
	f.stripe.SetFaults(
		stripetest.Fault{Match: stripetest.Match{Path: "/v1/balance_transactions", Times: -1}, Kind: stripetest.UnknownCategory},
		stripetest.Fault{Match: stripetest.Match{Path: "/v1/charges", Times: -1}, Kind: stripetest.UnknownStatus})
	f.mustSync()
	var categories, statuses int
	err := f.store.DB().QueryRow(`SELECT (SELECT count(*) FROM reconciler.stripe_balance_transactions WHERE reporting_category NOT IN
		('charge', 'refund', 'fee', 'dispute', 'dispute_reversal', 'payout', 'partial_capture_reversal', 'refund_failure', 'charge_failure')),
		(SELECT count(*) FROM reconciler.stripe_charges WHERE status NOT IN ('succeeded', 'pending', 'failed'))`).Scan(&categories, &statuses)
	if err != nil {
		t.Fatal(err)
	}
	if categories == 0 || statuses == 0 {
		t.Errorf("%d unknown categories and %d unknown statuses were stored", categories, statuses)
	}
}

// A database is about one account in one mode: a key of another is refused, and the night says that Stripe was not looked at. The night before was.
func TestKeyOfAnotherAccountOrModeIsRefused(t *testing.T) {
	f := newFixture(t)
	f.day(0)
	f.mustSync()
	seen := f.lastNight()
	f.clock.advance(24 * time.Hour)
	for name, o := range map[string]stripetest.Options{
		"another account": {Clock: f.clock.now, Seed: 99},
		"the other mode":  {Clock: f.clock.now, Seed: 1, Livemode: true},
	} {
		other := stripetest.New(o)
		base, err := other.Listen()
		if err != nil {
			t.Fatal(err)
		}
		f.client = f.newClient(Options{Key: other.ReadKey(), BaseURL: base})
		if _, err := f.sync(); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		look, err := LookedAt(context.Background(), f.store, f.lastNight())
		if err != nil || look.Complete() || !strings.Contains(look.Problem, "key was refused") {
			t.Errorf("%s: %+v %v", name, look, err)
		}
		if look, err := LookedAt(context.Background(), f.store, seen); err != nil || !look.Complete() {
			t.Errorf("%s, of the night before: %+v %v", name, look, err)
		}
		other.Close()
	}
}

// A key that may not read the account tells whose it is all the same; one that lacks a permission that is needed names it.
func TestPermissionsOfTheKey(t *testing.T) {
	f := newFixture(t)
	all := []string{"rak_balance_read", "rak_balance_transaction_source_read", "rak_charge_read", "rak_dispute_read", "rak_invoice_read",
		"rak_payment_intent_read", "rak_payout_read", "rak_subscription_read"}
	clock := newClock(opening)
	var keys []stripetest.Key
	for i := range all {
		keys = append(keys, stripetest.Key{Secret: fmt.Sprintf("rk_test_without%d", i), Permissions: slices.Delete(slices.Clone(all), i, i+1)})
	}
	keys = append(keys, stripetest.Key{Secret: "rk_test_noaccount", Permissions: all})
	f.stripe = stripetest.New(stripetest.Options{Clock: clock.now, Keys: keys})
	f.clock = clock
	base, err := f.stripe.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer f.stripe.Close()
	f.day(1)
	f.client = f.newClient(Options{Key: "rk_test_noaccount", BaseURL: base})
	if result := f.mustSync(); result.Account != f.stripe.AccountID() {
		t.Errorf("account %q, want %q", result.Account, f.stripe.AccountID())
	}
	for i, permission := range all {
		if permission == "rak_payment_intent_read" {
			continue // no purchase names one here
		}
		f.store, f.platform = openStore(t)
		f.client = f.newClient(Options{Key: fmt.Sprintf("rk_test_without%d", i), BaseURL: base})
		_, err := f.sync()
		var lacking *PermissionError
		if !errors.As(err, &lacking) || lacking.Permission != permission || !errors.Is(err, ErrRefused) {
			t.Errorf("without %s: %v", permission, err)
		}
	}
}

// What is complete through the night's end already is not read again.
func TestCompleteTablesAreNotReadAgain(t *testing.T) {
	f := newFixture(t)
	f.day(0)
	f.clock.advance(time.Hour)
	f.mustSync()
	calls := f.stripe.Calls()
	if result := f.mustSync(); !result.AlreadyComplete || f.stripe.Calls() > calls+1 {
		t.Errorf("%+v, %d calls more", result, f.stripe.Calls()-calls)
	}
}

func TestSyncBeforeTheNightIsOverFails(t *testing.T) {
	f := newFixture(t)
	night := f.lastNight().AddDays(1) // the present day
	_, err := f.client.Sync(context.Background(), SyncOptions{Store: f.store, Date: night, AsOf: opening.AddDate(0, 0, 1)})
	if !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}

// Just after as-of, the sync waits for the lag to pass instead of calling the night complete too early.
func TestSyncWaitsForTheLag(t *testing.T) {
	f := newFixture(t)
	f.day(0)
	f.client = f.newClient(Options{Key: f.stripe.ReadKey(), BaseURL: f.client.options.BaseURL, SyncLag: time.Second})
	go func() {
		time.Sleep(300 * time.Millisecond)
		f.clock.advance(3 * time.Second)
	}()
	result := f.mustSync()
	if result.CompleteThrough.Before(opening.AddDate(0, 0, 1)) {
		t.Errorf("complete through %s only", result.CompleteThrough)
	}
}

package stripefeed

import (
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// What is final is read again when a balance transaction names it, whatever its age: with the state that it has, dated by the transaction;
// and it is asked for once.
func TestWhatTheBalanceNamesIsReadAgain(t *testing.T) {
	card := func(f *fixture) stripetest.Charge {
		return must[stripetest.Charge](f.t)(f.stripe.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd"}))
	}
	for name, life := range map[string]struct {
		table  string
		begin  func(f *fixture) (id string)
		end    func(f *fixture, id string) error
		before string // status while nothing has happened yet
		after  string
	}{
		"a dispute that was lost is won": {"disputes",
			func(f *fixture) string {
				d := must[stripetest.Dispute](f.t)(f.stripe.OpenDispute(stripetest.DisputeParams{Charge: card(f).ID}))
				return must[stripetest.Dispute](f.t)(f.stripe.LoseDispute(d.ID)).ID
			},
			func(f *fixture, id string) error { _, err := f.stripe.WinDispute(id, false); return err }, "lost", "won"},
		"a refund fails after weeks": {"refunds",
			func(f *fixture) string {
				return must[stripetest.Refund](f.t)(f.stripe.CreateRefund(stripetest.RefundParams{Charge: card(f).ID})).ID
			},
			func(f *fixture, id string) error {
				_, err := f.stripe.FailRefund(id, "lost_or_stolen_card")
				return err
			}, "succeeded", "failed"},
		"a bank debit comes back": {"charges",
			func(f *fixture) string {
				c := must[stripetest.Charge](f.t)(f.stripe.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd", Method: stripetest.USBankAccount}))
				return must[stripetest.Charge](f.t)(f.stripe.SettleCharge(c.ID)).ID
			},
			func(f *fixture, id string) error {
				_, err := f.stripe.ReturnDebit(id, "insufficient_funds", 400)
				return err
			}, "succeeded", "failed"},
		"a payout fails after weeks": {"payouts",
			func(f *fixture) string {
				must[stripetest.TopUp](f.t)(f.stripe.TopUp(5_000, "usd"))
				return must[[]stripetest.Payout](f.t)(f.stripe.RunAutomaticPayouts())[0].ID
			},
			func(f *fixture, id string) error { _, err := f.stripe.FailPayout(id, "account_closed"); return err }, "paid", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clock.advance(12 * time.Hour)
			id := life.begin(f)
			night := func() {
				f.clock.advance(24 * time.Hour)
				f.mustSync()
			}
			reads := func() (n int) {
				for _, request := range f.stripe.Requests() {
					if request.Path == "/v1/"+life.table+"/"+id {
						n++
					}
				}
				return n
			}
			status := func() (status string, since time.Time) {
				t.Helper()
				if err := f.store.DB().QueryRow("SELECT o.status, h.effective_at FROM reconciler.stripe_"+life.table+` o
					JOIN reconciler.stripe_states h ON h.object_id = o.id WHERE o.id = $1 ORDER BY h.effective_at DESC LIMIT 1`, id).Scan(&status, &since); err != nil {
					t.Fatal(err)
				}
				return status, since
			}
			night()
			for range 3 {
				f.clock.advance(24 * 14 * time.Hour)
				f.mustSync()
			}
			if got, _ := status(); got != life.before {
				t.Fatalf("it is %s", got)
			}
			f.clock.advance(time.Hour)
			at, before := f.clock.now(), reads()
			if err := life.end(f, id); err != nil {
				t.Fatal(err)
			}
			night()
			if got, since := status(); got != life.after || !since.Equal(at) {
				t.Errorf("it is %s since %s, want %s since %s", got, since, life.after, at)
			}
			once := reads()
			night()
			night()
			if once != before+1 || reads() != once {
				t.Errorf("read %d times before, %d once it was named, %d afterwards", before, once, reads())
			}
		})
	}
}

// What the books want to have again is read again, though the tables are complete: of a payout what it paid out, of the balance the last month
// and all of its payouts, in a few spans.
func TestWhatDidNotTieIsReadAgain(t *testing.T) {
	f := newFixture(t)
	for n := range 12 {
		f.day(n)
		f.clock.advance(10 * time.Minute)
		f.mustSync()
		f.clock.advance(-10 * time.Minute)
	}
	var payouts []string
	if err := f.store.DB().QueryRow("SELECT array_agg(id ORDER BY created_at, id) FROM reconciler.stripe_payouts WHERE broken_down").Scan((*pq.StringArray)(&payouts)); err != nil || len(payouts) < 3 {
		t.Fatal(payouts, err)
	}
	for name, c := range map[string]struct {
		again bool
		named []string
		want  int // payouts that are broken down
	}{"nothing": {}, "a payout": {named: payouts[1:2], want: 1}, "the balance": {again: true, want: len(payouts)}} {
		if _, err := f.platform.Exec("UPDATE reconciler.stripe_balance_transactions SET payout_id = ''"); err != nil {
			t.Fatal(err)
		}
		before := len(f.stripe.Requests())
		date := f.lastNight()
		if _, err := f.client.Sync(t.Context(), SyncOptions{Store: f.store, Date: date, AsOf: reconcile.NightOf(date, time.UTC).End, Again: c.again, Payouts: c.named}); err != nil {
			t.Fatal(name, err)
		}
		spans, asked := 0, map[string]bool{}
		for _, request := range f.stripe.Requests()[before:] {
			if id := request.Form.Get("payout"); id != "" {
				asked[id] = true
			}
			if request.Path == "/v1/disputes" && request.Form.Get("starting_after") == "" {
				spans++
			}
		}
		var paidOut int
		if err := f.store.DB().QueryRow("SELECT count(DISTINCT payout_id) FROM reconciler.stripe_balance_transactions WHERE payout_id <> ''").Scan(&paidOut); err != nil {
			t.Fatal(err)
		}
		if len(asked) != c.want || paidOut != c.want || spans > 4 || c.again && spans < 4 {
			t.Errorf("%s: %d payouts were asked for, %d are known, want %d; disputes were read in %d spans", name, len(asked), paidOut, c.want, spans)
		}
	}
}

// Nothing is read one by one on ordinary days: what is new is in the spans.
func TestOrdinaryDaysNameNothingAgain(t *testing.T) {
	f := newFixture(t)
	for n := range 4 {
		f.day(n)
		f.clock.advance(10 * time.Minute)
		f.mustSync()
		f.clock.advance(-10 * time.Minute)
	}
	charges := 0
	for _, request := range f.stripe.Requests() {
		if strings.HasPrefix(request.Path, "/v1/charges/") {
			charges++
		}
	}
	// A pending debit a day, and the charges of disputes and refunds that moved after the night that had read them.
	if charges > 12 {
		t.Errorf("%d charges were read one by one", charges)
	}
}

// A sync that failed after it had read the transactions leaves what they name to the next one, however much later that is.
func TestWhatWasNamedIsReadAfterAFailedSync(t *testing.T) {
	f := newFixture(t)
	f.clock.advance(12 * time.Hour)
	charge := must[stripetest.Charge](t)(f.stripe.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd"}))
	dispute := must[stripetest.Dispute](t)(f.stripe.OpenDispute(stripetest.DisputeParams{Charge: charge.ID}))
	must[stripetest.Dispute](t)(f.stripe.LoseDispute(dispute.ID))
	for range 2 {
		f.clock.advance(5 * 24 * time.Hour)
		f.mustSync()
	}
	must[stripetest.Dispute](t)(f.stripe.WinDispute(dispute.ID, false))
	f.stripe.SetFaults(stripetest.Fault{Match: stripetest.Match{Path: "/v1/disputes/*", Times: -1}, Kind: stripetest.ServerErrorBefore})
	for range 5 {
		f.clock.advance(24 * time.Hour)
		if _, err := f.sync(); err == nil {
			t.Fatal("it got through")
		}
	}
	f.stripe.SetFaults()
	f.clock.advance(24 * time.Hour)
	f.mustSync()
	var status string
	if err := f.store.DB().QueryRow("SELECT status FROM reconciler.stripe_disputes WHERE id = $1", dispute.ID).Scan(&status); err != nil || status != "won" {
		t.Errorf("it is %s: %v", status, err)
	}
}

// What is deleted at Stripe between two calls is gone, and the sync goes on: a draft before its lines or itself are read again, the row that a
// page was to begin after.
func TestWhatIsGoneDoesNotStopTheSync(t *testing.T) {
	for name, test := range map[string]struct {
		lines   int
		drafts  int
		known   bool // the draft was read before, and is asked for one by one
		path    string
		isRead  bool // before it is deleted
		deletes int
	}{
		"between the list and its lines":  {lines: 12, drafts: 1, path: "/lines"},
		"between two nights":              {lines: 1, drafts: 1, known: true, isRead: true, path: "/v1/invoices"},
		"between the list and the lookup": {lines: 12, drafts: 1, known: true, isRead: true, path: "/lines"},
		"the last row of a page":          {lines: 1, drafts: 130, isRead: true, path: "starting_after", deletes: 30}, // newest first
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clock.advance(12 * time.Hour)
			customer := must[stripetest.Customer](t)(f.stripe.CreateCustomer("ann@example.com", nil))
			var drafts []string
			for range test.drafts {
				f.clock.advance(time.Second)
				lines := make([]stripetest.InvoiceLine, test.lines)
				for i := range lines {
					lines[i] = stripetest.InvoiceLine{Amount: 100, Description: "GPU hour"}
				}
				draft := must[stripetest.Invoice](t)(f.stripe.CreateInvoice(stripetest.InvoiceParams{Customer: customer.ID, Currency: "usd", Draft: true, Lines: lines}))
				drafts = append(drafts, draft.ID)
			}
			f.clock.advance(24 * time.Hour)
			if test.known {
				f.mustSync()
				f.clock.advance(5 * 24 * time.Hour)
			}
			gone := drafts[test.deletes]
			f.stripe.BeforeEachCall(func(_, target string) {
				if strings.HasPrefix(target, "/v1/invoices") && strings.Contains(target, test.path) {
					_, _ = f.stripe.DeleteInvoice(gone) // the second time there is nothing left to delete
				}
			})
			f.mustSync()
			f.stripe.BeforeEachCall(nil)
			if _, err := f.stripe.DeleteInvoice(gone); err == nil {
				t.Fatal("it was not deleted in between")
			}
			for range 2 {
				f.clock.advance(5 * 24 * time.Hour)
				f.mustSync()
			}
			before := f.stripe.Calls()
			f.clock.advance(24 * time.Hour)
			f.mustSync()
			for _, request := range f.stripe.Requests() {
				if request.Number > before && request.Path == "/v1/invoices/"+gone {
					t.Error("it is asked for again and again")
				}
			}
			var kept, deleted int
			if err := f.store.DB().QueryRow("SELECT count(*) FILTER (WHERE status = 'draft'), count(*) FILTER (WHERE status = 'deleted') FROM reconciler.stripe_invoices").Scan(&kept, &deleted); err != nil {
				t.Fatal(err)
			}
			if kept != test.drafts-1 || (deleted == 1) != test.isRead {
				t.Errorf("%d drafts and %d deleted", kept, deleted)
			}
		})
	}
}

// An invoice that was given up may be paid all the same, weeks later by a charge, or within the month elsewhere: it is read again then, and no more
// often than that.
func TestAnInvoiceThatWasGivenUpMayBePaid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		after time.Duration
		pay   func(f *fixture, id string) error
	}{
		{"by a charge", 45 * 24 * time.Hour, func(f *fixture, id string) error {
			_, err := f.stripe.PayInvoice(id, stripetest.ChargeParams{})
			return err
		}},
		{"elsewhere", 10 * 24 * time.Hour, func(f *fixture, id string) error {
			_, err := f.stripe.PayInvoiceOutOfBand(id)
			return err
		}},
		{"not, but voided", 10 * 24 * time.Hour, func(f *fixture, id string) error {
			_, err := f.stripe.CloseInvoice(id, "void")
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clock.advance(12 * time.Hour)
			customer := must[stripetest.Customer](t)(f.stripe.CreateCustomer("ann@example.com", nil))
			invoice := must[stripetest.Invoice](t)(f.stripe.CreateInvoice(stripetest.InvoiceParams{Customer: customer.ID, Currency: "usd", Lines: []stripetest.InvoiceLine{{Amount: 900}}}))
			night := func(after time.Duration) (status string) {
				t.Helper()
				f.clock.advance(after)
				f.mustSync()
				if err := f.store.DB().QueryRow("SELECT status FROM reconciler.stripe_invoices WHERE id = $1", invoice.ID).Scan(&status); err != nil {
					t.Fatal(err)
				}
				return status
			}
			night(24 * time.Hour)
			must[stripetest.Invoice](t)(f.stripe.CloseInvoice(invoice.ID, "uncollectible"))
			night(24 * time.Hour)
			if got := night(test.after); got != "uncollectible" {
				t.Fatalf("it is %s", got)
			}
			if err := test.pay(f, invoice.ID); err != nil {
				t.Fatal(err)
			}
			now, _ := f.stripe.Invoice(invoice.ID)
			if got := night(24 * time.Hour); got != now.Status || got == "uncollectible" {
				t.Errorf("it is %s, and %s at Stripe", got, now.Status)
			}
			before := len(f.stripe.Requests())
			night(24 * time.Hour)
			for _, request := range f.stripe.Requests()[before:] {
				if request.Path == "/v1/invoices/"+invoice.ID {
					t.Error("it is asked for again and again")
				}
			}
		})
	}
}

// A charge or refund whose balance transaction becomes known only after days names it: no list goes back that far.
func TestATransactionThatIsKnownLateIsRead(t *testing.T) {
	f := newFixture(t)
	f.clock.advance(12 * time.Hour)
	card := must[stripetest.Charge](t)(f.stripe.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd"}))
	refund := must[stripetest.Refund](t)(f.stripe.CreateRefund(stripetest.RefundParams{Charge: card.ID, Amount: 500}))
	for range 6 {
		f.clock.advance(24 * time.Hour)
		f.mustSync()
	}
	// As they were seen while it was not known yet.
	for _, statement := range []string{
		"UPDATE reconciler.stripe_charges SET balance_transaction_id = ''",
		"UPDATE reconciler.stripe_refunds SET balance_transaction_id = '', status = 'pending'",
		"DELETE FROM reconciler.stripe_balance_transactions",
	} {
		f.platform.MustExec(statement)
	}
	f.clock.advance(24 * time.Hour)
	f.mustSync()
	for _, want := range []string{card.ID, refund.ID} {
		var found int
		if err := f.store.DB().QueryRow("SELECT count(*) FROM reconciler.stripe_balance_transactions WHERE source_id = $1", want).Scan(&found); err != nil {
			t.Fatal(err)
		}
		if found != 1 {
			t.Errorf("%d transactions of %s", found, want)
		}
	}
}

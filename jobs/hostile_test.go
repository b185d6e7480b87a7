package jobs_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
)

// TestEntriesThatNameNothingAreNotTakenForIdsThatLookTheSame: an entry without a job is shown as entry:ID, and nothing keeps a platform from
// giving a job just that id.
func TestEntriesThatNameNothingAreNotTakenForIdsThatLookTheSame(t *testing.T) {
	t.Parallel()
	unnamed := func(id, kind string, credits int64) entry {
		return entered(id, kind, credits, "", "2026-03-05 12:00:00")
	}
	named := func(id, kind string, credits int64, job string) entry {
		e := unnamed(id, kind, credits)
		e.JobID = &job
		return e
	}
	succeeded := func(id string, cost int64) job { return ran(id, "succeeded", "", cost, "2026-03-05 12:00:00") }
	confused := bought("entry:e3", 10, "2026-03-05 12:00:00")
	clean := bought("entry:self:e3", 10, "2026-03-05 12:00:00")
	p := platform{
		Accounts: customer(),
		Jobs:     []job{succeeded("entry:e1", 5), succeeded("entry:self:e1", 5), succeeded("entry:named:entry:e1", 5), succeeded("entry:e2", 7)},
		Entries: []entry{
			unnamed("e1", "usage", -5), // would pay for entry:e1, which nothing pays for
			named("d1", "usage", -5, "entry:self:e1"), named("d2", "usage", -5, "entry:named:entry:e1"),
			unnamed("e2", "credit_back", 3), named("d3", "usage", -6, "entry:e2"),
			unnamed("e3", "purchase", 10), grantOf(clean),
		},
		Purchases: []purchase{confused, clean},
	}
	want := []string{
		"credit_back_unfounded entry:e2 entry.credits 0 3 -3",
		"debit_amount_mismatch entry:e2 credits 7 6 1",
		"debit_without_job entry:e1 entry.credits 0 5 -5",
		"grant_without_purchase entry:e3 entry.credits 0 10 -10",
		"job_without_debit entry:e1 credits 5 0 5",
		"purchase_without_grant entry:e3 credits 10 0 10",
	}
	s := stage{First: date("2026-03-05"), Nights: 2, Zone: time.UTC}
	w := newWorker(t)
	for _, w.matching = range []night.Matching{night.MatchFast, night.MatchExact} {
		w.reset(t, s.Zone)
		p.load(t, w.db.DB)
		for i := range s.Nights { // the second night looks at them again because they were broken
			if err := w.night(s.night(i)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range w.published(t, s.night(i).Date)["breaks.csv"] {
				if b["kind"] != "negative_balance" {
					got = append(got, b["kind"]+" "+b["subject_id"]+" "+b["field"]+" "+b["ours"]+" "+b["theirs"]+" "+b["variance"])
				}
			}
			slices.Sort(got)
			compareLines(t, s.night(i).Date, want, got)
		}
	}
}

// TestNeedsInformationSaysWhatIsNeeded: a request that can't be decided tells the customer what to add, down to the detail that is wrong.
func TestNeedsInformationSaysWhatIsNeeded(t *testing.T) {
	t.Parallel()
	other := account{ID: "acct-1", Email: ref("b@x.test"), Status: ref("active"), CreatedAt: ref(utc("2025-01-01 00:00:00"))}
	mine, again := bought("p1", 10, "2026-03-04 12:00:00"), bought("p2", 10, "2026-03-02 12:00:00")
	twin := again
	twin.ID = "p3"
	requests := []struct {
		change  func(*request)
		reasons string
		told    string
	}{
		{func(q *request) { q.PurchaseID = ref("p9") },
			"purchase_not_found (6): No purchase has the id that the request names.; missing: purchase id",
			"No purchase has the id that the request names.\n\nPlease tell us: purchase id."},
		{func(q *request) { q.InvoiceID = ref("in_9") },
			"purchase_not_found (6): No purchase has the invoice id that the request names.; missing: invoice id",
			"Please tell us: invoice id."},
		{func(q *request) { q.AccountID, q.AccountEmail = nil, ref("c@x.test") },
			"email_unknown (6): No account has the e-mail address that the request names.; missing: account email",
			"Please tell us: account email."},
		{func(q *request) { q.AccountID, q.AccountEmail, q.PurchaseID = nil, ref("c@x.test"), ref("p1") },
			"email_unknown (6): No account has the e-mail address that the request names.; missing: account email",
			"Please tell us: account email."},
		{func(q *request) { q.AccountEmail, q.PurchaseID = ref("b@x.test"), ref("p1") },
			"email_of_another_account (6): The e-mail address that the request names belongs to another account than the request.; missing: account email",
			"Please tell us: account email."},
		{func(q *request) { q.StatedAmountMinor = ref[int64](999) },
			"purchase_not_found (6): No purchase of the account fits what the request says. The nearest one has another purchase amount.; missing: purchase amount",
			"Please tell us: purchase amount."},
		{func(q *request) { q.StatedDate, q.StatedCurrency = ref("2026-03-03"), nil },
			"purchase_not_found (6): No purchase of the account fits what the request says. The nearest one has another purchase date.; missing: purchase currency, purchase date",
			"Please tell us: purchase currency, purchase date."},
		{func(q *request) { q.StatedDate, q.StatedAmountMinor, q.StatedCurrency = nil, nil, nil },
			"purchase_not_found (6): The request does not say enough to find the purchase.; missing: purchase date, purchase amount, purchase currency",
			"Please tell us: purchase date, purchase amount, purchase currency."},
		{func(q *request) { q.StatedDate = ref("2026-03-02") },
			"purchase_ambiguous (6): What the request says fits 2 purchases; it has to name the one that is meant.; missing: invoice id",
			"Please tell us: invoice id."},
		{func(q *request) { q.AccountID, q.AccountEmail = ref("acct-1"), ref("B@x.test ") },
			"purchase_not_found (6): The account has no completed purchase.; missing: details that match a purchase of the account",
			"Please tell us: details that match a purchase of the account."},
		{func(q *request) { q.PurchaseID, q.Reason = ref("p1"), ref(" ") },
			"no_reason_given (6): The request gives no reason.; missing: reason for the request",
			"Please tell us: reason for the request."},
		{func(q *request) { q.AccountEmail = ref("") },
			"purchase_not_found (6): The request does not say enough to find the purchase.; missing: account email",
			"Please tell us: account email."},
		{func(q *request) { q.Kind, q.JobID, q.AccountEmail = ref("failed_job"), ref("j1"), ref("b@x.test") },
			"email_of_another_account (6): The e-mail address that the request names belongs to another account than the request.; missing: account email",
			"Please tell us: account email."},
	}
	p := platform{Accounts: append(customer(), other), Purchases: []purchase{mine, again, twin}, Entries: grantsOf([]purchase{mine, again, twin}),
		Jobs: []job{ran("j1", "failed", "NODE_FAIL", 0, "2026-03-05 10:00:00")}}
	for i, r := range requests {
		q := request{ID: fmt.Sprintf("r%02d", i), AccountID: ref(someone), AccountEmail: ref("a@x.test"), Kind: ref("unused_credits"), Reason: ref("please"),
			Status: ref("pending"), RequestedAt: ref(utc("2026-03-05 12:00:00")), StatedDate: ref("2026-03-04"), StatedAmountMinor: ref[int64](1000), StatedCurrency: ref("usd")}
		r.change(&q)
		p.Requests = append(p.Requests, q)
	}
	w := newWorker(t)
	p.load(t, w.db.DB)
	n := reconcile.NightOf(date("2026-03-05"), time.UTC)
	if err := w.night(n); err != nil {
		t.Fatal(err)
	}
	rows := w.published(t, n.Date)["refund_decisions.csv"]
	if len(rows) != len(requests) {
		t.Fatalf("%d decisions", len(rows))
	}
	for i, r := range requests {
		var message string
		if err := w.db.Get(&message, "SELECT message FROM reconciler.notifications WHERE request_id = $1", rows[i]["request_id"]); err != nil {
			t.Errorf("%s: %v", rows[i]["request_id"], err)
		}
		if rows[i]["decision"] != "needs_information" || rows[i]["reasons"] != r.reasons || !strings.Contains(message, r.told) {
			t.Errorf("%s: %s: %s\nwant %s\ntold:\n%s", rows[i]["request_id"], rows[i]["decision"], rows[i]["reasons"], r.reasons, message)
		}
	}
}

// TestDebitOnTheWrongAccountIsNotCalledNoDebit: a job of ours that failed and was paid by somebody else's account is not said to have
// been free. It is credited back once the debit has been moved to where it belongs.
func TestDebitOnTheWrongAccountIsNotCalledNoDebit(t *testing.T) {
	t.Parallel()
	elsewhere := entered("e1", "usage", -7, "j1", "2026-03-05 11:00:00")
	elsewhere.AccountID = ref("acct-1")
	moved := []entry{entered("e2", "usage", -7, "j1", "2026-03-06 11:00:00"), entered("e3", "adjustment", 7, "j1", "2026-03-06 11:00:00")}
	moved[1].AccountID = ref("acct-1")
	for i := range moved {
		moved[i].Turn = 1
	}
	p := platform{Accounts: customer(), Jobs: []job{ran("j1", "failed", "NODE_FAIL", 7, "2026-03-05 10:00:00")}, Entries: append(moved, elsewhere)}
	w := newWorker(t)
	s := stage{First: date("2026-03-05"), Nights: 2, Zone: time.UTC}
	for i, want := range []string{
		"not_due 0 the account that ran the job was not debited for it; another account was, by 7 credits: once that debit is moved, it is credited back",
		"credited 7 the job failed on our side: a machine of ours failed",
	} {
		p.turn(i).load(t, w.db.DB)
		if err := w.night(s.night(i)); err != nil {
			t.Fatal(err)
		}
		for _, c := range w.published(t, s.night(i).Date)["credit_backs.csv"] {
			if got := c["decision"] + " " + c["credit_back"] + " " + c["reason"]; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
}

// TestJobsCreditedBackByOthersAreListed: support gives credits back by hand, for jobs of any night and any outcome. What the worker itself has
// credited is listed in the night that decided it, and not again in the night in which its entry counts.
func TestJobsCreditedBackByOthersAreListed(t *testing.T) {
	t.Parallel()
	running := ran("j3", "running", "", 5, "2026-03-05 11:00:00")
	running.FinishedAt = nil
	later := ran("j4", "succeeded", "", 5, "2026-03-06 00:00:00") // when it was credited back it had not finished
	later.CreatedAt = ref(utc("2026-03-05 11:00:00"))
	p := platform{Accounts: customer(),
		Jobs: []job{
			ran("j1", "succeeded", "", 5, "2026-03-05 11:00:00"), ran("j2", "failed", "invalid_input", 5, "2026-03-01 11:00:00"), running, later,
			ran("j5", "failed", "NODE_FAIL", 5, "2026-03-05 11:00:00"), ran("j6", "failed", "NODE_FAIL", 5, "2026-03-05 11:00:00"),
		},
		Entries: []entry{
			entered("d1", "usage", -5, "j1", "2026-03-05 11:00:00"), entered("d5", "usage", -5, "j5", "2026-03-05 11:00:00"), entered("d6", "usage", -5, "j6", "2026-03-05 11:00:00"),
			entered("b1", "credit_back", 5, "j1", "2026-03-05 12:00:00"), entered("b2", "credit_back", 4, "j2", "2026-03-05 12:00:00"),
			entered("b3", "credit_back", 3, "j3", "2026-03-05 12:00:00"), entered("b4", "credit_back", 2, "j4", "2026-03-05 12:00:00"),
			entered("b5", "credit_back", 0, "j4", "2026-03-06 12:00:00"), entered("b6", "credit_back", 2, "j6", "2026-03-05 12:00:00"),
			entered("b7", "credit_back", 1, "j-nowhere", "2026-03-05 12:00:00"),
		}}
	wanted := []string{`
j1 unknown debited=5 before=5 back=0 not_due 3 the job did not fail; credited back that night by others than this worker: 5 credits
j2 user debited=0 before=4 back=0 not_due 3.2 the job ended on the user's side: the input was invalid; credited back that night by others than this worker: 4 credits
j3 unknown debited=0 before=3 back=0 not_due 3 the job has not finished; credited back that night by others than this worker: 3 credits
j4 unknown debited=0 before=2 back=0 not_due 3 the job has not finished; credited back that night by others than this worker: 2 credits
j5 system debited=5 before=0 back=5 credited 3.1 the job failed on our side: a machine of ours failed
j6 system debited=5 before=2 back=3 credited 3.1 the job failed on our side: a machine of ours failed; credited back before: 2 credits; credited back that night by others than this worker: 2 credits`, ``}
	w := newWorker(t)
	s := stage{First: date("2026-03-05"), Nights: 2, Zone: time.UTC}
	p.load(t, w.db.DB)
	for _, i := range []int{0, 1, 0} { // the last is a rerun
		if err := w.night(s.night(i)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range w.published(t, s.night(i).Date)["credit_backs.csv"] {
			got = append(got, fmt.Sprintf("%s %s debited=%s before=%s back=%s %s %s %s", c["job_id"], c["class"], c["debited"], c["credited_before"], c["credit_back"],
				c["decision"], c["clause"], c["reason"]))
		}
		compareLines(t, s.night(i).Date, wantLines(wanted[i]), got)
	}
}

// TestUnknownCurrencyIsRejected: three letters alone don't make a currency.
func TestUnknownCurrencyIsRejected(t *testing.T) {
	t.Parallel()
	currencies := []string{"zzz", "USD", "xxx", "", "usd", "iqd"} // of the last, Stripe doesn't say how it counts; it is a currency all the same
	var p platform
	p.Accounts = customer()
	for i, currency := range currencies {
		b := bought(fmt.Sprintf("p%d", i), 10, "2026-03-05 12:00:00")
		b.Currency = ref(currency)
		p.Purchases = append(p.Purchases, b)
	}
	p.Entries = grantsOf(p.Purchases)
	q := asked("r1", "p4", "2026-03-05 13:00:00")
	q.StatedCurrency = ref("zzz")
	p.Requests = []request{q}
	w := newWorker(t)
	p.load(t, w.db.DB)
	n := reconcile.NightOf(date("2026-03-05"), time.UTC)
	if err := w.night(n); err != nil {
		t.Fatal(err)
	}
	published := w.published(t, n.Date)
	var got []string
	for _, r := range published["rejects.csv"] {
		got = append(got, r["relation"]+" "+r["row_id"]+" "+r["field"]+" "+r["value"]+" "+r["problem"])
	}
	compareLines(t, n.Date, wantLines(`
purchases p0 currency zzz is not a currency of ISO 4217 in lower case
purchases p1 currency USD is not a currency of ISO 4217 in lower case
purchases p2 currency xxx is not a currency of ISO 4217 in lower case
purchases p3 currency  is not a currency of ISO 4217 in lower case
refund_requests r1 stated_currency zzz is not a currency of ISO 4217 in lower case`), got)
	for _, r := range published["roll_forward.csv"] {
		if !slices.Contains([]string{"credits", "usd", "iqd"}, r["measure"]) || r["difference"] != "0" {
			t.Errorf("%v", r)
		}
	}
}

// TestClearedBreakWasLastSeenInANightThatRan: the night before the one that finds a break gone need not have been run.
func TestClearedBreakWasLastSeenInANightThatRan(t *testing.T) {
	t.Parallel()
	missing := entered("e1", "usage", -5, "j1", "2026-03-08 12:00:00")
	missing.Turn = 3
	p := platform{Accounts: customer(), Jobs: []job{ran("j1", "succeeded", "", 5, "2026-03-05 12:00:00")},
		Entries: []entry{entered("e0", "promo", 100, "", "2026-03-01 00:00:00"), missing}}
	s := stage{First: date("2026-03-05"), Nights: 4, Zone: time.UTC}
	w := newWorker(t)
	p.turn(0).load(t, w.db.DB)
	if err := w.night(s.night(0)); err != nil {
		t.Fatal(err)
	}
	p.turn(3).load(t, w.db.DB)
	for _, i := range []int{3, 1, 3} { // nights in between that are made up for later change nothing about it
		if err := w.night(s.night(i)); err != nil {
			t.Fatal(err)
		}
		rows := w.published(t, s.night(i).Date)["breaks.csv"]
		want := map[int]string{3: "cleared 2026-03-05 2026-03-05", 1: "open 2026-03-05 2026-03-06"}[i]
		if len(rows) != 1 || rows[0]["status"]+" "+rows[0]["first_seen"]+" "+rows[0]["last_seen"] != want {
			t.Errorf("night %s: %v, want %s", s.night(i).Date, rows, want)
		}
	}
}

// TestLeastAndEmptyValuesDoNotStopTheNight: the least bigint has no positive counterpart, and an empty id names nothing.
func TestLeastAndEmptyValuesDoNotStopTheNight(t *testing.T) {
	t.Parallel()
	at := "2026-03-05 12:00:00"
	named := func(e entry, job, purchase *string) entry {
		e.JobID, e.PurchaseID = job, purchase
		return e
	}
	p := platform{Accounts: customer(),
		Jobs: []job{ran("j1", "succeeded", "", math.MaxInt64, at)},
		Entries: []entry{
			entered("e1", "usage", math.MinInt64, "j1", at), entered("e2", "adjustment", math.MinInt64, "j1", at), entered("e3", "adjustment", math.MinInt64, "", at),
			named(entered("e4", "usage", -2, "", at), ref(""), nil), named(entered("e5", "usage", -3, "", at), ref(""), nil),
			named(entered("e6", "purchase", 4, "", at), nil, ref("")), named(entered("e7", "purchase", 5, "", at), nil, ref("")),
		}}
	w := newWorker(t)
	s := stage{First: date("2026-03-05"), Nights: 1, Zone: time.UTC}
	for _, matching := range []night.Matching{night.MatchFast, night.MatchExact} {
		w.matching = matching
		w.play(t, s, p, 0)
		var got []string
		for _, b := range w.published(t, s.First)["breaks.csv"] {
			if b["kind"] != "negative_balance" {
				got = append(got, b["kind"]+" "+b["subject_id"]+" "+b["variance"]+" "+b["detail"])
			}
		}
		slices.Sort(got)
		compareLines(t, s.First, wantLines(`
debit_amount_mismatch j1 -9223372036854775809 costs 9223372036854775807 credits, net debits are 18446744073709551616 in 1 debit
debit_without_job entry:e4 -2 account acct-0 was debited 2 credits; the entry names no job
debit_without_job entry:e5 -3 account acct-0 was debited 3 credits; the entry names no job
grant_without_purchase entry:e6 -4 4 credits granted; the entry names no purchase
grant_without_purchase entry:e7 -5 5 credits granted; the entry names no purchase`), got)
	}
}

// TestRowsThatBreakTheContractAndArriveLateAreNamedOnce: by the night that is open when they arrive, whatever is run again afterwards.
func TestRowsThatBreakTheContractAndArriveLateAreNamedOnce(t *testing.T) {
	t.Parallel()
	broken := ran("j1", "exploded", "", 5, "2026-03-05 12:00:00")
	unsigned := entered("e1", "usage", 5, "j1", "2026-03-05 12:00:00")
	unpaid := bought("p1", -1, "2026-03-05 12:00:00")
	unclear := asked("r1", "p1", "2026-03-05 12:00:00")
	unclear.Status = ref("maybe")
	broken.Turn, unsigned.Turn, unpaid.Turn, unclear.Turn = 1, 1, 1, 1
	begun := ran("j2", "exploded", "", 5, "2026-03-06 12:00:00") // created in the night before, and no late row
	begun.CreatedAt, begun.Turn = ref(utc("2026-03-05 23:00:00")), 1
	p := platform{Accounts: customer(), Jobs: []job{broken, begun}, Entries: []entry{unsigned}, Purchases: []purchase{unpaid}, Requests: []request{unclear}}
	s := stage{First: date("2026-03-05"), Nights: 3, Zone: time.UTC}
	w := newWorker(t)
	p.turn(0).load(t, w.db.DB)
	w.again(t, s, 0)
	p.turn(1).load(t, w.db.DB)
	w.again(t, s, 1)
	late := wantLines(`
credit_entries e1 credits turned up late: has the wrong sign for its kind
jobs j1 status turned up late: is not queued, running, succeeded, failed, interrupted or canceled
jobs j2 status is not queued, running, succeeded, failed, interrupted or canceled
purchases p1 credits turned up late: is null or negative
refund_requests r1 status turned up late: is not pending, approved, denied or withdrawn`)
	for _, again := range []int{1, 2, 0, 1, 2} {
		w.again(t, s, again)
		for i, want := range [][]string{nil, late, nil} {
			if i == 2 && again == 1 {
				continue
			}
			var got []string
			for _, r := range w.published(t, s.night(i).Date)["rejects.csv"] {
				if i > 0 || r["row_id"] != "j2" { // the night that it was created in names it when it is run again, as any night does its own
					got = append(got, r["relation"]+" "+r["row_id"]+" "+r["field"]+" "+r["problem"])
				}
			}
			compareLines(t, s.night(i).Date, want, got)
			if i == 1 && again == 1 {
				break
			}
		}
	}
}

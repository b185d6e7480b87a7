package month_test

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/month"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reports/reportstest"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

var longQuarter = flag.Bool("long", false, "run the long form: a whole quarter with every kind of difference")

// business is a simulated one with every kind of difference, its nights run.
type business struct {
	testing.TB
	db     *testdb.DB
	folder string
	// where Stripe is, and the key to read there
	stripeURL, stripeKey string

	office *month.Office
	worker *jobs.Worker
	nights []reconcile.Date
}

func newBusiness(t testing.TB, start reconcile.Date, nights int) *business {
	t.Helper()
	ctx := context.Background()
	b := &business{TB: t, db: testdb.New(t), folder: t.TempDir()}
	policies, err := policyfile.Default()
	b.must(err)
	holidays, err := calendar.ByName("us-federal")
	b.must(err)
	sim, err := simulation.New(simulation.Options{Seed: 11, Start: start, Nights: nights, Accounts: 80, JobsPerNight: 60, IsHoliday: holidays, ReviewBusinessDays: 7, Stripe: true})
	b.must(err)
	server := httptest.NewServer(sim.StripeHandler())
	t.Cleanup(server.Close)
	b.stripeURL, b.stripeKey = server.URL, sim.Stripe().ReadKey()
	client, err := stripefeed.New(stripefeed.Options{Key: sim.Stripe().ReadKey(), BaseURL: server.URL, EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1})
	b.must(err)
	store, err := postgres.Open(postgres.Options{URL: b.db.URL})
	b.must(err)
	t.Cleanup(func() { store.Close() })
	sink, err := storage.Open(b.folder)
	b.must(err)
	b.worker = &jobs.Worker{Store: store, Policies: policies, Log: zerolog.Nop(), Reports: sink, CodeVersion: "test", Stripe: client}
	b.office = &month.Office{Store: store, Reports: sink, Zone: time.UTC, Chart: accounting.DefaultChart(), CodeVersion: "test"}
	for i, night := range sim.Nights() {
		b.must(sim.PlayNight(ctx, b.db.DB.DB, night.Date))
		if i == 0 {
			b.usedBefore(night.Date.AddDays(-2))
		}
		b.must(b.worker.RunNight(ctx, night.Date))
		b.nights = append(b.nights, night.Date)
	}
	return b
}

// usedBefore has a customer buy credits and use a part of them before the books begin.
func (b *business) usedBefore(day reconcile.Date) {
	b.db.MustExec(`INSERT INTO platform.accounts (id, email, status, created_at) VALUES ('acc_before', 'before@example.com', 'active', $1)`, day)
	b.db.MustExec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, created_at, completed_at)
		VALUES ('pur_before', 'acc_before', 'credits', 1000, 900, 'usd', 'completed', $1, $1)`, day)
	b.db.MustExec(`INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, job_id, created_at)
		VALUES ('ent_before_1', 'acc_before', 'purchase', 1000, 'pur_before', NULL, $1), ('ent_before_2', 'acc_before', 'usage', -300, NULL, 'job_before', $1)`, day)
}

func (b *business) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// rows are those of a published CSV file, by column.
func (b *business) rows(folder, name string) (rows []map[string]string) {
	b.Helper()
	file, err := os.Open(filepath.Join(b.folder, folder, name))
	b.must(err)
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	b.must(err)
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, cell := range cells {
			row[all[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

func (b *business) runs(command string, args ...string) {
	b.Helper()
	if path, err := exec.LookPath(command); err == nil {
		if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
			b.Errorf("%s %v: %v\n%s", command, args, err, out)
		}
	} else {
		b.Logf("no %s here", command)
	}
}

// The month, its balances and what they consist of, against the published journals of the nights alone, over month ends.
func TestMonthIsTheSumOfItsNights(t *testing.T) {
	t.Parallel()
	start, nights := reconcile.Date{Year: 2026, Month: 3, Day: 28}, 7
	if *longQuarter {
		start, nights = reconcile.Date{Year: 2026, Month: 3, Day: 2}, 92
	}
	b := newBusiness(t, start, nights)
	ctx := context.Background()
	at := time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	var months []reconcile.Month
	for _, night := range b.nights {
		if m := reconcile.MonthOf(night); !slices.Contains(months, m) {
			months = append(months, m)
		}
	}
	closing := reportstest.Sums{}        // by account, from the nights' journals
	again, settled := b.attribution(), 0 // of the items
	itemsBefore := map[string]map[string]string{}
	closingBefore := map[string]string{}
	for _, m := range months {
		drafted, err := b.office.Draft(ctx, m, at)
		b.must(err)
		if drafted.Input.StripeSeen != drafted.Input.Through {
			t.Errorf("%s: Stripe is said to have been seen through %s", m, drafted.Input.StripeSeen)
		}
		if m.Last() == drafted.Input.Through || *longQuarter {
			for _, fault := range drafted.Input.Faults() {
				if !strings.Contains(fault, "missing") {
					t.Errorf("%s: %s", m, fault)
				}
			}
		}
		moved, lines := map[string]bool{}, 0
		earned := reportstest.Sums{} // by currency; what a clearing writes off was never deferred
		for _, night := range b.nights {
			if reconcile.MonthOf(night) != m {
				continue
			}
			journal := b.rows(night.String(), "journal.csv")
			b.must(again.night(night, journal))
			for _, row := range journal {
				closing.Add(row["ledger_account"], row["debit"], 1)
				closing.Add(row["ledger_account"], row["credit"], -1)
				if account := row["ledger_account"]; row["kind"] != string(accounting.EntryClearing) && (strings.HasPrefix(account, "Income:Credits:") || strings.HasPrefix(account, "Income:Subscriptions:")) {
					earned.Add(row["currency"], row["credit"], 1)
					earned.Add(row["currency"], row["debit"], -1)
				}
				moved[row["ledger_account"]] = true
				lines++
			}
		}
		if n := len(b.rows(m.String(), "journal.csv")); n != lines {
			t.Errorf("%s: the journal has %d lines, its nights' have %d", m, n, lines)
		}
		seen := map[string]bool{}
		closes := map[string]string{}
		for _, row := range b.rows(m.String(), "trial_balance.csv") {
			account := row["ledger_account"]
			seen[account] = true
			closes[account] = row["closing"]
			if row["closing"] != closing.Of(account) {
				t.Errorf("%s: %s closes with %s, the journals of its nights with %s", m, account, row["closing"], closing.Of(account))
			}
			if before, ok := closingBefore[account]; ok && row["opening"] != before {
				t.Errorf("%s: %s opens with %s, and closed with %s the month before", m, account, row["opening"], before)
			}
		}
		for account := range closing {
			if !seen[account] {
				t.Errorf("%s: the trial balance lacks %s", m, account)
			}
		}
		items, itemSums := map[string]map[string]string{}, reportstest.Sums{}
		published := b.rows(m.String(), "open_items.csv")
		for _, difference := range again.differs(published) {
			b.Errorf("%s: %s", m, difference)
		}
		for _, row := range published {
			itemSums.Add(row["ledger_account"], row["amount"], 1)
			key := row["ledger_account"] + " " + row["item_type"] + " " + row["item_id"]
			if items[key] != nil {
				t.Errorf("%s: %s is there twice", m, key)
			}
			items[key] = row
			if row["explanation"] == "" || row["amount"] == "0" {
				t.Errorf("%s: item without an explanation or an amount: %v", m, row)
			}
			if before := itemsBefore[key]; before != nil && before["amount"] == row["amount"] && before["opened_on"] != row["opened_on"] && !moved[row["ledger_account"]] {
				t.Errorf("%s: %s was opened on %s, and is now said to be on %s", m, key, before["opened_on"], row["opened_on"])
			}
		}
		for account, closing := range closes {
			for _, part := range []string{"Purchase-Clearing", "Payouts-In-Transit", "Stripe:Disputes:", "Stripe:Suspense", "Refunds-Payable", "Customer-Balances", "Tax-Payable"} {
				if strings.Contains(account, part) && !strings.Contains(account, "Expenses") && itemSums.Of(account) != closing {
					t.Errorf("%s: the items of %s add up to %s, its balance is %s", m, account, itemSums.Of(account), closing)
				}
			}
		}
		for _, row := range b.rows(m.String(), "revenue_waterfall.csv") {
			if row["sold_month"] == "" || (row["sold"] == "0" && row["refunded"] == "0" && row["earned"] == "0") {
				t.Errorf("%s: a row of the waterfall has no month, or says nothing: %v", m, row)
			}
			earned.Add(row["currency"], row["earned"], -1)
		}
		for currency := range earned {
			if off := earned.Of(currency); off != "0" {
				t.Errorf("%s: income in %s is %s more than what the waterfall says was earned", m, currency, off)
			}
		}
		for key, before := range itemsBefore {
			if items[key] == nil {
				settled++
			}
			if items[key] == nil && !moved[before["ledger_account"]] {
				t.Errorf("%s: %s is gone, and nothing was posted to its account", m, key)
			}
		}
		itemsBefore, closingBefore = items, closes
		journal := filepath.Join(b.folder, m.String(), "journal.hledger")
		b.runs("hledger", "-f", journal, "check", "--strict")
		b.runs("ledger", "-f", journal, "--pedantic", "bal")
		if exec.Command("/usr/bin/python3", "-c", "import openpyxl").Run() == nil { // another reader of the workbook
			b.runs("/usr/bin/python3", "-c", `import sys, openpyxl
book = openpyxl.load_workbook(sys.argv[1])
cells = [row[3].value for row in book["OpenItems"].iter_rows(min_row=2) if row[2].value]
assert book.sheetnames[0] == "Summary" and len(cells) == int(sys.argv[2]) and all(cells), (book.sheetnames, cells)`,
				filepath.Join(b.folder, m.String(), "month.xlsx"), fmt.Sprint(len(items)))
		}
		same, err := b.office.Draft(ctx, m, at.Add(time.Hour))
		b.must(err)
		if same.IsNew || same.Revision != drafted.Revision {
			t.Errorf("%s drafted again without a change is revision %d", m, same.Revision)
		}
	}
	if len(itemsBefore) < 10 {
		t.Errorf("only %d open items: the differences are not in", len(itemsBefore))
	}
	if settled == 0 {
		t.Error("no item was open at the end of one month and settled in the next")
	}
	b.clears(months[len(months)-1], at)
	b.signs(months[0], at)
}

// clears posts what clears a payment, and takes it back: the items of both accounts must follow.
func (b *business) clears(m reconcile.Month, at time.Time) {
	last := b.nights[len(b.nights)-1]
	b.db.MustExec(`INSERT INTO reconciler.journal_lines (account_id, business_date, entry_id, line_no, kind, role, ledger_account, currency, amount_minor, description, source)
		SELECT account_id, $1::date, 'cleared', n, $2, r.role, r.name, currency, r.sign * 17, 'cleared', source
		FROM (SELECT account_id, currency, source FROM reconciler.journal_lines WHERE kind = 'purchase' AND role = 'purchase_clearing' AND currency = 'usd' ORDER BY business_date DESC, source LIMIT 1) p
		CROSS JOIN (VALUES (1, 'purchase_clearing', 'Assets:Stripe:Purchase-Clearing:USD', 1), (2, 'refund_clearing', 'Liabilities:Refunds-Payable:USD', -1)) r (n, role, name, sign)`, last, accounting.EntryClearing)
	published, err := b.office.Draft(context.Background(), m, at.Add(2*time.Hour))
	b.must(err)
	cleared := 0
	for _, item := range published.Input.Items {
		if strings.Contains(item.Explanation, "has been cleared") {
			cleared++
		}
	}
	if cleared != 2 {
		b.Errorf("%d items say that a part of them was cleared, want 2", cleared)
	}
	for _, proof := range published.Input.Proofs {
		if strings.HasPrefix(proof.What, "Open items") && !proof.Difference.IsZero() {
			b.Errorf("after a payment was cleared, %s: off by %s", proof.What, proof.Difference)
		}
	}
	b.db.MustExec("DELETE FROM reconciler.journal_lines WHERE entry_id = 'cleared'")
}

// signs closes, reviews, tampers with and reopens a month.
func (b *business) signs(m reconcile.Month, at time.Time) {
	ctx, t := context.Background(), b.TB
	all := []month.Acceptance{{What: month.All, Reason: "planted"}}
	_, err := b.office.Close(ctx, m, "Ana Ruiz", nil, at)
	var open *month.OpenErrors
	if !errors.As(err, &open) || !errors.Is(err, night.ErrIntegrity) || len(open.Open) == 0 {
		t.Fatalf("closing with open errors: %v", err)
	}
	one := []month.Acceptance{{What: open.Open[0].BreakID, Reason: "known"}}
	if _, err := b.office.Close(ctx, m, "Ana Ruiz", one, at); !errors.As(err, &open) {
		t.Errorf("closing with one of several errors accepted: %v", err)
	}
	if _, err := b.office.Close(ctx, m, "Ana Ruiz", append(all, month.Acceptance{What: "refund_stuk", Reason: "x"}), at); !errors.Is(err, month.ErrPeriod) {
		t.Errorf("accepting what isn't open: %v", err)
	}
	if _, err := b.office.Review(ctx, m, "Ben", at); !errors.Is(err, month.ErrPeriod) {
		t.Errorf("reviewing a draft: %v", err)
	}
	b.must(jobs.WorkOnBreak(ctx, b.office.Store, at.Add(-time.Minute), jobs.BreakWork{BreakID: open.Open[0].BreakID, Actor: "Cleo", Owner: "Cleo", Note: "asked the bank"}))
	closed, err := b.office.Close(ctx, m, "Ana Ruiz", append(all, one...), at)
	b.must(err)
	for name, by := range map[string]string{"the same person": "ana  RUIZ", "nobody": " ", "the worker": "reconciler"} {
		if _, err := b.office.Review(ctx, m, by, at); !errors.Is(err, month.ErrPeriod) {
			t.Errorf("review by %s: %v", name, err)
		}
	}
	_, err = b.db.Exec(`INSERT INTO reconciler.period_reviews (period, action_no, closer, reviewed_by, manifest_sha256, at)
		SELECT period, action_no, person, 'Ana RUIZ', repeat('0', 64), now() FROM reconciler.periods WHERE period = $1`, m.String())
	if !postgres.CheckViolation(err, "closer_is_not_reviewer") {
		t.Errorf("the database takes a review by who closed the month: %v", err)
	}
	b.verified(m, "")
	b.office.CodeVersion = "later"
	b.verified(m, "") // an upgrade changes nothing that was signed
	b.office.CodeVersion = "test"
	reviewed, err := b.office.Review(ctx, m, "Ben", at.Add(time.Hour))
	b.must(err)
	if reviewed.Revision != closed.Revision+1 {
		t.Errorf("closed as revision %d, reviewed as %d", closed.Revision, reviewed.Revision)
	}
	b.verified(m, "")

	for _, c := range []struct{ name, file string }{
		{"a balance", m.String() + "/trial_balance.csv"}, {"an open item", m.String() + "/open_items.csv"}, {"the sign-off", m.String() + "/sign_off.json"},
		{"the manifest", m.String() + "/manifest.json"}, {"the closed revision", fmt.Sprintf("%s.r%d/sign_off.json", m, closed.Revision)},
		{"a night's manifest", m.Last().String() + "/manifest.json"},
	} {
		name := filepath.Join(b.folder, c.file)
		before, err := os.ReadFile(name)
		b.must(err)
		b.must(os.WriteFile(name, append(slices.Clone(before), ' '), 0o600))
		b.verified(m, c.name)
		b.must(os.WriteFile(name, before, 0o600))
	}
	for _, c := range []struct{ name, change, back string }{
		{"a note", "UPDATE reconciler.break_work SET note = 'the bank said no'", "UPDATE reconciler.break_work SET note = 'asked the bank'"},
		{"a reason", "UPDATE reconciler.period_acceptances SET reason = 'fine'", "UPDATE reconciler.period_acceptances SET reason = CASE break_id WHEN '" + one[0].What + "' THEN 'known' ELSE 'planted' END"},
		{"who closed", "UPDATE reconciler.period_reviews SET reviewed_by = 'Bob'", "UPDATE reconciler.period_reviews SET reviewed_by = 'Ben'"},
		{"a line of the journal", "UPDATE reconciler.journal_lines SET amount_minor = amount_minor + 7 WHERE role = 'purchase_clearing'", "UPDATE reconciler.journal_lines SET amount_minor = amount_minor - 7 WHERE role = 'purchase_clearing'"},
	} {
		b.db.MustExec(c.change)
		b.verified(m, c.name)
		b.db.MustExec(c.back)
	}
	b.verified(m, "")

	// A run that was cut off between the record and the files is completed by the next command.
	for _, folder := range []string{m.String(), fmt.Sprintf("%s.r%d", m, closed.Revision)} {
		b.must(os.Rename(filepath.Join(b.folder, folder), filepath.Join(b.folder, "aside-"+folder)))
	}
	b.must(os.Rename(filepath.Join(b.folder, fmt.Sprintf("aside-%s.r%d", m, closed.Revision)), filepath.Join(b.folder, m.String())))
	if done, err := b.office.Draft(ctx, m, at.Add(2*time.Hour)); err != nil || done.Revision != reviewed.Revision {
		t.Errorf("a signed month whose files were not published yet: revision %d, %v", done.Revision, err)
	}
	b.verified(m, "")

	if err := b.office.Reopen(ctx, m, "Ana Ruiz", "", at); !errors.Is(err, month.ErrPeriod) {
		t.Errorf("reopening without a reason: %v", err)
	}
	b.must(b.office.Reopen(ctx, m, "Ana Ruiz", "a cost was wrong", at.Add(3*time.Hour)))
	for name, want := range map[string]string{m.String() + "/month.html": "Draft. Nobody has signed these figures.", m.String() + "/sign_off.json": `"state": "draft"`, "index.html": "draft"} {
		if content, err := os.ReadFile(filepath.Join(b.folder, name)); err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s of the reopened month does not say %s: %v", name, want, err)
		}
	}
	b.db.MustExec(`UPDATE platform.jobs SET credit_cost = credit_cost + 5 WHERE id = (SELECT min(id) FROM platform.jobs WHERE status = 'succeeded' AND finished_at >= $1 AND finished_at < $1::date + 1)`, m.Last())
	b.db.MustExec(`UPDATE reconciler.journal_lines SET amount_minor = amount_minor * 2 WHERE role IN ('usage_revenue', 'contract_liability') AND kind = 'usage' AND business_date = $1`, m.Last())
	redone, err := b.office.Draft(ctx, m, at.Add(4*time.Hour))
	b.must(err)
	page, err := os.ReadFile(filepath.Join(b.folder, m.String(), "month.html"))
	b.must(err)
	for _, want := range []string{"Balances that were signed have changed", "Income:Credits:Used:USD", "reopened by Ana Ruiz: a cost was wrong"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page of the reopened month does not say %q", want)
		}
	}
	for revision := 1; revision < redone.Revision; revision++ {
		if _, err := os.Stat(filepath.Join(b.folder, fmt.Sprintf("%s.r%d", m, revision), "manifest.json")); err != nil {
			t.Errorf("revision %d does not stand beside the newest: %v", revision, err)
		}
	}
}

// verified fails unless verification finds something when something was changed, and nothing else.
func (b *business) verified(m reconcile.Month, changed string) {
	b.Helper()
	faults, err := b.office.Verify(context.Background(), m)
	b.must(err)
	if changed == "" && len(faults) > 0 {
		b.Errorf("nothing was changed, and verify finds %v", faults)
	}
	if changed != "" && len(faults) == 0 {
		b.Errorf("%s was changed, and verify does not find it", changed)
	}
}

// A month is put together, built and compared with what is published, which is the same.
func BenchmarkDraft(b *testing.B) {
	business := newBusiness(b, reconcile.Date{Year: 2026, Month: 3, Day: 1}, 31)
	m := reconcile.Month{Year: 2026, Month: 3}
	at := time.Date(2026, 4, 2, 8, 0, 0, 0, time.UTC)
	first, err := business.office.Draft(context.Background(), m, at)
	business.must(err)
	business.db.MustExec("ANALYZE")
	for b.Loop() {
		if again, err := business.office.Draft(context.Background(), m, at); err != nil || again.Revision != first.Revision {
			b.Fatal(again.Revision, err)
		}
	}
	b.ReportMetric(float64(len(first.Input.Items)), "items/op")
	b.ReportMetric(float64(len(first.Input.Nights)), "nights/op")
}

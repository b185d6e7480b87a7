package jobs_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/reports/journal"
	"github.com/hummingbytes/reconciler/reports/reportstest"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// booksOfAMonth plays a business with everything that moves its books, and reports every night.
type booksOfAMonth struct {
	*bothBooks
	folder string
	nights []reconcile.Night
}

func newBooks(t *testing.T) *booksOfAMonth {
	t.Helper()
	m := &booksOfAMonth{bothBooks: newBothBooks(t), folder: t.TempDir()}
	var err error
	if m.worker.Reports, err = storage.OpenFolder(m.folder); err != nil {
		t.Fatal(err)
	}
	return m
}

// plant lets happen what an ordinary fortnight need not have: a dispute that is lost, a refund that fails later, and the refund of a used lot
// with another behind it.
func (m *booksOfAMonth) plant() {
	m.t.Helper()
	disputed := m.buy(5000, "eur")
	m.later(2, func() {
		dispute := ok[stripetest.Dispute](m.t)(m.stripe.OpenDispute(stripetest.DisputeParams{Charge: disputed.charge}))
		m.later(3, func() { ok[stripetest.Dispute](m.t)(m.stripe.LoseDispute(dispute.ID)) })
	})
	returned := m.buy(1500, "usd")
	m.later(1, func() {
		refund := m.giveBack(returned)
		m.later(2, func() {
			ok[stripetest.Refund](m.t)(m.stripe.FailRefund(refund.ID, "expired_or_canceled_card"))
			m.entry(returned, "refund_reversal", returned.credits)
		})
	})
	first := m.buy(1000, "usd")
	m.advance(time.Minute)
	second, charge := m.pay(2000, "usd", nil)
	second.account = first.account
	m.store(second, "completed", "", charge.ID, "")
	m.later(1, func() { m.entry(purchased{account: first.account}, "usage", -first.credits/3) })
	m.later(2, func() { m.entry(first, "refund", -first.credits) })
}

// play plays an ordinary day, and lets customers use, get back and lose credits.
func (m *booksOfAMonth) play(purchases int) {
	m.t.Helper()
	m.day(purchases)
	var owners []purchased
	rows, err := m.db.Query("SELECT id, account_id, credits FROM platform.purchases WHERE status = 'completed' ORDER BY id")
	if err != nil {
		m.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var p purchased
		if err := rows.Scan(&p.id, &p.account, &p.credits); err != nil {
			m.t.Fatal(err)
		}
		owners = append(owners, p)
	}
	m.until(22)
	for i, p := range owners {
		m.advance(time.Second)
		part := max(1, p.credits/7)
		switch (i + m.date().Day*5) % 23 {
		case 0, 1:
			m.entry(purchased{account: p.account}, "usage", -part)
		case 2:
			m.entry(purchased{account: p.account}, "credit_back", max(1, part/2))
		case 3:
			m.entry(purchased{account: p.account}, "adjustment", -max(1, part/3))
		case 4:
			m.entry(purchased{account: p.account}, "adjustment", 5)
		case 5:
			m.entry(purchased{account: p.account}, "promo", 25)
		case 6:
			if i%2 == 0 { // more than there is
				m.entry(purchased{account: p.account}, "usage", -p.credits-3)
			}
		case 7:
			if i%3 == 0 { // refunded although used, against the policy
				m.entry(p, "refund", -p.credits)
			}
		case 8:
			if m.date().Day%4 == 0 { // it arrives a day late
				late := m.clock().AddDate(0, 0, -1)
				m.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, created_at) VALUES ($1, $2, 'usage', -4, $3)", m.id("late"), p.account, late)
			}
		}
	}
}

func (m *booksOfAMonth) report() reconcile.Night {
	m.t.Helper()
	night := reconcile.NightOf(m.date(), m.worker.Settings.Defaults().Zone)
	m.now.Store(night.End.Unix() + 20*60)
	if err := m.worker.RunNight(context.Background(), night.Date); err != nil {
		m.t.Fatal(err)
	}
	m.nights = append(m.nights, night)
	return night
}

func (m *booksOfAMonth) again(nights ...reconcile.Night) {
	m.t.Helper()
	for _, night := range nights {
		if err := m.worker.RunNight(context.Background(), night.Date); err != nil {
			m.t.Fatal(err)
		}
	}
}

// table reads a CSV file of a night's reports.
func (m *booksOfAMonth) table(night reconcile.Night, name string) []map[string]string {
	m.t.Helper()
	content, err := os.ReadFile(filepath.Join(m.folder, night.Date.String(), name))
	if err != nil {
		m.t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil || len(records) == 0 {
		m.t.Fatalf("%s of %s: %v", name, night.Date, err)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, column := range records[0] {
			row[column] = tables.RestoreText(record[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// TestAMonthOfBooksFoots adds everything that a month of nights says about the books up, across its files; the short form, a fortnight.
func TestAMonthOfBooksFoots(t *testing.T) {
	t.Parallel()
	days := 14
	if *longBusiness {
		days = 31
	}
	m := newBooks(t)
	ledger := reportstest.Sums{} // balance of each account since the first night, by account
	closed := map[string]string{}
	seen := map[string]bool{}
	for day := range days {
		m.play(5)
		if day == 2 {
			m.plant()
		}
		night := m.report()
		for _, r := range m.table(night, "control_totals.csv") {
			if r["difference"] != "0" {
				t.Errorf("%s: %v", night.Date, r)
			}
			seen[r["check"]] = true
		}

		moved := reportstest.Sums{} // of this night, by account and by kind
		entries := reportstest.Sums{}
		for _, r := range m.table(night, "journal.csv") {
			for _, key := range []string{r["ledger_account"], r["kind"] + " " + r["ledger_account"]} {
				moved.Add(key, r["debit"], 1)
				moved.Add(key, r["credit"], -1)
			}
			ledger.Add(r["ledger_account"], r["debit"], 1)
			ledger.Add(r["ledger_account"], r["credit"], -1)
			entries.Add(r["entry_id"]+" "+r["currency"], r["debit"], 1)
			entries.Add(r["entry_id"]+" "+r["currency"], r["credit"], -1)
			seen[r["kind"]] = true
		}
		for entry, net := range entries {
			if net.Sign() != 0 {
				t.Errorf("%s: entry %s is off by %s", night.Date, entry, net)
			}
		}
		equal := func(what, want, got string) {
			t.Helper()
			if want != got {
				t.Errorf("%s: %s: %s and %s", night.Date, what, want, got)
			}
		}

		windows := reportstest.Sums{} // what may be refunded
		for _, r := range m.table(night, "refund_windows.csv") {
			if r["state"] == "open" || r["state"] == "requested" {
				windows.Add(r["currency"], r["amount_minor"], -1)
			}
		}
		for _, r := range m.table(night, "roll_forward.csv") {
			equal("difference in "+r["measure"], "0", r["difference"])
			if before, ok := closed[r["measure"]]; ok {
				equal("opening in "+r["measure"], before, r["opening"])
			}
			closed[r["measure"]] = r["closing"]
			negated := reportstest.Sums{}
			for column, amount := range r {
				if column != "measure" {
					negated.Add(column, amount, -1)
				}
			}
			if r["measure"] == "credits" {
				equal("credits held", negated.Of("closing"), ledger.Of("Liabilities:Credit-Units:Held"))
				for column, account := range map[string]string{"purchases": "Sold", "promotions": "Promotions", "usage": "Used", "credit_backs": "Credited-Back",
					"refunds": "Refunded", "adjustments": "Adjustments", "late_items": "Late-Items"} {
					equal("credits: "+column, r[column], moved.Of("Equity:Credit-Units:"+account))
				}
				continue
			}
			currency := strings.ToUpper(r["measure"])
			refundable, contract := "Liabilities:Credits:Refundable:"+currency, "Liabilities:Credits:Contract:"+currency
			liability := reportstest.Sums{}
			liability.Add("", ledger.Of(refundable), 1)
			liability.Add("", ledger.Of(contract), 1)
			equal("liability in "+currency, negated.Of("closing"), liability.Of(""))
			equal("what may be refunded in "+currency, windows.Of(r["measure"]), ledger.Of(refundable))
			equal("revenue in "+currency, r["usage"], moved.Of("usage Income:Credits:Used:"+currency))
			equal("revenue taken back in "+currency, r["credit_backs"], moved.Of("credit-backs Income:Credits:Used:"+currency))
			equal("credits taken in "+currency, r["adjustments"], moved.Of("adjustments Income:Credits:Adjustments:"+currency))
		}
		fees := reportstest.Sums{}
		for _, r := range m.table(night, "stripe_activity.csv") {
			fees.Add(r["currency"], r["fee"], 1)
			if r["reporting_category"] == "fee" || r["reporting_category"] == "tax" {
				fees.Add(r["currency"], r["gross"], -1)
			}
		}
		for currency := range fees {
			equal("fees in "+currency, fees.Of(currency), moved.Of("Expenses:Stripe:Fees:"+strings.ToUpper(currency)))
		}
		for _, r := range m.table(night, "stripe_cash.csv") {
			equal("balance at Stripe in "+r["currency"], r["closing_minor"], ledger.Of("Assets:Stripe:Balance:"+strings.ToUpper(r["currency"])))
		}
		if day%10 == 3 {
			m.checkExports(night)
		}
	}
	for _, kind := range []string{"opening equals previous closing", "roll-forward ties to lots", "journal entries balance", "journal ties to roll-forward",
		"refund liability ties to open windows", "journal ties to the balance at Stripe",
		"purchase", "refund windows", "usage", "credit-backs", "adjustments", "refund", "refund reversal", "usage moved between lots", "late items", "credits",
		"Stripe activity", "payout arrived", "payout returned", "dispute lost"} {
		if !seen[kind] {
			t.Errorf("a month without %q proves nothing about it", kind)
		}
	}
	m.checkLedgers()
	m.rerunChangesNothing()
}

// checkLedgers has hledger and ledger check each night's file, and all of them one after another.
func (m *booksOfAMonth) checkLedgers() {
	m.t.Helper()
	var month bytes.Buffer
	for i, night := range m.nights {
		file := filepath.Join(m.folder, night.Date.String(), "journal.hledger")
		content, err := os.ReadFile(file)
		if err != nil {
			m.t.Fatal(err)
		}
		month.Write(content)
		if i%6 != 0 {
			continue
		}
		runTool(m.t, "hledger", "check", "--strict", "-f", file)
		runTool(m.t, "ledger", "--pedantic", "-f", file, "balance")
	}
	file := filepath.Join(m.t.TempDir(), "month.hledger")
	if err := os.WriteFile(file, month.Bytes(), 0o666); err != nil {
		m.t.Fatal(err)
	}
	runTool(m.t, "hledger", "check", "--strict", "-f", file)
	runTool(m.t, "ledger", "--pedantic", "-f", file, "balance")
}

// checkExports has bean-check check the night, and looks at the rows of the other formats: each journal balances.
func (m *booksOfAMonth) checkExports(night reconcile.Night) {
	m.t.Helper()
	ctx := context.Background()
	export := func(format string, o journal.Options) (text []byte) {
		var out bytes.Buffer
		err := m.worker.Store.InTx(ctx, postgres.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *postgres.Tx) error {
			ledger, err := publish.LedgerOf(ctx, tx, night.Date, accounting.DefaultChart())
			return errors.Join(err, journal.Export(ctx, &out, format, ledger, o))
		})
		if err != nil {
			m.t.Fatalf("%s: %v", format, err)
		}
		return out.Bytes()
	}
	file := filepath.Join(m.t.TempDir(), "night.beancount")
	if err := os.WriteFile(file, export("beancount", journal.Options{}), 0o666); err != nil {
		m.t.Fatal(err)
	}
	runTool(m.t, "bean-check", file)
	for format, columns := range map[string][3]int{"quickbooks": {0, 4, 5}, "xero": {0, 5, -1}, "netsuite": {0, 6, 7}} {
		records, err := csv.NewReader(bytes.NewReader(export(format, journal.Options{Currency: "usd", Subsidiary: "1"}))).ReadAll()
		if err != nil || len(records) < 3 {
			m.t.Fatalf("%s: %v, %d records", format, err, len(records))
		}
		balance := reportstest.Sums{}
		for _, r := range records[1:] {
			balance.Add(r[columns[0]], strings.ReplaceAll(r[columns[1]], ".", ""), 1)
			if columns[2] >= 0 {
				balance.Add(r[columns[0]], strings.ReplaceAll(r[columns[2]], ".", ""), -1)
			}
		}
		for number, net := range balance {
			if net.Sign() != 0 {
				m.t.Errorf("%s: journal %s is off by %s", format, number, net)
			}
		}
	}
}

// rerunChangesNothing closes old nights again, with and without what was remembered of accounts.
func (m *booksOfAMonth) rerunChangesNothing() {
	m.t.Helper()
	before := m.stored()
	for _, i := range []int{len(m.nights) - 1, 5, 0} {
		if err := m.worker.RunNight(context.Background(), m.nights[i].Date); err != nil {
			m.t.Fatal(err)
		}
	}
	if diff := diffLines(before, m.stored()); diff != "" {
		m.t.Errorf("nights closed again differ:\n%s", diff)
	}
	m.exec("TRUNCATE reconciler.account_positions")
	for _, i := range []int{7, 8, len(m.nights) - 1} {
		if err := m.worker.RunNight(context.Background(), m.nights[i].Date); err != nil {
			m.t.Fatal(err)
		}
	}
	if diff := diffLines(before, m.stored()); diff != "" {
		m.t.Errorf("nights closed again without positions differ:\n%s", diff)
	}
}

// stored is everything that the books hold.
func (m *booksOfAMonth) stored() []string {
	m.t.Helper()
	var lines []string
	for _, table := range []string{"roll_forward", "journal_lines", "ledger_balances", "liability_split", "booked_purchases", "refunded_lots", "book_closings"} {
		rows, err := m.db.Query(fmt.Sprintf("SELECT '%s ' || x::text FROM reconciler.%s x ORDER BY 1", table, table))
		if err != nil {
			m.t.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				m.t.Fatal(err)
			}
			lines = append(lines, line)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			m.t.Fatal(err)
		}
	}
	return lines
}

// rolled is a night's roll-forward in one measure, as it is published.
func (m *booksOfAMonth) rolled(night reconcile.Night, measure string) map[string]string {
	m.t.Helper()
	for _, r := range m.table(night, "roll_forward.csv") {
		if r["measure"] == measure {
			return r
		}
	}
	m.t.Fatalf("%s: nothing in %s", night.Date, measure)
	return nil
}

// A purchase that arrives in a reported night is booked as a late item of the open one; the reported night stays as it is.
// arriveLate has a purchase of 70 credits for 7.00 USD and its grant arrive in a night that has been reported.
func (m *booksOfAMonth) arriveLate(night reconcile.Night) {
	m.t.Helper()
	at := night.Begin.Add(20 * time.Hour)
	m.exec("INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, created_at, completed_at) VALUES ('late', 'acc_late', 'credits', 70, 700, 'usd', 'completed', $1, $1)", at)
	m.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, created_at) VALUES ('e_late', 'acc_late', 'purchase', 70, 'late', $1)", at)
}

func TestLatePurchaseIsBookedOnce(t *testing.T) {
	t.Parallel()
	m := newBooks(t)
	m.until(12)
	m.buy(1000, "usd")
	first := m.report()
	m.arriveLate(first)
	m.until(12)
	m.buy(500, "usd")
	second := m.report()
	if r := m.rolled(second, "usd"); r["late_items"] != "700" || r["purchases"] != "500" || r["closing"] != "2200" {
		t.Errorf("usd: %v", r)
	}
	if r := m.rolled(second, "credits"); r["late_items"] != "70" {
		t.Errorf("credits: %v", r)
	}
	before := m.stored()
	m.again(first, second)
	if diff := diffLines(before, m.stored()); diff != "" {
		t.Errorf("nights closed again differ:\n%s", diff)
	}
}

// Accounts that the platform merges in place take their purchases along, which were booked where they were.
func TestAPurchaseThatMovesToAnotherAccountIsBookedOnce(t *testing.T) {
	t.Parallel()
	m := newBooks(t)
	m.until(12)
	sold := m.buy(1000, "usd")
	first := m.report()
	// One that comes late has its night looked at again.
	m.arriveLate(first)
	m.exec("UPDATE platform.purchases SET account_id = 'acc_merged' WHERE id = $1", sold.id)
	for _, late := range []string{"700", "0"} {
		m.until(12)
		m.buy(500, "usd")
		if r := m.rolled(m.report(), "usd"); r["late_items"] != late || r["purchases"] != "500" {
			t.Errorf("want %s that came late: %v", late, r)
		}
		m.exec("UPDATE platform.purchases SET account_id = 'acc_merged_again' WHERE id = 'late'")
	}
}

// A purchase that the platform corrects in place once a later night has been reported is a matter of the open night: a run of the night that sold
// it leaves its books as they were reported. Until then it is booked as it is.
func TestAReportedNightKeepsWhatItBooked(t *testing.T) {
	t.Parallel()
	m := newBooks(t)
	m.until(12)
	sold := m.buy(1000, "usd")
	first := m.report()
	m.exec("UPDATE platform.purchases SET amount_minor = 1100 WHERE id = $1", sold.id)
	m.again(first)
	if r := m.rolled(first, "usd"); r["purchases"] != "1100" {
		t.Errorf("corrected before another night was reported: %v", r)
	}
	m.until(12)
	m.buy(500, "usd")
	m.report()
	m.exec("UPDATE platform.purchases SET amount_minor = 900 WHERE id = $1", sold.id)
	m.again(first)
	if r := m.rolled(first, "usd"); r["purchases"] != "1100" || r["closing"] != "1100" {
		t.Errorf("corrected after another night was reported: %v", r)
	}
	if booked := m.texts("SELECT amount_minor FROM reconciler.booked_purchases WHERE purchase_id = $1", sold.id); !slices.Equal(booked, []string{"1100"}) {
		t.Errorf("booked: %v", booked)
	}
}

// What the platform still writes while the night is being read belongs to that night alone.
func TestLedgerWrittenToWhileItIsRead(t *testing.T) {
	t.Parallel()
	m := newBooks(t)
	m.until(12)
	m.buy(1000, "usd")
	at := m.clock()
	once := false
	m.worker.Step = func(name string) {
		if name == "credit-backs/recorded" && !once {
			once = true
			m.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, created_at) VALUES ('slow', 'acc_slow', 'promo', 9, $1)", at)
		}
	}
	first := m.report()
	if r := m.rolled(first, "credits"); r["promotions"] != "9" {
		t.Errorf("%v", r)
	}
	second := m.report()
	if r := m.rolled(second, "credits"); r["late_items"] != "0" {
		t.Errorf("counted again: %v", r)
	}
}

// A single job of a night that has been reported, such as a sync every hour, leaves what arrived late to the next night.
func TestSingleJobsLeaveLateItemsToTheNextNight(t *testing.T) {
	t.Parallel()
	for _, job := range []string{"sync-stripe", "match-jobs", "credit-backs", "match-purchases", "refund-requests"} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			m := newBooks(t)
			m.until(12)
			m.buy(1000, "usd")
			first := m.report()
			m.until(12)
			m.buy(500, "usd")
			second := m.report()
			m.advance(time.Hour)
			for i, at := range []time.Time{first.Begin.Add(20 * time.Hour), second.Begin.Add(20 * time.Hour)} {
				m.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, created_at) VALUES ($1, 'acc_late', 'promo', 7, $2)", fmt.Sprint("late_", i), at)
			}
			if err := m.worker.RunNight(context.Background(), second.Date, job); err != nil {
				t.Fatal(err)
			}
			m.until(12)
			m.buy(300, "usd")
			third := m.report() // ties, or it is an error
			if r := m.rolled(third, "credits"); r["late_items"] != "14" || r["difference"] != "0" {
				t.Errorf("%v", r)
			}
		})
	}
}

// A roll-forward that somebody changed is an integrity error in the next night, and its reports show by how much.
func TestBooksThatDoNotTieAreSeen(t *testing.T) {
	t.Parallel()
	m := newBooks(t)
	m.until(12)
	m.buy(1000, "usd")
	first := m.report()
	m.exec("UPDATE reconciler.roll_forward SET purchases = purchases + 5 WHERE measure = 'usd' AND business_date = $1", first.Date.String())
	span := reconcile.NightOf(m.date(), time.UTC)
	m.now.Store(span.End.Unix() + 20*60)
	err := m.worker.RunNight(context.Background(), span.Date)
	if !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "opening equals previous closing") {
		t.Fatalf("%v", err)
	}
	shown := false
	for _, r := range m.table(span, "control_totals.csv") {
		shown = shown || r["check"] == "opening equals previous closing" && r["unit"] == "usd" && r["difference"] == "5"
	}
	if !shown {
		t.Error("the difference is not in the report")
	}
}

// Without the night's refund windows there is a roll-forward but no journal, and the night is not done.
func TestBooksWithoutRefundWindows(t *testing.T) {
	t.Parallel()
	m := newBooks(t)
	m.until(12)
	m.buy(1000, "usd")
	span := reconcile.NightOf(m.date(), time.UTC)
	m.now.Store(span.End.Unix() + 20*60)
	ctx := context.Background()
	if err := m.worker.RunNight(ctx, span.Date, "reports"); err == nil || errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "refund windows") {
		t.Fatalf("%v", err)
	}
	if r := m.rolled(span, "usd"); r["closing"] != "1000" {
		t.Errorf("%v", r)
	}
	if _, err := publish.LedgerOf(ctx, m.worker.Store, span.Date, accounting.DefaultChart()); !errors.Is(err, publish.ErrNoJournal) {
		t.Errorf("%v", err)
	}
	if err := m.worker.RunNight(ctx, span.Date); err != nil {
		t.Fatal(err)
	}
	if lines := m.table(span, "journal.csv"); len(lines) == 0 {
		t.Error("no journal after all")
	}
}

// Amounts near the bounds of 64 bits add up beyond them.
func TestBooksBeyond64Bits(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	night := reconcile.NightOf(reconcile.Date{Year: 2026, Month: time.March, Day: 2}, time.UTC)
	at := night.Begin.Add(time.Hour)
	const most = int64(1<<63 - 1)
	for i := range 3 {
		id := fmt.Sprintf("p%d", i)
		w.db.MustExec("INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, created_at, completed_at) VALUES ($1, $1, 'credits', $2, $2, 'usd', 'completed', $3, $3)", id, most, at)
		w.db.MustExec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, created_at) VALUES ($1, $1, 'purchase', $2, $1, $3)", id, most, at)
		w.db.MustExec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, created_at) VALUES ('u' || $1, $1, 'usage', $2, $3)", id, -most+int64(i), at.Add(time.Hour))
	}
	if err := w.night(night); err != nil {
		t.Fatal(err)
	}
	bought := new(big.Int).Mul(big.NewInt(3), big.NewInt(most)).String()
	used := new(big.Int).Sub(big.NewInt(3), new(big.Int).Mul(big.NewInt(3), big.NewInt(most))).String()
	p := w.published(t, night.Date)
	for _, r := range p["roll_forward.csv"] {
		if r["purchases"] != bought || r["usage"] != used || r["closing"] != "3" || r["closing_from_lots"] != "3" {
			t.Errorf("%v", r)
		}
	}
	if problems := p.untied(nil); len(problems) > 0 {
		t.Error(problems)
	}
}

// runTool runs an accounting program. In CI it has to be there; elsewhere the checks of the same files by our own reading must do.
func runTool(t testing.TB, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Logf("%s is not installed: not checked by it", name)
		return
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%.2000s", name, strings.Join(args, " "), err, out)
	}
}

package jobs_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	excelize "github.com/xuri/excelize/v2"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/workbook"
)

// Nights of the simulated business, Stripe included: every file of a night says the same as every other, to the unit, and each night begins
// where the one before ended. A week here, a month with -long.
func TestFilesOfANightAgree(t *testing.T) {
	t.Parallel()
	nights := 5
	if *longBusiness {
		nights = 31
	}
	ctx := context.Background()
	b := newBusiness(t, simulation.Options{Seed: 3, Nights: nights, JobsPerNight: 300, ReviewBusinessDays: 7, Stripe: true})
	sim, db, w, folder := b.sim, b.db, b.worker, b.folder
	server := httptest.NewServer(sim.StripeHandler())
	t.Cleanup(server.Close)
	client, err := stripefeed.New(stripefeed.Options{Key: sim.Stripe().ReadKey(), BaseURL: server.URL, Log: zerolog.Nop(), EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1})
	if err != nil {
		t.Fatal(err)
	}
	w.Stripe = client
	var before *nightFiles
	for _, night := range sim.Nights() {
		if err := sim.PlayNight(ctx, db.DB.DB, night.Date); err != nil {
			t.Fatal(err)
		}
		if err := w.RunNight(ctx, night.Date); err != nil {
			t.Fatal(err)
		}
		files := readNight(t, filepath.Join(folder, night.Date.String()))
		t.Run(night.Date.String(), func(t *testing.T) {
			files.t = t
			files.breaksAgree()
			files.creditBacksAgree()
			files.liabilityAgrees(before)
			files.stripeAgrees(before)
			files.journalAgrees(before)
			files.controlsAgree()
		})
		before = files
	}
}

// nightFiles is a night's folder, read back.
type nightFiles struct {
	t       *testing.T
	tables  map[string][]map[string]string // by file, a row by column
	summary figures.Summary
	page    string
	book    *excelize.File
}

func readNight(t *testing.T, folder string) *nightFiles {
	t.Helper()
	f := &nightFiles{t: t, tables: map[string][]map[string]string{}}
	paths, err := filepath.Glob(filepath.Join(folder, "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range records[1:] {
			row := map[string]string{}
			for i, column := range records[0] {
				row[column] = record[i]
			}
			f.tables[filepath.Base(path)] = append(f.tables[filepath.Base(path)], row)
		}
	}
	raw, err := os.ReadFile(filepath.Join(folder, "summary.json"))
	if err == nil {
		err = json.Unmarshal(raw, &f.summary)
	}
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "summary.html"))
	if err != nil {
		t.Fatal(err)
	}
	f.page = string(page)
	if f.book, err = excelize.OpenFile(filepath.Join(folder, workbook.FileName)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.book.Close() })
	return f
}

// number reads a cell; an empty one is 0.
func (f *nightFiles) number(text string) int64 {
	f.t.Helper()
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// sum adds up a column of a file, of the rows that a filter lets through.
func (f *nightFiles) sum(file, column string, keep func(row map[string]string) bool) (total int64) {
	f.t.Helper()
	for _, row := range f.tables[file] {
		if keep == nil || keep(row) {
			total += f.number(row[column])
		}
	}
	return total
}

func (f *nightFiles) equal(what string, got, want int64) {
	f.t.Helper()
	if got != want {
		f.t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// onSheet adds up a column of a sheet's rows, not its totals, in minor units.
func (f *nightFiles) onSheet(sheet, column, unitColumn, unit string, decimals int) (total int64) {
	f.t.Helper()
	rows, err := f.book.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil {
		f.t.Fatal(err)
	}
	place := func(name string) int {
		for i, header := range rows[0] {
			if header == name {
				return i
			}
		}
		f.t.Fatalf("sheet %s has no column %s", sheet, name)
		return 0
	}
	at, unitAt := place(column), -1
	if unitColumn != "" {
		unitAt = place(unitColumn)
	}
	for _, row := range rows[1:] {
		if len(row) == 0 || row[0] == "" {
			break // the totals follow one blank row below
		}
		if at >= len(row) || unitAt >= 0 && row[unitAt] != unit {
			continue
		}
		total += f.minor(row[at], decimals)
	}
	return total
}

// minor turns a decimal into minor units without floating point.
func (f *nightFiles) minor(text string, decimals int) int64 {
	f.t.Helper()
	whole, fraction, _ := strings.Cut(text, ".")
	return f.number(whole + (fraction + strings.Repeat("0", decimals))[:decimals])
}

func (f *nightFiles) breaksAgree() {
	open := map[string]int64{}
	for _, row := range f.tables["breaks.csv"] {
		if row["status"] == "open" {
			open[row["severity"]]++
			open["all"]++
		}
	}
	f.equal("open breaks", f.summary.Breaks.Open, open["all"])
	for _, severity := range f.summary.Breaks.BySeverity {
		f.equal("open breaks of severity "+string(severity.Severity), severity.Open, open[string(severity.Severity)])
	}
	rows, err := f.book.GetRows("Breaks")
	if err != nil {
		f.t.Fatal(err)
	}
	onSheet := 0
	for _, row := range rows {
		if len(row) > 3 && strings.HasPrefix(row[0], "brk_") && row[3] == "open" {
			onSheet++
		}
	}
	f.equal("open breaks in the workbook", int64(onSheet), open["all"])
	if want := `<span class="name">Open breaks</span> <span class="big error">` + strconv.FormatInt(open["all"], 10) + "<"; open["error"] > 0 && !strings.Contains(f.page, want) {
		f.t.Errorf("the page doesn't say %s", want)
	}
}

func (f *nightFiles) creditBacksAgree() {
	credited := f.sum("credit_backs.csv", "credit_back", nil)
	f.equal("credits in summary.json", f.number(string(f.summary.CreditBacks.ByDecision[0].Credited)), credited)
	f.equal("credits in the workbook", f.onSheet("CreditBacks", "credit_back", "", "", 0), credited)
	f.equal("failed jobs", f.summary.CreditBacks.Jobs, int64(len(f.tables["credit_backs.csv"])))
}

func (f *nightFiles) liabilityAgrees(before *nightFiles) {
	closing := map[string]int64{}
	if before != nil {
		for _, row := range before.tables["roll_forward.csv"] {
			closing[row["measure"]] = f.number(row["closing"])
		}
	}
	if len(f.tables["roll_forward.csv"]) == 0 {
		f.t.Error("there is no roll-forward")
	}
	for i, row := range f.tables["roll_forward.csv"] {
		measure, total := row["measure"], int64(0)
		for _, column := range []string{"opening", "purchases", "promotions", "usage", "credit_backs", "refunds", "adjustments", "late_items"} {
			total += f.number(row[column])
		}
		f.equal(measure+": closing", f.number(row["closing"]), total)
		f.equal(measure+": closing from lots", f.number(row["closing_from_lots"]), total)
		f.equal(measure+": difference", f.number(row["difference"]), 0)
		if opening, known := closing[measure]; known {
			f.equal(measure+": opening", f.number(row["opening"]), opening)
		}
		f.equal(measure+": closing in summary.json", f.number(string(f.summary.RollForward[i].Closing)), total)
		decimals := 0
		if measure != "credits" {
			decimals, _ = reconcile.Exponent(measure)
		}
		f.equal(measure+": closing in the workbook", f.onSheet("RollForward", "closing", "measure", measure, decimals), total)
		shown := reconcile.FormatDecimal(total, decimals)
		if whole, fraction, _ := strings.Cut(shown, "."); len(whole) > 3 && total > 0 {
			for at := len(whole) - 3; at > 0; at -= 3 {
				whole = whole[:at] + "," + whole[at:]
			}
			shown = strings.TrimSuffix(whole+"."+fraction, ".")
		}
		if total >= 0 && !strings.Contains(f.page, "<strong>"+shown+"</strong>") {
			f.t.Errorf("%s: the page doesn't have the closing %s", measure, shown)
		}
	}
}

func (f *nightFiles) stripeAgrees(before *nightFiles) {
	if !f.summary.Stripe.Looked {
		f.t.Error("Stripe was not looked at")
	}
	for _, row := range f.tables["stripe_cash.csv"] {
		currency := row["currency"]
		inCurrency := func(activity map[string]string) bool { return activity["currency"] == currency }
		f.equal(currency+": net activity", f.sum("stripe_activity.csv", "net", inCurrency), f.number(row["activity_minor"])+f.number(row["payouts_minor"]))
		f.equal(currency+": gross less fees", f.sum("stripe_activity.csv", "gross", inCurrency)-f.sum("stripe_activity.csv", "fee", inCurrency), f.sum("stripe_activity.csv", "net", inCurrency))
		f.equal(currency+": closing", f.number(row["closing_minor"]), f.number(row["opening_minor"])+f.number(row["activity_minor"])+f.number(row["payouts_minor"]))
		f.equal(currency+": available and pending", f.number(row["available_minor"])+f.number(row["pending_minor"]), f.number(row["closing_minor"]))
		decimals, _ := reconcile.Exponent(currency)
		f.equal(currency+": activity in the workbook", f.onSheet("StripeActivity", "net", "currency", currency, decimals), f.sum("stripe_activity.csv", "net", inCurrency))
		if before != nil {
			for _, earlier := range before.tables["stripe_cash.csv"] {
				if earlier["currency"] == currency {
					f.equal(currency+": opening at Stripe", f.number(row["opening_minor"]), f.number(earlier["closing_minor"]))
				}
			}
		}
	}
	items := map[string]map[string]int64{}
	for _, row := range f.tables["payout_items.csv"] {
		of := items[row["payout_id"]]
		if of == nil {
			of = map[string]int64{}
			items[row["payout_id"]] = of
		}
		of["transactions"]++
		for _, column := range []string{"gross_minor", "fee_minor", "net_minor"} {
			of[column] += f.number(row[column])
		}
	}
	for _, row := range f.tables["payouts.csv"] {
		for _, column := range []string{"transactions", "gross_minor", "fee_minor", "net_minor"} {
			f.equal(column+" of payout "+row["payout_id"]+" by its items", items[row["payout_id"]][column], f.number(row[column]))
		}
		explained := f.number(row["net_minor"])
		if row["tie_out"] == "returned" {
			explained = f.number(row["returned_minor"])
		}
		f.equal("residual of payout "+row["payout_id"], f.number(row["residual_minor"]), f.number(row["amount_minor"])-explained)
	}
}

func (f *nightFiles) journalAgrees(before *nightFiles) {
	balance, liability := map[[2]string]int64{}, map[string]int64{}
	debits := map[string]int64{}
	for _, row := range f.tables["journal.csv"] {
		amount := f.number(row["debit"]) - f.number(row["credit"])
		balance[[2]string{row["entry_id"], row["currency"]}] += amount
		debits[row["currency"]] += f.number(row["debit"])
		if strings.HasPrefix(row["ledger_account"], "Liabilities:Credits:Refundable:") || strings.HasPrefix(row["ledger_account"], "Liabilities:Credits:Contract:") {
			liability[row["currency"]] -= amount
		}
	}
	for entry, sum := range balance {
		f.equal("entry "+entry[0]+" in "+entry[1], sum, 0)
	}
	for currency, sum := range debits {
		decimals := 0
		if currency != "credits" {
			decimals, _ = reconcile.Exponent(currency)
		}
		f.equal("debits in "+currency+" in the workbook", f.onSheet("Journal", "debit", "currency", currency, decimals), sum)
	}
	for _, row := range f.tables["roll_forward.csv"] {
		moved := f.number(row["closing"])
		if before != nil { // the first night's journal also opens the books
			moved -= f.number(row["opening"])
		}
		if measure := row["measure"]; measure != "credits" {
			f.equal(measure+": liability moved in the journal", liability[measure], moved)
		}
	}
}

func (f *nightFiles) controlsAgree() {
	for _, row := range f.tables["control_totals.csv"] {
		f.equal(row["check"]+" "+row["unit"], f.number(row["matched"])+f.number(row["awaiting"])+f.number(row["breaks"])+f.number(row["difference"]), f.number(row["scanned"]))
		f.equal(row["check"]+" "+row["unit"]+": difference", f.number(row["difference"]), 0)
	}
	if f.summary.Status != figures.StatusTied {
		f.t.Errorf("the night is %s: %v", f.summary.Status, f.summary.StatusReasons)
	}
}

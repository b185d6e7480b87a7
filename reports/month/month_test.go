package month_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/xuri/excelize/v2"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/journal"
	"github.com/hummingbytes/reconciler/reports/month"
	"github.com/hummingbytes/reconciler/reports/reportstest"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
)

func day(text string) reconcile.Date {
	d, err := reconcile.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// of is the account of a role in a currency.
func of(role accounting.AccountRole, currency string) string {
	return accounting.DefaultChart().Account(role).Name + ":" + map[string]string{"usd": "USD", "kwd": "KWD"}[currency]
}

func balance(role accounting.AccountRole, currency string, opening, debits, credits int64) month.TrialBalance {
	return month.TrialBalance{Account: of(role, currency), Currency: currency, Opening: numbers.Int(opening), Debits: numbers.Int(debits), Credits: numbers.Int(credits),
		Closing: numbers.Int(opening + debits - credits), Role: role}
}

func proof(what, unit string, one, other int64) month.Proof {
	return month.Proof{What: what, Unit: unit, One: numbers.Int(one), Other: numbers.Int(other), Difference: numbers.Int(one - other)}
}

// hostile is text that people and other systems may have written.
const hostile = `=HYPERLINK("http://example.test","x") <script>alert(1)</script> & "quoted", two
lines`

// signed is a month with something in every part of it, closed and reviewed.
func signed() *month.Input {
	in := &month.Input{Month: reconcile.Month{Year: 2026, Month: 4}, Through: day("2026-04-30"), TimeZone: "UTC", CodeVersion: "v1.4.0", Chart: accounting.DefaultChart()}
	for d := day("2026-04-01"); !in.Through.Before(d); d = d.AddDays(1) {
		in.Nights = append(in.Nights, month.Night{BusinessDate: d, Revision: 1 + d.Day%7/6, ManifestSHA256: fmt.Sprintf("%064x", d.Day*7919), Status: figures.StatusTied,
			BooksBegin: tables.Moment{Time: instant("2026-03-02T00:00:00Z")}})
	}
	in.StripeSeen = in.Through
	in.Trial = []month.TrialBalance{
		balance(accounting.Bank, "usd", 1_200_000, 345_000, 0), balance(accounting.DisputesReceivable, "usd", 0, 9900, 4900),
		balance(accounting.StripeBalance, "usd", 120_000, 400_000, 350_000), balance(accounting.PayoutsInTransit, "usd", 0, 350_000, 345_000),
		balance(accounting.PurchaseClearing, "usd", -4900, 412_000, 407_000), balance(accounting.StripeSuspense, "usd", 0, 150, 0),
		balance(accounting.ProcessingFees, "usd", 30_000, 12_345, 0), balance(accounting.UsageRevenue, "usd", -900_000, 2000, 301_345),
		balance(accounting.SubscriptionRevenue, "usd", 0, 0, 1900), balance(accounting.ContractLiability, "usd", -380_000, 320_000, 340_000),
		balance(accounting.RefundLiability, "usd", -65_100, 345_000, 379_900), balance(accounting.SubscriptionLiability, "usd", 0, 1900, 3000),
		balance(accounting.RefundClearing, "usd", 0, 4613, 9226), balance(accounting.TaxPayable, "usd", 0, 0, 310), balance(accounting.CustomerBalances, "usd", 0, 500, 327),
		balance(accounting.FeesWithheld, "usd", 0, 0, 60_500),
		balance(accounting.PurchaseClearing, "kwd", 0, 12_500, 12_500), balance(accounting.RefundLiability, "kwd", 0, 0, 12_500), balance(accounting.CurrencyConversion, "kwd", 0, 12_500, 0),
	}
	item := func(role accounting.AccountRole, kind, id, account, since string, amount int64, breakID, explanation string) month.OpenItem {
		return month.OpenItem{Account: of(role, "usd"), Currency: "usd", ItemType: kind, ItemID: id, AccountID: account, OpenedOn: day(since),
			AgeDays: int64(in.Through.DaysSince(day(since))), Amount: numbers.Int(amount), BreakID: breakID, Explanation: explanation, Role: role}
	}
	in.Items = []month.OpenItem{
		item(accounting.PayoutsInTransit, "payout", "po_31", "", "2026-04-30", 5000, "", "Left Stripe, and has not arrived at the bank."),
		item(accounting.PurchaseClearing, "charge", "ch_7", "", "2026-03-30", -4900, "brk_00000000000000000002", "Charged 49.00 USD at Stripe; no purchase of the platform names it. Open break: charge missing in platform."),
		item(accounting.PurchaseClearing, "purchase", "pur_12", "acc_5", "2026-04-29", 5000, "", "Sold for 50.00 USD; no charge has brought it yet."),
		item(accounting.DisputesReceivable, "dispute", "dp_4", "acc_9", "2026-04-11", 5000, "brk_00000000000000000003", "Withdrawn for a dispute that is not decided."),
		item(accounting.StripeSuspense, "balance_transaction", "txn_99", "", "2026-04-17", 150, "", "A movement at Stripe that no rule knows; see its reporting category."),
		item(accounting.RefundClearing, "purchase", "pur_10", "acc_2", "2026-04-28", -4613, "", "46.13 USD is to be paid back; Stripe has not paid it."),
		item(accounting.CustomerBalances, "account", "acc_3", "acc_3", "2026-04-02", 173, "", "Invoices took this from the customer's balance; where it came from is not in the books."),
		item(accounting.TaxPayable, "month", "2026-04", "", "2026-04-01", -310, "", "Tax on what was sold and refunded in 2026-04, for the tax office; that it was paid is not in these books."),
	}
	in.Waterfall = []month.Waterfall{
		{SoldMonth: "", Kind: "subscription", Currency: "usd", Sold: "-500", Refunded: "0", EarnedBefore: "0", Earned: "-500", Remaining: "0"},
		{SoldMonth: "2026-03", Kind: "credits", Currency: "usd", Sold: "1345100", Refunded: "0", EarnedBefore: "900000", Earned: "270000", Remaining: "175100"},
		{SoldMonth: "2026-04", Kind: "credits", Currency: "kwd", Sold: "12500", Refunded: "0", EarnedBefore: "0", Earned: "0", Remaining: "12500"},
		{SoldMonth: "2026-04", Kind: "credits", Currency: "usd", Sold: "379900", Refunded: "45655", EarnedBefore: "0", Earned: "29345", Remaining: "304900"},
		{SoldMonth: "2026-04", Kind: "subscription", Currency: "usd", Sold: "3000", Refunded: "0", EarnedBefore: "0", Earned: "1900", Remaining: "1100"},
	}
	in.RollForward = []tables.RollForward{
		{Measure: accounting.CreditUnit, Opening: "52000", Purchases: "41000", Promotions: "500", Usage: "-33000", CreditBacks: "1200", Refunds: "-5000", Adjustments: "-25", LateItems: "0", Closing: "56675", ClosingFromLots: "56675", Difference: "0"},
		{Measure: "kwd", Opening: "0", Purchases: "12500", Promotions: "0", Usage: "0", CreditBacks: "0", Refunds: "0", Adjustments: "0", LateItems: "0", Closing: "12500", ClosingFromLots: "12500", Difference: "0"},
		{Measure: "usd", Opening: "445100", Purchases: "379900", Promotions: "0", Usage: "-301345", CreditBacks: "2000", Refunds: "-45655", Adjustments: "0", LateItems: "0", Closing: "480000", ClosingFromLots: "480000", Difference: "0"},
	}
	in.Cash = []month.Cash{{Currency: "usd", OpeningMinor: "120000", ActivityMinor: "400000", PayoutsMinor: "-350000", ClosingMinor: "170000", ResidualMinor: "0", ComparedOn: day("2026-04-30")}}
	in.Activity = []tables.StripeActivity{
		{ReportingCategory: "charge", Currency: "usd", Count: 83, Gross: "407000", Fee: "12345", Net: "394655"},
		{ReportingCategory: "payout", Currency: "usd", Count: 4, Gross: "-350000", Fee: "0", Net: "-350000"},
	}
	in.Income = []month.Income{
		{Account: of(accounting.UsageRevenue, "usd"), Currency: "usd", Month: "299345", Year: "1199345"}, {Account: of(accounting.SubscriptionRevenue, "usd"), Currency: "usd", Month: "1900", Year: "1900"},
		{Account: of(accounting.ProcessingFees, "usd"), Currency: "usd", Month: "-12345", Year: "-42345"}, {Account: "Income less expenses", Currency: "usd", Month: "288900", Year: "1158900", IsTotal: true},
	}
	found := func(id string, kind reconcile.BreakKind, subject, since string, variance int64, owner, note string) month.Break {
		rule, ok := kind.Rule()
		if !ok {
			panic(kind)
		}
		b := month.Break{BreakID: id, Kind: kind, Severity: rule.Severity, Status: "open", AccountID: "acc_9", SubjectType: rule.SubjectType, SubjectID: subject, Field: "amount_minor", Variance: numbers.Int(variance),
			Unit: "usd", FirstSeen: day(since), LastSeen: in.Through, AgeDays: int64(in.Through.DaysSince(day(since))), Action: rule.Action, Detail: hostile, Owner: owner, State: "open", Note: note}
		if owner != "" {
			b.State, b.DueOn = "investigating", day("2026-05-08")
		}
		return b
	}
	in.Breaks = []month.Break{
		found("brk_00000000000000000001", reconcile.JobStuck, "job_1", "2026-04-29", 0, "", ""),
		found("brk_00000000000000000002", reconcile.ChargeMissingInPlatform, "ch_7", "2026-03-31", -4900, "Cleo Petit", hostile),
		found("brk_00000000000000000003", reconcile.DisputeAccountActive, "dp_4", "2026-04-12", 5000, "Bo Li", "wrote to the customer"),
	}
	in.Refunds = []month.Refund{
		{BookedOn: day("2026-04-09"), Category: "refund", BalanceTransactionID: "txn_5", RefundID: "re_5", ChargeID: "ch_5", PurchaseID: "pur_5", AccountID: "acc_4", AmountMinor: "-4613", Currency: "usd", Reason: "requested_by_customer"},
		{BookedOn: day("2026-04-12"), Category: "refund_failure", BalanceTransactionID: "txn_6", RefundID: "re_5", ChargeID: "ch_5", PurchaseID: "pur_5", AccountID: "acc_4", AmountMinor: "4613", Currency: "usd"},
	}
	in.Disputes = []tables.Dispute{{DisputeID: "dp_4", AccountID: "acc_9", PurchaseID: "pur_9", ChargeID: "ch_9", Phase: "dispute", Status: "under_review", Reason: "fraudulent", OpenedAt: instant("2026-04-11T09:00:00Z"),
		AmountMinor: 9900, Currency: "usd", WithdrawnMinor: "9900", ReturnedMinor: "4900", FeesMinor: "1500", SettlementCurrency: "usd"}}
	in.Late = []month.LateItem{
		{BookedOn: day("2026-04-03"), BelongsTo: day("2026-03-31"), ItemType: "credit_entry", ItemID: "ent_7", AccountID: "acc_7", Amount: "-40", Unit: accounting.CreditUnit, Signed: "2026-03"},
		{BookedOn: day("2026-04-20"), BelongsTo: day("2026-04-18"), ItemType: "purchase", ItemID: "pur_41", AccountID: "acc_8", Amount: "4900", Unit: "usd"},
	}
	in.Proofs = []month.Proof{proof("Debits of the month against credits", "usd", 2_203_408, 2_203_408), proof("Closing against the lots counted again", accounting.CreditUnit, 56_675, 56_675),
		proof("Open items of "+of(accounting.PurchaseClearing, "usd")+" against its balance", "usd", 100, 100)}
	in.Journal = tables.Of(
		month.JournalLine{BusinessDate: day("2026-04-29"), JournalLine: tables.JournalLine{EntryID: "20260429-abcdefghijkl", LineNo: 1, AccountID: "acc_5", Kind: "purchase", Account: of(accounting.PurchaseClearing, "usd"), Debit: "5000", Currency: "usd", Description: "Purchase pur_12 of 500 credits", Source: "pur_12", Clause: "2.1"}},
		month.JournalLine{BusinessDate: day("2026-04-29"), JournalLine: tables.JournalLine{EntryID: "20260429-abcdefghijkl", LineNo: 2, AccountID: "acc_5", Kind: "purchase", Account: of(accounting.RefundLiability, "usd"), Credit: "5000", Currency: "usd", Description: "Purchase pur_12 of 500 credits", Source: "pur_12", Clause: "2.1"}},
	)
	in.Balances = []journal.LedgerBalance{{Account: of(accounting.PurchaseClearing, "usd"), Currency: "usd", Opening: "-4900", Closing: "100"}, {Account: of(accounting.RefundLiability, "usd"), Currency: "usd", Opening: "-65100", Closing: "-100000"}}
	closed := instant("2026-05-04T09:30:00Z")
	in.SignOff = month.SignOff{Period: "2026-04", State: month.StateReviewed, Closed: &month.Signature{By: "Ana Ruiz", At: closed},
		Reviewed: &month.Signature{By: "Ben Okafor", At: closed.Add(26 * time.Hour), ManifestSHA256: fmt.Sprintf("%064x", 271828)}, OpenErrors: 1, OpenWarnings: 1, OpenInfos: 1,
		Accepted: []month.Acceptance{{BreakID: "brk_00000000000000000002", Kind: reconcile.ChargeMissingInPlatform, SubjectType: "charge", SubjectID: "ch_7", AcceptedBy: "Ana Ruiz", Reason: hostile, At: closed}},
		History:  []month.Action{{Action: "closed", By: "Ana Ruiz", At: closed}, {Action: "reviewed", By: "Ben Okafor", At: closed.Add(26 * time.Hour)}}}
	return in
}

// reopened is that month after it was opened again: a night is missing, one does not tie, balances and items are others than were signed.
func reopened() *month.Input {
	in := signed()
	was := month.Published{Revision: 2, State: month.StateReviewed, Trial: in.Trial, Items: in.Items}
	in.Baseline = func(context.Context, int) (month.Published, error) { return was, nil }
	in.Signed, in.Before = was, month.Published{Revision: 4, State: month.StateReviewed, Trial: []month.TrialBalance{balance(accounting.Bank, "usd", 0, 1_199_000, 0)}}
	now := signed()
	in.Trial, in.Items, in.Nights = now.Trial, now.Items[1:], now.Nights[:29]
	in.Missing = []reconcile.Date{day("2026-04-30")}
	in.Nights[3].Status, in.Through = figures.StatusUntied, day("2026-04-29")
	in.StripeSeen = day("2026-04-27")
	in.Trial[7] = balance(accounting.UsageRevenue, "usd", -900_000, 2000, 302_345)
	in.Items[0].Amount = "-4850"
	in.Proofs[2] = proof("Open items of "+of(accounting.PurchaseClearing, "usd")+" against its balance", "usd", 150, 100)
	in.Cash[0].ResidualMinor = "1200"
	s := &in.SignOff
	s.State, s.Closed, s.Reviewed, s.Accepted = month.StateDraft, nil, nil, nil
	s.History = append(s.History, month.Action{Action: "reopened", By: "Ana Ruiz", At: instant("2026-05-07T10:00:00Z"), Reason: hostile})
	return in
}

// bare is a month in which nothing happened, and Stripe was not looked at.
func bare() *month.Input {
	in := &month.Input{Month: reconcile.Month{Year: 2026, Month: 2}, Through: day("2026-02-28"), TimeZone: "Europe/Zurich", CodeVersion: "v1.4.0", Chart: accounting.DefaultChart(),
		SignOff: month.SignOff{Period: "2026-02", State: month.StateDraft}, Journal: tables.Of[month.JournalLine]()}
	in.Nights = []month.Night{{BusinessDate: in.Through, Revision: 1, ManifestSHA256: fmt.Sprintf("%064x", 1), Status: figures.StatusTied, BooksBegin: tables.Moment{Time: instant("2026-02-28T00:00:00Z")}}}
	in.RollForward = []tables.RollForward{{Measure: accounting.CreditUnit, Opening: "0", Purchases: "0", Promotions: "0", Usage: "0", CreditBacks: "0", Refunds: "0", Adjustments: "0", LateItems: "0", Closing: "0", ClosingFromLots: "0", Difference: "0"}}
	return in
}

// published are the folders of the months that the tests look at, by name.
func published(t *testing.T) map[string]string {
	t.Helper()
	ctx, folders := t.Context(), map[string]string{}
	for name, inputs := range map[string][]*month.Input{"signed": {signed()}, "reopened": {signed(), reopened()}, "bare": {bare()}} {
		root := t.TempDir()
		st, err := storage.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		for i, in := range inputs {
			prepared, err := month.Prepare(ctx, st, in)
			if err != nil {
				t.Fatal(err)
			}
			if prepared.Revision() != i+1 {
				t.Errorf("%s: revision %d, want %d", name, prepared.Revision(), i+1)
			}
			if err := prepared.Publish(ctx); err != nil {
				t.Fatal(err)
			}
		}
		folders[name] = filepath.Join(root, inputs[0].Month.String())
	}
	return folders
}

// workbookLine is what of the page depends on the compressor, and so does the page's own line and the workbook's in the manifest.
var workbookLine = regexp.MustCompile(`(month\.xlsx</a></th><td class="n">–</td><td class="n">)[0-9,]+(</td><td class="id">)[0-9a-f]{64}`)

func TestGoldenMonths(t *testing.T) {
	for name, folder := range published(t) {
		t.Run(name, func(t *testing.T) {
			files, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				name, content := filepath.Join(name, file.Name()), []byte(nil)
				if content, err = os.ReadFile(filepath.Join(folder, file.Name())); err != nil {
					t.Fatal(err)
				}
				switch file.Name() {
				case month.WorkbookName:
					name, content = name+".txt", reportstest.Cells(t, content)
				case month.PageName:
					content = workbookLine.ReplaceAll(content, []byte("$1?$2?"))
				case storage.ManifestName:
					content = withoutCompressor(t, content)
				}
				reportstest.Golden(t, name, content)
			}
		})
	}
}

// A label that is longer than its column is shown over several lines: the figure beside it would cover its end.
func TestLabelsOfFiguresAreShownWhole(t *testing.T) {
	book, err := excelize.OpenFile(filepath.Join(published(t)["signed"], month.WorkbookName))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("Summary")
	if err != nil {
		t.Fatal(err)
	}
	width, err := book.GetColWidth("Summary", "A")
	if err != nil {
		t.Fatal(err)
	}
	long := 0
	for i, row := range rows {
		if len(row) < 2 || float64(len(row[0])) < width {
			continue
		}
		long++
		style, err := book.GetCellStyle("Summary", fmt.Sprintf("A%d", i+1))
		if err != nil {
			t.Fatal(err)
		}
		shown, err := book.GetStyle(style)
		if err != nil {
			t.Fatal(err)
		}
		height, err := book.GetRowHeight("Summary", i+1)
		if lines := math.Ceil(float64(len(row[0])) / width); err != nil || height < 15*lines || shown.Alignment == nil || !shown.Alignment.WrapText {
			t.Errorf("%q has %g points, want %g lines: %v", row[0], height, lines, err)
		}
	}
	if long == 0 {
		t.Error("no label is long")
	}
}

func withoutCompressor(t *testing.T, raw []byte) []byte {
	t.Helper()
	var manifest month.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	for i := range manifest.Files {
		if file := &manifest.Files[i]; file.Name == month.WorkbookName || file.Name == month.PageName { // the page lists the workbook
			file.Size, file.SHA256 = 0, ""
		}
	}
	raw, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(raw, '\n')
}

func TestMonthIsAccessible(t *testing.T) {
	browser := reportstest.OpenBrowser(t)
	if browser == nil {
		return
	}
	folders, looks := published(t), reportstest.Looks // each on some of the screens: they have the same tables and styles
	for name, looks := range map[string][]reportstest.Look{"signed": {looks[0], looks[3]}, "reopened": {looks[1], looks[2], looks[4]}, "bare": {looks[2]}} {
		folder := folders[name]
		browser.Run(chromedp.Navigate("file://" + filepath.Join(folder, month.PageName)))
		browser.Judge("month-"+name, looks...)
		browser.Print("month-" + name)
	}
}

// No text of a customer or a colleague gets to be markup or a formula.
func TestHostileTextsOfAMonth(t *testing.T) {
	folder := published(t)["signed"]
	for name, forbidden := range map[string]string{month.PageName: "<script>alert", "breaks.csv": ",=HYPERLINK"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(forbidden)) || !bytes.Contains(content, []byte("HYPERLINK")) {
			t.Errorf("%s: a hostile text is missing or not defused", name)
		}
	}
}

package journal

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/reportstest"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// ledgerOf makes a night's ledger of entries, continuing from the balances of the night before.
func ledgerOf(t testing.TB, date reconcile.Date, before []LedgerBalance, groups ...[]accounting.JournalEntry) Ledger {
	t.Helper()
	chart := accounting.DefaultChart()
	l := Ledger{Date: date, Chart: chart}
	for _, b := range before {
		l.Balances = append(l.Balances, LedgerBalance{b.Account, b.Currency, b.Closing, b.Closing})
	}
	var lines []tables.JournalLine
	for _, entries := range groups {
		for _, e := range entries {
			if err := e.Check(); err != nil {
				t.Fatal(err)
			}
			for i, line := range e.Lines {
				row := tables.JournalLine{EntryID: e.ID, LineNo: int64(i + 1), AccountID: e.AccountID, Kind: string(e.Kind), Account: chart.Name(line.Role, line.Currency),
					Currency: line.Currency, Description: e.Description, Source: e.Source, Clause: e.Clause}
				amount := numbers.Number(line.Amount.String())
				if row.Debit = amount; amount.IsNegative() {
					row.Debit, row.Credit = "", amount.Neg()
				}
				lines = append(lines, row)
				l.Accounts = append(l.Accounts, LedgerAccount{row.Account, row.Currency})
				if !line.Role.IsPermanent() {
					continue
				}
				at := slices.IndexFunc(l.Balances, func(b LedgerBalance) bool { return b.Account == row.Account })
				if at < 0 {
					at = len(l.Balances)
					l.Balances = append(l.Balances, LedgerBalance{row.Account, row.Currency, "0", "0"})
				}
				l.Balances[at].Closing = l.Balances[at].Closing.Plus(amount)
			}
		}
	}
	slices.SortFunc(l.Balances, func(a, b LedgerBalance) int { return strings.Compare(a.Account, b.Account) })
	slices.SortStableFunc(lines, func(a, b tables.JournalLine) int { return strings.Compare(a.EntryID, b.EntryID) })
	l.Lines = tables.Of(lines...)
	return l
}

// twoNights has every kind of entry, currencies with 0, 2, 3 and unknown decimals, amounts beyond 64 bits, and ids that mean harm.
func twoNights(t testing.TB) [2]Ledger {
	n := func(text string) *big.Int {
		value, ok := new(big.Int).SetString(text, 10)
		if !ok {
			t.Fatal(text)
		}
		return value
	}
	first, second := reconcile.Date{Year: 2026, Month: time.February, Day: 28}, reconcile.Date{Year: 2026, Month: time.March, Day: 1}
	buy := func(night reconcile.Date, id, kind string, credits, amount int64, currency string) []accounting.JournalEntry {
		return accounting.PostPurchase(night, accounting.BookedPurchase{AccountID: "acct_1", PurchaseID: id, Kind: kind, Credits: credits, AmountMinor: amount, Currency: currency})
	}
	one := ledgerOf(t, first, nil,
		accounting.PostOpening(first, n("500"), []accounting.Liability{{Currency: "usd", Total: n("9900"), Refundable: n("2500")}, {Currency: "jpy", Total: n("1200"), Refundable: n("0")}}),
		accounting.PostStripeBeforehand(first, "usd", n("100000")),
		buy(first, "pur_1", "credits", 100, 1000, "usd"), buy(first, "=cmd|' /C calc'!A0; note: \"x\", y:z\n2026-01-01 evil", "credits", 1, 5, "usd"),
		buy(first, "pur_kwd", "credits", 10, 12345, "kwd"), buy(first, "pur_ugx", "credits", 10, 777, "ugx"), buy(first, "sub", "subscription", 0, 9900, "usd"),
		accounting.PostCredits(first, accounting.CreditMovement{Purchases: n("121"), Promotions: n("5"), Usage: n("-7"), CreditBacks: n("2"), Refunds: n("0"), Adjustments: n("0"), LateItems: n("0")}),
	)
	two := ledgerOf(t, second, one.Balances,
		buy(second, "pur_2", "credits", 100, 1000, "usd"),
		accounting.PostPurchase(second, accounting.BookedPurchase{AccountID: "acct_2", PurchaseID: "pur_late", Kind: "credits", Credits: 3, AmountMinor: 300, Currency: "jpy", CompletedOn: first, Late: true}),
		accounting.PostWindowChange(second, accounting.WindowChange{Currency: "usd", State: reconcile.WindowUsed, Closed: true, Count: 2, Amount: n("1005")}),
		accounting.PostWindowChange(second, accounting.WindowChange{Currency: "jpy", State: reconcile.WindowOpen, Count: 1, Amount: n("10")}),
		accounting.PostMovement(second, accounting.Movement{Currency: "usd", Usage: n("-27670116110564327424"), CreditBacks: n("5"), Adjustments: n("-3"), Reallocated: n("-2"), LateItems: n("-1"), Debits: 7, CreditBackEntries: 1, LateEntries: 1}),
		accounting.PostRefund(second, accounting.RefundedLot{AccountID: "acct_1", PurchaseID: "pur_1", Currency: "usd", PaidMinor: 1000, ValueBefore: n("1000"), ValueAfter: n("0"), WasRefundable: true, WithheldMinor: 59}),
		accounting.PostRefund(second, accounting.RefundedLot{AccountID: "acct_1", PurchaseID: "pur_0", Currency: "jpy", PaidMinor: 100, ValueBefore: n("0"), ValueAfter: n("100"), Reversed: true, Late: true}),
		accounting.PostCredits(second, accounting.CreditMovement{Purchases: n("100"), Promotions: n("0"), Usage: n("-70"), CreditBacks: n("1"), Refunds: n("-100"), Adjustments: n("-1"), LateItems: n("2")}),
		accounting.PostStripe(second, accounting.StripeActivity{Category: "charge", Count: 3, Currency: "usd", Amount: n("3000"), Fee: n("177"), PresentedCurrency: "usd", Presented: n("3000")}),
		accounting.PostStripe(second, accounting.StripeActivity{Category: "charge", Count: 1, Currency: "usd", Amount: n("4012"), Fee: n("150"), PresentedCurrency: "kwd", Presented: n("12345")}),
		accounting.PostStripe(second, accounting.StripeActivity{Category: "refund", Source: "txn_1", Count: 1, Currency: "usd", Amount: n("-941"), Fee: n("0")}),
		accounting.PostStripe(second, accounting.StripeActivity{Category: "dispute", Source: "txn_2", Count: 1, Currency: "usd", Amount: n("-1000"), Fee: n("1500")}),
		accounting.PostStripe(second, accounting.StripeActivity{Category: "payout", Source: "txn_3", Count: 1, Currency: "usd", Amount: n("-5000"), Fee: n("0")}),
		accounting.PostStripe(second, accounting.StripeActivity{Category: "risk_reserved_funds", Count: 1, Currency: "usd", Amount: n("-10"), Fee: n("0")}),
		accounting.PostPayoutState(second, accounting.MovedPayout{PayoutID: "po_1", Currency: "usd", AmountMinor: 5000}), accounting.PostPayoutState(second, accounting.MovedPayout{PayoutID: "po_0", Currency: "usd", AmountMinor: 400, Returned: true, WasPaid: true}),
		accounting.PostDisputeWriteOff(second, "dp_1", "usd", reconcile.DisputeWriteOff{LossMinor: 1000}),
	)
	return [2]Ledger{one, two}
}

func exported(t testing.TB, format string, l Ledger, o Options) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Export(context.Background(), &out, format, l, o); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return out.Bytes()
}

// accept has an accounting program read a file. In CI the program has to be there.
func accept(t testing.TB, content []byte, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Logf("%s is not installed: not checked by it", name)
		return
	}
	file := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(file, content, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, append(args, file)...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%.2000s", name, err, out)
	}
}

func TestJournalForPlainTextAccounting(t *testing.T) {
	var both []byte
	for i, l := range twoNights(t) {
		text := exported(t, "hledger", l, Options{})
		both = append(both, text...)
		reportstest.Golden(t, l.Date.String()+".hledger", text)
		accept(t, text, "hledger", "check", "--strict", "-f")
		accept(t, text, "hledger", "check", "payees", "-f")
		accept(t, text, "ledger", "--pedantic", "--strict", "balance", "-f")
		bean := exported(t, "beancount", l, Options{})
		reportstest.Golden(t, l.Date.String()+".beancount", bean)
		accept(t, bean, "bean-check")
		if i > 0 && !bytes.Contains(text, []byte("(20260301-open) Opening balances")) {
			t.Error("the second night does not open with what the first closed with")
		}
	}
	accept(t, both, "hledger", "check", "--strict", "-f")
	accept(t, both, "ledger", "--pedantic", "--strict", "balance", "-f")
}

// A balance that is not what the lines come to must not pass: the assertions of the files are what proves a month.
func TestWrongBalanceIsRefused(t *testing.T) {
	l := twoNights(t)[1]
	l.Balances = slices.Clone(l.Balances)
	l.Balances[0].Closing = l.Balances[0].Closing.Plus("1")
	for format, tool := range map[string][]string{"hledger": {"hledger", "check", "--strict", "-f"}, "beancount": {"bean-check"}} {
		path, err := exec.LookPath(tool[0])
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed", tool[0])
			}
			continue
		}
		file := filepath.Join(t.TempDir(), format)
		if err := os.WriteFile(file, exported(t, format, l, Options{}), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := exec.Command(path, append(tool[1:], file)...).Run(); err == nil {
			t.Errorf("%s takes a closing balance that is off by one", tool[0])
		}
	}
}

func TestNightWithoutJournal(t *testing.T) {
	l := ledgerOf(t, reconcile.Date{Year: 2026, Month: time.March, Day: 14}, nil)
	accept(t, exported(t, "hledger", l, Options{}), "hledger", "check", "--strict", "-f")
	accept(t, exported(t, "beancount", l, Options{}), "bean-check")
	if rows := exported(t, "quickbooks", l, Options{}); bytes.Count(rows, []byte("\n")) != 1 {
		t.Errorf("%s", rows)
	}
}

func TestExportsForAccountingPackages(t *testing.T) {
	for _, l := range twoNights(t) {
		for format, amounts := range map[string][]int{"quickbooks": {4, 5}, "xero": {5}, "netsuite": {6, 7}} {
			o := Options{Currency: "usd", Subsidiary: "Parent Company"}
			if format == "netsuite" {
				o.Currency = ""
			}
			text := exported(t, format, l, o)
			reportstest.Golden(t, l.Date.String()+"."+format+".csv", text)
			records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			net := map[string]numbers.Number{}
			for _, r := range records[1:] {
				journal := r[0]
				if format == "quickbooks" && len(journal) > 21 {
					t.Errorf("journal number %s is too long", journal)
				}
				for i, column := range amounts {
					amount := numbers.Number(strings.TrimLeft(strings.ReplaceAll(r[column], ".", ""), "0"))
					if sign := strings.HasPrefix(r[column], "-"); sign {
						amount = numbers.Number(strings.ReplaceAll(r[column], ".", ""))
					}
					if i == 1 {
						amount = amount.Neg()
					}
					net[journal] = net[journal].Plus(amount)
				}
			}
			for journal, off := range net {
				if !off.IsZero() {
					t.Errorf("%s: journal %s is off by %s", format, journal, off)
				}
			}
			if !bytes.Equal(text, exported(t, format, l, o)) {
				t.Errorf("%s: other bytes the second time", format)
			}
		}
	}
}

func TestExportsThatCannotBe(t *testing.T) {
	l := twoNights(t)[1]
	withoutCodes, err := accounting.DefaultChart().With(map[accounting.AccountRole]accounting.Account{accounting.UsageRevenue: {Name: "Income:Other"}})
	if err != nil {
		t.Fatal(err)
	}
	other := l
	other.Chart = withoutCodes // the lines are from before the account was renamed
	for name, c := range map[string]struct {
		format string
		l      Ledger
		o      Options
		want   string
	}{
		"several currencies": {"quickbooks", l, Options{}, "choose one with --currency"},
		"and for Xero":       {"xero", l, Options{}, "jpy"},
		"no code":            {"xero", other, Options{Currency: "usd"}, "Income:Credits:Used:USD"},
		"unknown format":     {"sap", l, Options{}, "netsuite"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Export(context.Background(), &bytes.Buffer{}, c.format, c.l, c.o)
			if !errors.Is(err, ErrExport) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestPlainDecimal(t *testing.T) {
	for _, c := range []struct {
		n        numbers.Number
		decimals int
		want     string
	}{{"0", 2, "0.00"}, {"", 0, "0"}, {"-5", 2, "-0.05"}, {"1234", 3, "1.234"}, {"-1234", 0, "-1234"}, {"27670116110564327424", 2, "276701161105643274.24"}, {"-0", 2, "0.00"}} {
		if got := numbers.PlainDecimal(c.n, c.decimals); got != c.want {
			t.Errorf("%q with %d decimals: %q, not %q", c.n, c.decimals, got, c.want)
		}
	}
}

// Package journal writes a night's or a month's journal for plain-text accounting, and as drafts for accounting packages.
package journal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// Ledger is what the writers of a journal need beside its lines: a night's, or a month's.
type Ledger struct {
	Date reconcile.Date // the night, or the first day
	// Through is the last day; the zero date: there is only the one.
	Through reconcile.Date
	// Balances of the balance sheet, as the night opened and as it closed, sorted by account.
	Balances []LedgerBalance
	// Accounts are all accounts of the night with their currency, sorted.
	Accounts []LedgerAccount
	Chart    accounting.Chart
	// Lines of the journal by entry and number.
	Lines tables.Rows[tables.JournalLine]
}

// LedgerAccount is an account that occurs in a night's journal.
type LedgerAccount struct {
	Account  string
	Currency string
}

// LedgerBalance is what an account of the balance sheet held; debits are above 0.
type LedgerBalance struct {
	Account  string
	Currency string
	Opening  numbers.Number
	Closing  numbers.Number
}

// LiabilitySplit is a row of liability_split.csv: what of a closing in roll_forward.csv may still be refunded, because a refund window
// stands open, and what may not. Measure as there.
type LiabilitySplit struct {
	Measure              string         `db:"measure"`
	RefundableOpening    numbers.Number `db:"refundable_opening"`
	RefundableClosing    numbers.Number `db:"refundable_closing"`
	NonrefundableOpening numbers.Number `db:"nonrefundable_opening"`
	NonrefundableClosing numbers.Number `db:"nonrefundable_closing"`
}

// commodity is how a currency is written in plain-text accounting. One whose decimals nobody knows is counted in minor units, and says so.
func commodity(currency string) (symbol string, decimals int) {
	if currency == accounting.CreditUnit {
		return "CREDITS", 0
	}
	decimals, known := reconcile.Exponent(currency)
	if !known {
		return strings.ToUpper(currency) + "MINOR", 0
	}
	return strings.ToUpper(currency), decimals
}

// plainAmount is an amount with its commodity: "-12.30 USD".
func plainAmount(n numbers.Number, currency string) string {
	symbol, decimals := commodity(currency)
	return numbers.PlainDecimal(n, decimals) + " " + symbol
}

// last is the journal's last day.
func (l Ledger) last() reconcile.Date {
	if l.Through.IsZero() {
		return l.Date
	}
	return l.Through
}

// days says which days the journal is of.
func (l Ledger) days() string {
	if l.last() == l.Date {
		return l.Date.String()
	}
	return l.Date.String() + " to " + l.Through.String()
}

// dateOf is the day of an entry, which its number begins with.
func (l Ledger) dateOf(entryID string) reconcile.Date {
	if !l.Through.IsZero() && len(entryID) > 8 {
		if date, err := reconcile.ParseDate(entryID[:4] + "-" + entryID[4:6] + "-" + entryID[6:8]); err == nil {
			return date
		}
	}
	return l.Date
}

// carried is the account that balances are carried from night to night through.
func (l Ledger) carried(currency string) string {
	if currency == accounting.CreditUnit {
		return l.Chart.Name(accounting.CreditsOpening, currency)
	}
	return l.Chart.Name(accounting.OpeningBalances, currency)
}

// allAccounts are the night's accounts and those that balances are carried through, sorted.
func (l Ledger) allAccounts() []LedgerAccount {
	all := slices.Clone(l.Accounts)
	for _, b := range l.Balances {
		all = append(all, LedgerAccount{b.Account, b.Currency}, LedgerAccount{l.carried(b.Currency), b.Currency})
	}
	slices.SortFunc(all, func(a, b LedgerAccount) int {
		return strings.Compare(a.Account+"\x00"+a.Currency, b.Account+"\x00"+b.Currency)
	})
	return slices.Compact(all)
}

func currenciesOf(accounts []LedgerAccount) []string {
	var currencies []string
	for _, a := range accounts {
		currencies = append(currencies, a.Currency)
	}
	slices.Sort(currencies)
	return slices.Compact(currencies)
}

// eachEntry hands the lines of one entry at a time to fn.
func (l Ledger) eachEntry(ctx context.Context, fn func(lines []tables.JournalLine) error) error {
	var entry []tables.JournalLine
	err := l.Lines(ctx, func(line tables.JournalLine) error {
		if len(entry) > 0 && entry[0].EntryID != line.EntryID {
			if err := fn(entry); err != nil {
				return err
			}
			entry = entry[:0]
		}
		entry = append(entry, line)
		return nil
	})
	if err != nil || len(entry) == 0 {
		return err
	}
	return fn(entry)
}

// WriteHledger writes the night for hledger and ledger. It stands on its own, and the files of consecutive nights can be put after one
// another: each opens with the balances that the one before closed with, asserts its own at the end, and puts them away again for the
// next one to take out.
func WriteHledger(ctx context.Context, w io.Writer, l Ledger) error {
	out := &hledgerFile{out: bufio.NewWriter(w), ledger: l}
	out.line("; Journal of %s", l.days())
	accounts := l.allAccounts()
	out.line("")
	for _, a := range accounts {
		out.line("account %s", a.Account)
	}
	out.line("")
	for _, currency := range currenciesOf(accounts) {
		symbol, decimals := commodity(currency)
		out.line("commodity %s", symbol)
		if decimals > 0 {
			out.line("    format 1000.%s %s", strings.Repeat("0", decimals), symbol)
		}
	}
	out.line("")
	for _, payee := range payees() {
		out.line("payee %s", payee)
	}
	for _, tag := range []string{"note", "customer", "source", "clause"} {
		out.line("tag %s", tag)
	}
	out.carry(l.Date, "open", openingPayee, func(b LedgerBalance) numbers.Number { return b.Opening }, "")
	err := l.eachEntry(ctx, func(lines []tables.JournalLine) error {
		first := lines[0]
		out.line("")
		out.line("%s (%s) %s", l.dateOf(first.EntryID), first.EntryID, payeeOf(first.Kind))
		out.tag("note", first.Description)
		out.tag("customer", first.AccountID)
		out.tag("source", first.Source)
		out.tag("clause", first.Clause)
		for _, line := range lines {
			out.line("    %s  %s", line.Account, plainAmount(line.Signed(), line.Currency))
		}
		return out.err
	})
	if err != nil {
		return err
	}
	out.carry(l.last(), "close", closingPayee, func(b LedgerBalance) numbers.Number { return b.Closing.Neg() }, " = 0")
	if out.err != nil {
		return out.err
	}
	return out.out.Flush()
}

const (
	openingPayee = "Opening balances"
	closingPayee = "Closing balances"
)

// payees are what the transactions of a journal are headed by.
func payees() []string {
	all := []string{openingPayee, closingPayee}
	for _, kind := range accounting.EntryKinds() {
		all = append(all, payeeOf(string(kind)))
	}
	return all
}

func payeeOf(kind string) string { return strings.ToUpper(kind[:1]) + kind[1:] }

type hledgerFile struct {
	out    *bufio.Writer
	ledger Ledger
	err    error
}

func (f *hledgerFile) line(format string, args ...any) {
	if f.err == nil {
		_, f.err = fmt.Fprintf(f.out, format+"\n", args...)
	}
}

// tag writes a tag of a transaction. Line breaks would end the comment, and commas the tag.
func (f *hledgerFile) tag(name, value string) {
	if value = singleLine(strings.ReplaceAll(value, ",", ";")); value != "" {
		f.line("    ; %s: %s", name, value)
	}
}

// carry takes balances out of the carrying account or puts them back into it. With an assertion, each account must then hold that.
func (f *hledgerFile) carry(date reconcile.Date, code, payee string, amount func(LedgerBalance) numbers.Number, assertion string) {
	var lines []string
	sums := map[string]numbers.Number{}
	for _, b := range f.ledger.Balances {
		n := amount(b)
		if n.IsZero() && assertion == "" {
			continue
		}
		line := fmt.Sprintf("    %s  %s", b.Account, plainAmount(n, b.Currency))
		if assertion != "" {
			line += " = " + plainAmount("0", b.Currency)
		}
		lines = append(lines, line)
		sums[b.Currency] = sums[b.Currency].Plus(n)
	}
	if len(lines) == 0 {
		return
	}
	f.line("")
	f.line("%s (%s-%s) %s", date, strings.ReplaceAll(date.String(), "-", ""), code, payee)
	for _, line := range lines {
		f.line("%s", line)
	}
	for _, currency := range slices.Sorted(mapKeys(sums)) {
		if !sums[currency].IsZero() {
			f.line("    %s  %s", f.ledger.carried(currency), plainAmount(sums[currency].Neg(), currency))
		}
	}
}

func mapKeys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// singleLine is text without line breaks and other control characters.
func singleLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\u0085' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")))
}

// WriteBeancount writes the night for beancount: accounts opened on the day, balances in and asserted on the morning after.
func WriteBeancount(ctx context.Context, w io.Writer, l Ledger) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "; Journal of %s\n", l.days())
	accounts := l.allAccounts()
	for _, currency := range currenciesOf(accounts) {
		symbol, _ := commodity(currency)
		fmt.Fprintf(out, "%s commodity %s\n", l.Date, symbol)
	}
	for i := 0; i < len(accounts); {
		var symbols []string
		name := accounts[i].Account
		for ; i < len(accounts) && accounts[i].Account == name; i++ {
			symbol, _ := commodity(accounts[i].Currency)
			symbols = append(symbols, symbol)
		}
		fmt.Fprintf(out, "%s open %s %s\n", l.Date, name, strings.Join(symbols, ","))
	}
	var opening []LedgerBalance
	for _, b := range l.Balances {
		if !b.Opening.IsZero() {
			opening = append(opening, b)
		}
	}
	if len(opening) > 0 {
		fmt.Fprintf(out, "\n%s * %s\n", l.Date, beanText(openingPayee))
		for _, b := range opening {
			fmt.Fprintf(out, "  %s  %s\n", b.Account, plainAmount(b.Opening, b.Currency))
			fmt.Fprintf(out, "  %s  %s\n", l.carried(b.Currency), plainAmount(b.Opening.Neg(), b.Currency))
		}
	}
	err := l.eachEntry(ctx, func(lines []tables.JournalLine) error {
		first := lines[0]
		fmt.Fprintf(out, "\n%s * %s %s ^%s\n", l.dateOf(first.EntryID), beanText(payeeOf(first.Kind)), beanText(first.Description), first.EntryID)
		for _, tag := range []struct{ name, value string }{{"customer", first.AccountID}, {"source", first.Source}, {"clause", first.Clause}} {
			if tag.value != "" {
				fmt.Fprintf(out, "  %s: %s\n", tag.name, beanText(tag.value))
			}
		}
		for _, line := range lines {
			fmt.Fprintf(out, "  %s  %s\n", line.Account, plainAmount(line.Signed(), line.Currency))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(l.Balances) > 0 {
		fmt.Fprintln(out)
	}
	for _, b := range l.Balances {
		symbol, decimals := commodity(b.Currency)
		// Without a tolerance of 0, beancount lets a balance be off by a unit of its last digit.
		fmt.Fprintf(out, "%s balance %s  %s ~ 0 %s\n", l.last().AddDays(1), b.Account, numbers.PlainDecimal(b.Closing, decimals), symbol)
	}
	return out.Flush()
}

// beanText is a beancount string.
func beanText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(singleLine(text)) + `"`
}

package journal

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// Exports are drafts for accounting packages: one journal per kind of entry and currency, with the sums per account; journal.csv has the
// single entries behind them. Their numbers follow from the night, so that importing one again makes no second one.

// Options are what an export has to be told.
type Options struct {
	// Currency to export; "" is all there are. Packages whose journals have no currency take one at a time.
	Currency string
	// Subsidiary that NetSuite books for.
	Subsidiary string
}

// ErrExport says that a journal can't be exported as asked; the message says what to change.
var ErrExport = errors.New("can't export")

// Formats are the formats of WriteExport.
func Formats() []string {
	return []string{"quickbooks", "xero", "netsuite", "beancount", "hledger"}
}

// Export writes a night's journal in one of ExportFormats.
func Export(ctx context.Context, w io.Writer, format string, l Ledger, o Options) error {
	switch format {
	case "hledger":
		return WriteHledger(ctx, w, l)
	case "beancount":
		return WriteBeancount(ctx, w, l)
	}
	write := map[string]func(io.Writer, Ledger, []draft, Options) error{
		"quickbooks": writeQuickBooks, "xero": writeXero, "netsuite": writeNetSuite}[format]
	if write == nil {
		return fmt.Errorf("%w: no format %q; there are %s", ErrExport, format, strings.Join(Formats(), ", "))
	}
	drafts, err := l.drafts(ctx, o.Currency)
	if err != nil {
		return err
	}
	return write(w, l, drafts, o)
}

// draft is a journal as an accounting package imports it.
type draft struct {
	number, memo, currency string
	lines                  []draftLine
}

type draftLine struct {
	account string
	code    string // in the chart of accounts; "" where it has none
	amount  numbers.Number
}

// drafts sums the night's entries up. Credit units are no money, and stay out.
func (l Ledger) drafts(ctx context.Context, currency string) ([]draft, error) {
	type key struct{ kind, currency string }
	sums := map[key]*draft{}
	var keys []key
	err := l.Lines(ctx, func(line tables.JournalLine) error {
		if line.Currency == accounting.CreditUnit || currency != "" && line.Currency != currency {
			return nil
		}
		k := key{line.Kind, line.Currency}
		d := sums[k]
		if d == nil {
			d = &draft{number: l.draftNumber(k.kind + "|" + k.currency), memo: fmt.Sprintf("%s of %s", payeeOf(k.kind), l.days()), currency: k.currency}
			sums[k] = d
			keys = append(keys, k)
		}
		i := slices.IndexFunc(d.lines, func(have draftLine) bool { return have.account == line.Account })
		if i < 0 {
			i = len(d.lines)
			d.lines = append(d.lines, draftLine{account: line.Account, code: l.Chart.Code(line.Account)})
		}
		d.lines[i].amount = d.lines[i].amount.Plus(line.Signed())
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.currency+a.kind, b.currency+b.kind) })
	var drafts []draft
	for _, k := range keys {
		d := *sums[k]
		d.lines = slices.DeleteFunc(d.lines, func(line draftLine) bool { return line.amount.IsZero() })
		slices.SortFunc(d.lines, func(a, b draftLine) int { return strings.Compare(a.account, b.account) })
		if len(d.lines) > 0 {
			drafts = append(drafts, d)
		}
	}
	return drafts, nil
}

// draftNumber tells a night's draft from a month's, also where they are of the same day.
func (l Ledger) draftNumber(key string) string {
	if l.Through.IsZero() {
		return accounting.JournalID(l.Date, "draft", key)
	}
	return accounting.JournalID(l.Through, "draft of a month", key)
}

// oneCurrency fails when the drafts are in several: the package's format has no column for it.
func oneCurrency(product string, drafts []draft) error {
	var currencies []string
	for _, d := range drafts {
		if !slices.Contains(currencies, d.currency) {
			currencies = append(currencies, d.currency)
		}
	}
	if len(currencies) > 1 {
		return fmt.Errorf("%w: journals for %s are in one currency, and this journal has %s; choose one with --currency", ErrExport, product, strings.Join(currencies, ", "))
	}
	return nil
}

// sides are a line's debit and credit, one of them empty.
func (line draftLine) sides(currency string) (debit, credit string) {
	_, decimals := commodity(currency)
	text := numbers.PlainDecimal(line.amount.Abs(), decimals)
	if line.amount.IsNegative() {
		return "", text
	}
	return text, ""
}

// maxJournalNumber is what QuickBooks Online takes; the others take more.
const maxJournalNumber = 21

func writeQuickBooks(w io.Writer, l Ledger, drafts []draft, _ Options) error {
	if err := oneCurrency("QuickBooks Online", drafts); err != nil {
		return err
	}
	out := newExportFile(w, "Journal No.", "Journal Date", "Account Name", "Description", "Debits", "Credits")
	date := fmt.Sprintf("%02d/%02d/%04d", l.last().Month, l.last().Day, l.last().Year)
	for _, d := range drafts {
		if len(d.number) > maxJournalNumber {
			return fmt.Errorf("%w: journal number %s is longer than %d characters", ErrExport, d.number, maxJournalNumber)
		}
		for _, line := range d.lines {
			debit, credit := line.sides(d.currency)
			out.row(d.number, date, line.account, d.memo, debit, credit)
		}
	}
	return out.close()
}

// xeroTaxRate: the journal's amounts are none that tax is due on again.
const xeroTaxRate = "Tax Exempt"

func writeXero(w io.Writer, l Ledger, drafts []draft, _ Options) error {
	if err := oneCurrency("Xero", drafts); err != nil {
		return err
	}
	out := newExportFile(w, "*Narration", "*Date", "Description", "*AccountCode", "*TaxRate", "*Amount")
	date := fmt.Sprintf("%02d/%02d/%04d", l.last().Day, l.last().Month, l.last().Year)
	for _, d := range drafts {
		_, decimals := commodity(d.currency)
		for _, line := range d.lines {
			if line.code == "" {
				return fmt.Errorf("%w: Xero needs a code for the account %s; give it one in the chart of accounts", ErrExport, line.account)
			}
			out.row(d.number+" "+d.memo, date, line.account, line.code, xeroTaxRate, numbers.PlainDecimal(line.amount, decimals))
		}
	}
	return out.close()
}

func writeNetSuite(w io.Writer, l Ledger, drafts []draft, o Options) error {
	out := newExportFile(w, "External ID", "Date", "Subsidiary", "Currency", "Memo", "Account", "Debit", "Credit")
	date := fmt.Sprintf("%02d/%02d/%04d", l.last().Month, l.last().Day, l.last().Year)
	for _, d := range drafts {
		for _, line := range d.lines {
			account := line.account
			if line.code != "" {
				account = line.code + " " + account
			}
			debit, credit := line.sides(d.currency)
			out.row(d.number, date, o.Subsidiary, strings.ToUpper(d.currency), d.memo, account, debit, credit)
		}
	}
	return out.close()
}

// exportFile is a CSV file for an importing program: amounts stay as they are, also below 0.
type exportFile struct {
	out *csv.Writer
	err error
}

func newExportFile(w io.Writer, header ...string) *exportFile {
	f := &exportFile{out: csv.NewWriter(w)}
	f.out.UseCRLF = true
	f.row(header...)
	return f
}

func (f *exportFile) row(cells ...string) {
	for i := range cells {
		cells[i] = singleLine(cells[i])
	}
	if f.err == nil {
		f.err = f.out.Write(cells)
	}
}

func (f *exportFile) close() error {
	f.out.Flush()
	return errors.Join(f.err, f.out.Error())
}

package month

import (
	"context"
	"slices"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/journal"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// Input is everything that a month's files follow from.
type Input struct {
	Month       reconcile.Month
	Through     reconcile.Date // the last night that is in it
	TimeZone    string
	CodeVersion string
	Chart       accounting.Chart
	SignOff     SignOff

	Nights      []Night          // published, in order
	Missing     []reconcile.Date // not published
	StripeSeen  reconcile.Date   // the newest night that looked at Stripe; zero: none did
	Trial       []TrialBalance
	Balances    []journal.LedgerBalance // of the balance sheet, as the month opened and as it closed
	Items       []OpenItem
	Waterfall   []Waterfall
	RollForward []tables.RollForward
	Cash        []Cash
	Activity    []tables.StripeActivity
	Income      []Income
	Breaks      []Break
	Refunds     []Refund
	Disputes    []tables.Dispute
	Late        []LateItem
	Proofs      []Proof
	Journal     tables.Rows[JournalLine]

	// Baseline is the revision before the one that is written, as it was published.
	Baseline func(ctx context.Context, revision int) (Published, error)
	// Signed is the last revision of the month that was signed; none: it has number 0.
	Signed Published
	// Before is the month before, as it was signed last.
	Before Published
}

// Published is what a published month said that a later one is compared with.
type Published struct {
	Revision int
	State    string
	Trial    []TrialBalance
	Items    []OpenItem
}

// Faults are why the month can't be closed, "" where it can: nights that are missing or don't tie, and figures that differ.
func (in *Input) Faults() (faults []string) {
	if n := len(in.Missing); n > 0 {
		faults = append(faults, plural(n, "night is", "nights are")+" missing, the first is "+in.Missing[0].String())
	}
	for i, night := range in.Nights {
		of := "the night of " + night.BusinessDate.String()
		switch {
		case night.Status != figures.StatusTied:
			faults = append(faults, of+" is "+statusWord(night.Status))
		case night.BooksBegin.IsZero():
			faults = append(faults, of+" has no journal")
		case i > 0 && !night.BooksBegin.Equal(in.Nights[i-1].BooksBegin.Time):
			faults = append(faults, of+" does not go on with the books of the night before; run it again, and those after it")
		}
	}
	for _, proof := range in.Proofs {
		if !proof.Difference.IsZero() {
			faults = append(faults, proof.What+": off by "+proof.Difference.Text(proof.Unit))
		}
	}
	return faults
}

func statusWord(s figures.Status) string {
	switch s {
	case figures.StatusUntied:
		return "untied: its totals do not tie"
	default:
		return string(s)
	}
}

// OpenErrors are the breaks of severity error that are open at the end of the month.
func (in *Input) OpenErrors() (open []Break) {
	for _, b := range in.Breaks {
		if b.Severity == reconcile.Error {
			open = append(open, b)
		}
	}
	return open
}

// Ledger is the month's journal for its writers, and for accounting packages.
func (in *Input) Ledger() journal.Ledger {
	l := journal.Ledger{Date: in.Month.First(), Through: in.Through, Balances: in.Balances, Chart: in.Chart, Lines: in.Lines()}
	for _, row := range in.Trial {
		l.Accounts = append(l.Accounts, journal.LedgerAccount{Account: row.Account, Currency: row.Currency})
	}
	slices.SortFunc(l.Accounts, func(a, b journal.LedgerAccount) int {
		return strings.Compare(a.Account+"\x00"+a.Currency, b.Account+"\x00"+b.Currency)
	})
	return l
}

// Lines are the journal's lines as the writers of a journal take them.
func (in *Input) Lines() tables.Rows[tables.JournalLine] {
	return func(ctx context.Context, fn func(tables.JournalLine) error) error {
		return in.Journal(ctx, func(l JournalLine) error { return fn(l.JournalLine) })
	}
}

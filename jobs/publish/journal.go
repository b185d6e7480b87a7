package publish

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/journal"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// ErrNoJournal says that a night's journal has not been kept.
var ErrNoJournal = errors.New("the night has no journal")

// LedgerOf is a night's journal as it was kept, for the writers of its files. ErrNoJournal: there is none.
func LedgerOf(ctx context.Context, q postgres.Querier, date reconcile.Date, chart accounting.Chart) (journal.Ledger, error) {
	var kept bool
	if err := q.Get(ctx, &kept, "books/journal_kept", postgres.Args{"date": date}); err != nil {
		return journal.Ledger{}, err
	}
	if !kept {
		return journal.Ledger{}, fmt.Errorf("%s: %w", date, ErrNoJournal)
	}
	return ledgerOf(ctx, q, date, chart)
}

// ledgerOf is an empty one where there is no journal.
func ledgerOf(ctx context.Context, q postgres.Querier, date reconcile.Date, chart accounting.Chart) (journal.Ledger, error) {
	of := postgres.Args{"date": date}
	l := journal.Ledger{Date: date, Chart: chart, Lines: func(ctx context.Context, fn func(tables.JournalLine) error) error {
		return postgres.Each(ctx, q, "reports/journal", of, fn)
	}}
	if err := q.Select(ctx, &l.Balances, "books/balances", of); err != nil {
		return l, err
	}
	return l, q.Select(ctx, &l.Accounts, "books/accounts", of)
}

// journalWriters are the files of the night's journal beside journal.csv.
func journalWriters(ctx context.Context, n *night.Night, q postgres.Querier) ([]reports.Writer, error) {
	ledger, err := ledgerOf(ctx, q, n.Date, n.Settings.Chart)
	if err != nil {
		return nil, err
	}
	var split []journal.LiabilitySplit
	if err := q.Select(ctx, &split, "books/split", nil); err != nil {
		return nil, err
	}
	return []reports.Writer{
		{Name: "journal.hledger", Write: func(ctx context.Context, w io.Writer) error { return journal.WriteHledger(ctx, w, ledger) }},
		{Name: "liability_split.csv", Write: func(_ context.Context, w io.Writer) error { return tables.WriteCSV(w, split) }},
	}, nil
}

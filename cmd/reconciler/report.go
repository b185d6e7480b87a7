package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/journal"
)

func newReportCommand(s *cli.Settings) *cobra.Command {
	var date, period, format, output string
	var options journal.Options
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write a night's or a month's journal for an accounting package",
		Long: `report writes the double-entry journal of a night that has been run, in the format of

  hledger      for hledger and ledger; the files of consecutive nights can be put after one another
  beancount    for beancount
  quickbooks   QuickBooks Online, Import journal entries
  xero         Xero, Import manual journals
  netsuite     NetSuite, CSV import of journal entries

The last three are drafts: one journal per kind of entry and currency, with numbers that follow from the night, so that importing one
twice is noticed. journal.csv in the night's reports has every entry behind them. Credits are no money, and are left out of these three.

With --period it is the journal of a month: one journal per kind of entry and currency, dated its last day, in one file for NetSuite and one
a currency for QuickBooks and Xero, whose formats have no column for it. Import nights or months, not both: their numbers differ.

The names and codes of the accounts are a setting, RECONCILER_ACCOUNTS: a YAML file that says for some roles what is to be used instead of

` + chartTable(),
		Example: `  reconciler report --date 2026-11-21 --format quickbooks --currency usd --output journal.csv
  reconciler report --period 2026-10 --format netsuite --output 2026-10.csv
  reconciler report --date 2026-11-21 --format beancount | bean-check /dev/stdin`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(journal.Formats(), format) {
				return cli.UsageError("--format: %q is none of %s", format, strings.Join(journal.Formats(), ", "))
			}
			c, err := s.Load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if period != "" && date != "" {
				return cli.UsageError("--period is of a month, --date of a night: give one")
			}
			var m reconcile.Month
			if period != "" {
				if m, err = parsePeriod(period); err != nil {
					return err
				}
			}
			night, err := cli.ParseNight(date, c.Jobs.Zone)
			if err != nil {
				return err
			}
			w, closeWorker, err := wiring.NewReader(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer closeWorker()
			options.Currency = strings.ToLower(options.Currency)
			write := func(out io.Writer) error {
				return writeJournal(cmd.Context(), w, format, options, out, func(ctx context.Context, tx *postgres.Tx) (journal.Ledger, error) {
					if period != "" {
						return officeOf(w).Ledger(ctx, tx, m)
					}
					return nightLedger(ctx, w, tx, night)
				})
			}
			return cli.WriteOutput(cmd.OutOrStdout(), "--output", output, write)
		},
	}
	cmd.Flags().StringVar(&period, "period", "", "a month instead, YYYY-MM")
	cmd.Flags().StringVar(&date, "date", "", "business date, YYYY-MM-DD (default: yesterday)")
	cmd.Flags().StringVar(&format, "format", "", strings.Join(journal.Formats(), ", "))
	cli.Completes(cmd, "format", journal.Formats()...)
	cmd.Flags().StringVar(&options.Currency, "currency", "", "only this currency; QuickBooks and Xero take one at a time")
	cmd.Flags().StringVar(&options.Subsidiary, "subsidiary", "Parent Company", "the subsidiary that NetSuite books for")
	cmd.Flags().StringVar(&output, "output", "", "write to this file (default: standard output)")
	return cmd
}

func writeJournal(ctx context.Context, w *jobs.Worker, format string, o journal.Options, out io.Writer, read func(context.Context, *postgres.Tx) (journal.Ledger, error)) error {
	return w.Store.InTx(ctx, postgres.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *postgres.Tx) error {
		ledger, err := read(ctx, tx)
		if err != nil {
			return monthResult(err)
		}
		err = journal.Export(ctx, out, format, ledger, o)
		if errors.Is(err, journal.ErrExport) {
			return cli.UsageError("%w", err)
		}
		return err
	})
}

func nightLedger(ctx context.Context, w *jobs.Worker, tx *postgres.Tx, night reconcile.Date) (journal.Ledger, error) {
	ledger, err := publish.LedgerOf(ctx, tx, night, w.Settings.Defaults().Chart)
	if errors.Is(err, publish.ErrNoJournal) {
		return ledger, cli.UsageError("%s has no journal; run the night first: reconciler run --date %s", night, night)
	}
	return ledger, err
}

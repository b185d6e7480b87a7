package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/month"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

const periodUsage = "the month, YYYY-MM"

func newMonthCommand(s *cli.Settings) *cobra.Command {
	var period string
	cmd := &cobra.Command{
		Use:   "month --period YYYY-MM",
		Short: "Publish a month's files as they stand",
		Long: `month puts a month together from its nights and publishes it at YYYY-MM/ in the report storage: a page and a workbook with the roll-forward,
the proof of Stripe's cash, the trial balance, what every clearing, payable, dispute, in-transit and suspense balance consists of, the open
breaks, a revenue waterfall and an income statement, with CSV files, the month's journal, and a manifest that names every night's.

Until the month is closed this is a draft. Repeated, it becomes a new revision where anything has changed, and says what.`,
		Example: `  reconciler month --period 2026-10`,
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withOffice(cmd, s, period, func(o *month.Office, m reconcile.Month) error {
				published, err := o.Draft(cmd.Context(), m, time.Now())
				if err != nil {
					return err
				}
				return describe(cmd.OutOrStdout(), m, published)
			})
		},
	}
	cmd.Flags().StringVar(&period, "period", "", periodUsage)
	return cmd
}

func newCloseCommand(s *cli.Settings) *cobra.Command {
	var period, by string
	var accept []string
	cmd := &cobra.Command{
		Use:   "close --period YYYY-MM --by NAME [--accept WHAT=REASON]",
		Short: "Close a month's books, and publish the month",
		Long: `close ends a month: its nights' reports can't change any more, and rows that arrive for it are booked as late items in the open month. It
publishes the month's files, signed with your name, as "month" does; another person then reviews them (reconciler review).

It refuses, with exit code 3 and the list of what stands in the way, while a night of the month is missing, incomplete or does not tie, while
a figure differs from its second count, and while an error is open at the month's end that nobody has accepted. Accept what may stay, each for
a reason that stays on record and in sign_off.json:

  --accept BREAK_ID=REASON    this one
  --accept KIND=REASON        all of a kind, such as refund_stuck
  --accept all=REASON         all that are open; what names a break more closely wins

Running a night of a closed month again changes nothing and writes a difference report.`,
		Example: `  reconciler close --period 2026-10 --by "Ana Ruiz"
  reconciler close --period 2026-10 --by "Ana Ruiz" --accept refund_stuck="bank confirmed, arrives in November" --accept brk_8f0c2d41a7="written off, see ticket 311"`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var accepted []month.Acceptance
			for _, text := range accept {
				a, err := month.ParseAcceptance(text)
				if err != nil {
					return cli.UsageError("--accept %w", err)
				}
				accepted = append(accepted, a)
			}
			return withOffice(cmd, s, period, func(o *month.Office, m reconcile.Month) error {
				published, err := o.Close(cmd.Context(), m, by, accepted, time.Now())
				var open *month.OpenErrors
				if errors.As(err, &open) {
					return errors.Join(err, listOpenErrors(cmd.OutOrStdout(), open))
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "period %s is closed\n", m)
				return describe(cmd.OutOrStdout(), m, published)
			})
		},
	}
	cmd.Flags().StringVar(&period, "period", "", periodUsage)
	cmd.Flags().StringVar(&by, "by", "", "who closes it; required")
	cmd.Flags().StringArrayVar(&accept, "accept", nil, "let open errors stay: BREAK_ID=REASON, KIND=REASON or all=REASON; may be repeated")
	return cmd
}

func newReviewCommand(s *cli.Settings) *cobra.Command {
	var period, by string
	cmd := &cobra.Command{
		Use:   "review --period YYYY-MM --by NAME",
		Short: "Sign a closed month as a second person",
		Long: `review signs a closed month for a second person: who closed it can't. It first verifies the month, as "verify --period" does, and refuses
with exit code 3 if anything is not as it was closed. The month's next revision names who reviewed which manifest.`,
		Example: `  reconciler review --period 2026-10 --by "Ben Okafor"`,
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withOffice(cmd, s, period, func(o *month.Office, m reconcile.Month) error {
				published, err := o.Review(cmd.Context(), m, by, time.Now())
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "period %s is reviewed\n", m)
				return describe(cmd.OutOrStdout(), m, published)
			})
		},
	}
	cmd.Flags().StringVar(&period, "period", "", periodUsage)
	cmd.Flags().StringVar(&by, "by", "", "who reviews it; required")
	return cmd
}

func newReopenCommand(s *cli.Settings) *cobra.Command {
	var period, by, reason string
	cmd := &cobra.Command{
		Use:   "reopen --period YYYY-MM --by NAME --reason TEXT",
		Short: "Reopen a closed month, for a reason",
		Long: `reopen undoes close. The reason stays on record, and so does the month as it was signed: the next revision, a draft that is published
at once, stands beside it, and says which signed balances have changed.`,
		Example: `  reconciler reopen --period 2026-10 --by "Ana Ruiz" --reason "auditor's correction 17"`,
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withOffice(cmd, s, period, func(o *month.Office, m reconcile.Month) error {
				if err := o.Reopen(cmd.Context(), m, by, reason, time.Now()); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "period %s is open again\n", m)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&period, "period", "", periodUsage)
	cmd.Flags().StringVar(&by, "by", "", "who reopens it; required")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stays on record")
	return cmd
}

// withOffice runs fn with an office of the settings.
func withOffice(cmd *cobra.Command, s *cli.Settings, period string, fn func(*month.Office, reconcile.Month) error) error {
	m, err := parsePeriod(period)
	if err != nil {
		return err
	}
	return wiring.WithWorker(s, cmd, func(_ context.Context, _ cli.Config, w *jobs.Worker) error {
		return monthResult(fn(officeOf(w), m))
	})
}

func officeOf(w *jobs.Worker) *month.Office {
	settings := w.Settings.Defaults()
	return &month.Office{Store: w.Store, Reports: w.Reports, Zone: settings.Zone, Chart: settings.Chart, CodeVersion: w.CodeVersion}
}

func parsePeriod(text string) (reconcile.Month, error) {
	m, err := reconcile.ParseMonth(text)
	if err != nil {
		return m, cli.UsageError("--period: %q: want YYYY-MM", text)
	}
	return m, nil
}

// monthResult marks what the caller has to change as a usage error.
func monthResult(err error) error {
	if errors.Is(err, month.ErrPeriod) || errors.Is(err, month.ErrNoNights) || errors.Is(err, storage.ErrNotPublished) {
		return cli.UsageError("%w", err)
	}
	return err
}

// listOpenErrors lists what has to be accepted, as its ids and kinds are to be named.
func listOpenErrors(out io.Writer, open *month.OpenErrors) error {
	table := terminal.NewTable(out, "BREAK", "KIND", "OF", "VARIANCE", "DAYS", "OWNER")
	for _, b := range open.Open {
		table.Row(b.BreakID, b.Kind, b.SubjectType+" "+b.SubjectID, cli.OrDash(b.Variance.Difference(b.Unit)), b.AgeDays, cli.OrDash(b.Owner))
	}
	return table.End()
}

// describe says in a few lines what was published.
func describe(out io.Writer, m reconcile.Month, p month.Published) error {
	if p.Input == nil || !p.IsNew {
		_, err := fmt.Fprintf(out, "%s: revision %d (%s) is what is published: %s\n", m, p.Revision, p.State, p.Location)
		return err
	}
	off := p.Input.SignOff
	_, err := fmt.Fprintf(out, "%s: revision %d (%s): %d nights, %d open items, %d open errors, %d warnings\n", m, p.Revision, p.State, len(p.Input.Nights), len(p.Input.Items), off.OpenErrors, off.OpenWarnings)
	for _, fault := range p.Input.Faults() {
		fmt.Fprintf(out, "  can't be closed: %s\n", fault)
	}
	if p.State == "draft" && off.OpenErrors > 0 {
		fmt.Fprintf(out, "  to close it, %d open errors have to be resolved, or accepted with --accept\n", off.OpenErrors)
	}
	fmt.Fprintf(out, "  %s/month.html\n", p.Location)
	return err
}

// verifyMonth says what of a month is not what was published.
func verifyMonth(ctx context.Context, out io.Writer, w *jobs.Worker, m reconcile.Month) error {
	faults, err := officeOf(w).Verify(ctx, m)
	if err != nil {
		return monthResult(err)
	}
	for _, fault := range faults {
		fmt.Fprintf(out, "%s: %s\n", fault.Where, fault.What)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %d faults in the month %s", night.ErrIntegrity, len(faults), m)
	}
	fmt.Fprintf(out, "%s is what was published: every file of every revision, the chain to its nights, and the month worked out again\n", m)
	return nil
}
